"""Job queues from PyPI beside Bifrost: the same job, two workers each, results stored and awaited.

Bifrost runs each job in a fresh process of its own and keeps job and result in a durable database. Of the
peers, RQ and one of the Celerys do the first, procrastinate and the Celery on a durable Redis the
second. All are started once and stay up; in each round each has its turn, in an order that is shuffled
anew: a burst of jobs for the throughput, then one after the other for the latency. Ratios are medians of
the rounds' own ratios, so what slows the machine for a while slows both sides.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import brokers
import postgres
from figures import Figure, percentile
from module_tree import long_module
from peers import contenders, product
from peers.queue import JOBS, Queue, Running
from server import DATA

VENV = Path(__file__).resolve().parent.parent.parent / ".cache" / "peers"
REQUIREMENTS = [
    "celery[redis]==5.7.0",
    "dramatiq[rabbitmq,redis]==2.2.1",
    "huey==3.5.4",
    "procrastinate==3.10.0",
    "psycopg[binary,pool]==3.3.9",
    "redis==8.1.0",
    "rq==3.0.0",
]
MODULE = long_module(42)
AT_LEAST = {
    contenders.CELERY_FORGETFUL: 1.0,
    contenders.CELERY_DURABLE: 1.5,
    contenders.RQ_NAME: 6.0,
}


class Contender(Protocol):
    """What takes turns."""

    def burst(self, count: int) -> float:
        """Seconds of so many jobs at once."""

    def sequence(self, count: int) -> list[float]:
        """Milliseconds of each of so many jobs, one after the other."""


@dataclass
class Turns:
    """One contender, and what came of its turns."""

    contender: Contender
    jobs: int
    singles: int
    rates: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def take(self) -> None:
        """One turn."""
        self.rates.append(self.jobs / self.contender.burst(self.jobs))
        self.times += self.contender.sequence(self.singles)


def measure(quick: bool) -> list[Figure]:
    """Throughput and latency of each, and Bifrost's throughput over each peer's."""
    rounds = 1 if quick else 9
    _install()
    DATA.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=DATA) as folder, ExitStack() as stack:
        turns = dict(_contenders(Path(folder), quick, stack))
        for each in turns.values():
            each.contender.burst(each.jobs // 4 + 1)
        order = list(turns.values())
        for _ in range(rounds):
            random.shuffle(order)
            for each in order:
                each.take()
    return _figures(turns, rounds)


def _install() -> None:
    """The peers, in a place of their own, unless these versions are there."""
    python, note = VENV / "bin" / "python", VENV / "requirements.json"
    if note.exists() and json.loads(note.read_text()) == REQUIREMENTS:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, *REQUIREMENTS], check=True)
    note.write_text(json.dumps(REQUIREMENTS))


def _contenders(folder: Path, quick: bool, stack: ExitStack) -> Iterator[tuple[str, Turns]]:
    """All that can be started here; they end with the stack."""
    share = 20 if quick else 1
    for name, url in postgres.engines():
        running = stack.enter_context(product.Product(url, MODULE))
        yield f"Bifrost, {name}", Turns(running, product.BURST // share, product.SEQUENCE // share)
    module = folder / "shared" / "tools.py"
    module.parent.mkdir()
    module.write_text(MODULE)
    for number, queue in enumerate(_queues(folder, stack)):
        peer = stack.enter_context(Running(queue, VENV / "bin", folder / f"peer-{number}"))
        yield queue.name, Turns(peer, queue.burst // share + 1, queue.sequence // share + 1)


def _queues(folder: Path, stack: ExitStack) -> list[Queue]:
    forgetful = stack.enter_context(brokers.redis(folder / "forgetful", durable=False)).port
    durable = stack.enter_context(brokers.redis(folder / "durable", durable=True)).port
    queues = contenders.on_redis(forgetful, durable)
    if brokers.RABBITMQ.exists():
        carrier = brokers.rabbitmq(folder / "rabbitmq", stack)
        queues.append(contenders.on_rabbitmq(carrier.port, forgetful))
    else:
        print("  without RabbitMQ: `apt-get install rabbitmq-server`", file=sys.stderr)
    if "BIFROST_TEST_POSTGRES" in os.environ:
        queues.append(_procrastinate(postgres.database()))
    return queues


def _procrastinate(url: str) -> Queue:
    """With its tables."""
    queue = contenders.on_postgres(url)
    prepare = "import on_procrastinate; on_procrastinate.prepare()"
    environment = os.environ | queue.environment | {"PYTHONPATH": str(JOBS)}
    subprocess.run([str(VENV / "bin" / "python"), "-c", prepare], env=environment, check=True)
    return queue


def _figures(turns: dict[str, Turns], rounds: int) -> list[Figure]:
    """Rates and times of all, then what the one is of the other."""
    figures = []
    for name, each in turns.items():
        rate, singles = statistics.median(each.rates), len(each.times)
        figures += [
            Figure(f"{name}: jobs", rate, "/s", rounds),
            Figure(f"{name}: one job, p50", percentile(each.times, 0.5), "ms", singles),
            Figure(f"{name}: one job, p99", percentile(each.times, 0.99), "ms", singles),
        ]
    for own, ours in turns.items():
        for other, theirs in turns.items():
            if own.startswith("Bifrost") and not other.startswith("Bifrost"):
                pairs = zip(ours.rates, theirs.rates)
                ratio = statistics.median(one / another for one, another in pairs)
                least = AT_LEAST.get(other)
                name = f"{own} over {other}"
                figures.append(Figure(name, ratio, "x", rounds, least, at_least=True))
    return figures
