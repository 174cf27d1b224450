"""What a run asks the platform: many calls at a time, from threads and from an event loop.

Whoever waits for an answer reads the socket, one at a time, and hands on what is for others.
"""

from __future__ import annotations

import builtins
from _thread import RLock, allocate_lock, get_ident, start_new_thread

import bifrost._errors as sdk_errors
from bifrost._errors import BifrostError

from .protocol import Disconnected, FrameError, FrameStream, pack, to_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Callable
    from typing import Any

    Request = tuple[str, dict[str, Any]]


class Waiter:
    """A thread that waits for an answer."""

    def __init__(self) -> None:
        self.frame: dict[str, Any] | None = None
        self.value: Any = None
        self._woken = allocate_lock()
        self._woken.acquire()

    def sleep(self) -> None:
        """Until `wake`, which may have been before."""
        self._woken.acquire()

    def wake(self) -> None:
        """Let it look."""
        try:
            self._woken.release()
        except RuntimeError:
            pass  # it is awake

    def answered(self, frame: dict[str, Any], value: Any) -> None:
        """Take the answer."""
        self.value, self.frame = value, frame
        self.wake()


class Task:
    """A future of an event loop that waits for an answer."""

    def __init__(self, loop: AbstractEventLoop, future: Future[Any]) -> None:
        self._loop = loop
        self._future = future

    def wake(self) -> None:
        """Nothing to look at: it does not read."""

    def answered(self, frame: dict[str, Any], value: Any) -> None:
        """Take the answer."""
        try:
            self._loop.call_soon_threadsafe(self._settle, frame, value)
        except RuntimeError:
            pass  # its loop is closed

    def _settle(self, frame: dict[str, Any], value: Any) -> None:
        if self._future.done():
            return
        if "error" in frame:
            self._future.set_exception(exception(frame["error"]))
        else:
            self._future.set_result(value)


class Calls:
    """The calls of one run that are under way."""

    def __init__(self, stream: FrameStream, cancelled: Callable[[], None]) -> None:
        self._stream = stream
        self._cancelled = cancelled
        self._lock = RLock()
        self._turn = allocate_lock()
        self._waiting: dict[int, Waiter | Task] = {}
        self._count = 0
        self._reader: Waiter | None = None
        self.busy = 0
        """The thread that must not be interrupted now; it calls its `check` afterwards."""

    def call(self, requests: list[Request], check: Callable[[], None]) -> Any:
        """Ask several things with nobody's calls between; the last answer.

        `check` is called whenever something has come, and may raise.
        """
        self._require_owner()
        waiters = [Waiter() for _ in requests]
        numbers = self._send(requests, waiters)
        try:
            for waiter in waiters:
                self._wait(waiter, check)
        finally:
            for number in numbers:
                self._waiting.pop(number, None)
        for waiter in waiters:
            if waiter.frame is not None and "error" in waiter.frame:
                raise exception(waiter.frame["error"])
        return waiters[-1].value

    async def ask(self, requests: list[Request]) -> Any:
        """The same for an event loop."""
        from asyncio import gather, get_running_loop

        self._require_owner()
        loop = get_running_loop()
        futures = [loop.create_future() for _ in requests]
        self._send(requests, [Task(loop, future) for future in futures])
        self._read_beside()
        return (await gather(*futures))[-1]

    def look(self) -> None:
        """Take what has come, if nobody else reads."""
        if not self._turn.acquire(blocking=False):
            return
        try:
            while self._stream.ready():
                self._receive()
        finally:
            self._turn.release()
            self._pass_on()

    def _require_owner(self) -> None:
        if not self._stream.owned():
            raise BifrostError("a forked copy of the workflow cannot call the platform")

    def _send(self, requests: list[Request], waiters: list[Any]) -> list[int]:
        """Send all of them, and note who waits; their numbers."""
        with self._lock:
            numbers = [*range(self._count + 1, self._count + 1 + len(requests))]
            texts = [_frame(number, *request) for number, request in zip(numbers, requests)]
            self.busy = get_ident()
            try:
                self._count += len(requests)
                self._waiting.update(zip(numbers, waiters))
                for text in texts:
                    self._stream.send(text)
            finally:
                self.busy = 0
            return numbers

    def _wait(self, waiter: Waiter, check: Callable[[], None]) -> None:
        while waiter.frame is None:
            check()
            if self._turn.acquire(blocking=False):
                try:
                    while waiter.frame is None:
                        self._stream.wait()
                        self._receive()
                        check()
                finally:
                    self._turn.release()
                    self._pass_on()
            else:
                waiter.sleep()

    def _pass_on(self) -> None:
        """Have somebody else read who waits."""
        for waiter in [*self._waiting.values(), self._reader]:
            if isinstance(waiter, Waiter):
                waiter.wake()
                return

    def _receive(self) -> None:
        self.busy = get_ident()
        try:
            self._take(self._stream.receive())
        finally:
            self.busy = 0

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "cancel":
            self._cancelled()
            for each in list(self._waiting.values()):
                each.wake()
        if frame["type"] != "reply":
            return
        value = self._stream.receive_value(frame, "result")
        # The answer to a call that an exception interrupted comes late: nobody wants it.
        waiter = self._waiting.pop(frame.get("id", 0), None)
        if waiter is not None:
            waiter.answered(frame, value)

    def _read_beside(self) -> None:
        """Have a thread read for as long as event loops wait."""
        with self._lock:
            if self._reader is None:
                self._reader = Waiter()
                start_new_thread(self._read_for_tasks, (self._reader,))
        self._reader.wake()

    def _read_for_tasks(self, reader: Waiter) -> None:
        while True:
            reader.sleep()
            if not self._turn.acquire(blocking=False):
                continue  # whoever reads wakes this one at the end
            try:
                while any(isinstance(each, Task) for each in list(self._waiting.values())):
                    self._receive()
            except (Disconnected, FrameError, OSError):
                return  # the run is over: whoever calls next finds out
            finally:
                self._turn.release()
                self._pass_on()


def _frame(number: int, method: str, arguments: dict[str, Any]) -> str:
    text = to_json({"type": "call", "id": number, "method": method, "arguments": arguments})
    try:
        pack(text)
    except FrameError as error:
        raise ValueError(f"the arguments of `{method}` are too large: {error}") from None
    return text


def exception(error: dict[str, Any]) -> Exception:
    """What a reply wants raised: a built-in exception, or one of the SDK's."""
    name = str(error.get("type"))
    known = getattr(sdk_errors, name.removeprefix("bifrost."), None)
    kind = known if name.startswith("bifrost.") else getattr(builtins, name, None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        kind = BifrostError
    try:
        return kind(error.get("message", ""))
    except TypeError:  # such as UnicodeDecodeError, which takes five arguments
        return BifrostError(error.get("message", ""))
