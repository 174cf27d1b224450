"""The job on RQ, whose worker forks a process for each job."""

from __future__ import annotations

import os
from typing import Any

import job
from redis import Redis
from rq import Queue

queue = Queue("bench", connection=Redis.from_url(os.environ["BROKER"]))


def submit() -> Any:
    """Queues one job."""
    return queue.enqueue(job.answer)


def result(submitted: Any) -> Any:
    """Waits for its result."""
    found = submitted.latest_result(timeout=120)
    return found and found.return_value
