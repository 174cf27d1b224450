"""100,000 files in 1,000 organizations: start, memory, and the first run of a cold organization.

The files' pages are in the system's cache, as the database was just copied; everything the server
keeps itself is cold. The workflow is Global's and imports ten modules of the organization's own. On
PostgreSQL a server before has run the same organizations, so that Redis has what the new one asks for.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import brokers
import processes
import seed
from figures import Figure, milliseconds, percentile
from module_tree import short_module
from server import DATA, Client, Server

READY_SECONDS, MEMORY_MB, FIRST_RUN_MS = 2.0, 300.0, 50.0
IMPORTED = range(0, 20, 2)


@dataclass(frozen=True)
class Installation:
    """Where the data is, and what a server of it is started with."""

    name: str
    directory: str
    database_url: str | None = None
    arguments: tuple[str, ...] = ()

    def server(self) -> Server:
        """A new server, which knows nothing yet."""
        return Server(self.directory, self.database_url, self.arguments)


def measure(quick: bool) -> list[Figure]:
    """Readiness, memory and first runs: on SQLite, then on PostgreSQL with a Redis that is warm."""
    plan = seed.Plan(20, 25) if quick else seed.Plan(1000, 100)
    starts, cold = (2, 10) if quick else (11, 100)
    with tempfile.TemporaryDirectory(dir=DATA) as folder, ExitStack() as stack:
        figures = []
        for installation in _installations(plan, Path(folder), stack):
            _prepare(installation, plan)
            if installation.database_url:
                _first_runs(installation, plan, cold)  # a server from which Redis has everything
            figures += _starts(installation, starts) + _first_runs(installation, plan, cold)
        return figures


def _installations(plan: seed.Plan, folder: Path, stack: ExitStack) -> Iterator[Installation]:
    """One after the other, as what the first leaves in memory is not the second's."""
    directory = shutil.copytree(seed.data_directory(plan), folder / "sqlite")
    yield Installation("SQLite", str(directory))
    if "BIFROST_TEST_POSTGRES" in os.environ:
        url = seed.postgres_database(plan)
        redis = stack.enter_context(brokers.redis(folder / "redis", durable=False))
        cache = ("--redis-url", f"redis://127.0.0.1:{redis.port}")
        (folder / "postgres").mkdir(mode=0o700)
        yield Installation("PostgreSQL, Redis", str(folder / "postgres"), url, cache)


def _workflow() -> str:
    names = [f"part_{number}" for number in IMPORTED]
    return (
        "from bifrost import workflow\n"
        f"from tools import {', '.join(names)}\n\n"
        "@workflow\n"
        "def owners() -> list[int]:\n"
        f"    return [part.OWNER for part in ({', '.join(names)})]\n"
    )


def _prepare(installation: Installation, plan: seed.Plan) -> None:
    """Writes the workflow, and reads some files back through the API."""
    with installation.server() as server:
        provider = server.sign_in("provider")
        server.act(provider, None).put("workflows/owners.py", _workflow())
        for number in range(0, plan.organizations, max(1, plan.organizations // 10)):
            client = server.act(provider, plan.slug(number))
            path = plan.path(number % plan.files)
            found = client.call("GET", f"/api/files/content/{path}")
            assert found["content"] == short_module(number, number % plan.files), path


def _starts(installation: Installation, count: int) -> list[Figure]:
    """From the start of the process to the first 200 of `/readyz`."""
    taken = [_ready_after(installation) for _ in range(count)]
    name = f"{installation.name}: start to ready"
    return [
        Figure(f"{name}, p50", statistics.median(taken), "s", count, READY_SECONDS),
        Figure(f"{name}, slowest", max(taken), "s", count),
    ]


def _ready_after(installation: Installation) -> float:
    started = time.perf_counter()
    with installation.server() as server:
        while not _is_ready(server):
            time.sleep(0.001)
        return time.perf_counter() - started


def _is_ready(server: Server) -> bool:
    try:
        with urllib.request.urlopen(f"{server.address}/readyz", timeout=5) as reply:
            return bool(reply.status == 200)
    except urllib.error.URLError:
        return False


def _first_runs(installation: Installation, plan: seed.Plan, count: int) -> list[Figure]:
    """Runs organizations for the first time, from all over the table; memory before and after."""
    with installation.server() as server:
        pid = server.process.pid
        provider = server.sign_in_again("provider")
        before = processes.resident(pid), processes.proportional(pid)
        numbers = range(0, plan.organizations, plan.organizations // count)[:count]
        clients = {number: server.act(provider, plan.slug(number)) for number in numbers}
        first = [milliseconds(lambda: _run(clients[number], number)) for number in numbers]
        again = [milliseconds(lambda: _run(clients[number], number)) for number in numbers]
        after = processes.resident(pid), processes.proportional(pid)
        missed, found = (_counted(server, f"bifrost_cache_{w}_total") for w in ("misses", "hits"))
    name = installation.name
    figures = [
        Figure(f"{name}: first run, cold, p50", percentile(first, 0.5), "ms", count, FIRST_RUN_MS),
        Figure(f"{name}: first run, cold, p95", percentile(first, 0.95), "ms", count),
        Figure(f"{name}: first run, cold, slowest", max(first), "ms", count),
        Figure(f"{name}: first run of the server", first[0], "ms", 1),
        Figure(f"{name}: second run, warm, p50", percentile(again, 0.5), "ms", count),
    ]
    for when, (resident, proportional) in (("start", before), (f"{count} cold runs", after)):
        figures += [
            Figure(f"{name}: resident memory after {when}", resident, "MB", 1, MEMORY_MB),
            Figure(f"{name}: with children (PSS) after {when}", proportional, "MB", 1, MEMORY_MB),
        ]
    if installation.arguments:
        figures.append(Figure(f"{name}: files Redis had", found, "files", count))
        figures.append(Figure(f"{name}: files it did not have", missed, "files", count, 0.0))
    return figures


def _counted(server: Server, name: str) -> float:
    """A figure of `/metrics`, over all its labels."""
    with urllib.request.urlopen(f"{server.address}/metrics", timeout=5) as reply:
        lines = reply.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def _run(client: Client, number: int) -> None:
    """A run that has to have used the organization's own modules."""
    owners = client.run("owners", {})["result"]
    if owners != [number] * len(IMPORTED):
        raise RuntimeError(f"organization {number} ran modules of {owners}")
