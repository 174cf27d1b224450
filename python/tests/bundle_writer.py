"""A plain writer of bundles and codes, as docs/runtime-protocol.md describes them."""

from __future__ import annotations

import hashlib
import marshal
import os
from dataclasses import dataclass, field
from zlib import crc32

from bifrost_runtime.bundle import (
    CODES_HEADER,
    CODES_MAGIC,
    DIRECTORY,
    ENTRY,
    FILE,
    HEADER,
    MAGIC,
    MODULE,
    NAMESPACE,
    PACKAGE,
    PINNED,
)

_NO_HASH = bytes(32)


@dataclass(frozen=True)
class Source:
    """One file of a scope. `pinned` is global content held by an organization."""

    content: bytes
    version: int = 1
    pinned: bool = False


@dataclass
class Scope:
    """One scope: its name in origins and its files by path."""

    slug: str
    files: dict[str, Source] = field(default_factory=dict)
    generation: int = 1

    @staticmethod
    def of(slug: str, tree: dict[str, bytes]) -> Scope:
        """A scope whose files are all at version 1."""
        return Scope(slug, {path: Source(content) for path, content in tree.items()})


@dataclass
class Item:
    """One entry before it has offsets. Entries with the same `share` have the same data."""

    key: bytes
    kind: int
    path: str
    origin: str
    data: bytes
    share: tuple[str, str]
    version: int = 0
    hash: bytes = _NO_HASH
    flags: int = 0


def items(scope: Scope) -> list[Item]:
    """All entries of a bundle, in their order."""
    directories = _directories(scope.files)
    found = [_file_item(scope, f"f:{path}", FILE, path) for path in scope.files]
    for directory, names in directories.items():
        found.append(_directory_item(scope, f"d:{directory}", DIRECTORY, directory, names))
    for name in _module_names(scope.files, directories):
        path = name.replace(".", "/")
        if f"{path}/__init__.py" in scope.files:
            found.append(_file_item(scope, f"m:{name}", PACKAGE, f"{path}/__init__.py"))
        elif f"{path}.py" in scope.files:
            found.append(_file_item(scope, f"m:{name}", MODULE, f"{path}.py"))
        else:
            names = directories[path]
            found.append(_directory_item(scope, f"m:{name}", NAMESPACE, path, names))
    return sorted(found, key=lambda item: item.key)


def _directories(files: dict[str, Source]) -> dict[str, set[str]]:
    """Every directory with the names in it."""
    directories: dict[str, set[str]] = {"": set()}
    for path in files:
        name = path
        while True:
            parent, _, last = name.rstrip("/").rpartition("/")
            suffix = "" if name == path else "/"
            directories.setdefault(parent, set()).add(last + suffix)
            if not parent:
                break
            name = parent + "/"
    return directories


def _module_names(files: dict[str, Source], directories: dict[str, set[str]]) -> set[str]:
    paths = {path[:-3] for path in files if path.endswith(".py")} | set(directories) - {""}
    return {
        path.replace("/", ".")
        for path in paths
        if all(part.isidentifier() for part in path.split("/"))
    }


def _file_item(scope: Scope, key: str, kind: int, path: str) -> Item:
    file = scope.files[path]
    where = f"global@{file.version}" if file.pinned else scope.slug
    return Item(
        key.encode(),
        kind,
        path,
        f"bifrost://{where}/{path}",
        file.content,
        ("file", path),
        file.version,
        hashlib.sha256(file.content).digest(),
        PINNED if file.pinned else 0,
    )


def _directory_item(scope: Scope, key: str, kind: int, path: str, names: set[str]) -> Item:
    data = "\n".join(sorted(names)).encode()
    origin = f"bifrost://{scope.slug}/{path}"
    return Item(key.encode(), kind, path, origin, data, ("directory", path))


def write_bundle(scope: Scope) -> bytes:
    """The bundle of a scope."""
    listed = items(scope)
    strings = bytearray()
    data = bytearray()
    ranges: dict[tuple[str, str], tuple[int, int]] = {}
    table = bytearray()
    for item in listed:
        texts = []
        for text in (item.key, item.path.encode(), item.origin.encode()):
            texts += [len(strings), len(text)]
            strings += text
        if item.share not in ranges:
            ranges[item.share] = (len(data), len(item.data))
            data += item.data
        table += ENTRY.pack(
            *texts[:2],
            item.kind,
            item.flags,
            0,
            item.version,
            item.hash,
            *texts[2:],
            *ranges[item.share],
        )
    slots = _slots([item.key for item in listed])
    entries_at = HEADER.size + 4 * len(slots)
    strings_at = entries_at + len(table)
    data_at = strings_at + len(strings)
    header = HEADER.pack(
        MAGIC,
        len(slots),
        len(listed),
        HEADER.size,
        entries_at,
        strings_at,
        data_at,
        data_at + len(data),
        scope.generation,
    )
    slot_table = b"".join(slot.to_bytes(4, "little") for slot in slots)
    return header + slot_table + bytes(table) + bytes(strings) + bytes(data)


def _slots(keys: list[bytes]) -> list[int]:
    size = 8
    while size < 2 * len(keys):
        size *= 2
    slots = [0] * size
    for number, key in enumerate(keys):
        slot = crc32(key) & (size - 1)
        while slots[slot]:
            slot = (slot + 1) & (size - 1)
        slots[slot] = number + 1
    return slots


def write_codes(scope: Scope, compiled: bool = True) -> bytes:
    """The codes of the scope's bundle; without any if not `compiled`."""
    codes = [_code(item) if compiled else b"" for item in items(scope)]
    head = CODES_HEADER.pack(CODES_MAGIC, len(codes), 0)
    at = len(head) + 16 * len(codes)
    table = bytearray()
    for code in codes:
        table += (at if code else 0).to_bytes(8, "little") + len(code).to_bytes(8, "little")
        at += len(code)
    return head + bytes(table) + b"".join(codes)


def _code(item: Item) -> bytes:
    if item.kind not in (MODULE, PACKAGE):
        return b""
    try:
        return marshal.dumps(compile(item.data, item.origin, "exec", dont_inherit=True))
    except (SyntaxError, ValueError):
        return b""


def memory_file(content: bytes, name: str = "bundle") -> int:
    """A descriptor of a memory file with this content."""
    descriptor = os.memfd_create(name)
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
    return descriptor
