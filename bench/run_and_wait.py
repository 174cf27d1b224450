"""A trivial workflow through the API, from request to result, beside what it cannot do without.

Rounds are interleaved: one run, one process start, two plain requests, again. What a run costs
above a request is the platform; what a bare interpreter costs is what starting one for each run
would add.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from figures import Figure, milliseconds, percentile
from server import Client, Server

BOUND_MS, P99_BOUND_MS = 5.0, 15.0
SETTINGS = "GET /api/org/settings"
SETTINGS_BOUND_MS = 5.0
WORKFLOW = """
from bifrost import workflow

@workflow
def answer() -> int:
    return 42
"""
RUN = "/api/workflows/answer/executions?wait=10"


def measure(quick: bool) -> list[Figure]:
    """The run's distribution, and the medians of its floors."""
    warm_up, rounds = (3, 10) if quick else (50, 300)
    with Server() as server:
        client = server.sign_in("provider")
        client.put("workflows/answer.py", WORKFLOW)
        ways = _ways(client)
        times: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(warm_up + rounds):
            for name, way in ways.items():
                taken = milliseconds(way)
                if number >= warm_up:
                    times[name].append(taken)
    return _figures(times)


def _ways(client: Client) -> dict[str, Callable[[], object]]:
    return {
        "run and wait": lambda: run_once(client),
        "GET /healthz": lambda: client.call("GET", "/healthz"),
        "GET /api/auth/me": lambda: client.call("GET", "/api/auth/me"),
        SETTINGS: lambda: client.call("GET", "/api/org/settings"),
        "process: python3 -I -S -c pass": _bare_interpreter,
    }


def run_once(client: Client) -> None:
    """Runs `WORKFLOW` once and waits for it."""
    execution = client.call("POST", RUN, {"inputs": {}})
    if execution["result"] != 42:
        raise RuntimeError(f"{execution['status']}: {execution['error']}")


def _bare_interpreter() -> None:
    pid = os.posix_spawn(sys.executable, ["python3", "-I", "-S", "-c", "pass"], {})
    os.waitpid(pid, 0)


def _figures(times: dict[str, list[float]]) -> list[Figure]:
    runs = times.pop("run and wait")
    count = len(runs)
    figures = [Figure("run and wait, p50", percentile(runs, 0.5), "ms", count, BOUND_MS)]
    for name, share, most in (("p95", 0.95, None), ("p99", 0.99, P99_BOUND_MS)):
        figures.append(Figure(f"run and wait, {name}", percentile(runs, share), "ms", count, most))
    figures.append(Figure("run and wait, fastest", min(runs), "ms", count))
    for name, each in times.items():
        bound = SETTINGS_BOUND_MS if name == SETTINGS else None
        figures.append(Figure(f"{name}, p50", percentile(each, 0.5), "ms", len(each), bound))
    return figures
