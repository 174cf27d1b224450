"""Symlinks and hard links: neither the run nor whoever cleans up after it is led astray."""

from __future__ import annotations

import os

from . import Bait, attack

READ = ("EACCES", "EPERM", "ENOENT", "EXDEV", "ELOOP", "ENOTDIR")
WRITE = (*READ, "EROFS")


@attack(*READ)
def read_through(bait: Bait) -> object:
    """A link in the scratch directory to a file outside."""
    os.symlink(bait["secret"], "read-through")
    with open("read-through", "rb") as file:
        return file.read(64)


@attack(*WRITE)
def write_through(bait: Bait) -> object:
    """The same for writing."""
    os.symlink(bait["open"] + "/through", "write-through")
    with open("write-through", "wb") as file:
        file.write(b"mine")
    os.unlink(bait["open"] + "/through")
    return "written"


@attack(*WRITE)
def directory_through(bait: Bait) -> object:
    """A link to a directory, and a file in it."""
    os.symlink(bait["open"], "outside")
    with open("outside/through", "xb") as file:
        file.write(b"mine")
    os.unlink("outside/through")
    return "written"


@attack(*READ)
def hard_link(bait: Bait) -> object:
    """A second name for somebody else's file."""
    os.link(bait["secret"], bait["beside"] + "/second-name")
    os.unlink(bait["beside"] + "/second-name")
    return "linked"


@attack(*READ)
def hard_link_here(bait: Bait) -> object:
    """A second name in the run's own directory, of a file that lies on the same file system."""
    os.link(bait["data"] + "/bifrost.db", "database")
    with open("database", "rb") as file:
        return file.read(16)


@attack(*READ)
def hard_link_of_descriptor(bait: Bait) -> object:
    """A second name for what is only named by a descriptor."""
    named = os.open(bait["secret"], os.O_PATH)
    # With a directory of its own it is the call that follows the name.
    os.link(f"/proc/self/fd/{named}", bait["beside"] + "/third-name", src_dir_fd=named)
    os.unlink(bait["beside"] + "/third-name")
    return "linked"


@attack(*WRITE)
def moved_out(bait: Bait) -> object:
    """A directory moved to where nobody removes it."""
    os.mkdir("mine")
    os.rename("mine", bait["beside"] + "/moved")
    os.rmdir(bait["beside"] + "/moved")
    return "moved"


@attack("Kept", alone="whoever removes the scratch directory follows no link: seen afterwards")
def left_for_the_cleaner(bait: Bait) -> object:
    """Links to what must not be removed, left in the scratch directory."""
    os.symlink(bait["keep"], "a-directory")
    os.symlink(bait["victim"], "a-file")
    os.makedirs("deep/deeper")
    os.symlink(bait["keep"], "deep/deeper/a-directory")
    os.symlink("..", "deep/deeper/a-circle")
    os.chmod("deep/deeper", 0)
    raise Kept("left")


class Kept(Exception):
    """What is outside has to be there afterwards."""


@attack("Kept", *WRITE, alone="only a run's scratch directory is removed for it")
def scratch_replaced(bait: Bait) -> object:
    """A link in the place of the scratch directory, for whoever removes it."""
    here = os.getcwd()
    os.chdir("/")
    os.rename(here, here + "-was")
    os.symlink(bait["keep"], here)
    raise Kept("replaced")


@attack("Kept", "OSError", *WRITE, alone="only a run's scratch directory is removed for it")
def names_of_all_sorts(bait: Bait) -> object:
    """Names that a cleaner could stumble over, and a path longer than the system takes."""
    for name in (b"-rf", b"\xff\xfe", b"a\nb", b"~", b"*", b"..."):
        with open(name, "wb"):
            pass
    for _ in range(200):
        os.mkdir("n" * 200)
        os.chdir("n" * 200)
    raise Kept("left")
