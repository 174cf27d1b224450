"""Results to JSON."""

from __future__ import annotations

import datetime as dt
import enum
import json
import unittest
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from bifrost_runtime.results import ResultError, ResultTooLarge, result_json


class Color(enum.Enum):
    """A choice."""

    RED = "red"


class Level(enum.IntEnum):
    """A number with a name."""

    HIGH = 3


@dataclass
class Item:
    """Something with parts."""

    name: str
    parts: tuple[Any, ...] = ()


class Text(str):
    """A string of its own kind, whose `str` is not to be trusted."""

    def __str__(self) -> str:
        return "other"


Pair = namedtuple("Pair", "a b")


def _nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


class Results(unittest.TestCase):
    """What can be returned and what cannot."""

    def test_good(self) -> None:
        for value, expected in (
            (None, None),
            (True, True),
            (1, 1),
            (1.5, 1.5),
            ("é", "é"),
            ((1, 2), [1, 2]),
            (Color.RED, "red"),
            (Level.HIGH, 3),
            (Pair(1, 2), [1, 2]),
            (Item("a", (Item("b"),)), {"name": "a", "parts": [{"name": "b", "parts": []}]}),
            (dt.datetime(2024, 1, 2, tzinfo=dt.timezone.utc), "2024-01-02T00:00:00+00:00"),
            (dt.date(2024, 1, 2), "2024-01-02"),
            (UUID(int=1), str(UUID(int=1))),
            (Decimal("1.10"), "1.10"),
            (OrderedDict(a=1), {"a": 1}),
            (Text("x"), "x"),
            (2**64 - 1, 2**64 - 1),
            (-(2**63), -(2**63)),
            (_nested(99), _nested(99)),
            ("\ud800", "\\ud800"),
            ({"\udfff": 1}, {"\\udfff": 1}),
        ):
            with self.subTest(value=repr(value)[:50]):
                self.assertEqual(json.loads(result_json(value)), expected)

    def test_bad(self) -> None:
        for value, message in (
            (object(), "result is an object, which JSON cannot hold"),
            (
                {"a": [1, {"b": b"x"}]},
                "result.a[1].b is a bytes, which JSON cannot hold; return `results.file(name, content)`",
            ),
            (
                Item("a", (1, {2})),
                "result.parts[1] is a set, which JSON cannot hold; return a list",
            ),
            (float("inf"), "result is inf, which JSON cannot hold"),
            (
                2**64,
                "result is an integer of 65 bits, which JSON readers cannot hold exactly; "
                "return it as a string",
            ),
            ({(1, 2): 1}, "result has the key (1, 2), a tuple; JSON keys are strings"),
        ):
            with self.assertRaises(ResultError) as caught:
                result_json(value)
            self.assertEqual(str(caught.exception), message)
        self.assertRaises(ResultError, result_json, _nested(100))

    def test_large(self) -> None:
        self.assertRaises(ResultTooLarge, result_json, "x" * (16 << 20))
        self.assertRaises(ResultTooLarge, result_json, "é" * (9 << 20))
        self.assertEqual(len(result_json("x" * ((16 << 20) - 2))), 16 << 20)


if __name__ == "__main__":
    unittest.main()
