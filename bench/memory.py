"""What a run takes in memory, what a hundred sleeping ones take, and a server that does nothing.

Proportional memory (`Pss`) counts a page that processes share once over all of them, so sums of it are what
the machine has less. What is unique to a child are its private pages, taken while it sleeps in the
middle of its workflow; its neighbours share with it only what came from the process both were forked from.
Processes that the server has while runs sleep, and had not before, are the runs'.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import processes
from figures import Figure
from server import Client, Server

IDLE_MB, UNIQUE_MB, HUNDRED_MB = 120.0, 6.0, 1000.0
STARTED_WITHIN = 120.0
WORKFLOWS = {
    "answer": """
from bifrost import workflow

@workflow
def answer() -> int:
    return 42
""",
    "rest": """
import time
from bifrost import progress, workflow

@workflow(timeout=600)
def rest() -> None:
    progress(1)
    time.sleep(500)
""",
}


def measure(quick: bool) -> list[Figure]:
    """Idle, then one run at a time, then all at once."""
    runs, singles = (10, 2) if quick else (100, 10)
    with Server(arguments=["--concurrency", str(runs), "--drain-seconds", "0"]) as server:
        client = server.sign_in("provider")
        _set_up(client, runs)
        pid = server.process.pid
        idle = processes.proportional(pid)
        alone = [_single(client, pid) for _ in range(singles)]
        before = processes.family(pid)
        ids = [_start(client) for _ in range(runs)]
        _await(lambda: _asleep(client, ids))
        together = processes.proportional(pid)
        children = _new(pid, before)
        unique = [processes.unique(each) for each in children]
        _end(client, ids)
    each = (together - idle) / runs
    return [
        Figure("idle server and zygote (PSS)", idle, "MB", 1, IDLE_MB),
        Figure("unique to one run, p50", statistics.median(alone), "MB", singles, UNIQUE_MB),
        Figure(f"unique to one of {runs}, mean", sum(unique) / runs, "MB", runs, UNIQUE_MB),
        Figure(f"{runs} sleeping runs and the server (PSS)", together, "MB", runs, HUNDRED_MB),
        Figure("a further run adds (PSS)", each, "MB", runs),
        Figure("processes of one run", len(children) / runs, "", runs),
    ]


def _set_up(client: Client, runs: int) -> None:
    """Writes the workflows, and runs one until everything is as warm as it becomes."""
    for name, source in WORKFLOWS.items():
        client.put(f"workflows/{name}.py", source)
    client.call("PATCH", "/api/org/settings", {"executions": {"max_concurrent": runs}})
    for _ in range(20):
        client.run("answer", {})


def _single(client: Client, pid: int) -> float:
    """What one run has for itself."""
    before = processes.family(pid)
    one = [_start(client)]
    _await(lambda: _asleep(client, one))
    found = sum(processes.unique(each) for each in _new(pid, before))
    _end(client, one)
    return found


def _new(pid: int, before: list[int]) -> list[int]:
    """The processes of the runs that began since."""
    found = [each for each in processes.family(pid) if each not in before]
    if not found:
        raise RuntimeError("the runs are no descendants of the server: there is nothing to measure")
    return found


def _start(client: Client) -> str:
    found: str = client.call("POST", "/api/workflows/rest/executions", {"inputs": {}})["id"]
    return found


def _asleep(client: Client, ids: list[str]) -> bool:
    """Whether all have told that they are in the middle of the workflow."""
    return all(client.call("GET", f"/api/executions/{each}")["progress"] for each in ids)


def _end(client: Client, ids: list[str]) -> None:
    for each in ids:
        client.call("POST", f"/api/executions/{each}/cancel")
    _await(lambda: not client.call("GET", "/api/executions?status=running&limit=1")["items"])


def _await(done: Callable[[], bool]) -> None:
    started = time.monotonic()
    while not done():
        if time.monotonic() - started > STARTED_WITHIN:
            raise RuntimeError("the runs do not get as far as they have to")
        time.sleep(0.05)
