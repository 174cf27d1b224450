"""Downloads the locked wheels and unpacks their sources: `fetch.py LOCK CACHE` prints where."""

import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

# Wheels are chosen for one fixed platform, so that the hashes are the same on every machine; what
# is kept of them is Python source.
PLATFORM = ["--python-version", "3.11", "--implementation", "cp", "--abi", "cp311", "--abi", "none"]
PLATFORM += ["--platform", "manylinux2014_x86_64", "--platform", "any"]


def download(lock: pathlib.Path, wheels: pathlib.Path) -> None:
    """Fetch exactly what the lock file names."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-deps", "--only-binary=:all:", "--require-hashes", *PLATFORM]
    subprocess.run([*pip, "-r", str(lock), "-d", str(wheels)], check=True, stdout=sys.stderr)


def unpack(wheels: pathlib.Path, tree: pathlib.Path) -> None:
    """Lay all files of all wheels into one tree, without metadata and compiled parts."""
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if ".dist-info/" not in name and not name.endswith((".so", "/")):
                    archive.extract(name, tree)


def main(lock: pathlib.Path, cache: pathlib.Path) -> None:
    """Fill the cache unless it is filled already."""
    finished = cache / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    if not finished.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as directory:
            work = pathlib.Path(directory)
            download(lock, work / "wheels")
            unpack(work / "wheels", work / "tree")
            os.rename(work / "tree", finished)
    print(finished)


main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
