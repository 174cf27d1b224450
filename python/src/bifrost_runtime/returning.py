"""Sends what a workflow has returned: JSON, or typed results, large ones as files of the run."""

from __future__ import annotations

from bifrost.files import encoded
from bifrost.results import MANY, Result

from . import protocol
from .results import ResultError, result_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .context import Run

INLINE_LIMIT = 256 << 10
"""Bytes of a typed result that still stands in the execution."""
FILE_LIMIT = 16 << 20
"""Bytes of one file of an execution."""
_ENDINGS = {"text/markdown": "md"}


def frames(value: object, run: Run) -> list[str]:
    """The frames that end the run with this value; its files are sent before."""
    if type(value) in (list, tuple) and any(isinstance(each, Result) for each in value):  # type: ignore[attr-defined]
        value = Result(MANY, value)
    if not isinstance(value, Result):
        return protocol.value_frames("result", result_json(value))
    shown = Shown(run).value(value)
    return protocol.value_frames("result", result_json(shown), value.type)


class Shown:
    """The results of one run, as JSON, and their files."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._names: set[str] = set()

    def value(self, result: Result) -> object:
        """The JSON of one result."""
        if result.type == MANY:
            return [self._part(each) for each in result.value]
        if result.content is not None:
            name = result.name or "result"
            return self._file(name, result.type, self._content(result.content, name))
        data = result_json(result.value).encode()
        if len(data) <= INLINE_LIMIT:
            return result.value
        if isinstance(result.value, str):
            data = result.value.encode(errors="backslashreplace")
        ending = _ENDINGS.get(result.type, "json")
        return self._file(f"result.{ending}", result.type, data)

    def _part(self, each: object) -> dict[str, Any]:
        if not isinstance(each, Result):
            return {"type": "application/json", "value": each}
        if each.type == MANY:
            raise ResultError("`many` cannot be in `many`: give all results to one of them")
        return {"type": each.type, "value": self.value(each)}

    def _content(self, content: Any, name: str) -> bytes:
        if isinstance(content, (bytes, bytearray, memoryview)):
            data = bytes(content)
        else:
            with open(content, "rb") as file:
                data = file.read(FILE_LIMIT + 1)
        if len(data) > FILE_LIMIT:
            raise ResultError(f"the file `{name}` is over {FILE_LIMIT >> 20} MiB")
        return data

    def _file(self, name: str, kind: str, data: bytes) -> dict[str, Any]:
        name = self._own(name)
        *before, last = encoded(data)
        calls: list[tuple[str, dict[str, Any]]]
        calls = [("results.part", {"data": part}) for part in before]
        calls.append(("results.file", {"name": name, "type": kind, "content": last}))
        kept: dict[str, Any] = self._run.call_all(calls)
        return {"file": kept["name"], "type": kept["type"], "size": kept["size"]}

    def _own(self, name: str) -> str:
        """The name, with a number when another result has it."""
        stem, dot, ending = name.rpartition(".")
        if not dot:
            stem, ending = ending, ""
        own, number = name, 1
        while own in self._names:
            number += 1
            own = f"{stem}-{number}{dot}{ending}"
        self._names.add(own)
        return own
