"""Inputs to annotated values, one annotation after the other."""

from __future__ import annotations

import datetime as dt
import enum
import unittest
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, NotRequired, Optional, TypedDict, Union
from uuid import UUID

from bifrost_runtime.binding import InputError, bind


class Color(enum.Enum):
    """A choice."""

    RED = "red"
    ONE = 1


@dataclass
class Item:
    """Something with parts."""

    name: str
    when: dt.date | None = None
    parts: list[Item] = field(default_factory=list)
    hidden: int = field(default=3, init=False)


class Options(TypedDict):
    """A typed dictionary."""

    count: int
    note: NotRequired[str]


def _one(annotation: Any) -> Any:
    def function(x: Any) -> None: ...

    function.__annotations__ = {"x": annotation}
    return function


NOW = dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.timezone.utc)
GOOD: list[tuple[Any, Any, Any]] = [
    (str, "a", "a"),
    (int, 3, 3),
    (int, 3.0, 3),
    (float, 3, 3.0),
    (bool, True, True),
    (Any, {"a": 1}, {"a": 1}),
    (None, None, None),
    (list, [1], [1]),
    (dict, {"a": 1}, {"a": 1}),
    (list[float], [1], [1.0]),
    (dict[str, Color], {"a": "red"}, {"a": Color.RED}),
    (Optional[int], None, None),
    (Optional[int], 1, 1),
    ("int | None", None, None),
    (Union[int, str], "1", "1"),
    (Union[str, int], 1, 1),
    (Union[dt.date, str], "x", "x"),
    (Literal["a", 1], 1, 1),
    (Color, 1, Color.ONE),
    (tuple[int, str], [1, "a"], (1, "a")),
    (tuple[int, ...], [1, 2], (1, 2)),
    (set[int], [1, 1], {1}),
    (dt.datetime, "2024-02-29T12:30:00Z", NOW),
    (dt.date, "2024-02-29", dt.date(2024, 2, 29)),
    (UUID, "00000000-0000-0000-0000-000000000001", UUID(int=1)),
    (Decimal, "1.10", Decimal("1.10")),
    (Decimal, 1.1, Decimal("1.1")),
    (Item, {"name": "a"}, Item("a")),
    (
        Item,
        {"name": "a", "parts": [{"name": "b", "when": "2024-02-29"}]},
        Item("a", None, [Item("b", dt.date(2024, 2, 29))]),
    ),
    (Options, {"count": 1, "note": "x"}, {"count": 1, "note": "x"}),
    ("NoSuchName", 1, 1),
    (object, [1], [1]),
]
BAD: list[tuple[Any, Any, str]] = [
    (str, 1, "the input `x` must be a string, not 1"),
    (int, True, "the input `x` must be an integer, not True"),
    (int, 1.5, "the input `x` must be an integer, not 1.5"),
    (float, "1", "the input `x` must be a number, not '1'"),
    (bool, 1, "the input `x` must be true or false, not 1"),
    (str, None, "the input `x` must be a string, not null"),
    (list[int], [1, "a"], "the input `x[1]` must be an integer, not 'a'"),
    (dict[str, int], {"k": None}, "the input `x.k` must be an integer, not null"),
    (Optional[int], "a", "the input `x` must be an integer, not 'a'"),
    (Union[int, bool], "a", "the input `x` must be int or bool, not 'a'"),
    (Literal[1], True, "the input `x` must be one of 1, not True"),
    (Color, "blue", "the input `x` must be one of 'red', 1, not 'blue'"),
    (dt.date, "yesterday", "the input `x` must be date text, not 'yesterday'"),
    (UUID, 3, "the input `x` must be uuid text, not 3"),
    (Decimal, "much", "the input `x` must be decimal text, not 'much'"),
    (tuple[int, int], [1], "the input `x` must be a list of 2, not a list"),
    (Item, {}, "the input `x.name` is missing"),
    (Item, {"name": "a", "size": 1}, "there is no input `x.size`"),
    (Item, {"name": "a", "hidden": 1}, "there is no input `x.hidden`"),
    (Item, {"name": "a", "parts": [{}]}, "the input `x.parts[0].name` is missing"),
    (Options, {}, "the input `x.count` is missing"),
]


class Binding(unittest.TestCase):
    """Values that fit and values that do not."""

    def test_good(self) -> None:
        for annotation, value, expected in GOOD:
            with self.subTest(annotation=annotation, value=value):
                bound = bind(_one(annotation), {"x": value})["x"]
                self.assertEqual((bound, type(bound)), (expected, type(expected)))

    def test_bad(self) -> None:
        for annotation, value, message in BAD:
            with self.subTest(annotation=annotation, value=value):
                with self.assertRaises(InputError) as caught:
                    bind(_one(annotation), {"x": value})
                self.assertEqual(str(caught.exception), message)

    def test_names(self) -> None:
        def function(a: int, b: int = 1, *, c: int, d: int = 2) -> None: ...

        self.assertEqual(bind(function, {"a": 1, "c": 2}), {"a": 1, "c": 2})
        for inputs, message in (
            ({"a": 1}, "the input `c` is missing"),
            ({"c": 1}, "the input `a` is missing"),
            (
                {"a": 1, "c": 1, "e": 1},
                "there is no input `e`; the workflow takes `a`, `b`, `c`, `d`",
            ),
            ([], "the inputs must be an object, not a list"),
        ):
            with self.assertRaises(InputError) as caught:
                bind(function, inputs)
            self.assertEqual(str(caught.exception), message)

    def test_others(self) -> None:
        def extra(**more: int) -> None: ...

        def nothing() -> None: ...

        def implicit(a: int = None, *, b: dt.date = None) -> None: ...  # type: ignore[assignment]

        self.assertEqual(bind(extra, {"a": "x"}), {"a": "x"})
        self.assertEqual(bind(nothing, None), {})
        self.assertEqual(bind(implicit, {"a": None, "b": None}), {"a": None, "b": None})

    def test_wrapped(self) -> None:
        import functools

        def function(a: Color) -> None: ...

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> None: ...

        self.assertEqual(bind(wrapper, {"a": "red"}), {"a": Color.RED})


if __name__ == "__main__":
    unittest.main()
