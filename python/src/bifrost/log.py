"""`log`: messages that show up with the execution. Outside a run they go to standard error."""

from __future__ import annotations

import sys

from ._host import current

__all__ = ["debug", "info", "warning", "error"]


def debug(message: object, *args: object, **fields: object) -> None:
    """Something only of use when looking for a fault."""
    _log("debug", message, args, fields)


def info(message: object, *args: object, **fields: object) -> None:
    """Something worth knowing. `args` fill `%s` in the message; `fields` follow it as JSON."""
    _log("info", message, args, fields)


def warning(message: object, *args: object, **fields: object) -> None:
    """Something unexpected that the workflow copes with."""
    _log("warning", message, args, fields)


def error(message: object, *args: object, **fields: object) -> None:
    """Something that went wrong."""
    _log("error", message, args, fields)


def _log(level: str, message: object, args: tuple[object, ...], fields: dict[str, object]) -> None:
    text = str(message)
    if args:
        try:
            text %= args
        except (TypeError, ValueError):
            text = " ".join([text, *map(str, args)])  # a wrong format must not end a run
    if fields:
        import json

        text = f"{text} {json.dumps(fields, default=str, ensure_ascii=False)}"
    host = current()
    if host is None:
        print(f"{level}: {text}", file=sys.stderr)
    else:
        host.log(level, text)
