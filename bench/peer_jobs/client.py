"""Submits jobs to one queue and awaits their results: `client.py MODULE`. Runs in the peers' venv.

A line on standard input is a command, a line on standard output its answer: `burst N` submits N jobs
and awaits them all, and answers with the seconds; `sequence N` does one after the other, and answers
with the milliseconds of each.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any, Protocol

EXPECTED = 42


class Queue(Protocol):
    """What a module `on_….py` offers."""

    def submit(self) -> Any:
        """Queues one job."""

    def result(self, submitted: Any) -> Any:
        """Waits for its result."""


def burst(queue: Queue, count: int) -> float:
    """All at once."""
    started = time.perf_counter()
    submitted = [queue.submit() for _ in range(count)]
    for each in submitted:
        expect(queue.result(each))
    return time.perf_counter() - started


def sequence(queue: Queue, count: int) -> list[float]:
    """One after the other."""
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        expect(queue.result(queue.submit()))
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def expect(result: object) -> None:
    """A queue that answers something else is not measured."""
    if result != EXPECTED:
        raise RuntimeError(f"the job's result is {result!r}")


def main() -> None:
    """Answers commands until there are none."""
    queue: Any = importlib.import_module(sys.argv[1])
    for line in sys.stdin:
        command, count = line.split()
        answer = {"burst": burst, "sequence": sequence}[command](queue, int(count))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
