"""Reads literal values out of a syntax tree: defaults, options, members of enums."""

from __future__ import annotations

import ast
import math
from typing import Any

from .names import Names

UNKNOWN: Any = object()
"""Stands for what is not a literal that JSON can hold."""


def value_of(node: ast.expr, names: Names) -> Any:
    """The node's value as JSON would hold it, or `UNKNOWN`."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        enum = names.classes.get(node.value.id)
        return members(enum, names).get(node.attr, UNKNOWN) if enum else UNKNOWN
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return UNKNOWN
    return _plain(value)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 64 else UNKNOWN
    if isinstance(value, float):
        return value if math.isfinite(value) else UNKNOWN
    if isinstance(value, (list, tuple)):
        items = [_plain(each) for each in value]
        return UNKNOWN if any(each is UNKNOWN for each in items) else items
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        values = {key: _plain(each) for key, each in value.items()}
        return UNKNOWN if any(each is UNKNOWN for each in values.values()) else values
    return UNKNOWN


def members(enum: ast.ClassDef, names: Names) -> dict[str, Any]:
    """The names and values of an enum's members; one that is computed is `UNKNOWN`."""
    found: dict[str, Any] = {}
    lower = any(names.resolve(base) == "enum.StrEnum" for base in enum.bases)
    last = 0
    for statement in enum.body:
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            continue
        target = statement.targets[0]
        if not isinstance(target, ast.Name) or target.id.startswith("_"):
            continue
        value = value_of(statement.value, names)
        if isinstance(statement.value, ast.Call):
            if names.resolve(statement.value.func) == "enum.auto":
                value = target.id.lower() if lower else last + 1
        if isinstance(value, int):
            last = max(last, value)
        found[target.id] = value
    return found


def shown(node: ast.expr) -> str:
    """The source of an expression, for messages."""
    try:
        text = ast.unparse(node)
    except RecursionError:
        return "…"
    return text if len(text) <= 80 else text[:77] + "…"
