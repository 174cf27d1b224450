"""The job as a Huey task; who waits for a result is woken instead of asking again and again."""

from __future__ import annotations

import os
from typing import Any

import job
from huey import RedisHuey

huey = RedisHuey("bench", url=os.environ["BROKER"], notify_result=True)


@huey.task()
def answer() -> int:
    """The job."""
    return job.answer()


def submit() -> Any:
    """Queues one job."""
    return answer()


def result(submitted: Any) -> Any:
    """Waits for its result."""
    return submitted.get(blocking=True, timeout=120)
