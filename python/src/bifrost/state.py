"""`state`: small JSON values that a workflow keeps from one run to the next.

Each workflow has its own, in each organization. Keys are at most 200 characters, values at most
64 KiB of JSON, and a workflow has at most 1,000.
"""

from __future__ import annotations

import builtins

from ._both import both
from ._errors import Conflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._both import Asking

__all__ = ["get", "get_with_version", "set", "delete", "keys", "update"]

_TRIES = 50


@both("state.get")
def get(key: str, default: Any = None) -> Asking[Any]:
    """The value of a key, or the default."""
    found = yield ("state.get", {"key": key})
    return found["value"] if found["version"] else default


@both("state.get_with_version")
def get_with_version(key: str) -> Asking[tuple[Any, int]]:
    """The value of a key and its version; `(None, 0)` when there is none."""
    found = yield ("state.get", {"key": key})
    return found["value"], found["version"]


@both("state.set")
def set(key: str, value: Any, expected_version: int | None = None) -> Asking[int]:
    """Keep a value; its new version.

    With `expected_version` only if that is still the version, else `Conflict`; 0 stands for no
    value.
    """
    arguments = {"key": key, "value": value, "expected_version": expected_version}
    version: int = (yield ("state.set", arguments))["version"]
    return version


@both("state.delete")
def delete(key: str) -> Asking[bool]:
    """Forget a key; whether it was there."""
    gone: bool = yield ("state.delete", {"key": key})
    return gone


@both("state.keys")
def keys(prefix: str = "") -> Asking[builtins.list[str]]:
    """The keys that begin with the prefix, in order."""
    found: builtins.list[str] = yield ("state.keys", {"prefix": prefix})
    return found


@both("state.update")
def update(key: str, change: Callable[[Any], Any], default: Any = None) -> Asking[Any]:
    """Put `change(value)` in the place of a value, whoever else does the same; what is kept now.

    `change` is called again when somebody else was faster.
    """
    for _ in range(_TRIES):
        found = yield ("state.get", {"key": key})
        value = change(found["value"] if found["version"] else default)
        arguments = {"key": key, "value": value, "expected_version": found["version"]}
        try:
            yield ("state.set", arguments)
        except Conflict:
            continue
        return value
    raise Conflict(f"`{key}` was changed by others {_TRIES} times in a row")
