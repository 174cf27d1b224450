"""System calls that Python has no function for, by their numbers on x86-64."""

from __future__ import annotations

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

NUMBERS = {
    "shmget": 29, "shmat": 30, "clone": 56, "semget": 64, "msgget": 68, "ptrace": 101,
    "msgrcv": 70, "syslog": 103, "setuid": 105, "setgroups": 116, "capset": 126, "personality": 135,
    "pivot_root": 155, "chroot": 161, "acct": 163, "mount": 165, "umount2": 166,
    "swapon": 167, "sethostname": 170, "iopl": 172, "init_module": 175, "quotactl": 179,
    "mq_open": 240, "mq_timedreceive": 243, "add_key": 248, "request_key": 249, "keyctl": 250,
    "ioprio_set": 251, "unshare": 272, "kexec_load": 246, "perf_event_open": 298,
    "fanotify_init": 300, "prlimit64": 302, "name_to_handle_at": 303, "open_by_handle_at": 304,
    "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
    "finit_module": 313, "memfd_create": 319, "bpf": 321, "execveat": 322, "userfaultfd": 323,
    "pidfd_send_signal": 424, "io_uring_setup": 425, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "pidfd_open": 434, "clone3": 435, "pidfd_getfd": 438,
    "process_madvise": 440, "mount_setattr": 442, "memfd_secret": 447,
}  # fmt: skip


def call(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """Make a system call; an error of the system is raised."""
    if os.uname().machine != "x86_64":
        raise NotImplementedError("the numbers are those of x86-64")
    return check(libc.syscall(ctypes.c_long(NUMBERS[name]), *map(_passed, arguments)))


def check(result: int) -> int:
    """Raise what a function of C said with -1."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def address(buffer: object) -> int:
    """Where a ctypes value is."""
    return ctypes.addressof(buffer)  # type: ignore[arg-type]


def _passed(argument: object) -> object:
    return ctypes.c_long(argument) if isinstance(argument, int) else argument
