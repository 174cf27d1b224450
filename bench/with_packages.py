"""Run and wait of a workflow that imports `httpx` and twenty workspace modules, over HTTP.

All of it is Global's, as what a provider shares with its customers is, and an organization runs it. The
server builds the packages once, from the public index, before anything is measured. Then come runs from
which it learns what is imported often, and then those that count.
"""

from __future__ import annotations

import time
from pathlib import Path

from figures import Figure, milliseconds, percentile
from module_tree import long_module
from server import Client, Server

UV = Path(__file__).resolve().parent.parent / ".cache" / "uv" / "bin" / "uv"
BOUND_MS = 12.0
BUILT_WITHIN = 300.0
MODULES = [f"part_{number}" for number in range(20)]
EXPECTED = ["0.28.1", sum(range(20))]
WORKFLOW = f"""
import httpx
from bifrost import workflow
from tools import {", ".join(MODULES)}

@workflow
def look() -> list:
    limits = [part.LIMIT for part in ({", ".join(MODULES)})]
    return [httpx.__version__, sum(limits)]
"""


def measure(quick: bool) -> list[Figure]:
    """The distribution, and the first run after the packages were there."""
    warm_up, rounds = (3, 10) if quick else (100, 300)
    if not UV.exists():
        raise RuntimeError("there is no uv to install packages with; `make uv` installs it")
    with Server(arguments=["--uv", str(UV)]) as server:
        client = server.sign_in("provider")
        shared = server.act(client, None)
        shared.put("requirements.txt", "httpx==0.28.1\n")
        for number, name in enumerate(MODULES):
            shared.put(f"tools/{name}.py", long_module(number))
        shared.put("workflows/look.py", WORKFLOW)
        _await_packages(client)
        first = milliseconds(lambda: _run(client))
        for _ in range(warm_up):
            _run(client)
        taken = [milliseconds(lambda: _run(client)) for _ in range(rounds)]
    return [
        Figure("httpx and 20 modules, p50", percentile(taken, 0.5), "ms", rounds, BOUND_MS),
        Figure("httpx and 20 modules, p99", percentile(taken, 0.99), "ms", rounds),
        Figure("the first run with these packages", first, "ms", 1),
    ]


def _await_packages(client: Client) -> None:
    started = time.monotonic()
    while (found := client.call("GET", "/api/environment"))["status"] != "ready":
        late = time.monotonic() - started > BUILT_WITHIN
        if late or found["status"] == "failed":
            raise RuntimeError(f"the packages are not there: {found['status']}, {found['error']}")
        time.sleep(0.1)


def _run(client: Client) -> None:
    result = client.run("look", {})["result"]
    if result != EXPECTED:
        raise RuntimeError(f"the workflow's result is {result!r}")
