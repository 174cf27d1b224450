"""The process that forks children: single-threaded, without secrets, told what to do on fd 0."""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import _socket

from . import packages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .walls import Walls

CONTROL = 0
PACKET_LIMIT = 64 << 10
_DESCRIPTORS_LIMIT = 16
_ENVIRONMENT = {
    "HOME": "/nonexistent",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "TZ": "UTC",
}


def main(kind: str | None = None) -> None:
    """Serve until the control channel closes. `kind` is `run` or `tools`.

    Further arguments of the program are modules to hold imported for all children; after
    `--packages` the directory of an environment, and such modules of it. `--walls` says how its
    children are walled in.
    """
    raised = _raise()
    _hear_signals()
    kind = kind or sys.argv[1]
    modules, installed = sys.argv[2:], []
    if "--packages" in modules:
        at = modules.index("--packages")
        modules, installed = modules[:at], modules[at + 1 :]
    os.environ.clear()
    os.environ.update(_ENVIRONMENT)
    sys.argv[:] = ["bifrost"]
    _preload(kind)
    _import_ahead(modules)
    if installed:
        packages.install(installed[0])
        packages.import_ahead(installed[1:], _complain)
    held = packages.remember()
    gc.collect()
    gc.freeze()
    Zygote(raised).serve(held)


def _raise() -> Walls | None:
    if "--walls" not in sys.argv:
        return None
    from . import walls

    return walls.take(sys.argv)


def _hear_signals() -> None:
    """Ignore what an interpreter ignores and nothing else: a server that was started with `nohup`,
    or with `&` in a script, has been made deaf, and every child would be."""
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) is signal.SIG_IGN:
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, usual)


def _preload(kind: str) -> None:
    """Import what every child needs, and touch what its first import would otherwise copy."""
    from . import child

    if kind == "tools":
        from . import analyse, compile

        assert analyse and compile
    assert child
    import bifrost.files
    import bifrost.log

    assert bifrost.files and bifrost.log
    # A failing import goes through all of the import system once.
    try:
        __import__("bifrost._nothing")
    except ImportError:
        pass


def _import_ahead(modules: list[str]) -> None:
    """Import what runs of this environment use anyway; one that fails is passed over."""
    from _thread import _count

    for name in modules:
        try:
            __import__(name)
        except BaseException as error:
            _complain(f"{name} could not be imported ahead: {error!r}")
        if _count():
            # Threads do not survive a fork, and their locks do.
            _complain(f"{name} starts threads when it is imported: do not import it ahead")
            os._exit(72)


