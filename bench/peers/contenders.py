"""Which peers there are, how each is started, and on which broker."""

from __future__ import annotations

from peers.queue import Queue

CELERY = ["celery", "--app", "on_celery", "worker", "--concurrency", "2", "--loglevel", "ERROR"]
CELERY += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
RQ = ["rq", "worker", "--quiet", "--url"]
DRAMATIQ = ["dramatiq", "on_dramatiq", "--processes", "2", "--threads", "1"]
HUEY = ["huey_consumer", "on_huey.huey", "--workers", "2", "--worker-type", "process"]
HUEY += ["--no-periodic", "--quiet"]
PROCRASTINATE = ["procrastinate", "--app", "on_procrastinate.app", "worker", "--concurrency", "1"]

CELERY_FORGETFUL, CELERY_DURABLE, RQ_NAME = "Celery, forgetful Redis", "Celery, durable Redis", "RQ"


def on_redis(forgetful: int, durable: int) -> list[Queue]:
    """Those that Redis carries, by its ports. Each has a database of its own."""
    first, second, third, fourth, fifth = (redis(forgetful, number) for number in range(5))
    kept = redis(durable, 0)
    fresh = [*CELERY, "--max-tasks-per-child", "1"]
    return [
        Queue(CELERY_FORGETFUL, "on_celery", [CELERY], 1000, 100, first),
        Queue(CELERY_DURABLE, "on_celery", [CELERY], 700, 100, kept),
        Queue("Celery, process per job", "on_celery", [fresh], 12, 4, second),
        Queue(RQ_NAME, "on_rq", [[*RQ, third["BROKER"], "bench"]] * 2, 150, 30, third),
        Queue("Dramatiq, forgetful Redis", "on_dramatiq", [DRAMATIQ], 1500, 100, fourth),
        Queue("Huey, forgetful Redis", "on_huey", [HUEY], 1500, 100, fifth),
    ]


def redis(port: int, database: int) -> dict[str, str]:
    """Messages and results in one database."""
    url = f"redis://127.0.0.1:{port}/{database}"
    return {"BROKER": url, "RESULTS": url}


def on_rabbitmq(port: int, results: int) -> Queue:
    """Dramatiq as it is used most."""
    where = redis(results, 5) | {"BROKER": f"amqp://guest:guest@127.0.0.1:{port}"}
    return Queue("Dramatiq, RabbitMQ", "on_dramatiq", [DRAMATIQ], 1500, 100, where)


def on_postgres(url: str) -> Queue:
    """procrastinate, the one that keeps its jobs where Bifrost does."""
    where = {"BROKER": url}
    workers = [PROCRASTINATE] * 2
    return Queue("procrastinate, PostgreSQL", "on_procrastinate", workers, 700, 100, where)
