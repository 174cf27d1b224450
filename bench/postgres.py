"""The PostgreSQL server of a benchmark: `cargo xtask servers --durable -- python3 bench/run.py`."""

from __future__ import annotations

import csv
import itertools
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

_NUMBERS = itertools.count()


def engines() -> Iterator[tuple[str, str | None]]:
    """SQLite, and PostgreSQL when there is a server; each name with a fresh database's URL."""
    yield "SQLite", None
    if os.environ.get("BIFROST_TEST_POSTGRES"):
        yield "PostgreSQL", database()


def database() -> str:
    """The URL of a new, empty database."""
    server = os.environ["BIFROST_TEST_POSTGRES"]
    name = f"bench{os.getpid()}_{next(_NUMBERS)}"
    create = ["psql", "-Xq", "-c", f"CREATE DATABASE {name}", f"{server}/postgres"]
    subprocess.run(create, check=True)
    return f"{server}/{name}"


def described() -> tuple[str, Path]:
    """What a reader has to know of the server, and where its data is."""
    ask = "SELECT current_setting('server_version'), current_setting('fsync')"
    ask += ", current_setting('synchronous_commit'), current_setting('data_directory')"
    command = ["psql", "-XAtq", "-c", ask, f"{os.environ['BIFROST_TEST_POSTGRES']}/postgres"]
    asked = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    version, fsync, commit, directory = asked.stdout.strip().split("|")
    return f"{version}, fsync {fsync}, synchronous_commit {commit}", Path(directory)


def copy(url: str, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Writes rows into a table whose columns are named in brackets."""
    command = ["psql", "-Xq", "-c", f"COPY {table} FROM STDIN (FORMAT csv)", url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as running:
        assert running.stdin is not None
        csv.writer(running.stdin).writerows(rows)
    if running.returncode:
        raise RuntimeError(f"`COPY {table}` failed; psql says above why")


def execute(url: str, statement: str) -> None:
    """One statement."""
    subprocess.run(["psql", "-Xq", "-c", statement, url], check=True)
