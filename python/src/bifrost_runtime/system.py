"""Calls to the kernel that this Python has no names for."""

from __future__ import annotations

import ctypes
import os

NEW_MOUNTS = 0x00020000
NEW_HOSTNAME = 0x04000000
NEW_IPC = 0x08000000
NEW_USER = 0x10000000
NEW_PROCESSES = 0x20000000
NEW_NETWORK = 0x40000000

MOUNT_NOSUID, MOUNT_NODEV, MOUNT_NOEXEC = 2, 4, 8
MOUNT_BIND, MOUNT_RECURSIVE, MOUNT_PRIVATE = 0x1000, 0x4000, 0x40000
READ_ONLY, NOSUID, NODEV, NOEXEC = 1, 2, 4, 8
"""What `restrict_mount` takes; the first three of these are not the numbers of `mount`."""
_DETACH = 2
_EMPTY_PATH_RECURSIVE = 0x8000

PARENT_DEATH, DUMPABLE, SECCOMP, NO_NEW_PRIVILEGES = 1, 4, 22, 38
_SECCOMP_FILTER = 2

_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}.get(os.uname().machine, -1)
_MOUNT_SETATTR = 442
_LANDLOCK_RESTRICT_SELF = 446

_libc = ctypes.CDLL(None, use_errno=True)
_unshare = _libc.unshare
_setns = _libc.setns
_prctl = _libc.prctl
_prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
_mount = _libc.mount
_mount.argtypes = [ctypes.c_char_p] * 3 + [ctypes.c_ulong, ctypes.c_char_p]
_umount = _libc.umount2
_capset = _libc.capset
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long

_capabilities_head = (ctypes.c_uint32 * 2)(0x20080522, 0)
_no_capabilities = (ctypes.c_uint32 * 6)()


class Program(ctypes.Structure):
    """A filter of system calls, as the kernel takes it."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


def program(code: bytes) -> tuple[Program, object]:
    """The filter with these instructions, and what has to live as long as it."""
    held = ctypes.create_string_buffer(code, len(code))
    return Program(len(code) // 8, ctypes.addressof(held)), held


def unshare(flags: int) -> None:
    """Leave namespaces for new ones."""
    _check(_unshare(flags), "unshare")


def enter(namespace: int, kind: int = 0) -> None:
    """Enter the namespace with this descriptor."""
    _check(_setns(namespace, kind), "setns")


def control(option: int, value: int, more: int = 0) -> None:
    """Set something of this process."""
    _check(_prctl(option, value, more, 0, 0), "prctl")


def drop_capabilities() -> None:
    """Be somebody without any right of root."""
    _check(_capset(_capabilities_head, _no_capabilities), "capset")


def restrict_files(ruleset: int) -> None:
    """Obey this Landlock ruleset from now on."""
    _check(_syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")


def restrict_calls(filter: Program) -> None:
    """Obey this filter from now on."""
    control(SECCOMP, _SECCOMP_FILTER, ctypes.addressof(filter))


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount something somewhere."""
    texts = [os.fsencode(each) for each in (source, target, kind)]
    _check(_mount(*texts, flags, data.encode()), f"mount {target}")


def restrict_mount(path: str, attributes: int, recursive: bool = True) -> None:
    """Take rights away from a mount, and from those below it."""
    wanted = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    flags = _EMPTY_PATH_RECURSIVE if recursive else 0
    here = ctypes.c_char_p(os.fsencode(path))
    size = ctypes.c_size_t(ctypes.sizeof(wanted))
    _check(_syscall(_MOUNT_SETATTR, -100, here, flags, wanted, size), f"mount_setattr {path}")


def become_root(path: str) -> None:
    """Make a mount the root directory, and let go of the one before."""
    os.chdir(path)
    here = ctypes.c_char_p(b".")
    _check(_syscall(_PIVOT_ROOT, here, here), "pivot_root")
    _check(_umount(b".", _DETACH), "umount")
    os.chdir("/")


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
