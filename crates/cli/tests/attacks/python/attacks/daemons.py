"""Processes that mean to stay when their run is over. Each has the mark as its name, to be looked for."""

from __future__ import annotations

import os
import signal
import time

from . import Bait, attack
from .calls import libc


def _stay(bait: Bait, said: int) -> None:
    """Deaf and marked, until somebody kills it; without walls for a while only."""
    for number in range(1, 64):
        if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
            signal.signal(number, signal.SIG_IGN)
    libc.prctl(15, bait["mark"][:15].encode() + b"\0", 0, 0, 0)
    libc.prctl(1, 0, 0, 0, 0)  # no word when the parent dies
    os.write(said, b"1")
    for number in range(3, 256):
        try:
            os.close(number)
        except OSError:
            continue
    time.sleep(20 if bait["small"] else 100_000)
    os._exit(0)


def _leave(bait: Bait, generations: int, session: bool) -> str:
    heard, said = os.pipe()
    if (child := os.fork()) == 0:
        for _ in range(generations):
            if session:
                os.setsid()
            if os.fork():
                os._exit(0)
        _stay(bait, said)
    os.close(said)
    if generations:
        os.waitpid(child, 0)
    if os.read(heard, 1) != b"1":
        raise ChildProcessError(10, "it did not live")
    return "lives"


@attack(ends=("succeeded",))
def child(bait: Bait) -> object:
    """A child of the run."""
    return _leave(bait, 0, False)


@attack(ends=("succeeded",))
def orphan(bait: Bait) -> object:
    """A grandchild whose parent is gone."""
    return _leave(bait, 1, False)


@attack(ends=("succeeded",))
def daemon(bait: Bait) -> object:
    """In a session of its own: no group and no terminal has it."""
    return _leave(bait, 2, True)


@attack(ends=("succeeded",))
def heir(bait: Bait) -> object:
    """Twenty generations, each ending as soon as the next one is born."""
    return _leave(bait, 20, True)


@attack(ends=("succeeded", "failed", "crashed"))
def reborn(bait: Bait) -> object:
    """One that forks for ever, each parent ending at once: none lives long enough to be found."""
    if os.fork():
        return "lives"
    os.setsid()
    libc.prctl(15, bait["mark"][:15].encode() + b"\0", 0, 0, 0)
    end = time.monotonic() + (1 if bait["small"] else 100_000)
    while time.monotonic() < end:
        if os.fork():
            os._exit(0)
    os._exit(0)


@attack(ends=("crashed",), alone="it ends whoever tries it")
def killed_itself(bait: Bait) -> object:
    """The run kills itself and leaves a daemon."""
    _leave(bait, 2, True)
    os.kill(os.getpid(), signal.SIGKILL)
    os._exit(9)


@attack(ends=("crashed", "failed"), alone="only a run has a supervisor")
def left_silently(bait: Bait) -> object:
    """The run leaves without a word, its daemon holding the socket to the supervisor."""
    if os.fork() == 0:
        os.setsid()
        libc.prctl(15, bait["mark"][:15].encode() + b"\0", 0, 0, 0)
        time.sleep(100_000)
    os._exit(0)
