"""Runs one workflow: import its module, bind the inputs, call it, and turn the outcome to JSON."""

from __future__ import annotations

import gc
import sys
from importlib import import_module

from .binding import bind
from .results import result_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Any


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


def run(function: Any, inputs: object) -> str:
    """Call the workflow and wait for it if it is async; the JSON text of its result."""
    result = function(**bind(function, inputs))
    if hasattr(type(result), "__await__"):
        import asyncio

        result = asyncio.run(_wait(result))
    return result_json(result)


async def _wait(result: Awaitable[object]) -> object:
    return await result
