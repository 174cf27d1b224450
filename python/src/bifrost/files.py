"""`files`: the workspace's files. Reads see the organization's own, then Global's.

`scope=None` looks in Global only. Writes always go to the organization the workflow runs for.
"""

from __future__ import annotations

import builtins
from binascii import a2b_base64, b2a_base64

from ._both import both

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._both import Asking

__all__ = ["read", "read_bytes", "write", "list", "exists", "delete"]

_CASCADE = "cascade"
_TEXT_PART = 80 << 10  # characters: no frame is full even if each takes six bytes
_BYTES_PART = 384 << 10  # a multiple of three, so that the parts' base64 can be joined


@both("files.read")
def read(path: str, *, scope: str | None = _CASCADE) -> Asking[str]:
    """A file's text."""
    content = yield from _content(path, scope)
    return content.decode()


@both("files.read_bytes")
def read_bytes(path: str, *, scope: str | None = _CASCADE) -> Asking[bytes]:
    """A file's content."""
    return (yield from _content(path, scope))


def _content(path: str, scope: str | None) -> Asking[bytes]:
    content = bytearray()
    offset: int | None = 0
    while offset is not None:
        arguments = {"path": path, "scope": _scope(scope), "offset": offset}
        part = yield ("files.read_bytes", arguments)
        content += a2b_base64(part["data"])
        offset = part["next"]
    return bytes(content)


@both("files.write")
def write(path: str, content: str | bytes) -> Asking[dict[str, Any]]:
    """Create or replace a file; its path, version and hash."""
    if isinstance(content, str):
        content.encode()  # refuses what has no UTF-8 form before anything is sent
        encoding, parts = "utf-8", _split(content, _TEXT_PART)
    elif isinstance(content, (bytes, bytearray, memoryview)):
        encoding, parts = "base64", encoded(bytes(content))
    else:
        raise TypeError(f"a file's content is str or bytes, not {type(content).__name__}")
    calls: builtins.list[tuple[str, dict[str, Any]]]
    calls = [("files.part", {"data": part}) for part in parts[:-1]]
    last = {"path": path, "content": parts[-1], "encoding": encoding}
    result: dict[str, Any] = yield [*calls, ("files.write", last)]
    return result


@both("files.list")
def list(prefix: str = "", *, scope: str | None = _CASCADE) -> Asking[builtins.list[str]]:
    """The paths that begin with the prefix."""
    paths: builtins.list[str] = yield ("files.list", {"prefix": prefix, "scope": _scope(scope)})
    return paths


@both("files.exists")
def exists(path: str, *, scope: str | None = _CASCADE) -> Asking[bool]:
    """Whether there is a file at this path."""
    return bool((yield ("files.exists", {"path": path, "scope": _scope(scope)})))


@both("files.delete")
def delete(path: str) -> Asking[None]:
    """Remove the organization's own file; Global's shows again if it has one there."""
    yield ("files.delete", {"path": path})


def encoded(content: bytes) -> builtins.list[str]:
    """Base64 in parts that fit into frames."""
    parts = _split(content, _BYTES_PART)
    return [b2a_base64(each, newline=False).decode() for each in parts]


def _scope(scope: str | None) -> str:
    if scope is None or scope == "global":
        return "global"
    if scope != _CASCADE:
        raise ValueError(f"scope is left out or None, not {scope!r}")
    return scope


def _split(content: Any, size: int) -> builtins.list[Any]:
    return [content[at : at + size] for at in range(0, len(content), size)] or [content]
