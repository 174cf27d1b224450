"""The installed packages of an environment: what a zygote imports ahead, what a run has imported."""

from __future__ import annotations

import os
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_MOST = 64
"""Most packages that a run reports."""
_SECONDS = 10.0
"""How long importing ahead may take, and how long one package may."""
_FAULTS = {
    1: "it cannot be imported",
    2: "it starts threads",
    3: "it opens files or sockets",
    4: "it starts processes",
    5: "it is not of this environment",
}

directory: str | None = None
_known: frozenset[str] = frozenset()


def install(path: str) -> None:
    """Make the packages there importable, after the standard library. No `.pth` is executed."""
    global directory
    directory = path.rstrip("/") + "/"
    sys.path.append(path)


def import_ahead(names: list[str], complain: Callable[[str], None]) -> None:
    """Import these, each after a process that is thrown away has tried what it does."""
    end = time.monotonic() + _SECONDS
    for name in names:
        if time.monotonic() > end:
            complain(f"there was no time to import {name} ahead")
            continue
        fault = _try(name)
        if fault is not None:
            complain(f"{name} is not imported ahead: {fault}")
            continue
        try:
            __import__(name)
        except BaseException as error:
            complain(f"{name} could not be imported ahead: {error!r}")


def remember() -> list[str]:
    """Note what is imported by now; the names at the top of packages that are."""
    global _known
    _known = frozenset(sys.modules)
    tops = {name.partition(".")[0] for name, module in _ours(sys.modules)}
    return sorted(tops)


def imported() -> list[str]:
    """The packages imported since, each by the first name of it that has a file."""
    if directory is None:
        return []
    found: dict[str, None] = {}
    for name, _ in _ours({name: sys.modules.get(name) for name in sys.modules if name not in _known}):
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            start = ".".join(parts[:length])
            if length == len(parts) or _is_ours(sys.modules.get(start)):
                found.setdefault(start)
                break
    return list(found)[:_MOST]


def _ours(modules: dict[str, ModuleType | None] | dict[str, ModuleType]) -> list[tuple[str, object]]:
    return [(name, module) for name, module in list(modules.items()) if _is_ours(module)]


def _is_ours(module: object) -> bool:
    # A package may have put anything there, so nothing of it is asked but its dictionary.
    try:
        file = object.__getattribute__(module, "__dict__").get("__file__")
    except Exception:
        return False
    return directory is not None and type(file) is str and file.startswith(directory)


def _try(name: str) -> str | None:
    """What is wrong with importing it here, as a process that is thrown away finds out."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = _effects(name)
        finally:
            os._exit(status)
    watch = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        late = not poll.poll(_SECONDS * 1000)
    finally:
        os.close(watch)
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except OSError:
            pass
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if late:
        return f"it takes longer than {_SECONDS:.0f} seconds"
    return _FAULTS.get(code, f"it ends the process ({code})") if code else None


def _effects(name: str) -> int:
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    # The control channel is not for what is tried.
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    before = _descriptors()
    try:
        __import__(name)
    except BaseException:
        return 1
    if not _is_ours(sys.modules.get(name)):
        return 5
    if len(os.listdir("/proc/self/task")) > 1:
        return 2
    if _descriptors() != before:
        return 3
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return 4
    except ChildProcessError:
        return 0


def _descriptors() -> dict[str, str]:
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            found[number] = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            pass  # the one that listed them
    return found
