"""A quiet organization beside one whose workflows are bombs: how long its runs take.

A trivial workflow runs and is waited for, one after the other, first alone and then for as long beside
each bomb, which is started anew as soon as it is over. A bomb that spins takes its share of two cores,
and so does one that is being killed: what is bounded is that the neighbour goes on.
"""

from __future__ import annotations

import threading

from figures import Figure, milliseconds, percentile
from run_and_wait import WORKFLOW, run_once
from server import Client, Server

SECONDS = 5  # what a bomb may take
HEAD = "import os, threading, time\nfrom bifrost import workflow\n\n@workflow(retries=0)\ndef bomb() -> None:\n"
BOMBS = {
    "processor": "    while True: pass\n",
    "processes": "    while True:\n        try: os.fork()\n        except OSError: pass\n",
    "threads": "    while True:\n"
    "        try: threading.Thread(target=time.sleep, args=(60,)).start()\n"
    "        except RuntimeError: pass\n",
    "memory": "    held = []\n    while True: held.append(bytearray(1 << 24))\n",
    "output": "    while True: print('x' * 4000)\n",
    "files": "    number = 0\n    while True:\n        number += 1\n"
    "        open(str(number), 'wb').write(b'x' * 1000)\n",
    "descriptors": "    held = []\n    while True:\n        try: held.append(open('/dev/null'))\n"
    "        except OSError: pass\n",
}


def measure(quick: bool) -> list[Figure]:
    """p50 and p99 of the neighbour, alone and beside each bomb."""
    runs = 5 if quick else 150
    with Server() as server:
        for slug in ("quiet", "loud"):
            server.command("admin", "create-organization", "--slug", slug, "--name", slug)
        quiet, loud = server.sign_in("quiet"), server.sign_in("loud")
        quiet.put("workflows/answer.py", WORKFLOW)
        loud.call("PATCH", "/api/org/settings", {"executions": {"timeout_seconds": SECONDS}})
        _times(quiet, 20)
        figures = _figures("alone", _times(quiet, runs))
        for name, body in BOMBS.items():
            loud.put("workflows/bomb.py", HEAD + body)
            with _Falling(loud.again()):
                figures += _figures(f"beside a bomb of {name}", _times(quiet, runs))
    return figures


class _Falling:
    """Bombs, one after the other."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go)

    def _go(self) -> None:
        while not self._over.is_set():
            path = "/api/workflows/bomb/executions?wait=60"
            execution = self._client.call("POST", path, {"inputs": {}})
            if execution["status"] == "succeeded":
                raise RuntimeError("the bomb did not go off")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def _times(client: Client, runs: int) -> list[float]:
    return [milliseconds(lambda: run_once(client)) for _ in range(runs)]


def _figures(name: str, times: list[float]) -> list[Figure]:
    return [
        Figure(f"{name}, {word}", percentile(times, share), "ms", len(times))
        for word, share in (("p50", 0.5), ("p99", 0.99))
    ]
