"""The limits a child puts on itself before anyone else's code runs."""

from __future__ import annotations

import os
import resource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MEBIBYTE = 1 << 20


def apply(limits: dict[str, Any]) -> None:
    """Set the limits of a start frame; one that is left out stays as it is."""
    _set(resource.RLIMIT_CORE, 0)
    if "cpu_seconds" in limits:
        # The kernel counts whole seconds and sends SIGXCPU, which kills.
        _set(resource.RLIMIT_CPU, max(1, int(limits["cpu_seconds"])))
    if "file_mb" in limits:
        _set(resource.RLIMIT_FSIZE, int(limits["file_mb"]) * _MEBIBYTE)
    if "open_files" in limits:
        _set(resource.RLIMIT_NOFILE, int(limits["open_files"]))
    if "processes" in limits:
        _set(resource.RLIMIT_NPROC, int(limits["processes"]))
    if "memory_mb" in limits:
        # On top of what the interpreter and the mapped bundles take before the run begins.
        _set(resource.RLIMIT_AS, _address_space() + int(limits["memory_mb"]) * _MEBIBYTE)


def _set(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))


def _address_space() -> int:
    with open("/proc/self/statm", "rb", buffering=0) as file:
        pages = int(file.read(64).split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")
