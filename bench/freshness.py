"""A write that was answered is what the next run sees: pairs of both, counting stale runs.

The alternation is that of `crates/cli/tests/freshness.rs`: the organization's own file three
times, then its deletion and a write of Global's.
"""

from __future__ import annotations

import time

from figures import Figure
from server import Client, Server

BOUND_STALE = 0.0
PATH = "shared/answer.py"
WORKFLOW = """
from bifrost import workflow
from shared import answer

@workflow
def ask() -> int:
    return answer.VALUE
"""


def measure(quick: bool) -> list[Figure]:
    """Stale runs, and pairs per second."""
    pairs = 500 if quick else 10_000
    with Server() as server:
        own, shared = _clients(server)
        shared.put(PATH, "VALUE = 0\n")
        shared.put("workflows/ask.py", WORKFLOW)
        started = time.perf_counter()
        stale = sum(_pair(own, shared, value) for value in range(1, pairs + 1))
        seconds = time.perf_counter() - started
    return [
        Figure("stale runs after a write", stale, "runs", pairs, BOUND_STALE),
        Figure("pairs of a write and a run", pairs / seconds, "per s", pairs),
    ]


def _clients(server: Server) -> tuple[Client, Client]:
    """One of an organization, and the provider's admin acting in Global."""
    server.command("admin", "create-organization", "--slug", "acme", "--name", "Acme")
    provider = server.sign_in("provider")
    return server.sign_in("acme", "ops"), server.act(provider, None)


def _pair(own: Client, shared: Client, value: int) -> bool:
    """Writes, runs; whether the run was older than the write."""
    if value % 4 == 0:
        own.call("DELETE", f"/api/files/content/{PATH}")
        shared.put(PATH, f"VALUE = {value}\n")
    else:
        own.put(PATH, f"VALUE = {value}\n")
    result: int = own.run("ask", {})["result"]
    return result != value
