"""Memory and queues that processes share by a name."""

from __future__ import annotations

import ctypes
import mmap
import os

from . import Bait, attack
from .calls import call, libc

NO = ("EPERM", "EACCES", "ENOSYS", "ENOENT", "EROFS")


@attack(*NO)
def of_system_five(bait: Bait) -> object:
    """The test's own segment, which everybody may read."""
    segment = call("shmget", bait["ipc_key"], 0, 0)
    libc.shmat.restype = ctypes.c_void_p
    start = libc.shmat(segment, None, 0o10000)
    if start == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "refused")
    return ctypes.string_at(start, len(bait["mark"]))


@attack(*NO)
def new_of_system_five(bait: Bait) -> object:
    """A segment that stays when the run is gone."""
    return call("shmget", bait["ipc_key"] + 1, 4096, 0o1600)


@attack(*NO)
def semaphores(bait: Bait) -> object:
    """Something others wait for."""
    return call("semget", bait["ipc_key"], 0, 0)


@attack(*NO)
def messages(bait: Bait) -> object:
    """A message for somebody else."""
    return call("msgrcv", call("msgget", bait["ipc_key"], 0), ctypes.create_string_buffer(80), 64, 0, 0o14000)


@attack(*NO)
def queue(bait: Bait) -> object:
    """The test's queue of POSIX, which everybody may read."""
    return call("mq_open", bait["queue"].encode() + b"\0", os.O_RDONLY, 0, None)


@attack(*NO)
def new_queue(bait: Bait) -> object:
    """A queue that stays when the run is gone."""
    return call("mq_open", bait["mark"].encode() + b"\0", os.O_RDONLY | os.O_CREAT, 0o600, None)


@attack(*NO)
def of_posix(bait: Bait) -> object:
    """The test's memory by its name, which everybody may read."""
    with open(f"/dev/shm{bait['posix']}", "rb") as file:
        return mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ).read(64)


@attack(*NO)
def new_of_posix(bait: Bait) -> object:
    """A name that stays when the run is gone."""
    descriptor = libc.shm_open(b"/" + bait["mark"].encode() + b"-new", os.O_RDWR | os.O_CREAT, 0o600)
    if descriptor == -1:
        raise OSError(ctypes.get_errno(), "refused")
    libc.shm_unlink(b"/" + bait["mark"].encode() + b"-new")
    return descriptor
