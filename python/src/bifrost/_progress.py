"""`progress`: how far a run has come, shown while it runs."""

from __future__ import annotations

from ._host import current


def progress(done: float, total: float | None = None, note: str | None = None) -> None:
    """Say how far the run has come. Cheap: of what is said within half a second the last counts.

    Outside a run nothing happens.
    """
    for name, value in (("done", done), ("total", total)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise TypeError(f"`{name}` is a number, not {type(value).__name__}")
    host = current()
    if host is not None:
        host.progress(done, total, None if note is None else str(note))
