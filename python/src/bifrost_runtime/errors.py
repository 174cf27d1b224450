"""Describes the exception that ended a run: type, message, and a traceback of the user's code."""

from __future__ import annotations

import os

import bifrost
from bifrost._errors import UserError

from .module_index import ModuleIndex
from .output import cut
from .protocol import to_json
from .results import to_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

MESSAGE_LIMIT = 16 << 10
TRACEBACK_LIMIT = 64 << 10
DETAILS_LIMIT = 64 << 10
_RUNTIME = os.path.dirname(os.path.abspath(__file__)) + os.sep
_SDK = os.path.dirname(os.path.abspath(bifrost.__file__)) + os.sep
_IMPORT_SYSTEM = "<frozen importlib"


def describe(
    error: BaseException, index: ModuleIndex | None = None, organization: str | None = None
) -> dict[str, object]:
    """The `error` of an error frame."""
    message = cut(_message(error), MESSAGE_LIMIT)
    if isinstance(error, UserError):
        return {"type": "UserError", "message": message, "traceback": "", **_details(error)}
    if index is not None and isinstance(error, ModuleNotFoundError):
        message += _searched(error, index, organization)
    return {"type": _type_name(error), "message": message, "traceback": _traceback(error)}


def _details(error: UserError) -> dict[str, object]:
    """What it says besides its message, if that can be told."""
    if error.details is None:
        return {}
    try:
        plain = to_plain(error.details, "details", 2)
        fits = len(to_json(plain).encode()) <= DETAILS_LIMIT
    except Exception:
        fits = False
    return {"details": plain if fits else "details that are no JSON, or more than 64 KiB of it"}


def _type_name(error: BaseException) -> str:
    kind = type(error)
    module = kind.__module__
    if module == "builtins" or str(module).startswith("bifrost_runtime."):
        return kind.__qualname__
    return f"{module}.{kind.__qualname__}"


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        code = "" if error.code is None else _safe(repr, error.code)
        return f"the workflow called sys.exit({code})"
    text = _safe(str, error)
    if not text and isinstance(error, MemoryError):
        return "the workflow used more memory than it may"
    return text


def _safe(form: Callable[[object], str], value: object) -> str:
    try:
        return form(value)
    except BaseException as failure:
        return f"<{type(value).__name__} whose text could not be made: {type(failure).__name__}>"


def _searched(error: ModuleNotFoundError, index: ModuleIndex, organization: str | None) -> str:
    if not error.name or not str(error).startswith("No module named"):
        return ""
    if index.find(error.name) is not None:
        return ""
    where = f"{organization}'s files and Global" if organization else "Global"
    nearest = _nearest(error.name, index)
    hint = f"; did you mean {nearest!r}?" if nearest else ""
    return f" (searched {where}{hint})"


def _nearest(name: str, index: ModuleIndex) -> str | None:
    from difflib import get_close_matches

    # Comparing is slow and there may be a hundred thousand names: look closely only at those of
    # about the same length that agree in the beginning or the end.
    head, tail = name[:2], name[-2:]
    near = {
        each
        for each in index.module_names()
        if abs(len(each) - len(name)) <= 3 and (each[:2] == head or each[-2:] == tail)
    }
    matches = get_close_matches(name, sorted(near)[:5000], n=1, cutoff=0.75)
    return matches[0] if matches else None


def _traceback(error: BaseException) -> str:
    try:
        import traceback

        _strip(error)
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except BaseException as failure:
        # Out of memory, or an exception class made to be hostile.
        return f"the traceback could not be made: {type(failure).__name__}"
    return _cut_middle(text, TRACEBACK_LIMIT)


def _strip(error: BaseException) -> None:
    """Leave only the frames of the user's code, in the exception and in what caused it."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        each = pending.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        each.__traceback__ = _user_frames(each.__traceback__)
        pending += [each.__context__, each.__cause__, *getattr(each, "exceptions", ())]


def _user_frames(trace: TracebackType | None) -> TracebackType | None:
    kept = []
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith((_RUNTIME, _SDK, _IMPORT_SYSTEM)):
            kept.append(trace)
        trace = trace.tb_next
    for this, following in zip(kept, kept[1:]):
        this.tb_next = following
    if kept:
        kept[-1].tb_next = None
    return kept[0] if kept else None


def _cut_middle(text: str, limit: int) -> str:
    data = text.encode(errors="backslashreplace")
    if len(data) <= limit:
        return text
    half = limit // 2 - 32
    left = data[:half].decode(errors="ignore")
    right = data[-half:].decode(errors="ignore")
    return f"{left}\n… {len(data) - 2 * half} bytes left out …\n{right}"
