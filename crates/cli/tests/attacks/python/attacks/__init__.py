"""Attacks of a workflow on everything around it, a file per family: each is in the table below."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, NamedTuple

Bait = dict[str, Any]


class Attack(NamedTuple):
    """One attack, and how it has to end where the walls are."""

    do: Callable[[Bait], object]
    refused: tuple[str, ...]  # names of errors, any of them
    ends: tuple[str, ...]  # how else the run may end: statuses of an execution
    absent: tuple[str, ...]  # errors by which a kernel says that it has no such thing
    alone: str  # why it is not tried without walls, if it is not
    wall: str  # the wall without which it may succeed, if the machine cannot have it and says so


TABLE: dict[str, Attack] = {}


def attack(
    *refused: str,
    ends: tuple[str, ...] = (),
    absent: tuple[str, ...] = (),
    alone: str = "",
    wall: str = "",
) -> Callable[[Callable[[Bait], object]], Callable[[Bait], object]]:
    """Put a function into the table: it returns what it reached, or raises."""

    def enter(do: Callable[[Bait], object]) -> Callable[[Bait], object]:
        name = f"{do.__module__.rpartition('.')[2]}.{do.__name__}"
        TABLE[name] = Attack(do, refused, ends, absent, alone, wall)
        return do

    return enter


def run(name: str, bait: Bait) -> dict[str, str]:
    """Try an attack: what it reached, or by which error it was refused."""
    try:
        return {"reached": repr(TABLE[name].do(bait))}
    except BaseException as error:
        return {"refused": word(error), "text": str(error)}


def word(error: BaseException) -> str:
    """The name of an error: of its number if it is the system's, of its type otherwise."""
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return errno.errorcode.get(error.errno, str(error.errno))
    return type(error).__name__
