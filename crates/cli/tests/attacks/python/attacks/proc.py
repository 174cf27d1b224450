"""/proc: no process but the run's own is there."""

from __future__ import annotations

import os

from . import Bait, attack

NO = ("EACCES", "EPERM", "ENOENT", "ESRCH", "ENOTDIR")


def _read(path: str) -> object:
    with open(path, "rb") as file:
        return file.read(4096)


def _holds(path: str, mark: str) -> object:
    with open(path, "rb") as file:
        text = file.read(1 << 20)
    if mark.encode() not in text:
        raise PermissionError(13, "something else is there")
    return "the mark"


@attack(*NO)
def environment_of_server(bait: Bait) -> object:
    """Keys are in it, if the operator put them there."""
    return _holds(f"/proc/{bait['server']}/environ", "".join(bait["letters"]))


@attack(*NO)
def arguments_of_server(bait: Bait) -> object:
    """How the server was started."""
    return _read(f"/proc/{bait['server']}/cmdline")


@attack(*NO)
def memory_of_server(bait: Bait) -> object:
    """Everything it knows."""
    with open(f"/proc/{bait['server']}/maps") as maps:
        start = int(maps.readline().split("-")[0], 16)
    with open(f"/proc/{bait['server']}/mem", "rb", 0) as memory:
        memory.seek(start)
        return memory.read(16)


@attack(*NO)
def root_of_server(bait: Bait) -> object:
    """The file system as the server sees it."""
    return os.listdir(f"/proc/{bait['server']}/root/etc")


@attack(*NO)
def directory_of_server(bait: Bait) -> object:
    """Where it was started."""
    return os.listdir(f"/proc/{bait['server']}/cwd")


@attack(*NO)
def descriptors_of_server(bait: Bait) -> object:
    """Its open files, to be opened again: the database is one."""
    here = f"/proc/{bait['server']}/fd"
    return [os.readlink(f"{here}/{each}") for each in os.listdir(here)]


@attack(*NO)
def environment_of_victim(bait: Bait) -> object:
    """Another process of the machine."""
    return _holds(f"/proc/{bait['victim_pid']}/environ", bait["mark"])


@attack(*NO)
def memory_of_victim(bait: Bait) -> object:
    """And what it holds."""
    with open(f"/proc/{bait['victim_pid']}/mem", "rb", 0) as memory:
        return memory.fileno()


@attack(*NO)
def memory_of_parent(bait: Bait) -> object:
    """The zygote, whose memory all its children begin with."""
    with open(f"/proc/{os.getppid()}/mem", "r+b", 0) as memory:
        return memory.fileno()


@attack(*NO, absent=("EACCES",))
def environment_of_first(bait: Bait) -> object:
    """The first process of the machine, or of whatever this is."""
    if os.getpid() == 1:
        raise PermissionError(13, "it is this run itself")
    return _read("/proc/1/environ")


@attack("Alone", *NO)
def neighbours(bait: Bait) -> object:
    """Who else is there."""
    own, seen = os.getpid(), []
    for name in os.listdir("/proc"):
        if name.isdecimal() and int(name) != own:
            seen.append((name, _read(f"/proc/{name}/cmdline")))
    if not seen:
        raise Alone("nobody")
    return seen


class Alone(Exception):
    """There is nobody."""


@attack(*NO)
def connections(bait: Bait) -> object:
    """Whom the machine talks with."""
    port = f":{bait['tcp']:04X} "
    with open("/proc/net/tcp") as file:
        if port not in file.read():
            raise PermissionError(13, "not of the machine")
    return "listed"


@attack(*NO)
def abstract_names(bait: Bait) -> object:
    """Which services have no file."""
    with open("/proc/net/unix") as file:
        if bait["abstract"] not in file.read():
            raise PermissionError(13, "not of the machine")
    return "listed"


@attack(*NO)
def mounts(bait: Bait) -> object:
    """Where everything lies."""
    return _holds("/proc/self/mountinfo", bait["mounted"])


@attack(*NO, absent=("ENOENT",))
def trigger(bait: Bait) -> object:
    """A key that restarts the machine; opened only."""
    os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY))
    return "opened"
