"""The file system: nothing is read that is not the run's to read, nothing is written but its scratch."""

from __future__ import annotations

import ctypes
import os
import stat

from . import Bait, attack
from .calls import call

READ = ("EACCES", "EPERM", "ENOENT", "ENOTDIR", "ELOOP")
WRITE = (*READ, "EROFS", "ENXIO")


def _read(path: str) -> object:
    with open(path, "rb") as file:
        return file.read(64)


def _write(path: str) -> object:
    with open(path, "xb") as file:
        file.write(b"mine")
    os.unlink(path)
    return path


@attack(*READ)
def passwords(bait: Bait) -> object:
    """The hashes of the machine's passwords."""
    return _read("/etc/shadow")


@attack(*READ)
def open_to_all(bait: Bait) -> object:
    """A file that everybody on the machine may read, but that is nothing to a run."""
    return _read(bait["secret"])


@attack(*READ)
def database(bait: Bait) -> object:
    """Everything of everybody."""
    return _read(bait["data"] + "/bifrost.db")


@attack(*READ)
def signing_keys(bait: Bait) -> object:
    """With them anybody's token can be made."""
    return os.listdir(bait["data"] + "/signing-keys")


@attack(*READ)
def master_key(bait: Bait) -> object:
    """It opens all secrets."""
    return _read(bait["data"] + "/master.key")


@attack(*READ)
def data_directory(bait: Bait) -> object:
    """What there is."""
    return os.listdir(bait["data"])


@attack(*READ)
def program(bait: Bait) -> object:
    """The server's own program, for offsets of a later attack."""
    return _read(f"/proc/{bait['server']}/exe")


@attack(*READ)
def home(bait: Bait) -> object:
    """Keys and tokens of the operator."""
    return os.listdir("/root")


@attack(*READ)
def kernel_memory(bait: Bait) -> object:
    """All of memory."""
    return _read("/dev/kmsg") if not os.path.exists("/dev/mem") else os.open("/dev/mem", os.O_RDWR)


@attack(*READ, absent=("ENOENT", "EPERM"))
def disk(bait: Bait) -> object:
    """The device under the file system."""
    return _read("/dev/vda")


@attack(*READ)
def by_handle(bait: Bait) -> object:
    """A file by its number, past every directory above it."""
    handle = ctypes.create_string_buffer(8 + 128)
    handle[:4] = (128).to_bytes(4, "little")  # type: ignore[assignment]
    mount = ctypes.create_string_buffer(4)
    call("name_to_handle_at", -100, bait["secret"].encode() + b"\0", handle, mount, 0)
    here = os.open(".", os.O_RDONLY)
    opened = call("open_by_handle_at", here, handle, os.O_RDONLY)
    return os.read(opened, 64)


@attack(*READ)
def reopened(bait: Bait) -> object:
    """A descriptor that only names the file, opened again through /proc."""
    named = os.open(bait["secret"], os.O_PATH)
    return _read(f"/proc/self/fd/{named}")


@attack(*READ)
def upwards(bait: Bait) -> object:
    """Out of the scratch directory step by step."""
    return _read("../" * 40 + bait["secret"].lstrip("/"))


@attack(*READ)
def by_root(bait: Bait) -> object:
    """The root of this process, by its other name."""
    return _read("/proc/self/root" + bait["secret"])


@attack(*READ, alone="only a run has inherited descriptors")
def inherited(bait: Bait) -> object:
    """A directory that somebody forgot to close."""
    for number in range(3, 1024):
        try:
            if stat.S_ISDIR(os.fstat(number).st_mode):
                return [number, os.listdir(number)]
        except OSError:
            continue
    raise FileNotFoundError(2, "no directory is open")


@attack(*WRITE)
def temporary(bait: Bait) -> object:
    """The directory for everybody's temporary files."""
    return _write(bait["open"] + "/written")


@attack(*WRITE)
def configuration(bait: Bait) -> object:
    """What the machine does next time."""
    return _write("/etc/written-by-a-run")


@attack(*WRITE)
def devices(bait: Bait) -> object:
    """Memory that looks like a file."""
    return _write("/dev/shm/written-by-a-run")


@attack(*WRITE)
def runtime(bait: Bait) -> object:
    """The Python side that every other run executes."""
    os.chmod(bait["runtime"], 0o777)
    return _write(bait["runtime"] + "/written.py")


@attack(*WRITE)
def library(bait: Bait) -> object:
    """The interpreter's library."""
    return _write(os.path.dirname(os.__file__) + "/written_by_a_run.py")


@attack(*WRITE)
def data(bait: Bait) -> object:
    """The server's directory."""
    return _write(bait["data"] + "/written")


@attack(*WRITE)
def longer(bait: Bait) -> object:
    """Somebody else's file, cut."""
    os.truncate(bait["victim"], 0)
    with open(bait["victim"], "w") as file:
        file.write(bait["mark"])
    return "truncated and written again"


@attack(*WRITE)
def removed(bait: Bait) -> object:
    """Somebody else's file, renamed."""
    os.rename(bait["victim"], bait["victim"] + ".mine")
    os.rename(bait["victim"] + ".mine", bait["victim"])
    return "renamed and back"


@attack(*WRITE)
def modes(bait: Bait) -> object:
    """Somebody else's file, opened to all."""
    os.chmod(bait["victim"], 0o666)
    return "changed"


@attack(*WRITE)
def times(bait: Bait) -> object:
    """Somebody else's file, made older."""
    os.utime(bait["victim"], (1, 1))
    return "changed"


@attack(*WRITE, "ENOTSUP", "EOPNOTSUPP")
def attributes(bait: Bait) -> object:
    """A mark on somebody else's file."""
    os.setxattr(bait["victim"], "user.mine", b"1")
    return "set"


@attack(*WRITE, absent=("EPERM",))
def device(bait: Bait) -> object:
    """A device of one's own: the disk by its number."""
    os.mknod("disk", stat.S_IFBLK | 0o600, os.makedev(254, 0))
    os.close(os.open("disk", os.O_RDONLY | os.O_NONBLOCK))
    return "opened"


@attack(*WRITE)
def kernel_setting(bait: Bait) -> object:
    """What the kernel starts when a process crashes."""
    with open("/proc/sys/kernel/core_pattern", "r+b") as file:
        was = file.read()
        file.seek(0)
        file.write(was)
    return was


@attack(*WRITE, absent=("ENOENT",))
def control_groups(bait: Bait) -> object:
    """A control group of one's own choice, without the limits."""
    for path in ("/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory/cgroup.procs"):
        if os.path.exists(path):
            with open(path, "r+b") as file:
                return file.fileno()
    raise FileNotFoundError(2, "no control groups")


@attack(*WRITE, "EINVAL", alone="as root of the machine it is no crime")
def owned_by_root(bait: Bait) -> object:
    """A program in the scratch directory that makes whoever starts it root."""
    with open("program", "wb") as file:
        os.fchmod(file.fileno(), 0o4755)
        os.fchown(file.fileno(), 0, 0)
    return "made"
