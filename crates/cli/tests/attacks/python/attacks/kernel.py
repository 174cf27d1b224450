"""Parts of the kernel that have had holes, and the ways around a filter of system calls."""

from __future__ import annotations

import ctypes
import mmap

from . import Bait, attack
from .calls import address, call, libc

NO = ("EPERM", "EACCES", "ENOSYS")
ABSENT = ("ENOSYS",)


@attack(*NO, absent=(*ABSENT, "EPERM"))
def rings(bait: Bait) -> object:
    """io_uring does what system calls do, and no filter sees it."""
    return call("io_uring_setup", 4, ctypes.create_string_buffer(120))


@attack(*NO, absent=ABSENT)
def programs_of_the_kernel(bait: Bait) -> object:
    """bpf: a map is enough to have it."""
    wanted = ctypes.create_string_buffer(128)
    wanted[:16] = b"".join(each.to_bytes(4, "little") for each in (2, 4, 8, 1))  # type: ignore[assignment]
    return call("bpf", 0, wanted, 128)


@attack(*NO, absent=("ENOENT", *ABSENT))
def counters(bait: Bait) -> object:
    """perf_event_open: what the processor does, also for others."""
    wanted = ctypes.create_string_buffer(128)
    wanted[:8] = (1).to_bytes(4, "little") + (128).to_bytes(4, "little")  # type: ignore[assignment]
    wanted[40:48] = (0x60).to_bytes(8, "little")  # type: ignore[assignment]
    return call("perf_event_open", wanted, 0, -1, -1, 0)


@attack(*NO, absent=ABSENT)
def page_faults(bait: Bait) -> object:
    """userfaultfd: the kernel waits for whoever attacks it."""
    return call("userfaultfd", 1)


@attack(*NO, absent=ABSENT)
def new_key(bait: Bait) -> object:
    """The kernel's key ring, shared by all processes of a user."""
    return call("add_key", b"user\0", b"bifrost-test\0", b"x", 1, -4)


@attack(*NO, "ENOKEY", absent=ABSENT)
def somebodys_key(bait: Bait) -> object:
    """What others left there."""
    return call("keyctl", 0, -4, 1)


@attack(*NO)
def watched_files(bait: Bait) -> object:
    """Everything that anybody opens."""
    return call("fanotify_init", 0, 0)


@attack(*NO, "EINVAL")
def hidden_memory(bait: Bait) -> object:
    """A process of another kind: 32 bits of addresses and a readable null page."""
    was = call("personality", 0x0400000)
    call("personality", was)
    return was


def _machine_code(code: bytes) -> int:
    """Run machine code; what it leaves in the first register."""
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    function = ctypes.CFUNCTYPE(ctypes.c_int)(address(ctypes.c_char.from_buffer(memory)))
    return function()


@attack(*NO, "SIGSYS", ends=("crashed",))
def old_calls(bait: Bait) -> object:
    """`int 0x80`: the calls of 32-bit programs have other numbers; 359 makes a socket there."""
    # push rbx; mov eax, 359; mov ebx, 16 (netlink); mov ecx, 3; xor edx, edx; int 0x80; pop rbx; ret
    code = bytes.fromhex("53 b867010000 bb10000000 b903000000 31d2 cd80 5b c3")
    result = _machine_code(code)
    if result < 0:
        raise OSError(-result, "refused")
    return result


@attack(*NO, "SIGSYS", ends=("crashed",), absent=ABSENT)
def other_numbers(bait: Bait) -> object:
    """The numbers of x32, which are those of x86-64 with one bit more: its `socket`."""
    result = libc.syscall(ctypes.c_long(0x40000000 | 41), 16, 3, 0)
    if result == -1:
        raise OSError(ctypes.get_errno(), "refused")
    return result
