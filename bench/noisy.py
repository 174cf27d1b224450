"""A quiet organization beside a loud one: how long it waits, and whether shares follow weights.

The loud one queues far more than can run. The quiet one then asks for one execution at a time; the
bound is the time of one running execution and 100 ms. For the shares, two organizations have more
waiting than is measured, with weights 1 and 3; of a thousand completions three quarters must be the
second one's, within five per cent. All of it is queued before the first worker starts.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import postgres
from figures import Figure, percentile
from server import DATA, Client, Server

SLEEP_MS = 50
ALLOWED_MS = 100.0
SHARE_BOUND = 0.05
SLOTS = 4
WORKFLOW = f"""
import time
from bifrost import workflow

@workflow
def work() -> None:
    time.sleep({SLEEP_MS / 1000})
"""
QUEUE = "/api/workflows/work/executions"


def measure(quick: bool) -> list[Figure]:
    """The figures on SQLite, and on PostgreSQL if there is a server."""
    return [
        figure
        for part in (_waiting, _shares)
        for name, url in postgres.engines()
        for figure in part(name, url, quick)
    ]


def _waiting(name: str, url: str | None, quick: bool) -> list[Figure]:
    queued, asked = (100, 5) if quick else (10_000, 50)
    with _data() as directory:
        with _server(directory, url, "api") as server:
            loud, _ = _organizations(server, "loud", "quiet")
            ids = [loud.call("POST", QUEUE, {"inputs": {}})["id"] for _ in range(queued)]
        with _server(directory, url, "all") as server:
            loud, quiet = (server.sign_in_again(slug) for slug in ("loud", "quiet"))
            executions = [quiet.run("work", {}) for _ in range(asked)]
            still = loud.call("GET", f"/api/executions/{ids[-1]}")["status"]
    if still != "pending":
        raise RuntimeError(f"{name}: the loud organization was done before the quiet one")
    waited = [_ms(each, "created_at", "started_at") for each in executions]
    run = percentile([_ms(each, "started_at", "finished_at") for each in executions], 0.5)
    bound = run + ALLOWED_MS
    return [
        Figure(f"{name}: quiet one waits, p50", percentile(waited, 0.5), "ms", asked, bound),
        Figure(f"{name}: quiet one waits, slowest", max(waited), "ms", asked, bound),
        Figure(f"{name}: one execution runs, p50", run, "ms", asked),
    ]


def _shares(name: str, url: str | None, quick: bool) -> list[Figure]:
    counted = 60 if quick else 1000
    with _data() as directory:
        with _server(directory, url, "api") as server:
            clients = list(_organizations(server, "one", "three"))
            _weigh(server, "three", 3)
            for _ in range(counted):
                for client in clients:
                    client.call("POST", QUEUE, {"inputs": {}})
        with _server(directory, url, "all") as server:
            one, three = (server.sign_in_again(slug) for slug in ("one", "three"))
            ends = sorted([(end, 1) for end in _ends(one)] + [(end, 3) for end in _ends(three)])
    shared = ends[:counted]
    share = sum(weight == 3 for _, weight in shared) / counted
    off = abs(share - 0.75) / 0.75
    return [
        Figure(f"{name}: share of weight 3 beside 1, off by", off, "", counted, SHARE_BOUND),
        Figure(f"{name}: its share", share, "", counted),
    ]


def _data() -> tempfile.TemporaryDirectory[str]:
    """For two servers after each other: one that only queues, and one that runs as well."""
    DATA.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=DATA)


def _server(directory: str, url: str | None, role: str) -> Server:
    return Server(directory, url, ["--concurrency", str(SLOTS), "--role", role])


def _organizations(server: Server, *slugs: str) -> Iterator[Client]:
    provider = server.sign_in("provider")
    server.act(provider, None).put("workflows/work.py", WORKFLOW)
    for slug in slugs:
        server.command("admin", "create-organization", "--slug", slug, "--name", slug)
        yield server.sign_in(slug)


def _weigh(server: Server, slug: str, weight: int) -> None:
    provider = server.sign_in_again("provider")
    acting = server.act(provider, slug)
    acting.call("PATCH", "/api/org/settings", {"executions": {"weight": weight}})


def _ends(client: Client) -> list[str]:
    """When each execution ended, once all have."""
    while client.call("GET", "/api/executions?status=pending&limit=1")["items"]:
        time.sleep(0.2)
    while client.call("GET", "/api/executions?status=running&limit=1")["items"]:
        time.sleep(0.2)
    ends, cursor = [], ""
    while True:
        page = client.call("GET", f"/api/executions?limit=200{cursor}")
        ends += [each["finished_at"] for each in page["items"]]
        if not page["next_cursor"]:
            return ends
        cursor = f"&cursor={page['next_cursor']}"


def _ms(execution: dict[str, Any], earlier: str, later: str) -> float:
    times = [datetime.fromisoformat(execution[name]) for name in (earlier, later)]
    return (times[1] - times[0]).total_seconds() * 1000
