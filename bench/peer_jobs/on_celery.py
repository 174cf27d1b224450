"""The job as a Celery task, with results in the Redis that carries the messages."""

from __future__ import annotations

import os
from typing import Any

import job
from celery import Celery

app = Celery("bench", broker=os.environ["BROKER"], backend=os.environ["RESULTS"])
# Every worker is as near as any other; what they tell each other is work that nobody asked for.
app.conf.update(worker_send_task_events=False, worker_enable_remote_control=False)


@app.task
def answer() -> int:
    """The job."""
    return job.answer()


def submit() -> Any:
    """Queues one job."""
    return answer.delay()


def result(submitted: Any) -> Any:
    """Waits for its result, and lets go of it."""
    found = submitted.get(timeout=120)
    submitted.forget()
    return found
