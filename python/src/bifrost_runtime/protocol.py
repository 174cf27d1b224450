"""Frames between a child and the supervisor: length-prefixed JSON over a stream socket."""

from __future__ import annotations

import json
import os
import re
from _thread import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FRAME_LIMIT = 1 << 20
"""Bytes of one frame's JSON, without its length."""
INLINE_LIMIT = 512 << 10
"""Bytes of a value that still travels inside its frame."""
VALUE_LIMIT = 16 << 20
"""Bytes of a value's JSON, however it travels."""
DEPTH_LIMIT = 100
"""Objects and arrays around the innermost value of a frame, the frame itself included."""
_PART_CHARACTERS = 192 << 10  # no character takes more than four bytes of a frame

_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_quote = json.encoder.encode_basestring
_surrogates = re.compile("[\ud800-\udfff]")


class FrameError(Exception):
    """A frame that breaks the protocol."""


class Disconnected(Exception):
    """The supervisor has closed the socket."""


def to_json(value: object) -> str:
    """The value as compact JSON that always has a UTF-8 form.

    A lone surrogate has none: it becomes the six characters that would escape it.
    """
    return _without_surrogates(_encoder.encode(value))


def quote(text: str) -> str:
    """The text as a JSON string; lone surrogates as in `to_json`."""
    return _without_surrogates(_quote(text))


def _without_surrogates(text: str) -> str:
    if text.isascii() or not _surrogates.search(text):
        return text
    return _surrogates.sub(lambda found: f"\\\\u{ord(found[0]):04x}", text)


def pack(text: str) -> bytes:
    """The JSON text of one frame with its length in front."""
    body = text.encode()
    if len(body) > FRAME_LIMIT:
        raise FrameError(f"a frame of {len(body)} bytes is over the limit of {FRAME_LIMIT}")
    return len(body).to_bytes(4, "big") + body


def encode(frame: dict[str, Any]) -> bytes:
    """The frame as it goes on the wire."""
    return pack(to_json(frame))


def decode(body: bytes) -> dict[str, Any]:
    """The frame whose JSON this is, or `FrameError`."""
    if len(body) > FRAME_LIMIT:
        raise FrameError(f"a frame of {len(body)} bytes is over the limit of {FRAME_LIMIT}")
    try:
        frame = json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise FrameError(f"a frame is not JSON: {error}") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise FrameError("a frame must be an object with a type")
    if body.count(b"[") + body.count(b"{") > DEPTH_LIMIT and depth(frame) > DEPTH_LIMIT:
        raise FrameError(f"a frame is nested deeper than {DEPTH_LIMIT}")
    return frame


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def depth(value: object) -> int:
    """How many objects and arrays are around the innermost value."""
    deepest = 0
    pending = [(value, 1)]
    while pending:
        item, level = pending.pop()
        if not isinstance(item, (dict, list)):
            continue
        deepest = max(deepest, level)
        inner = item.values() if isinstance(item, dict) else item
        pending.extend((each, level + 1) for each in inner)
    return deepest


def value_frames(kind: str, text: str, result_type: str | None = None) -> list[str]:
    """The JSON texts of the frames that carry a value whose own JSON is `text`."""
    about = "" if result_type is None else f',"result_type":{quote(result_type)}'
    if len(text.encode()) <= INLINE_LIMIT:
        return [f'{{"type":{quote(kind)}{about},"value":{text}}}']
    parts = [text[at : at + _PART_CHARACTERS] for at in range(0, len(text), _PART_CHARACTERS)]
    head = f'{{"type":{quote(kind)}{about},"parts":{len(parts)}}}'
    return [head, *(f'{{"type":"part","data":{quote(part)}}}' for part in parts)]


class FrameStream:
    """Both directions of the socket.

    Frames are written whole and in order whoever writes: another thread, or a signal handler or
    finaliser that interrupts a write half done.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._owner = os.getpid()
        self._lock = RLock()
        self._unsent = bytearray()
        self._sending = False
        self._received = bytearray()
        self._ended = False

    def owned(self) -> bool:
        """Whether this process may speak: a copy forked by the user's code may not."""
        return os.getpid() == self._owner

    def send(self, text: str, end: bool = False) -> None:
        """Write the frame with this JSON; after the end, and in a forked copy, nothing."""
        data = pack(text)
        if not self.owned():
            return
        with self._lock:
            if self._ended:
                return
            self._ended = end
            self._unsent += data
            if not self._sending:
                self._drain()

    def _drain(self) -> None:
        self._sending = True
        try:
            while self._unsent:
                written = os.write(self._descriptor, self._unsent)
                del self._unsent[:written]
        finally:
            self._sending = False

    def receive(self) -> dict[str, Any]:
        """The next frame; waits for it. Not to be called by two threads at once."""
        length = int.from_bytes(self._read(4, keep=True), "big")
        if length > FRAME_LIMIT:
            raise FrameError(f"a frame of {length} bytes is over the limit of {FRAME_LIMIT}")
        return decode(self._read(4 + length)[4:])

    def _read(self, count: int, keep: bool = False) -> bytes:
        # Bytes are taken off only when all are there, so that an exception raised by a signal
        # handler in the middle loses none.
        while len(self._received) < count:
            data = os.read(self._descriptor, max(65536, count - len(self._received)))
            if not data:
                raise Disconnected("the supervisor has closed the socket")
            self._received += data
        taken = bytes(self._received[:count])
        if not keep:
            del self._received[:count]
        return taken

    def wait(self) -> None:
        """Until something has come; nothing is lost when a signal interrupts this."""
        import select

        if not self._received:
            select.select([self._descriptor], [], [])

    def ready(self) -> bool:
        """Whether something has come."""
        import select

        return bool(self._received or select.select([self._descriptor], [], [], 0)[0])

    def receive_value(self, frame: dict[str, Any], key: str = "value") -> Any:
        """The value a frame carries, inline or in the part frames that follow it."""
        if "parts" not in frame:
            return frame.get(key)
        texts: list[str] = []
        size = 0
        for _ in range(frame["parts"]):
            part = self.receive()
            if part["type"] != "part":
                raise FrameError(f"a part was expected, not {part['type']}")
            texts.append(part["data"])
            size += len(part["data"].encode())
            if size > VALUE_LIMIT:
                raise FrameError(f"a value is over the limit of {VALUE_LIMIT} bytes")
        return json.loads("".join(texts))
