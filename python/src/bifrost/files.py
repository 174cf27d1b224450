"""`files`: the workspace's files. Reads see the organization's own, then Global's.

`scope=None` looks in Global only. Writes always go to the organization the workflow runs for.
"""

from __future__ import annotations

import builtins
from binascii import a2b_base64, b2a_base64

from ._host import require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["read", "read_bytes", "write", "list", "exists", "delete"]

_CASCADE = "cascade"
_TEXT_PART = 80 << 10  # characters: no frame is full even if each takes six bytes
_BYTES_PART = 384 << 10  # a multiple of three, so that the parts' base64 can be joined


def read(path: str, *, scope: str | None = _CASCADE) -> str:
    """A file's text."""
    return read_bytes(path, scope=scope).decode()


def read_bytes(path: str, *, scope: str | None = _CASCADE) -> bytes:
    """A file's content."""
    host = require("files.read")
    content = bytearray()
    offset: int | None = 0
    while offset is not None:
        arguments = {"path": path, "scope": _scope(scope), "offset": offset}
        part = host.call("files.read_bytes", arguments)
        content += a2b_base64(part["data"])
        offset = part["next"]
    return bytes(content)


def write(path: str, content: str | bytes) -> dict[str, Any]:
    """Create or replace a file; its path, version and hash."""
    host = require("files.write")
    if isinstance(content, str):
        content.encode()  # refuses what has no UTF-8 form before anything is sent
        encoding, parts = "utf-8", _split(content, _TEXT_PART)
    elif isinstance(content, (bytes, bytearray, memoryview)):
        data = _split(bytes(content), _BYTES_PART)
        encoding, parts = "base64", [b2a_base64(each, newline=False).decode() for each in data]
    else:
        raise TypeError(f"a file's content is str or bytes, not {type(content).__name__}")
    calls: builtins.list[tuple[str, dict[str, Any]]]
    calls = [("files.part", {"data": part}) for part in parts[:-1]]
    last = {"path": path, "content": parts[-1], "encoding": encoding}
    result: dict[str, Any] = host.call_all([*calls, ("files.write", last)])
    return result


def list(prefix: str = "", *, scope: str | None = _CASCADE) -> builtins.list[str]:
    """The paths that begin with the prefix."""
    arguments = {"prefix": prefix, "scope": _scope(scope)}
    paths: builtins.list[str] = require("files.list").call("files.list", arguments)
    return paths


def exists(path: str, *, scope: str | None = _CASCADE) -> bool:
    """Whether there is a file at this path."""
    arguments = {"path": path, "scope": _scope(scope)}
    return bool(require("files.exists").call("files.exists", arguments))


def delete(path: str) -> None:
    """Remove the organization's own file; Global's shows again if it has one there."""
    require("files.delete").call("files.delete", {"path": path})


def _scope(scope: str | None) -> str:
    if scope is None or scope == "global":
        return "global"
    if scope != _CASCADE:
        raise ValueError(f"scope is left out or None, not {scope!r}")
    return scope


def _split(content: Any, size: int) -> builtins.list[Any]:
    return [content[at : at + size] for at in range(0, len(content), size)] or [content]
