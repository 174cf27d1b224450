"""What one run knows: who it is for, and the calls it may make to the platform."""

from __future__ import annotations

import builtins
from _thread import RLock

from bifrost._errors import BifrostError, Cancelled

from .output import Log
from .protocol import FrameError, FrameStream, to_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Run:
    """The platform as the SDK sees it (`bifrost._host.Host`)."""

    def __init__(self, start: dict[str, Any], stream: FrameStream, log: Log) -> None:
        self.organization: dict[str, Any] | None = start.get("organization")
        self.user: dict[str, Any] | None = start.get("user")
        self.execution: dict[str, Any] = start["execution"]
        self._stream = stream
        self._log = log
        self._lock = RLock()
        self._calls = 0
        self._cancelled = False

    def log(self, level: str, message: str) -> None:
        """One log line."""
        self._log.write(level, message)

    def call(self, method: str, arguments: dict[str, Any]) -> Any:
        """Ask the platform and wait for its answer."""
        return self.call_all([(method, arguments)])

    def call_all(self, calls: list[tuple[str, dict[str, Any]]]) -> Any:
        """Ask several things with no other thread's calls between; the last answer."""
        if not self._stream.owned():
            raise BifrostError("a forked copy of the workflow cannot call the platform")
        with self._lock:
            result = None
            for method, arguments in calls:
                result = self._call(method, arguments)
            return result

    def _call(self, method: str, arguments: dict[str, Any]) -> Any:
        self._check_cancelled()
        self._calls += 1
        number = self._calls
        request = {"type": "call", "id": number, "method": method, "arguments": arguments}
        try:
            self._stream.send(to_json(request))
        except FrameError as error:
            raise ValueError(f"the arguments of `{method}` are too large: {error}") from None
        while True:
            frame = self._stream.receive()
            if frame["type"] == "cancel":
                self._cancelled = True
                self._check_cancelled()
            # The answer to a call that an exception interrupted comes late: it is passed over.
            if frame["type"] == "reply" and frame.get("id") == number:
                if "error" in frame:
                    raise _exception(frame["error"])
                return self._stream.receive_value(frame, "result")

    def _check_cancelled(self) -> None:
        if self._cancelled:
            raise Cancelled("the execution was cancelled")


def _exception(error: dict[str, Any]) -> Exception:
    kind = getattr(builtins, str(error.get("type")), None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        kind = BifrostError
    try:
        return kind(error.get("message", ""))
    except TypeError:  # such as UnicodeDecodeError, which takes five arguments
        return BifrostError(error.get("message", ""))
