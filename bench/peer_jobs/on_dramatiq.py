"""The job as a Dramatiq actor, on Redis or RabbitMQ, with results in Redis."""

from __future__ import annotations

import os
from typing import Any

import dramatiq
import job
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

address = os.environ["BROKER"]
broker = (RedisBroker if address.startswith("redis") else RabbitmqBroker)(url=address)
broker.add_middleware(Results(backend=RedisBackend(url=os.environ["RESULTS"])))
dramatiq.set_broker(broker)


@dramatiq.actor(store_results=True)
def answer() -> int:
    """The job."""
    return job.answer()


def submit() -> Any:
    """Queues one job."""
    return answer.send()


def result(submitted: Any) -> Any:
    """Waits for its result."""
    return submitted.get_result(block=True, timeout=120_000)
