"""The machine and the commit that figures were taken on."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import postgres
from server import DATA


def describe() -> dict[str, str]:
    """What a reader has to know to compare figures."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name"),
        "cores": str(os.cpu_count()),
        "memory": _gibibytes(_field("/proc/meminfo", "MemTotal")),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "filesystem": _filesystem(DATA),
        "commit": _commit(),
        **_postgres(),
    }


def _postgres() -> dict[str, str]:
    """How durable the server is whose figures these are, if there is one."""
    if "BIFROST_TEST_POSTGRES" not in os.environ:
        return {}
    settings, directory = postgres.described()
    return {"PostgreSQL": f"{settings}, {_filesystem(directory)}"}


def load() -> str:
    """How many processes wanted a core: over the last minute, and over the last five."""
    minute, five, _ = os.getloadavg()
    return f"{minute:.2f}, {five:.2f}"


def _field(file: str, name: str) -> str:
    for line in Path(file).read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return "unknown"


def _gibibytes(kilobytes: str) -> str:
    number = kilobytes.partition(" ")[0]
    return f"{int(number) / 1024**2:.1f} GiB" if number.isdigit() else kilobytes


def _filesystem(directory: Path) -> str:
    """The type of the mount with the longest path above the directory."""
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, point, each, *_ = line.split(" ")
        if directory.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, each
    return kind


def _commit() -> str:
    """The commit of this repository, marked when files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    folder = Path(__file__).parent
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return found.stdout.strip() or "unknown"
