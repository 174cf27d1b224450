"""Makes cells: namespaces in which one run at a time lives. A program that is asked on fd 0."""

from __future__ import annotations

import fcntl
import json
import os
import struct
import sys
import _socket

from . import system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ALL = system.NEW_NETWORK | system.NEW_MOUNTS | system.NEW_IPC | system.NEW_HOSTNAME
_KINDS = {
    "network": (system.NEW_NETWORK, "net"),
    "ipc": (system.NEW_IPC, "ipc"),
    "hostname": (system.NEW_HOSTNAME, "uts"),
    "mounts": (system.NEW_MOUNTS, "mnt"),
}
"""A run enters them in this order: with the last one `/proc` is gone."""
_PORT = 3128
_WAITING = 128
_DEVICES = ("null", "zero", "full", "random", "urandom")
_NOBODY = 65534


def main() -> None:
    """Say what can be made here, then make one cell for each request until nobody asks."""
    settings = json.loads(sys.argv[1])
    off = settings["off"]
    control = _socket.socket(fileno=0)
    held: list[int] = []
    if settings["kind"] is None:
        kind, why = _settle(off)
        if kind == "user":
            held.append(os.open("/proc/self/ns/user", os.O_RDONLY))
    else:
        kind, why = _be_again(settings["kind"]), ""
    _say(control, {"kind": kind, "why": why}, held)
    while data := control.recv(1 << 16):
        request = json.loads(data)
        pid = os.fork()
        if pid == 0:
            _make(control, kind, settings, request)
        os.waitpid(pid, 0)
    os._exit(0)


def _settle(off: list[str]) -> tuple[str, str]:
    """Which namespaces this process can have: `root`, `user` or `none`, and why no better."""
    faults = []
    if "as_root" not in off:
        fault = _try(_as_root)
        if fault is None:
            return "root", ""
        faults.append(fault)
    if "namespaces" not in off:
        fault = _try(_as_user)
        if fault is None:
            own_user_namespace()
            return "user", "; ".join(faults)
        faults.append(fault)
    return "none", "; ".join(faults)


def _be_again(kind: str) -> str:
    """What another one of this program was that has gone: its user namespace is in place of fd 1."""
    if kind == "user":
        system.enter(1, system.NEW_USER)
    null = os.open("/dev/null", os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    return kind


def _as_root() -> None:
    system.unshare(_ALL | system.NEW_PROCESSES)
    system.mount("", "/", flags=system.MOUNT_PRIVATE | system.MOUNT_RECURSIVE)
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)


def _as_user() -> None:
    own_user_namespace()
    system.unshare(_ALL | system.NEW_PROCESSES)
    system.mount("", "/", flags=system.MOUNT_PRIVATE | system.MOUNT_RECURSIVE)


def own_user_namespace() -> None:
    """Be in a user namespace that knows nobody but this user."""
    user, group = os.geteuid(), os.getegid()
    system.unshare(system.NEW_USER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _try(what: Any) -> str | None:
    """What is wrong with doing this, as a process that is thrown away finds out."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        fault = ""
        try:
            what()
        except BaseException as error:
            fault = str(error) or repr(error)
        finally:
            os.write(writing, fault.encode()[:4096])
            os._exit(0 if not fault else 1)
    os.close(writing)
    with open(reading, "rb") as file:
        fault = file.read().decode()
    status = os.waitpid(pid, 0)[1]
    return fault or (f"it ended with {status}" if status else None)


def _make(
    control: _socket.socket, kind: str, settings: dict[str, Any], request: dict[str, Any]
) -> None:
    try:
        kinds = [] if kind == "none" else [each for each in _KINDS if each not in settings["off"]]
        system.unshare(sum(_KINDS[each][0] for each in kinds))
        held = [os.open(f"/proc/self/ns/{_KINDS[each][1]}", os.O_RDONLY) for each in kinds]
        if "network" in kinds:
            _raise_loopback()
        listener = _listen(_PORT if "network" in kinds else 0)
        if "hostname" in kinds:
            _name()
        if "mounts" in kinds:
            _build_root(settings, request["scratch"])
        port = listener.getsockname()[1]
        _say(control, {"port": port}, [listener.fileno(), *held])
    except BaseException as error:
        _say(control, {"error": str(error) or repr(error)}, [])
    finally:
        os._exit(0)


def _name() -> None:
    try:
        _socket.sethostname("run")
    except OSError:
        pass  # service managers forbid it to all they start; the posture tells


def _raise_loopback() -> None:
    any_socket = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    up_and_running = struct.pack("16sh14x", b"lo", 0x41)
    fcntl.ioctl(any_socket.fileno(), 0x8914, up_and_running)
    any_socket.close()


def _listen(port: int) -> _socket.socket:
    listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", port))
    listener.listen(_WAITING)
    return listener


def _build_root(settings: dict[str, Any], scratch: str) -> None:
    """Be in a root directory that has nothing but what a run may see."""
    root = settings["root"]
    system.mount("", "/", flags=system.MOUNT_PRIVATE | system.MOUNT_RECURSIVE)
    flags = system.MOUNT_NOSUID | system.MOUNT_NODEV
    system.mount("run", root, "tmpfs", flags, "mode=755,size=1m,nr_inodes=2k")
    for path in settings["visible"]:
        _show(root, path, system.READ_ONLY | system.NOSUID | system.NODEV)
    for name in _DEVICES:
        _show(root, f"/dev/{name}", system.NOSUID | system.NOEXEC)
    _show(root, scratch, system.NOSUID | system.NODEV | system.NOEXEC)
    system.become_root(root)
    system.restrict_mount("/", system.READ_ONLY, recursive=False)


def _show(root: str, path: str, attributes: int) -> None:
    """Have a file or directory in the new root where it is in the old one."""
    target = root + path
    if not os.path.exists(path) or os.path.lexists(target):
        return
    os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
    if os.path.isdir(path):
        if os.path.islink(path):
            os.symlink(os.readlink(path), target)
            return
        os.mkdir(target, 0o755)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o444))
    system.mount(path, target, flags=system.MOUNT_BIND | system.MOUNT_RECURSIVE)
    system.restrict_mount(target, attributes)


def _say(control: _socket.socket, packet: dict[str, object], descriptors: list[int]) -> None:
    rights = struct.pack(f"{len(descriptors)}i", *descriptors)
    beside = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)] if descriptors else []
    control.sendmsg([json.dumps(packet).encode()], beside)
