"""Reads a mapped bundle and its code objects: lookups by hash, no input or output."""

from __future__ import annotations

import marshal
import mmap
import os
import sys
from struct import Struct
from zlib import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

MODULE, PACKAGE, NAMESPACE, FILE, DIRECTORY = 1, 2, 3, 4, 5
PINNED = 1
"""Flag: global content an organization holds at a pinned version."""

HEADER = Struct("<8sII6Q")
ENTRY = Struct("<IIBBHI32sIIIIQQ16x")
MAGIC = b"BFBUNDL1"
CODES_HEADER = Struct("<8sII")
CODES_MAGIC = b"BFCODES1"

_slot = Struct("<I").unpack_from
_key = Struct("<II").unpack_from
_kind = Struct("<B").unpack_from
_origin = Struct("<II").unpack_from
_code = Struct("<QQ").unpack_from
_KIND_AT, _FLAGS_AT, _HASH_AT, _ORIGIN_AT = 8, 9, 16, 56
_MODULE_PREFIX = crc32(b"m:")


def map_descriptor(descriptor: int) -> mmap.mmap:
    """The whole of a memory file, readable. The descriptor may be closed afterwards.

    Before Python 3.13 the mapping keeps a descriptor of its own, which programs do not inherit.
    """
    size = os.fstat(descriptor).st_size
    if sys.version_info >= (3, 13):
        return mmap.mmap(descriptor, size, prot=mmap.PROT_READ, trackfd=False)
    return mmap.mmap(descriptor, size, prot=mmap.PROT_READ)


class Entry:
    """One thing a bundle offers. Only what every import needs is read at once."""

    __slots__ = ("bundle", "number", "kind", "origin")

    def __init__(self, bundle: Bundle, number: int, kind: int, origin: str) -> None:
        self.bundle = bundle
        self.number = number
        self.kind = kind
        self.origin = origin

    def data(self) -> bytes:
        """The file's content; for a namespace or directory the names in it, one a line."""
        return self.bundle.data(self.number)

    def hash(self) -> bytes:
        """SHA-256 of the content."""
        return self.bundle.hash(self.number)

    def path(self) -> str:
        """Where the file lies in its scope."""
        return self.bundle.path(self.number)

    def version(self) -> int:
        """The number of the file's version."""
        return self.bundle.version(self.number)

    def pinned(self) -> bool:
        """Whether this is global content in an organization's bundle."""
        return self.bundle.flags(self.number) & PINNED != 0


class Bundle:
    """One scope (`org` or `global`) at one generation, in memory that nobody changes."""

    def __init__(self, memory: mmap.mmap | bytes, scope: str) -> None:
        header = HEADER.unpack_from(memory)
        magic, slots, count, slots_at, entries_at, strings_at, data_at, size, generation = header
        if magic != MAGIC or size != len(memory):
            raise ValueError("not a whole bundle")
        self.scope = scope
        self.codes: Codes | None = None
        self.count: int = count
        self.generation: int = generation
        self._memory = memory
        self._mask: int = slots - 1
        self._slots: int = slots_at
        self._entries: int = entries_at
        self._strings: int = strings_at
        self._data: int = data_at

    def find_module(self, name: bytes) -> Entry | None:
        """The entry of a module, package or namespace, by its full name."""
        return self._find(b"m:", name, crc32(name, _MODULE_PREFIX))

    def find_file(self, path: str) -> Entry | None:
        """The entry of a file, by its path."""
        name = path.encode(errors="surrogatepass")
        return self._find(b"f:", name, crc32(b"f:" + name))

    def find_directory(self, path: str) -> Entry | None:
        """The entry of a directory, by its path; empty for the root."""
        name = path.encode(errors="surrogatepass")
        return self._find(b"d:", name, crc32(b"d:" + name))

    def _find(self, prefix: bytes, name: bytes, checksum: int) -> Entry | None:
        memory, mask, slots = self._memory, self._mask, self._slots
        slot = checksum & mask
        while number := _slot(memory, slots + 4 * slot)[0]:
            at = self._entries + 96 * (number - 1)
            offset, length = _key(memory, at)
            if length == len(name) + 2:
                offset += self._strings
                key = memory[offset : offset + length]
                if key[2:] == name and key[:2] == prefix:
                    return self._entry(number - 1, at)
            slot = (slot + 1) & mask
        return None

    def _entry(self, number: int, at: int) -> Entry:
        memory = self._memory
        offset, length = _origin(memory, at + _ORIGIN_AT)
        offset += self._strings
        origin = memory[offset : offset + length].decode()
        return Entry(self, number, memory[at + _KIND_AT], origin)

    def entry(self, number: int) -> Entry:
        """The entry of this number."""
        if not 0 <= number < self.count:
            raise ValueError(f"no entry {number} in a bundle of {self.count}")
        return self._entry(number, self._entries + 96 * number)

    def data(self, number: int) -> bytes:
        """The content of an entry."""
        offset, length = self._fields(number)[11:13]
        offset += self._data
        return self._memory[offset : offset + length]

    def hash(self, number: int) -> bytes:
        """The content hash of an entry."""
        at = self._entries + 96 * number + _HASH_AT
        return self._memory[at : at + 32]

    def flags(self, number: int) -> int:
        """The flags of an entry."""
        return self._memory[self._entries + 96 * number + _FLAGS_AT]

    def version(self, number: int) -> int:
        """The version of an entry's file."""
        version: int = self._fields(number)[5]
        return version

    def path(self, number: int) -> str:
        """The path of an entry's file."""
        offset, length = self._fields(number)[7:9]
        offset += self._strings
        return self._memory[offset : offset + length].decode()

    def _fields(self, number: int) -> tuple[int, ...]:
        return ENTRY.unpack_from(self._memory, self._entries + 96 * number)

    def module_names(self) -> Iterator[str]:
        """The names of all modules, packages and namespaces. Slow: for error messages."""
        for number in range(self.count):
            offset, length = _key(self._memory, self._entries + 96 * number)
            offset += self._strings
            key = self._memory[offset : offset + length]
            if key.startswith(b"m:"):
                yield key[2:].decode()


class Codes:
    """The code objects of a bundle, marshalled by the interpreter that runs them."""

    def __init__(self, memory: mmap.mmap | bytes, bundle: Bundle) -> None:
        magic, count, _ = CODES_HEADER.unpack_from(memory)
        if magic != CODES_MAGIC or count != bundle.count:
            raise ValueError("not the codes of this bundle")
        self._memory = memory
        self._view = memoryview(memory)

    def load(self, number: int) -> CodeType | None:
        """The code object of an entry, or None when the source has to be compiled."""
        offset, length = _code(self._memory, 16 + 16 * number)
        if not length:
            return None
        code: CodeType = marshal.loads(self._view[offset : offset + length])
        return code
