"""Secrets in what a run was born with: environment, memory, descriptors, other runs' directories."""

from __future__ import annotations

import fcntl
import os
import re
import stat

from . import Bait, attack


class Nothing(Exception):
    """It is not there."""


@attack("Nothing")
def environment(bait: Bait) -> object:
    """Variables of the server."""
    found = [name for name, value in os.environ.items() if "".join(bait["letters"]) in value]
    if not found:
        raise Nothing("not in the environment")
    return found


@attack("Nothing", "EACCES", "EPERM", "ENOENT")
def first_environment(bait: Bait) -> object:
    """What the process was started with, whatever it says now."""
    with open("/proc/self/environ", "rb") as file:
        if "".join(bait["letters"]).encode() not in file.read():
            raise Nothing("not in it")
    return "there"


@attack("Nothing", "EACCES", "EPERM", "ENOENT")
def memory(bait: Bait) -> object:
    """All of its own memory: it is a copy of what the zygote had."""
    pattern = re.compile("".join(f"[{each}]" for each in bait["letters"]).encode())
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as own:
        for line in maps:
            span, rights = line.split()[:2]
            if rights[0] != "r" or "[v" in line:
                continue
            start, end = (int(each, 16) for each in span.split("-"))
            try:
                own.seek(start)
                if pattern.search(own.read(end - start)):
                    return line
            except (OSError, OverflowError, ValueError):
                continue
    raise Nothing("not in memory")


@attack("Nothing", alone="only a run has inherited descriptors")
def descriptors(bait: Bait) -> object:
    """Open files, but for the socket to the supervisor and memory that nobody can change any more."""
    kinds = []
    for number in range(4, 1024):
        try:
            mode = os.fstat(number).st_mode
        except OSError:
            continue
        if not stat.S_ISREG(mode) or not _is_sealed(number):
            kinds.append((number, oct(mode)))
    if not kinds:
        raise Nothing("no further descriptor")
    return kinds


def _is_sealed(number: int) -> bool:
    try:
        return bool(fcntl.fcntl(number, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE)
    except OSError:
        return False


@attack("Nothing", "EACCES", "EPERM", "ENOENT")
def neighbours_directory(bait: Bait) -> object:
    """The scratch directory of a run of another organization that runs meanwhile."""
    with open(f"{bait['neighbour']}/secret.txt") as file:
        return file.read()


@attack("Nothing", "EACCES", "EPERM", "ENOENT")
def neighbours_name(bait: Bait) -> object:
    """That there is such a directory."""
    above = os.path.dirname(bait["neighbour"])
    if os.path.basename(bait["neighbour"]) not in os.listdir(above):
        raise Nothing("only its own")
    return "seen"


@attack("Nothing", "EACCES", "EPERM", "ENOENT", "EROFS")
def neighbours_file(bait: Bait) -> object:
    """A file put into it."""
    with open(f"{bait['neighbour']}/planted.py", "x") as file:
        file.write("planted")
    os.unlink(f"{bait['neighbour']}/planted.py")
    return "planted"
