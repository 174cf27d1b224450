"""Runs one workflow: import its module, bind the inputs, call it, and turn the outcome to JSON."""

from __future__ import annotations

import gc
import sys
from importlib import import_module

from bifrost._errors import Cancelled

from .binding import bind, takes
from .results import ResultError, result_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Any

    from .context import Run


class EntryError(Exception):
    """The workflow's function is not where it was said to be."""


def load(module: str, function: str) -> Any:
    """The workflow's function, from its imported module."""
    gc.disable()  # importing makes many objects and hardly any garbage
    try:
        import_module(module)
    finally:
        gc.enable()
    found = getattr(sys.modules[module], function, None)
    if not callable(found):
        raise EntryError(f"the module {module!r} has no function {function!r}")
    return found


def run(function: Any, inputs: object, host: Run | None = None) -> object:
    """Call the workflow and wait for it if it is async; what it returned."""
    result = function(**bind(function, inputs))
    if hasattr(type(result), "__await__"):
        import asyncio

        try:
            result = asyncio.run(_wait(result, host))
        except asyncio.CancelledError:
            if host is None or not host.cancelled:
                raise
            raise Cancelled("the execution was cancelled, or its time is up") from None
    return result


def run_provider(function: Any, inputs: object, host: Run | None = None) -> str:
    """Call a data provider with those of the inputs that it takes; the JSON text of the choices."""
    if not getattr(function, "__bifrost_data_provider__", False):
        name = getattr(function, "__name__", "it")
        raise EntryError(f"`{name}` is no data provider: put @data_provider before it")
    taken = {name: value for name, value in dict(inputs or {}).items() if takes(function, name)}  # type: ignore[call-overload]
    found = run(function, taken, host)
    if isinstance(found, (str, bytes, dict)) or not hasattr(type(found), "__iter__"):
        raise ResultError(f"a data provider returns a list, not {type(found).__name__}")
    choices = []
    for choice in found:  # type: ignore[attr-defined]
        if not isinstance(choice, dict):
            choice = {"value": choice, "label": str(choice)}
        elif "value" not in choice or choice.keys() - {"value", "label"}:
            raise ResultError("a choice that is an object has a `value` and perhaps a `label`")
        choices.append(
            {"value": choice["value"], "label": str(choice.get("label", choice["value"]))}
        )
    return result_json(choices)


async def _wait(result: Awaitable[object], host: Run | None) -> object:
    if host is None:
        return await result
    import asyncio

    host.waits_in(asyncio.current_task())
    try:
        return await result
    finally:
        host.waits_in(None)
