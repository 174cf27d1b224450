"""100,000 files in 1,000 organizations: start, memory, and the first run of a cold organization.

The files' pages are in the system's cache, as the database was just copied; everything the server
keeps itself is cold. The workflow is Global's and imports ten modules of the organization's own.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import processes
import seed
from figures import Figure, milliseconds, percentile
from module_tree import short_module
from server import DATA, Client, Server

READY_SECONDS, MEMORY_MB, FIRST_RUN_MS = 2.0, 300.0, 50.0
IMPORTED = range(0, 20, 2)


def measure(quick: bool) -> list[Figure]:
    """Readiness, memory and first runs, on a copy of the seeded database."""
    plan = seed.Plan(20, 25) if quick else seed.Plan(1000, 100)
    starts, cold = (2, 10) if quick else (11, 100)
    seeded = seed.data_directory(plan)
    with tempfile.TemporaryDirectory(dir=DATA) as folder:
        directory = shutil.copytree(seeded, Path(folder, "data"))
        _prepare(str(directory), plan)
        figures = _starts(str(directory), starts)
        return figures + _first_runs(str(directory), plan, cold)


def _workflow() -> str:
    names = [f"part_{number}" for number in IMPORTED]
    return (
        "from bifrost import workflow\n"
        f"from tools import {', '.join(names)}\n\n"
        "@workflow\n"
        "def owners() -> list[int]:\n"
        f"    return [part.OWNER for part in ({', '.join(names)})]\n"
    )


def _prepare(directory: str, plan: seed.Plan) -> None:
    """Writes the workflow, and reads some files back through the API."""
    with Server(directory) as server:
        provider = server.sign_in("provider")
        server.act(provider, None).put("workflows/owners.py", _workflow())
        for number in range(0, plan.organizations, max(1, plan.organizations // 10)):
            client = server.act(provider, plan.slug(number))
            path = plan.path(number % plan.files)
            found = client.call("GET", f"/api/files/content/{path}")
            assert found["content"] == short_module(number, number % plan.files), path


def _starts(directory: str, count: int) -> list[Figure]:
    """From the start of the process to the first 200 of `/readyz`."""
    taken = [_ready_after(directory) for _ in range(count)]
    return [
        Figure("start to ready, p50", statistics.median(taken), "s", count, READY_SECONDS),
        Figure("start to ready, slowest", max(taken), "s", count),
    ]


def _ready_after(directory: str) -> float:
    started = time.perf_counter()
    with Server(directory) as server:
        while not _is_ready(server):
            time.sleep(0.001)
        return time.perf_counter() - started


def _is_ready(server: Server) -> bool:
    try:
        with urllib.request.urlopen(f"{server.address}/readyz", timeout=5) as reply:
            return bool(reply.status == 200)
    except urllib.error.URLError:
        return False


def _first_runs(directory: str, plan: seed.Plan, count: int) -> list[Figure]:
    """Runs organizations for the first time, from all over the table; memory before and after."""
    with Server(directory) as server:
        pid = server.process.pid
        provider = server.sign_in_again("provider")
        before = processes.resident(pid), processes.proportional(pid)
        numbers = range(0, plan.organizations, plan.organizations // count)[:count]
        clients = {number: server.act(provider, plan.slug(number)) for number in numbers}
        first = [milliseconds(lambda: _run(clients[number], number)) for number in numbers]
        again = [milliseconds(lambda: _run(clients[number], number)) for number in numbers]
        after = processes.resident(pid), processes.proportional(pid)
    figures = [Figure("first run, cold, p50", percentile(first, 0.5), "ms", count, FIRST_RUN_MS)]
    figures += [
        Figure("first run, cold, p95", percentile(first, 0.95), "ms", count),
        Figure("first run, cold, slowest", max(first), "ms", count),
        Figure("first run of the server", first[0], "ms", 1),
        Figure("second run, warm, p50", percentile(again, 0.5), "ms", count),
    ]
    for when, (resident, proportional) in (("start", before), (f"{count} cold runs", after)):
        figures += [
            Figure(f"server's resident memory after {when}", resident, "MB", 1, MEMORY_MB),
            Figure(f"server and children (PSS) after {when}", proportional, "MB", 1, MEMORY_MB),
        ]
    return figures


def _run(client: Client, number: int) -> None:
    """A run that has to have used the organization's own modules."""
    owners = client.run("owners", {})["result"]
    if owners != [number] * len(IMPORTED):
        raise RuntimeError(f"organization {number} ran modules of {owners}")
