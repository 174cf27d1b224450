"""Attacks the walls around itself, one attack each, and tells what came of it."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SECONDS = 2.0
_PACKET, _NETLINK, _VSOCK = 17, 16, 40
_ATTACH = 16
_NEW_USER = 0x10000000
_CALLS = {
    "x86_64": {"unshare": 272, "keyctl": 250, "ptrace": 101, "shmget": 29, "mount": 165},
    "aarch64": {"unshare": 97, "keyctl": 219, "ptrace": 117, "shmget": 194, "mount": 40},
}


def attack(facts: dict[str, Any]) -> dict[str, str]:
    """Each wall's name, with an empty text if it held and else what went wrong."""
    attacks: dict[str, Callable[[], str]] = {
        "users": lambda: _users(facts["user"]),
        "rights": _rights,
        "processes": lambda: _processes(facts["supervisor"]),
        "mounts": lambda: _mounts(facts["hidden"]),
        "files": lambda: _files(facts["elsewhere"]),
        "network": lambda: _network(facts["port"]),
        "hostname": _hostname,
        "system_calls": _system_calls,
        "descriptors": lambda: _descriptors(facts["descriptors"]),
        "limits": lambda: _limits(facts["processes"], facts["memory_mb"]),
    }
    return {name: _told(each) for name, each in attacks.items()}


def _told(what: Callable[[], str]) -> str:
    try:
        return what()
    except BaseException as error:
        return f"the attack itself went wrong: {error!r}"


def _users(server: int) -> str:
    if server in os.getresuid():
        return "it is the same system user as the server"
    return "it has groups" if os.getgroups() else ""


def _rights() -> str:
    if ctypes.CDLL(None).prctl(39, 0, 0, 0, 0) != 1:
        return "programs could give it rights"
    libc = ctypes.CDLL(None, use_errno=True)
    head, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    libc.capget(head, sets)
    return "it has rights of root" if any(sets[:2]) or any(sets[3:5]) else ""


def _processes(supervisor: int) -> str:
    try:
        os.kill(supervisor, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return "it sees processes that are not its own"
    return "it can signal the server"


def _mounts(hidden: str) -> str:
    try:
        os.stat(hidden)
    except FileNotFoundError:
        return ""
    except PermissionError:
        pass
    return f"it sees `{hidden}`"


def _files(elsewhere: str) -> str:
    try:
        os.listdir(elsewhere)
    except PermissionError:
        return ""
    return f"it can read `{elsewhere}`"


def _network(port: int) -> str:
    link = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    link.settimeout(_SECONDS)
    try:
        link.connect(("127.0.0.1", port))
    except PermissionError:
        return "it has no network of its own; only the kernel's rule for ports holds it"
    except OSError:
        return ""
    finally:
        link.close()
    return "it reaches the machine's own network"


def _hostname() -> str:
    return "" if _socket.gethostname() == "run" else "it sees the machine's name"


def _system_calls() -> str:
    open_calls = [name for name, what in _forbidden().items() if not _is_refused(what)]
    return f"it can use {', '.join(open_calls)}" if open_calls else ""


def _forbidden() -> dict[str, Callable[[], object]]:
    machine = os.uname().machine
    libc = ctypes.CDLL(None, use_errno=True)

    def call(number: int, *arguments: int) -> None:
        if libc.syscall(number, *arguments) == -1:
            raise OSError(ctypes.get_errno(), "refused")

    def socket(family: int, kind: int, protocol: int = 0) -> Callable[[], object]:
        return lambda: _socket.socket(family, kind, protocol).close()

    calls = _CALLS.get(machine, {})
    forbidden: dict[str, Callable[[], object]] = {
        "unix sockets": socket(_socket.AF_UNIX, _socket.SOCK_STREAM),
        "datagrams": socket(_socket.AF_INET, _socket.SOCK_DGRAM),
        "raw sockets": socket(_socket.AF_INET, _socket.SOCK_RAW, 1),
        "netlink": socket(_NETLINK, _socket.SOCK_RAW),
        "packet sockets": socket(_PACKET, _socket.SOCK_RAW),
        "vsock": socket(_VSOCK, _socket.SOCK_STREAM),
        "datagram pairs": lambda: _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_DGRAM),
        "io_uring": lambda: call(425, 0, 0),
        "exec": lambda: os.execv("/nonexistent", ["x"]),
    }
    arguments = {"unshare": (_NEW_USER,), "shmget": (0, 4096, 0o1600), "ptrace": (_ATTACH, 1)}
    for name, number in calls.items():
        forbidden[name] = lambda n=number, a=arguments.get(name, (0, 0, 0)): call(n, *a)  # type: ignore[misc]
    return forbidden


def _is_refused(what: Callable[[], object]) -> bool:
    try:
        what()
    except OSError as error:
        # Anything else comes from the kernel, which has looked at the arguments.
        return error.errno == errno.EPERM
    return False


def _descriptors(known: int) -> str:
    found = []
    for number in range(known, 1024):
        try:
            os.fstat(number)
        except OSError:
            continue
        found.append(number)
    return f"it has the descriptors {found}" if found else ""


def _limits(processes: int, memory_mb: int) -> str:
    try:
        bytearray((memory_mb + 64) << 20)
        return "it can have more memory than its limit"
    except MemoryError:
        pass
    children = []
    try:
        for _ in range(processes + 8):
            pid = os.fork()
            if pid == 0:
                signal.pause()
            children.append(pid)
        return "it can have more processes than its limit"
    except BlockingIOError:
        return ""
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
