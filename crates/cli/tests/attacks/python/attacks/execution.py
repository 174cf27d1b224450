"""Other programs: a run is one Python process, and starts none."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

from . import Bait, attack
from .calls import call, check, libc

NO = ("EACCES", "EPERM", "ENOSYS", "ENOENT", "ENOEXEC", "EROFS")


def _wait(child: int) -> str:
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        raise OSError(code, os.strerror(code)) if code > 0 else PermissionError(13, "killed")
    return "ran"


def _in_child(start: object) -> str:
    """Fork, have the copy start a program, and say how that went by its exit code."""
    if (child := os.fork()) == 0:
        try:
            start()  # type: ignore[operator]
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(1)
    return _wait(child)


@attack(*NO)
def program(bait: Bait) -> object:
    """A program of the machine."""
    return _in_child(lambda: os.execv("/bin/true", ["true"]))


@attack(*NO)
def shell(bait: Bait) -> object:
    """A shell, as `subprocess` starts it."""
    return subprocess.run("id", shell=True, check=True, capture_output=True).stdout


@attack(*NO)
def spawned(bait: Bait) -> object:
    """With the C library's own way to start."""
    return _wait(os.posix_spawn("/bin/true", ["true"], {}))


@attack(*NO)
def interpreter(bait: Bait) -> object:
    """A second interpreter, without any of what this one has set up."""
    return subprocess.run([sys.executable, "-c", "0"], check=True)


@attack(*NO, "CalledProcessError")
def system(bait: Bait) -> object:
    """What C calls it."""
    if code := os.waitstatus_to_exitcode(os.system("exit 0")):
        raise PermissionError(13, f"ended with {code}")
    return "ran"


@attack(*NO)
def from_memory(bait: Bait) -> object:
    """A program that is no file."""
    program = os.memfd_create("program", 0)
    with open("/bin/true", "rb") as file:
        os.write(program, file.read())
    return _in_child(lambda: os.execve(program, ["true"], {}))


@attack(*NO)
def by_descriptor(bait: Bait) -> object:
    """The call that takes a descriptor and an empty path."""
    program = os.open("/bin/true", os.O_RDONLY)
    return _in_child(lambda: call("execveat", program, b"\0", None, None, 0x1000))


@attack(*NO)
def from_scratch(bait: Bait) -> object:
    """A program that the run has written."""
    with open("program", "wb") as file:
        file.write(b"#!/bin/sh\nexit 0\n")
    os.chmod("program", 0o700)
    return _in_child(lambda: os.execv("./program", ["program"]))


@attack(*NO)
def by_loader(bait: Bait) -> object:
    """Through the dynamic loader, which only has to read the program."""
    loader = "/lib64/ld-linux-x86-64.so.2"
    return _in_child(lambda: os.execv(loader, [loader, "/bin/true"]))


@attack(*NO)
def as_somebody(bait: Bait) -> object:
    """A program that makes whoever starts it root."""
    return _in_child(lambda: os.execv("/bin/su", ["su", "--version"]))


@attack(*NO)
def by_c(bait: Bait) -> object:
    """Past Python altogether."""

    def start() -> None:
        arguments = (ctypes.c_char_p * 2)(b"true", None)
        check(libc.execve(b"/bin/true", arguments, None))

    return _in_child(start)