class Zygote:
    """The control loop and the children it has."""

    def __init__(self, raised: Walls | None = None) -> None:
        self._walls = raised
        self._control = _socket.socket(fileno=CONTROL)
        self._children: dict[str, int] = {}
        self._wake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # The handler has nothing to do: the byte that the signal writes ends the poll.
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def serve(self, held: list[str] | None = None) -> None:
        """Until the supervisor goes: forks when asked, reports who left."""
        tag = sys.implementation.cache_tag
        version = ".".join(map(str, sys.version_info[:3]))
        self._say({"event": "ready", "python": version, "tag": tag, "packages": held or []})
        poll = select.poll()
        poll.register(CONTROL, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        try:
            while True:
                ready = [descriptor for descriptor, _ in poll.poll()]
                if self._wake in ready:
                    self._reap()
                if CONTROL in ready and not self._receive():
                    break
        except ConnectionError:
            pass
        finally:
            self._leave()

    def _receive(self) -> bool:
        """Do what the next packet says; False when there is none any more."""
        data, ancillary, _, _ = self._control.recvmsg(
            PACKET_LIMIT, _socket.CMSG_SPACE(4 * _DESCRIPTORS_LIMIT), _socket.MSG_CMSG_CLOEXEC
        )
        descriptors = _descriptors(ancillary)
        if not data:
            return False
        try:
            self._do(json.loads(data), descriptors)
        except Exception as error:  # a packet that makes no sense must not end the others' runs
            _complain(f"a packet was not understood: {error!r}")
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _do(self, packet: dict[str, Any], descriptors: list[int]) -> None:
        if packet["op"] == "spawn":
            self._spawn(packet["run"], packet["cell"], descriptors)
        elif packet["op"] == "kill":
            self._kill(packet["run"], packet["signal"])
        elif packet["op"] == "warm":
            _warm(packet["entries"], descriptors)
        else:
            raise ValueError(f"there is no operation {packet['op']!r}")

    def _spawn(self, run: str, cell: dict[str, Any] | None, descriptors: list[int]) -> None:
        error = self._fault(run, cell, descriptors)
        if error is None:
            try:
                pid = os.fork() if self._walls is None else self._walls.fork()
            except OSError as failure:
                error = str(failure)
        if error is not None:
            self._say({"event": "fork_failed", "run": run, "error": error})
            return
        if pid == 0:
            _become_child(descriptors, self._walls, cell)
        self._children[run] = pid
        self._say({"event": "forked", "run": run, "pid": pid})

    def _fault(
        self, run: str, cell: dict[str, Any] | None, descriptors: list[int]
    ) -> str | None:
        if run in self._children:
            return "it exists already"
        if len(descriptors) < 2:
            return "descriptors are missing"
        if (cell is None) != (self._walls is None):
            return "walls need a cell, and a cell needs walls"
        return None

    def _kill(self, run: str, number: int) -> None:
        pid = self._children.get(run)
        if pid is not None:
            _kill_group(pid, number)

    def _reap(self) -> None:
        try:
            while os.read(self._wake, 4096):
                pass
        except BlockingIOError:
            pass
        for run, pid in list(self._children.items()):
            # Its group is killed while it is still a zombie: nobody else can have its number.
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _kill_group(pid, signal.SIGKILL)
            _, status, used = os.wait4(pid, 0)
            del self._children[run]
            code = os.waitstatus_to_exitcode(status)
            cpu = used.ru_utime + used.ru_stime
            self._say({"event": "exited", "run": run, "status": code, "cpu": cpu})

    def _say(self, event: dict[str, object]) -> None:
        self._control.send(json.dumps(event).encode())

    def _leave(self) -> None:
        for pid in self._children.values():
            _kill_group(pid, signal.SIGKILL)
        os._exit(0)


def _become_child(
    descriptors: list[int], raised: Walls | None, cell: dict[str, Any] | None
) -> None:
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        from .child import main as child_main

        child_main(descriptors, raised, cell)
    finally:
        os._exit(70)


def _kill_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        # Just forked, it has no group of its own yet; or its last process is gone.
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
    except PermissionError:
        pass  # all that is left of the group has changed its user


def _warm(entries: list[int], descriptors: list[int]) -> None:
    from . import loader
    from .bundle import Bundle, Codes, map_descriptor

    bundle = Bundle(map_descriptor(descriptors[0]), "global")
    codes = Codes(map_descriptor(descriptors[1]), bundle)
    held = loader.warm.copy()
    loader.warm.clear()
    for number in entries:
        entry = bundle.entry(number)
        if not entry.origin.startswith("bifrost://global/"):
            raise ValueError(f"{entry.origin} is not Global's: every child would inherit it")
        key = (entry.origin, entry.hash())
        code = held.get(key) or codes.load(number)
        if code is not None:
            loader.warm[key] = code
    del held
    gc.freeze()


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    found: list[int] = []
    for level, kind, data in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            whole = len(data) - len(data) % 4
            found += [int.from_bytes(data[at : at + 4], sys.byteorder) for at in range(0, whole, 4)]
    return found


def _complain(text: str) -> None:
    try:
        os.write(2, f"bifrost zygote: {text}\n".encode())
    except OSError:
        pass
