"""Takes descriptions of a function and of its parameters out of a docstring."""

from __future__ import annotations

import re
from inspect import cleandoc

_GOOGLE_HEAD = re.compile(r"(args|arguments|parameters|keyword args|keyword arguments):\s*$", re.I)
_GOOGLE_ITEM = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_NUMPY_HEAD = re.compile(r"(other )?parameters\s*$", re.I)
_NUMPY_ITEM = re.compile(r"(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$")
_SPHINX_ITEM = re.compile(
    r":(?:param|parameter|arg|argument|key|keyword)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)$"
)


def first_paragraph(docstring: str | None) -> str:
    """The lines before the first empty one, joined; empty when there are none."""
    lines = cleandoc(docstring or "").partition("\n\n")[0].split("\n")
    return " ".join(line.strip() for line in lines).strip()


def parameter_descriptions(docstring: str | None) -> dict[str, str]:
    """What the docstring says about each parameter, in Google's, NumPy's or Sphinx's style."""
    lines = cleandoc(docstring or "").expandtabs().split("\n")
    found: dict[str, str] = {}
    number = 0
    while number < len(lines):
        line = lines[number]
        below = lines[number + 1] if number + 1 < len(lines) else ""
        sphinx = _SPHINX_ITEM.match(line.strip())
        if _GOOGLE_HEAD.match(line):
            number = _items(lines, number + 1, found, _google_item)
        elif _NUMPY_HEAD.match(line) and below.strip("- ") == "" and "--" in below:
            number = _items(lines, number + 2, found, _numpy_item)
        elif sphinx:
            text, number = _continued(lines, number + 1, _indent(line))
            found[sphinx[1]] = " ".join([sphinx[2], *text]).strip()
        else:
            number += 1
    return {name: text for name, text in found.items() if text}


def _items(lines: list[str], number: int, found: dict[str, str], item: type[_Item]) -> int:
    """Read a section's items; the number of the line behind it."""
    while number < len(lines) and not lines[number].strip():
        number += 1
    indent = _indent(lines[number]) if number < len(lines) else 0
    if indent < item.indent:
        return number
    while number < len(lines):
        line = lines[number]
        if not line.strip():
            number += 1
            continue
        match = item.pattern.match(line.strip()) if _indent(line) == indent else None
        if match is None or item.ends(lines, number):
            return number
        text, number = _continued(lines, number + 1, indent)
        words = " ".join([*item.first(match), *text]).strip()
        for name in match[1].split(","):
            found[name.strip(" *")] = words
    return number


class _Item:
    """How one style writes a parameter."""

    indent = 1
    pattern = _GOOGLE_ITEM

    @staticmethod
    def first(match: re.Match[str]) -> list[str]:
        """The words on the line of the name."""
        return [match[2]]

    @staticmethod
    def ends(lines: list[str], number: int) -> bool:
        """Whether this line is not an item but the next section's head."""
        return False


class _google_item(_Item):
    pass


class _numpy_item(_Item):
    indent = 0
    pattern = _NUMPY_ITEM

    @staticmethod
    def first(match: re.Match[str]) -> list[str]:
        return []

    @staticmethod
    def ends(lines: list[str], number: int) -> bool:
        return number + 1 < len(lines) and lines[number + 1].strip("-") == "" != lines[number + 1]


def _continued(lines: list[str], number: int, indent: int) -> tuple[list[str], int]:
    """The lines further in than the item, up to an empty one."""
    text = []
    while number < len(lines) and lines[number].strip() and _indent(lines[number]) > indent:
        text.append(lines[number].strip())
        number += 1
    return text, number


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
