"""What one run knows: who it is for, how far it has come, and whether it is to end."""

from __future__ import annotations

import os
import signal
import time
from _thread import get_ident

from bifrost._errors import Cancelled

from .calls import Calls
from .output import Log, cut
from .protocol import FrameStream, to_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

_PROGRESS_EVERY = 0.5
_NOTE_LIMIT = 1000


class Run:
    """The platform as the SDK sees it (`bifrost._host.Host`)."""

    def __init__(self, start: dict[str, Any], stream: FrameStream, log: Log) -> None:
        self.organization: dict[str, Any] | None = start.get("organization")
        self.user: dict[str, Any] | None = start.get("user")
        self.execution: dict[str, Any] = start["execution"]
        self.timezone: str = start.get("timezone") or "UTC"
        self.scratch: str | None = start.get("scratch")
        self._begun = time.monotonic()
        self._stream = stream
        self._log = log
        self._calls = Calls(stream, self._note_cancel)
        self._main = get_ident()
        self._stopping = False
        self._raised = False
        self._over = False
        self._task: Any = None
        self._said: str | None = None
        self._said_at = 0.0

    def log(self, level: str, message: str) -> None:
        """One log line."""
        self._log.write(level, message)

    def call(self, method: str, arguments: dict[str, Any]) -> Any:
        """Ask the platform and wait for its answer."""
        return self._calls.call([(method, arguments)], self._check)

    def call_all(self, calls: list[tuple[str, dict[str, Any]]]) -> Any:
        """Ask several things with no other thread's calls between; the last answer."""
        return self._calls.call(calls, self._check)

    async def ask(self, calls: list[tuple[str, dict[str, Any]]]) -> Any:
        """The same, without holding up the event loop."""
        return await self._calls.ask(calls)

    def remaining(self) -> float | None:
        """Seconds until the run's time is up."""
        limit = self.execution.get("timeout")
        return None if limit is None else max(0.0, self._begun + limit - time.monotonic())

    def progress(self, done: float, total: float | None, note: str | None) -> None:
        """Tell how far it has come: at once, or with what is told after a while, or at the end."""
        if note is not None:
            note = cut(note, _NOTE_LIMIT)
        frame = {"type": "progress", "done": done, "total": total, "note": note}
        try:
            self._said = to_json(frame)
        except ValueError:
            raise ValueError("`done` and `total` are finite numbers") from None
        now = time.monotonic()
        if now - self._said_at >= _PROGRESS_EVERY:
            self._said_at = now
            self.tell_progress()

    def tell_progress(self) -> None:
        """Send what was said last, if it was not sent."""
        said, self._said = self._said, None
        if said is not None:
            self._stream.send(said)

    @property
    def cancelled(self) -> bool:
        """Whether somebody wants the run to end, or its time is up."""
        if not self._stopping and self._stream.owned():
            self._calls.look()
        return self._stopping

    def watch(self) -> None:
        """From now on `SIGTERM` raises `Cancelled`, unless the workflow has other plans."""
        signal.signal(signal.SIGTERM, self._terminated)

    def over(self) -> None:
        """The workflow has ended: nothing is left to interrupt."""
        self._over = True

    def waits_in(self, task: Any) -> None:
        """The workflow is this task of an event loop, until it is told None."""
        self._task = task

    def _terminated(self, number: int, frame: FrameType | None) -> None:
        if not self._stream.owned():
            # A copy that the workflow has forked ends as if there were no handler.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        self._stopping = True
        if self._task is not None:
            self._raised = True
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)
            return
        if self._calls.busy != self._main:
            self._check()

    def _note_cancel(self) -> None:
        self._stopping = True

    def _check(self) -> None:
        """Raise in the main thread, once: what cleans up can use the SDK."""
        if self._stopping and not (self._raised or self._over) and get_ident() == self._main:
            self._raised = True
            raise Cancelled("the execution was cancelled, or its time is up")
