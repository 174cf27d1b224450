"""The attacks without any wall, each in a process of its own: all of them succeed, or mean nothing.

Reads the bait from standard input; writes one line of JSON for each attack.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import time

from attacks import TABLE, Attack, Bait, run

FAMILIES = (
    "network proxy sockets files links proc execution processes namespaces kernel shared_memory "
    "secrets_around bombs daemons frames"
).split()


def table() -> dict[str, Attack]:
    """All attacks of all families."""
    for family in FAMILIES:
        importlib.import_module(f"attacks.{family}")
    return TABLE


def attempt(name: str, bait: Bait, limit: float) -> dict[str, str]:
    """Try one in a forked process with a directory of its own."""
    reading, writing = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        if (child := os.fork()) == 0:
            os.setsid()
            os.close(reading)
            os.chdir(directory)
            os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
            os.write(writing, json.dumps({key: text[:1000] for key, text in run(name, bait).items()}).encode())
            os._exit(0)
        os.close(writing)
        os.set_blocking(reading, False)
        return _heard(reading, child, time.monotonic() + limit)


def _heard(reading: int, child: int, until: float) -> dict[str, str]:
    """What the child wrote; a daemon it left may hold the pipe open."""
    status = None
    while status is None and time.monotonic() < until:
        ended, code = os.waitpid(child, os.WNOHANG)
        status = os.waitstatus_to_exitcode(code) if ended else None
        time.sleep(0.002)
    if status is None:
        os.kill(child, 9)
        os.waitpid(child, 0)
    try:
        text = os.read(reading, 65_536)
    except BlockingIOError:
        text = b""
    os.close(reading)
    told: dict[str, str] = json.loads(text) if text else {"refused": f"ended with {status}"}
    return told


def main() -> None:
    """Try all that can be tried, or only list them."""
    listing = sys.argv[1:] == ["--list"]
    bait = {} if listing else json.load(sys.stdin)
    for name, attack in table().items():
        line = attack._replace(do=None)._asdict() | {"name": name}  # type: ignore[arg-type]
        if not listing and not attack.alone:
            told = attempt(name, bait, 60)
            line |= {"reached": told.get("reached"), "refused_by": told.get("refused")}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
