"""Bombs: whatever a run takes, the server and its neighbours go on. Without walls they are set off small."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time

from . import Bait, attack
from .calls import libc

ENDS = ("failed", "crashed", "out_of_memory", "timed_out")
SOME = 64
MEBIBYTE = 1 << 20


def _fork_and_stay(mark: str) -> int:
    if (child := os.fork()) == 0:
        libc.prctl(15, mark[:15].encode() + b"\0", 0, 0, 0)
        while True:
            time.sleep(3600)
    return child


@attack("EAGAIN", "EPERM", ends=ENDS)
def processes(bait: Bait) -> object:
    """Processes without end, that all stay."""
    children = []
    try:
        for _ in range(SOME if bait["small"] else 100_000):
            children.append(_fork_and_stay(bait["mark"]))
    finally:
        if bait["small"]:
            for child in children:
                os.kill(child, 9)
                os.waitpid(child, 0)
    return len(children)


@attack("EAGAIN", "EPERM", ends=ENDS)
def processes_of_processes(bait: Bait) -> object:
    """Each of them makes two more."""
    depth = 5 if bait["small"] else 60
    born = []
    for _ in range(depth):
        born.append(os.fork())
    if 0 in born:
        if bait["small"]:
            os._exit(0)
        libc.prctl(15, bait["mark"][:15].encode() + b"\0", 0, 0, 0)
        while True:
            time.sleep(3600)
    return len(born)


@attack("RuntimeError", "EAGAIN", ends=ENDS)
def threads(bait: Bait) -> object:
    """Threads without end."""
    stop = threading.Event()
    threading.stack_size(64 * 1024)
    try:
        for _ in range(SOME if bait["small"] else 100_000):
            threading.Thread(target=stop.wait, daemon=True).start()
    finally:
        stop.set()
    return "started"


@attack("MemoryError", ends=ENDS)
def memory(bait: Bait) -> object:
    """Memory, written so that it has to be there."""
    held = []
    for _ in range(SOME if bait["small"] else 1_000_000):
        held.append(b"\1" * MEBIBYTE)
    return len(held)


@attack("MemoryError", "ENOMEM", "EAGAIN", "EPERM", ends=ENDS, wall="memory_together")
def memory_of_many(bait: Bait) -> object:
    """Memory in many processes, each below its own limit: 2 GiB, four times that of all."""
    size, many = (MEBIBYTE, 4) if bait["small"] else (100 * MEBIBYTE, 20)
    children = []
    for _ in range(many):
        ready, told = os.pipe()
        if (child := os.fork()) == 0:
            libc.prctl(15, bait["mark"][:15].encode() + b"\0", 0, 0, 0)
            held = b"\1" * size
            os.write(told, b"1")
            while held:
                time.sleep(3600)
        os.close(told)
        children.append(child)
        if not os.read(ready, 1):
            raise MemoryError("a copy was ended")
        os.close(ready)
    # Whom the kernel ends for want of memory is its choice: perhaps one that had told before.
    held = sum(os.waitpid(child, os.WNOHANG) == (0, 0) for child in children)
    for child in children:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(child, 9)
            os.waitpid(child, 0)
    if held < many:
        raise MemoryError(f"{held} of {many} were left")
    return many


@attack("MemoryError", "ENOMEM", "EFBIG", "EACCES", "EPERM", "ENOSPC", ends=ENDS, wall="memory_together")
def memory_in_files(bait: Bait) -> object:
    """2 GiB that are files without a name: no limit of address space counts them."""
    files = []
    for _ in range(4 if bait["small"] else 32):
        files.append(os.memfd_create("bomb", 0))
        for _ in range(4 if bait["small"] else 64):
            os.write(files[-1], b"\1" * MEBIBYTE)
    return len(files)


@attack("MemoryError", "RecursionError", ends=ENDS)
def stack(bait: Bait) -> object:
    """Calls in calls."""
    sys.setrecursionlimit(10**9)

    def deeper(level: int) -> int:
        return level if level == (900 if bait["small"] else -1) else deeper(level + 1)

    return deeper(0)


@attack("EFBIG", "ENOSPC", "EDQUOT", ends=ENDS)
def file(bait: Bait) -> object:
    """One file without end."""
    with open("bomb", "wb", 0) as bomb:
        for _ in range(SOME if bait["small"] else 1_000_000):
            bomb.write(b"\1" * MEBIBYTE)
    return "written"


@attack("EFBIG", "ENOSPC", "EDQUOT", ends=ENDS)
def file_at_once(bait: Bait) -> object:
    """Room for one, asked for at once."""
    with open("bomb", "wb", 0) as bomb:
        os.posix_fallocate(bomb.fileno(), 0, SOME * MEBIBYTE if bait["small"] else 1 << 40)
    return "there"


@attack("EMFILE", "ENFILE")
def descriptors(bait: Bait) -> object:
    """Open files without end."""
    for _ in range(SOME if bait["small"] else 10_000_000):
        os.dup(1)
    return "open"


@attack("EMFILE", "ENFILE", "ENOMEM")
def pipes(bait: Bait) -> object:
    """Memory of the kernel, in pipes that nobody reads."""
    for _ in range(SOME if bait["small"] else 1_000_000):
        _, writing = os.pipe()
        os.set_blocking(writing, False)
        os.write(writing, b"\1" * 4096)
    return "filled"


@attack(ends=("succeeded", *ENDS))
def output(bait: Bait) -> object:
    """Output without end, past the log."""
    for _ in range(4 if bait["small"] else 64):
        os.write(1, (b"\1" * 1023 + b"\n") * 1024)
    return "said"


@attack(ends=("succeeded", *ENDS))
def one_line(bait: Bait) -> object:
    """A line that does not end."""
    for _ in range(4 if bait["small"] else 64):
        os.write(1, b"x" * MEBIBYTE)
    return "said"


@attack(ends=("failed",))
def result(bait: Bait) -> object:
    """A result that is larger than any may be."""
    size = MEBIBYTE if bait["small"] else 40 * MEBIBYTE
    return Big(size)


class Big:
    """Something whose text is long."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __repr__(self) -> str:
        return "x" * self.size


@attack(ends=("timed_out", "crashed"))
def time_without_end(bait: Bait) -> object:
    """The processor, past SIGTERM."""
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end = time.monotonic() + (0.1 if bait["small"] else 3600)
    while time.monotonic() < end:
        pass
    return "used"


@attack(ends=("timed_out", "crashed"))
def in_c(bait: Bait) -> object:
    """The processor within one call of C, where Python sees no signal."""
    sys.set_int_max_str_digits(0)
    return len(str(1 << (200_000 if bait["small"] else 1 << 26)))
