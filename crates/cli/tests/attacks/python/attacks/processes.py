"""Other processes: none is traced, read, signalled, slowed or joined; nothing makes the run more."""

from __future__ import annotations

import ctypes
import os
import signal

from . import Bait, attack
from .calls import address, call, check, libc

NO = ("EPERM", "EACCES", "ENOSYS", "ESRCH", "ENOENT", "EINVAL")


@attack(*NO)
def trace(bait: Bait) -> object:
    """The victim, stopped and at the run's mercy."""
    call("ptrace", 0x4206, bait["victim_pid"], 0, 0)  # PTRACE_SEIZE
    return "traced"


@attack(*NO)
def trace_parent(bait: Bait) -> object:
    """The process this one was forked from."""
    call("ptrace", 0x4206, os.getppid(), 0, 0)
    return "traced"


def _vector(buffer: object, size: int) -> object:
    return (ctypes.c_size_t * 2)(address(buffer), size)


@attack(*NO)
def read_memory(bait: Bait) -> object:
    """The victim's memory, where the test left a mark."""
    size = len(bait["mark"])
    buffer = ctypes.create_string_buffer(size)
    there = (ctypes.c_size_t * 2)(bait["victim_address"], size)
    call("process_vm_readv", bait["victim_pid"], _vector(buffer, size), 1, there, 1, 0)  # type: ignore[arg-type]
    return buffer.raw


@attack(*NO)
def write_memory(bait: Bait) -> object:
    """The same for writing; what is written is what was there."""
    mark = bait["mark"].encode()
    buffer = ctypes.create_string_buffer(mark, len(mark))
    there = (ctypes.c_size_t * 2)(bait["victim_address"], len(mark))
    call("process_vm_writev", bait["victim_pid"], _vector(buffer, len(mark)), 1, there, 1, 0)  # type: ignore[arg-type]
    return "written"


@attack(*NO)
def signals(bait: Bait) -> object:
    """Whether a signal would arrive at the victim."""
    os.kill(bait["victim_pid"], 0)
    return "would arrive"


@attack(*NO)
def signal_to_server(bait: Bait) -> object:
    """And at the server."""
    os.kill(bait["server"], 0)
    return "would arrive"


@attack(*NO)
def signal_to_parent(bait: Bait) -> object:
    """And at the zygote; zero would be this run's own group."""
    if os.getppid() == 0:
        raise ProcessLookupError(3, "it has no parent here")
    os.kill(os.getppid(), 0)
    return "would arrive"


@attack(*NO)
def signal_to_group(bait: Bait) -> object:
    """And at the victim's whole group."""
    os.killpg(os.getpgid(bait["victim_pid"]), 0)
    return "would arrive"


@attack(*NO)
def signal_by_socket(bait: Bait) -> object:
    """A signal that the kernel sends for whoever owns a descriptor."""
    import fcntl

    reading, writing = os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETOWN, bait["victim_pid"])
    if fcntl.fcntl(reading, fcntl.F_GETOWN) != bait["victim_pid"]:
        raise ProcessLookupError(3, "no such process")
    return [reading, writing]


@attack(*NO)
def handle(bait: Bait) -> object:
    """A descriptor of the victim."""
    return call("pidfd_open", bait["victim_pid"], 0)


@attack(*NO)
def stolen_descriptor(bait: Bait) -> object:
    """An open file of the victim."""
    return call("pidfd_getfd", call("pidfd_open", bait["victim_pid"], 0), 0, 0)


@attack(*NO, absent=("ENOSYS",))
def compare(bait: Bait) -> object:
    """What two processes share."""
    return call("kcmp", bait["victim_pid"], bait["server"], 1, 0, 0)


@attack(*NO)
def limits_of_others(bait: Bait) -> object:
    """The victim's limits."""
    return call("prlimit64", bait["victim_pid"], 7, None, ctypes.create_string_buffer(16))


@attack(*NO)
def priority_of_others(bait: Bait) -> object:
    """The victim's share of the processor."""
    os.setpriority(os.PRIO_PROCESS, bait["victim_pid"], os.getpriority(0, bait["victim_pid"]))
    return "set"


@attack(*NO)
def own_priority(bait: Bait) -> object:
    """More of the processor than others."""
    os.setpriority(os.PRIO_PROCESS, 0, -5)
    return "higher"


@attack(*NO)
def real_time(bait: Bait) -> object:
    """All of the processor."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    return "real time"


@attack(*NO)
def processors_of_others(bait: Bait) -> object:
    """On which processors the victim runs."""
    os.sched_setaffinity(bait["victim_pid"], os.sched_getaffinity(bait["victim_pid"]))
    return "set"


@attack(*NO)
def disk_priority_of_others(bait: Bait) -> object:
    """The victim's share of the disk."""
    return call("ioprio_set", 1, bait["victim_pid"], (2 << 13) | 4)


@attack(*NO)
def become_root(bait: Bait) -> object:
    """The user who may do everything."""
    call("setuid", 0)
    if os.getuid() != 0:
        raise PermissionError(1, "still somebody else")
    return _root_means_something(bait)


def _root_means_something(bait: Bait) -> object:
    os.kill(bait["victim_pid"], 0)
    return "root"


@attack(*NO)
def groups(bait: Bait) -> object:
    """The groups that may read disks."""
    os.setgroups([0, 6])
    return os.getgroups()


@attack(*NO)
def capabilities(bait: Bait) -> object:
    """The rights that are nearly all of root's."""
    header = ctypes.create_string_buffer((0x20080522).to_bytes(4, "little") + bytes(4), 8)
    wanted = (1 << 21 | 1 << 12).to_bytes(4, "little")  # of the system, of the network
    call("capset", header, ctypes.create_string_buffer(wanted * 2 + bytes(16), 24))
    return "set"


@attack(*NO, "ValueError", absent=("ValueError",))
def raised_limit(bait: Bait) -> object:
    """More processes than were allowed."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    wanted = hard + 1 if hard != resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NPROC, (wanted, wanted))
    if wanted == hard and os.getuid() != 0:
        raise PermissionError(1, "there was no limit to raise")
    return wanted


@attack("Kept", alone="only a run has it set")
def new_privileges(bait: Bait) -> object:
    """That no program may give this process more."""
    if libc.prctl(38, 0, 0, 0, 0) != -1 or libc.prctl(39, 0, 0, 0, 0) != 1:
        return "not set, or taken back"
    raise Kept("it stays")


@attack("Kept", *NO, alone="only a run has it set")
def dumpable(bait: Bait) -> object:
    """That others of its user cannot look into this process; what it can do is of no use to it."""
    check(libc.prctl(4, 1, 0, 0, 0))
    if os.access("/proc/self/mem", os.W_OK):
        raise Kept("only its own memory")
    raise Kept("nothing")


class Kept(Exception):
    """It stays as it is."""


@attack(*NO, "Alone")
def signal_to_all(bait: Bait) -> object:
    """Everybody there is: asked only, unless this run is the first of its own world."""
    if os.getpid() != 1:
        os.kill(-1, 0)
        return "would arrive at others"
    try:
        os.kill(-1, signal.SIGTERM)
    except ProcessLookupError as error:
        raise Alone("nobody is there") from error
    return "somebody got it"


class Alone(Exception):
    """There is nobody else."""
