"""Tells Python values and classes apart without importing the modules that define them."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# In this order: a `datetime` is a `date`, an `Enum` may be an `int`.
_CLASSES = (
    ("enum", "enum", "Enum"),
    ("datetime", "datetime", "datetime"),
    ("date", "datetime", "date"),
    ("time", "datetime", "time"),
    ("uuid", "uuid", "UUID"),
    ("decimal", "decimal", "Decimal"),
)


def class_kind(cls: object) -> str | None:
    """`enum`, `datetime`, `date`, `time`, `uuid`, `decimal` or `dataclass`; else None.

    A class of a module that nobody has imported cannot have an instance, so looking at
    `sys.modules` is enough.
    """
    if not isinstance(cls, type):
        return None
    for kind, module, name in _CLASSES:
        base: Any = getattr(sys.modules.get(module), name, None)
        if base is not None and issubclass(cls, base):
            return kind
    return "dataclass" if "__dataclass_fields__" in dir(cls) else None


def kind_of(value: object) -> str | None:
    """`class_kind` of the value's class."""
    return class_kind(type(value))
