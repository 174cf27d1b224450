"""Turns what a workflow returns into JSON, or says which part of it JSON cannot hold."""

from __future__ import annotations

import math

from bifrost.results import Result

from . import protocol
from .values import kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_DEPTH_LIMIT = protocol.DEPTH_LIMIT - 1  # the frame is around it
_INTEGERS = range(-(1 << 63), 1 << 64)


class ResultError(TypeError):
    """A part of the result that JSON cannot hold."""


class ResultTooLarge(Exception):
    """A result whose JSON is over the limit."""


def result_json(value: object) -> str:
    """The JSON text of a workflow's result."""
    text = protocol.to_json(to_plain(value, "result", 1))
    if len(text) > protocol.VALUE_LIMIT or len(text.encode()) > protocol.VALUE_LIMIT:
        size = len(text.encode())
        raise ResultTooLarge(
            f"the result is {size:,} bytes of JSON and the limit is {protocol.VALUE_LIMIT:,}; "
            "write it to a file and return its path"
        )
    return text


def to_plain(value: Any, where: str, level: int) -> object:
    """The value with only what the `json` module knows, `where` naming it in errors."""
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if level > _DEPTH_LIMIT and not isinstance(value, (str, int, float)):
        raise ResultError(f"{_short(where)} is nested more than {_DEPTH_LIMIT} deep")
    if kind is dict:
        return _mapping(value, where, level)
    if kind is list or kind is tuple:
        return [to_plain(each, f"{where}[{n}]", level + 1) for n, each in enumerate(value)]
    return _scalar(value, where, level)


def _mapping(value: dict[Any, Any], where: str, level: int) -> object:
    plain: dict[str, object] = {}
    for key, each in value.items():
        if not isinstance(key, str):
            name = type(key).__name__
            raise ResultError(
                f"{where} has the key {_repr(key)}, {_a(name)}; JSON keys are strings"
            )
        name = f"{where}.{key}" if key.isidentifier() else f"{where}[{key!r}]"
        plain[str.__str__(key)] = to_plain(each, name, level + 1)
    return plain


def _scalar(value: Any, where: str, level: int) -> object:
    kind = kind_of(value)
    if kind == "enum":
        return to_plain(value.value, where, level)
    if isinstance(value, int):
        number = int(value)
        if number not in _INTEGERS:
            raise ResultError(
                f"{where} is an integer of {number.bit_length()} bits, which JSON readers cannot "
                "hold exactly; return it as a string"
            )
        return number
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ResultError(f"{where} is {float(value)}, which JSON cannot hold")
        return float(value)
    if isinstance(value, str):
        return str.__str__(value)
    if kind in ("datetime", "date", "time"):
        text: str = value.isoformat()
        return text
    if kind in ("uuid", "decimal"):
        return str(value)
    if kind == "dataclass":
        fields = {name: getattr(value, name) for name in type(value).__dataclass_fields__}
        return _mapping(fields, where, level)
    if isinstance(value, dict):
        return _mapping(value, where, level)
    if isinstance(value, (list, tuple)):
        return [to_plain(each, f"{where}[{n}]", level + 1) for n, each in enumerate(value)]
    hint = "; return a list" if isinstance(value, (set, frozenset)) else ""
    if isinstance(value, (bytes, bytearray)):
        hint = "; return `results.file(name, content)`"
    elif isinstance(value, Result):
        hint = "; return it, or a list of results"
    raise ResultError(f"{where} is {_a(type(value).__name__)}, which JSON cannot hold{hint}")


def _a(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _repr(value: object) -> str:
    try:
        return repr(value)[:100]
    except Exception:
        return "…"


def _short(where: str) -> str:
    return where if len(where) <= 100 else where[:60] + "…" + where[-39:]
