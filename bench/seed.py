"""A database of many organizations with many files each; SQLite's is made once and kept below `target/`.

Written with `sqlite3` or `COPY` into the tables that `bifrost migrate up` made, as 100,000 requests would
take minutes. The rows are those that `crates/store/src/file_writes.rs` writes for a first version;
`scale.py` reads a sample back through the API.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import postgres
from module_tree import short_module
from server import DATA, PROGRAM, TARGET

NOW = 1_760_000_000_000
ORGANIZATION = """INSERT INTO organizations (id, slug, name, status, is_provider, settings_json,
    settings_version, generation, created_at) VALUES (?, ?, ?, 'active', 0, '{}', 1, ?, ?)"""
LANE = """INSERT INTO queue_lanes (organization_id, virtual_time, weight, max_concurrent, waiting,
    delayed, running, usual_cost, joined) SELECT id, 0, 1, 10, 0, 0, 0, 100000, FALSE
    FROM organizations WHERE id NOT IN (SELECT organization_id FROM queue_lanes)"""
VERSION = """INSERT INTO workspace_file_versions (organization_id, path, version, hash, size,
    content, message, source, author, created_at) VALUES (?, ?, 1, ?, ?, ?, NULL, 'api', ?, ?)"""
FILE = """INSERT INTO workspace_files (organization_id, path, folded, version, hash, size, source,
    updated_by, updated_at) VALUES (?, ?, ?, 1, ?, ?, 'api', ?, ?)"""
AUTHOR = "admin@provider.test"
ORGANIZATIONS = """id, slug, name, status, is_provider, settings_json, settings_version, generation,
    created_at"""
VERSIONS = "organization_id, path, version, hash, size, content, source, author, created_at"
NAMES = "organization_id, path, folded, version, hash, size, source, updated_by, updated_at"
Row = tuple[object, ...]


@dataclass(frozen=True)
class Plan:
    """How much there is of it."""

    organizations: int
    files: int

    def slug(self, number: int) -> str:
        """The short name of an organization."""
        return f"organization-{number}"

    def path(self, number: int) -> str:
        """The path of a file, the same in every organization."""
        return f"tools/part_{number}.py"


def data_directory(plan: Plan) -> Path:
    """The directory with the database, made unless it is there for this plan and schema.

    Never served itself: who measures takes a copy, so that every measurement starts from the same.
    """
    prefix = f"seed-{plan.organizations}x{plan.files}-"
    directory = DATA / f"{prefix}{_key(plan)}"
    if not directory.exists():
        for outdated in DATA.glob(f"{prefix}*"):
            shutil.rmtree(outdated)
        making = DATA / f"{prefix}unfinished"
        _make(making, plan)
        making.rename(directory)
    return directory


def _key(plan: Plan) -> str:
    """Changes with everything that the database is made from."""
    digest = hashlib.sha256(repr(plan).encode())
    sources = (TARGET.parent / "crates/store/src/migrations").glob("*.rs")
    for file in [Path(__file__), Path(__file__).with_name("module_tree.py"), *sorted(sources)]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _make(directory: Path, plan: Plan) -> None:
    directory.mkdir(parents=True)
    command = [str(PROGRAM), "migrate", "--data-dir", str(directory), "up"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    database = sqlite3.connect(directory / "bifrost.db")
    database.execute("PRAGMA foreign_keys = ON")
    with database:
        for number in range(plan.organizations):
            owner = _owner(number).bytes
            slug = plan.slug(number)
            database.execute(ORGANIZATION, (owner, slug, slug.title(), plan.files, NOW))
            for path, source, hash in _files(plan, number):
                size = len(source)
                database.execute(VERSION, (owner, path, hash, size, source, AUTHOR, NOW))
                database.execute(FILE, (owner, path, path.lower(), hash, size, AUTHOR, NOW))
        database.execute(LANE)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


def postgres_database(plan: Plan) -> str:
    """The URL of a new database of this plan."""
    url = postgres.database()
    with tempfile.TemporaryDirectory() as directory:
        command = [str(PROGRAM), "migrate", "--data-dir", directory, "--database-url", url, "up"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    numbers = range(plan.organizations)
    postgres.copy(url, f"organizations ({ORGANIZATIONS})", (_organization(plan, n) for n in numbers))
    postgres.execute(url, LANE)
    versions = (row for number in numbers for row in _versions(plan, number))
    postgres.copy(url, f"workspace_file_versions ({VERSIONS})", versions)
    names = (row for number in numbers for row in _names(plan, number))
    postgres.copy(url, f"workspace_files ({NAMES})", names)
    postgres.execute(url, "VACUUM ANALYZE")
    return url


def _organization(plan: Plan, number: int) -> Row:
    slug = plan.slug(number)
    settings = ("active", "false", "{}", 1)
    return (_owner(number), slug, slug.title(), *settings, plan.files, NOW)


def _versions(plan: Plan, organization: int) -> Iterator[Row]:
    owner = _owner(organization)
    for path, source, hash in _files(plan, organization):
        yield (owner, path, 1, hash, len(source), f"\\x{source.hex()}", "api", AUTHOR, NOW)


def _names(plan: Plan, organization: int) -> Iterator[Row]:
    owner = _owner(organization)
    for path, source, hash in _files(plan, organization):
        yield (owner, path, path.lower(), 1, hash, len(source), "api", AUTHOR, NOW)


def _owner(number: int) -> UUID:
    return UUID(int=(NOW + number) << 80 | 0x7 << 76 | 0x8 << 60 | number)


def _files(plan: Plan, organization: int) -> Iterator[tuple[str, bytes, str]]:
    """Path, content and hash of each file."""
    for number in range(plan.files):
        source = short_module(organization, number).encode()
        yield plan.path(number), source, hashlib.sha256(source).hexdigest()
