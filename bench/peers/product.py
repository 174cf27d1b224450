"""Bifrost in the same place as a peer: a workflow that imports the same module, run and waited for.

Submitted over HTTP, from as many connections as `CLIENTS`, so that the two workers never wait for one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from figures import milliseconds
from server import Client, Server

CLIENTS = 6
WORKERS = 2
BURST, SEQUENCE = 500, 100
WORKFLOW = """
from bifrost import workflow
from shared import tools

@workflow
def answer() -> int:
    return tools.LIMIT
"""


class Product:
    """A server with two workers on one database."""

    def __init__(self, database_url: str | None, module: str) -> None:
        self._server = Server(database_url=database_url, arguments=["--concurrency", str(WORKERS)])
        first = self._server.sign_in("provider")
        first.put("shared/tools.py", module)
        first.put("workflows/answer.py", WORKFLOW)
        self._clients = [first]
        self._threads = ThreadPoolExecutor(CLIENTS)

    def burst(self, count: int) -> float:
        """Seconds from the first request to the last result."""
        self._connect()
        waiting = iter(range(count))
        started = time.perf_counter()
        done = self._threads.map(lambda client: _run_all(client, waiting), self._clients)
        if sum(done) != count:
            raise RuntimeError("not every job was done")
        return time.perf_counter() - started

    def sequence(self, count: int) -> list[float]:
        """Milliseconds from each request to its result, one after the other."""
        self._connect()
        return [milliseconds(lambda: _run(self._clients[0])) for _ in range(count)]

    def _connect(self) -> None:
        """Signs in anew, as no token is good for as long as all rounds can take."""
        for client in self._clients:
            client.close()
        first = self._server.sign_in_again("provider")
        self._clients = [first, *(first.again() for _ in range(CLIENTS - 1))]

    def __enter__(self) -> Product:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()
        self._server.stop()


def _run_all(client: Client, waiting: Iterator[int]) -> int:
    """Takes one after the other as long as there are any; how many."""
    done = 0
    for _ in waiting:
        _run(client)
        done += 1
    return done


def _run(client: Client) -> None:
    result = client.run("answer", {})["result"]
    if result != 42:
        raise RuntimeError(f"the workflow's result is {result!r}")
