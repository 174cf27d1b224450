"""Turns what a run prints into log frames, line by line, with limits that keep printing cheap."""

from __future__ import annotations

import io
import os
import time
from _thread import RLock

from .protocol import FrameStream, quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

LINE_LIMIT = 64 << 10
"""Bytes of one message, the mark of a cut included."""
RUN_LIMIT = 10 << 20
"""Bytes of all messages of a run."""
LINE_COST = 64
"""What a line counts besides its bytes: a million empty lines are not free."""
CUT_MARK = " … [cut]"


class Log:
    """Where all log lines of a run go."""

    def __init__(self, stream: FrameStream) -> None:
        self._stream = stream
        self._lock = RLock()
        self._left = RUN_LIMIT
        self.dropped_lines = 0
        self.dropped_bytes = 0

    def full(self) -> bool:
        """Whether further lines are only counted."""
        return self._left <= 0

    def write(self, level: str, message: str) -> None:
        """Send one line, or count it."""
        if not self._stream.owned():
            write_through(1, message + "\n")
            return
        message = cut(message)
        cost = LINE_COST + (len(message) if message.isascii() else size(message))
        with self._lock:
            if cost > self._left:
                self._left = 0  # nothing that is shorter slips through afterwards
                self.drop(1, cost - LINE_COST)
                return
            self._left -= cost
        self._stream.send(
            f'{{"type":"log","level":"{level}","message":{quote(message)},'
            f'"time":{time.time():.6f}}}'
        )

    def drop(self, lines: int, count: int) -> None:
        """Count what is left out."""
        with self._lock:
            self.dropped_lines += lines
            self.dropped_bytes += count

    def report_dropped(self) -> None:
        """Say how much was left out, if anything was."""
        if self.dropped_bytes or self.dropped_lines:
            self._stream.send(
                f'{{"type":"dropped","lines":{self.dropped_lines},"bytes":{self.dropped_bytes}}}'
            )


def write_through(descriptor: int, text: str) -> None:
    """Write to the output pipe what a copy made by the workflow's own `fork` has to say.

    It has the same socket, and its frames would mix with ours; nor may it wait for a lock, which
    a thread that is not in the copy may have held.
    """
    data = text.encode(errors="backslashreplace")
    while data:
        data = data[os.write(descriptor, data) :]


def size(text: str) -> int:
    """The text's length in UTF-8."""
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def cut(text: str, limit: int = LINE_LIMIT) -> str:
    """The text, cut at its end with a mark if it is over the limit."""
    if len(text) * 4 <= limit or size(text) <= limit:
        return text
    # An escaped surrogate is six bytes instead of three: leave room for it.
    head = text[:limit].encode(errors="backslashreplace")[: limit - len(CUT_MARK.encode())]
    return head.decode(errors="ignore") + CUT_MARK


class Console(io.TextIOBase):
    """`sys.stdout` or `sys.stderr` of a run."""

    def __init__(self, log: Log, stream: FrameStream, level: str, descriptor: int) -> None:
        self._log = log
        self._frames = stream
        self._level = level
        self._descriptor = descriptor
        self._lock = RLock()
        self._pending: list[str] = []
        self._pending_size = 0
        self._buffer: ConsoleBytes | None = None

    encoding = "utf-8"
    errors = "backslashreplace"
    line_buffering = True
    write_through = False
    newlines = None

    @property
    def name(self) -> str:
        """As CPython names its standard streams."""
        return "<stdout>" if self._descriptor == 1 else "<stderr>"

    @property
    def mode(self) -> str:
        """Only for writing."""
        return "w"

    @property
    def buffer(self) -> ConsoleBytes:
        """The same stream for bytes."""
        if self._buffer is None:
            self._buffer = ConsoleBytes(self)
        return self._buffer

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """Never."""
        return False

    def fileno(self) -> int:
        """The output pipe, where the output of programs that the run starts goes too."""
        return self._descriptor

    def reconfigure(self, **_: Any) -> None:
        """Accepted, without effect, as programs for terminals call it."""

    def write(self, text: str, /) -> int:
        """Send the lines that are complete and keep the rest."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if not self._frames.owned():
            write_through(self._descriptor, text)
        elif self._log.full():
            self._drop(text)
        else:
            with self._lock:
                self._take(text)
        return len(text)

    def writelines(self, lines: Iterable[Any], /) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def _take(self, text: str) -> None:
        start = 0
        while (end := text.find("\n", start)) >= 0:
            self._keep(text[start:end])
            self._send_pending()
            start = end + 1
            if self._log.full():
                self._drop(text[start:])
                return
        if start < len(text):
            self._keep(text[start:])

    def _drop(self, text: str) -> None:
        lines = text.count("\n")
        self._log.drop(lines, size(text) - lines)

    def _keep(self, text: str) -> None:
        # Of a line without an end no more is kept than can be sent; one character more, so that
        # the cut shows.
        text = text[: LINE_LIMIT + 1 - self._pending_size]
        if text:
            self._pending.append(text)
            self._pending_size += len(text)
            if len(self._pending) > 4096:
                self._pending = ["".join(self._pending)]

    def _send_pending(self) -> None:
        line = "".join(self._pending)
        self._pending = []
        self._pending_size = 0
        self._log.write(self._level, line.removesuffix("\r"))

    def finish(self) -> None:
        """Send what is left of an unfinished line."""
        with self._lock:
            if self._pending:
                self._send_pending()


class ConsoleBytes(io.RawIOBase):
    """The bytes side of a `Console`."""

    def __init__(self, console: Console) -> None:
        from codecs import getincrementaldecoder

        self._console = console
        self._decoder = getincrementaldecoder("utf-8")(errors="backslashreplace")

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """The output pipe."""
        return self._console.fileno()

    def write(self, data: Any, /) -> int:
        """Decode and pass on; a character cut in two waits for its other half."""
        view = memoryview(data)
        self._console.write(self._decoder.decode(view.tobytes()))
        return view.nbytes
