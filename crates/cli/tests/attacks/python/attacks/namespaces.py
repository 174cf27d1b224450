"""Namespaces, mounts and what else only the machine's root should do."""

from __future__ import annotations

import ctypes
import os

from . import Bait, attack
from .calls import call, check, libc

NO = ("EPERM", "EACCES", "ENOSYS", "ENOENT", "ESRCH")
USER, NETWORK, MOUNT, PROCESSES, SYSTEM = 0x10000000, 0x40000000, 0x20000, 0x20000000, 0x4000000


def _elsewhere(do: object) -> str:
    """In a forked copy, so that this process stays what it is; its exit code tells."""
    if (child := os.fork()) == 0:
        code = 0
        try:
            do()  # type: ignore[operator]
        except OSError as error:
            code = error.errno or 255
        os._exit(code)
    _, status = os.waitpid(child, 0)
    if code := os.waitstatus_to_exitcode(status):
        raise OSError(code, os.strerror(code)) if code > 0 else PermissionError(13, "killed")
    return "done"


def _aside(bait: Bait, do: object) -> str:
    """The same where mounts are nobody else's, if there are no walls."""

    def change() -> None:
        if bait["small"]:
            call("unshare", MOUNT)
            call("mount", None, b"/\0", None, 0x44000, None)  # private, with all below
        do()  # type: ignore[operator]

    return _elsewhere(change)


@attack(*NO)
def user_namespace(bait: Bait) -> object:
    """Root in a world of its own, with all of the kernel's rarely used code."""
    return _elsewhere(lambda: call("unshare", USER))


@attack(*NO)
def network_namespace(bait: Bait) -> object:
    """Another network."""
    return _elsewhere(lambda: call("unshare", NETWORK))


@attack(*NO)
def everything_new(bait: Bait) -> object:
    """All of them at once."""
    return _elsewhere(lambda: call("unshare", USER | NETWORK | MOUNT | PROCESSES | SYSTEM))


def _cloned(result: int) -> None:
    if result == 0:
        os._exit(0)
    os.waitpid(result, 0)


@attack(*NO)
def cloned(bait: Bait) -> object:
    """The same with the birth of a process."""
    return _elsewhere(lambda: _cloned(call("clone", USER | 17, 0, 0, 0, 0)))


@attack(*NO)
def cloned_otherwise(bait: Bait) -> object:
    """With the call whose flags lie in memory, where no filter of system calls looks."""
    arguments = ctypes.create_string_buffer(88)
    arguments[:8] = USER.to_bytes(8, "little")  # type: ignore[assignment]
    arguments[32:40] = (17).to_bytes(8, "little")  # type: ignore[assignment]
    return _elsewhere(lambda: _cloned(call("clone3", arguments, 88)))


@attack(*NO)
def joined(bait: Bait) -> object:
    """The network of the server, by its file."""

    def join() -> None:
        call("setns", os.open(f"/proc/{bait['server']}/ns/net", os.O_RDONLY), NETWORK)

    return _elsewhere(join)


@attack(*NO)
def mounted(bait: Bait) -> object:
    """A file system over another one."""
    os.makedirs("point", exist_ok=True)
    return _aside(bait, lambda: call("mount", b"none\0", b"point\0", b"tmpfs\0", 0, 0))


@attack(*NO, "EINVAL", "EBUSY")
def unmounted(bait: Bait) -> object:
    """What hides something, taken away."""
    return _aside(bait, lambda: call("umount2", bait["mounted"].encode() + b"\0", 2))


@attack(*NO)
def mounted_in_steps(bait: Bait) -> object:
    """The new calls for the same."""
    return call("fsopen", b"tmpfs\0", 0)


@attack(*NO)
def tree(bait: Bait) -> object:
    """A copy of a part of the file system."""
    return call("open_tree", -100, b"/\0", 1)


@attack(*NO)
def changed_mount(bait: Bait) -> object:
    """Writable again."""
    return _aside(bait, lambda: call("mount_setattr", -100, b"/proc\0", 0, bytes(32), 32))


@attack(*NO, "EINVAL")
def another_root(bait: Bait) -> object:
    """A root directory of one's own, and out of it by the well-known way."""
    os.makedirs("root", exist_ok=True)
    return _elsewhere(lambda: os.chroot("root"))


@attack(*NO)
def host_name(bait: Bait) -> object:
    """The machine's name; set to what it is."""
    name = os.uname().nodename.encode()
    call("sethostname", name, len(name))
    return name


@attack(*NO)
def clock(bait: Bait) -> object:
    """Everybody's time; set is only how wrong it may be, and to what it is."""
    state = ctypes.create_string_buffer(256)
    check(libc.adjtimex(state))
    state[:4] = (8).to_bytes(4, "little")  # type: ignore[assignment]
    check(libc.adjtimex(state))
    return "set"


@attack(*NO, "EINVAL", absent=("ENOSYS",))
def module(bait: Bait) -> object:
    """Code in the kernel; what is loaded is none."""
    try:
        call("init_module", bytes(16), 16, b"\0")
    except OSError as error:
        if error.errno != 8:  # ENOEXEC: it looked at it
            raise
    return "would be loaded"


@attack(*NO, absent=("ENOSYS",))
def ports(bait: Bait) -> object:
    """The processor's own inputs and outputs."""
    return _elsewhere(lambda: call("iopl", 3))


@attack(*NO, absent=("ENOSYS",))
def accounting(bait: Bait) -> object:
    """A log of all processes, switched off."""
    call("acct", None)
    return "switched off"


@attack(*NO)
def kernel_log(bait: Bait) -> object:
    """What the kernel says, with its addresses."""
    return call("syslog", 3, ctypes.create_string_buffer(4096), 4096)


@attack(*NO, "EINVAL")
def swap(bait: Bait) -> object:
    """Memory on a disk of one's own; the file is none for that."""
    with open("swap", "wb") as file:
        file.write(bytes(8192))
    try:
        call("swapon", b"swap\0", 0)
    except OSError as error:
        if error.errno != 22:
            raise
        return "looked at"
    return "used"
