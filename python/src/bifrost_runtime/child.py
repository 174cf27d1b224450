"""One forked child: takes its descriptors, reads the start frame, does its one job and leaves."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time

from . import context, entry, errors, limits, packages, protocol, returning
from .bundle import Bundle, Codes, map_descriptor
from .finder import install
from .loader import WorkspaceLoader
from .module_index import ModuleIndex
from .output import Console, Log
from bifrost import _host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .walls import Walls

SOCKET = 3
_MODULES_PER_FRAME = 200  # paths are at most a kilobyte: well below the limit of a frame


def main(
    descriptors: list[int], walls: Walls | None = None, cell: dict[str, Any] | None = None
) -> None:
    """Do what the start frame says. Never returns."""
    status = 70
    try:
        if walls is not None and cell is not None:
            descriptors = walls.enter(cell, descriptors)
        others = _renumber(descriptors)
        os.setsid()
        os.umask(0o077)
        if walls is not None and cell is not None:
            walls.close(cell, others)
        stream = protocol.FrameStream(SOCKET)
        start = stream.receive()
        role = start.get("role")
        if role == "run":
            _run(start, stream, others)
        else:
            _tool(role, start, stream, others)
        status = 0
    except (protocol.Disconnected, BrokenPipeError):
        status = 71  # nobody is left to tell
    except BaseException as error:
        # Only a fault of the runtime or of the supervisor gets here.
        _complain(error)
    finally:
        os._exit(status)


def _renumber(descriptors: list[int]) -> list[int]:
    """The socket to 3 and what follows the output pipe to 4 and on; everything else closed."""
    # Out of the way first: a descriptor may have the number that another is to get.
    moved = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 64) for each in descriptors]
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(moved[1], 1)
    os.dup2(moved[1], 2)
    os.dup2(moved[0], SOCKET, inheritable=False)
    others = []
    for number, descriptor in enumerate(moved[2:], SOCKET + 1):
        others.append(os.dup2(descriptor, number, inheritable=False))
    os.closerange(SOCKET + 1 + len(others), os.sysconf("SC_OPEN_MAX"))
    return others


def _run(start: dict[str, Any], stream: protocol.FrameStream, descriptors: list[int]) -> None:
    inputs = stream.receive_value(start)
    _move_to(start.get("scratch"))
    _set_clock(start.get("timezone"))
    index = _index(descriptors)
    loader = install(index)
    log = Log(stream)
    run = context.Run(start, stream, log)
    _host.install(run)
    consoles = (Console(log, stream, "info", 1), Console(log, stream, "warning", 2))
    sys.stdout, sys.stderr = consoles
    limits.apply(start.get("limits") or {})
    reported = 0
    try:
        run.watch()
        wanted = start["entry"]
        function = entry.load(wanted["module"], wanted["function"])
        reported = _report_modules(loader, stream, reported)
        if wanted.get("provider"):
            end = protocol.value_frames("result", entry.run_provider(function, inputs, run))
        else:
            end = returning.frames(entry.run(function, inputs, run), run)
        run.over()
    except BaseException as error:
        run.over()
        sys.setrecursionlimit(max(1000, sys.getrecursionlimit()))  # it may have been lowered
        limits.lift_memory()
        organization = (start.get("organization") or {}).get("name")
        end = [
            protocol.to_json(
                {"type": "error", "error": errors.describe(error, index, organization)}
            )
        ]
    if not stream.owned():
        # A copy forked by the workflow came back from it too: it has nothing to say.
        os._exit(0)
    for console in consoles:
        console.finish()
    run.tell_progress()
    _report_modules(loader, stream, reported)
    _report_packages(stream)
    log.report_dropped()
    for number, text in enumerate(end, 1):
        stream.send(text, end=number == len(end))


def _move_to(scratch: str | None) -> None:
    """Work in the run's own directory, and have everybody put temporary files there."""
    if scratch is None:
        return
    os.chdir(scratch)
    os.environ["HOME"] = os.environ["TMPDIR"] = scratch
    tempfile = sys.modules.get("tempfile")
    if tempfile is not None:
        # Imported ahead, it may have chosen already.
        vars(tempfile)["tempdir"] = None


def _set_clock(timezone: str | None) -> None:
    """Have local time be that of `timezone`, here and in programs the workflow starts."""
    if timezone is None or timezone == os.environ.get("TZ"):
        return
    os.environ["TZ"] = timezone
    time.tzset()


def _index(descriptors: list[int]) -> ModuleIndex:
    """The mapped bundles, the organization's first."""
    bundles = []
    for scope, at in (("org", 2), ("global", 0)):
        if len(descriptors) >= at + 2:
            bundle = Bundle(map_descriptor(descriptors[at]), scope)
            bundle.codes = Codes(map_descriptor(descriptors[at + 1]), bundle)
            bundles.append(bundle)
    for descriptor in descriptors:
        os.close(descriptor)
    return ModuleIndex(tuple(bundles))


def _report_modules(loader: WorkspaceLoader, stream: protocol.FrameStream, reported: int) -> int:
    """Say which modules were loaded since the first `reported`; how many they are now."""
    loaded = list(loader.loaded.items())
    for at in range(reported, len(loaded), _MODULES_PER_FRAME):
        modules = [
            {
                "name": name,
                "scope": "global" if found.pinned() else found.bundle.scope,
                "path": found.path(),
                "version": found.version(),
                "hash": found.hash().hex(),
            }
            for name, found in loaded[at : at + _MODULES_PER_FRAME]
        ]
        stream.send(protocol.to_json({"type": "modules", "modules": modules}))
    return len(loaded)


def _report_packages(stream: protocol.FrameStream) -> None:
    """Say which installed packages were imported, for zygotes to come."""
    names = packages.imported()
    if names:
        stream.send(protocol.to_json({"type": "modules", "modules": [], "packages": names}))


def _tool(
    role: str | None, start: dict[str, Any], stream: protocol.FrameStream, descriptors: list[int]
) -> None:
    value = stream.receive_value(start)
    limits.apply(start.get("limits") or {})
    try:
        if role == "analyse":
            from .analyse import analyse

            with open(descriptors[0], "rb") as file:
                file.seek(0)
                text = protocol.to_json(analyse(file.read(), start["path"]))
        elif role == "compile":
            from .compile import compile_entries

            bundle = Bundle(map_descriptor(descriptors[0]), "org")
            text = str(compile_entries(bundle, value, descriptors[1]))
        elif role == "probe":
            from .probe import attack

            text = protocol.to_json(attack(value))
        else:
            raise protocol.FrameError(f"there is no role {role!r}")
        frames = protocol.value_frames("result", text)
    except Exception as error:
        frames = [protocol.to_json({"type": "error", "error": errors.describe(error)})]
    for number, frame in enumerate(frames, 1):
        stream.send(frame, end=number == len(frames))


def _complain(error: BaseException) -> None:
    """Say on the output pipe what went wrong; there is no other place."""
    try:
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        text = f"bifrost runtime: {type(error).__name__}: {error}\n"
        os.write(2, text.encode(errors="backslashreplace"))
    except BaseException:
        pass
