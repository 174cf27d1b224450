"""The limits a child puts on itself before anyone else's code runs."""

from __future__ import annotations

import os
import resource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MEBIBYTE = 1 << 20
_RESERVED = 1 << 30  # what threads reserve and do not use
_FOR_THE_REPORT = 64 << 20  # what is left to say that memory ran out

measure: int | None = None
"""`/proc/self/statm`, opened by who has left `/proc` behind since."""


def apply(limits: dict[str, Any]) -> None:
    """Set the limits of a start frame; one that is left out or null stays as it is."""
    limits = {name: value for name, value in limits.items() if value is not None}
    _set(resource.RLIMIT_CORE, 0)
    if "cpu_seconds" in limits:
        # SIGXCPU at the limit, which tells why; SIGKILL a second later for who ignores it.
        _set(resource.RLIMIT_CPU, max(1, int(limits["cpu_seconds"])), 1)
    if "file_mb" in limits:
        _set(resource.RLIMIT_FSIZE, int(limits["file_mb"]) * _MEBIBYTE)
    if "open_files" in limits:
        _set(resource.RLIMIT_NOFILE, int(limits["open_files"]))
    if "processes" in limits:
        _set(resource.RLIMIT_NPROC, int(limits["processes"]))
    if "memory_mb" in limits:
        _limit_memory(int(limits["memory_mb"]) * _MEBIBYTE)


def _limit_memory(memory: int) -> None:
    """Limit what the run takes on top of what the interpreter and the bundles take already.

    The limit proper is on private writable memory. Address space alone would be the wrong
    measure, because each thread reserves 64 MiB that it does not use; it is limited more widely,
    for memory that is shared and so not counted by the first.
    """
    global measure
    if measure is None:
        measure = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    pages = [int(each) for each in os.pread(measure, 256, 0).split()]
    os.close(measure)
    measure = None
    page = os.sysconf("SC_PAGE_SIZE")
    _set(resource.RLIMIT_DATA, pages[5] * page + memory, _FOR_THE_REPORT)
    _set(resource.RLIMIT_AS, pages[0] * page + 2 * memory + _RESERVED, _FOR_THE_REPORT)


def lift_memory() -> None:
    """Give back what the report of a run that has no memory left needs."""
    for which in (resource.RLIMIT_DATA, resource.RLIMIT_AS):
        try:
            hard = resource.getrlimit(which)[1]
            resource.setrlimit(which, (hard, hard))
        except (OSError, ValueError):
            pass  # the run has lowered its own limits


def _set(which: int, value: int, more: int = 0) -> None:
    """Set the soft limit, and the hard one that much higher."""
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
        more = min(more, hard - value)
    resource.setrlimit(which, (value, value + more))
