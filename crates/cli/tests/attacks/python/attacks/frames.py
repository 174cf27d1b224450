"""Frames: what a run may say to its supervisor, said wrongly. The run ends, the supervisor does not."""

from __future__ import annotations

import array
import json
import os
import socket
import struct
import time

from . import Bait, attack

ALONE = "only a run has a supervisor"
BROKEN = ("failed", "crashed")


def _supervisor() -> socket.socket:
    """The socket that every child has as descriptor 3."""
    return socket.socket(fileno=os.dup(3))


def _frame(what: object) -> bytes:
    text = what if isinstance(what, bytes) else json.dumps(what).encode()
    return struct.pack(">I", len(text)) + text


def _say(text: bytes) -> object:
    """Say it, and wait for the end that has to come of it."""
    with _supervisor() as supervisor:
        supervisor.sendall(text)
        while supervisor.recv(65536):
            pass
    raise ConnectionResetError("the supervisor has closed")


@attack(ends=BROKEN, alone=ALONE)
def giant(bait: Bait) -> object:
    """A length over the limit."""
    return _say(struct.pack(">I", 0xFFFFFFFF) + b"x" * 1000)


@attack(ends=BROKEN, alone=ALONE)
def just_over(bait: Bait) -> object:
    """One byte over the limit."""
    return _say(_frame(b" " * (1024 * 1024 + 1)))


@attack(ends=BROKEN, alone=ALONE)
def nested(bait: Bait) -> object:
    """JSON a hundred thousand deep."""
    return _say(_frame(b'{"type":"result","value":' + b"[" * 100_000 + b"]" * 100_000 + b"}"))


@attack(ends=BROKEN, alone=ALONE)
def no_json(bait: Bait) -> object:
    """Bytes."""
    return _say(_frame(bytes(range(256))))


@attack(ends=BROKEN, alone=ALONE)
def unknown(bait: Bait) -> object:
    """A type that there is not."""
    return _say(_frame({"type": "adopt", "organization": "provider"}))


@attack(ends=BROKEN, alone=ALONE)
def part(bait: Bait) -> object:
    """A part of a value of which there was no word."""
    return _say(_frame({"type": "part", "data": "1"}))


@attack(ends=BROKEN, alone=ALONE)
def endless_parts(bait: Bait) -> object:
    """Parts without end."""
    more = _frame({"type": "part", "data": "1" * 900_000})
    return _say(_frame({"type": "result", "parts": 1 << 60}) + more * 40)


@attack(ends=("timed_out",), alone=ALONE)
def half(bait: Bait) -> object:
    """Half a frame, and then nothing."""
    return _say(_frame({"type": "result", "value": "x" * 100})[:50])


@attack(ends=BROKEN, alone=ALONE)
def half_and_gone(bait: Bait) -> object:
    """Half a frame, and gone."""
    with _supervisor() as supervisor:
        supervisor.sendall(_frame({"type": "result", "value": 1})[:9])
    os._exit(0)


@attack(ends=("succeeded", *BROKEN, "timed_out"), alone=ALONE)
def a_million(bait: Bait) -> object:
    """Very many small ones."""
    many = _frame({"type": "progress", "done": 1, "total": 2, "note": None}) * 1000
    with _supervisor() as supervisor:
        for _ in range(bait["many"] // 1000):
            supervisor.sendall(many)
    return "said"


@attack(ends=("succeeded", *BROKEN, "timed_out"), alone=ALONE)
def a_million_lines(bait: Bait) -> object:
    """Very many lines of log, past the limit that the SDK keeps."""
    many = _frame({"type": "log", "level": "info", "message": "m" * 60, "time": 1.0}) * 1000
    with _supervisor() as supervisor:
        for _ in range(bait["many"] // 1000):
            supervisor.sendall(many)
    return "said"


@attack(ends=("timed_out", *BROKEN), alone=ALONE)
def unread(bait: Bait) -> object:
    """Calls without end, whose answers nobody reads."""
    many = _frame({"type": "call", "id": 1, "method": "files.list", "arguments": {}}) * 100
    with _supervisor() as supervisor:
        while True:
            supervisor.sendall(many)


def _answer(method: str, arguments: object, **others: object) -> object:
    with _supervisor() as supervisor:
        call = {"type": "call", "id": 1 << 50, "method": method, "arguments": arguments}
        supervisor.sendall(_frame(call | others))
        supervisor.settimeout(20)
        held = b""
        while len(held) < 4 or len(held) < 4 + struct.unpack(">I", held[:4])[0]:
            if not (more := supervisor.recv(65536)):
                raise ConnectionResetError("the supervisor has closed")
            held += more
    reply = json.loads(held[4:])
    if "error" in reply:
        raise ConnectionRefusedError(reply["error"]["message"])
    return reply


@attack("ConnectionRefusedError", "ConnectionResetError", ends=BROKEN, alone=ALONE)
def foreign_execution(bait: Bait) -> object:
    """The result of another organization's execution."""
    return _answer("executions.get", {"id": bait["foreign"]})


@attack("ConnectionRefusedError", "ConnectionResetError", ends=BROKEN, alone=ALONE)
def foreign_organization(bait: Bait) -> object:
    """A file of another organization, by claiming to be it in every way there could be."""
    claim = {"organization": "globex", "organization_id": bait["organization"], "scope": "global"}
    arguments = {"path": "their-secret.txt", **claim}
    return _answer("files.read_bytes", arguments, execution=bait["foreign"], access="admin", **claim)


@attack("ConnectionRefusedError", "ConnectionResetError", ends=BROKEN, alone=ALONE)
def unknown_call(bait: Bait) -> object:
    """A call that there is not."""
    return _answer("store.execute", {"sql": "SELECT 1"})


@attack("Discarded", "EPERM", "EACCES", "ETOOMANYREFS", ends=BROKEN, alone=ALONE)
def passed_descriptors(bait: Bait) -> object:
    """Descriptors, sent along with frames: the supervisor's table is not theirs to fill."""
    frame = _frame({"type": "progress", "done": 1, "total": 2, "note": None})
    with _supervisor() as supervisor, open("/dev/null", "rb") as null:
        rights = array.array("i", [null.fileno()] * 8)
        for _ in range(100):
            supervisor.sendmsg([frame], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    raise Discarded("nobody says whether anybody took them")


class Discarded(Exception):
    """The server's descriptors are counted afterwards."""


@attack(ends=("succeeded", *BROKEN), alone=ALONE)
def two_ends(bait: Bait) -> object:
    """A good end and then a bad one: the first counts."""
    error = {"type": "error", "error": {"type": "X", "message": "", "traceback": ""}}
    with _supervisor() as supervisor:
        supervisor.sendall(_frame({"type": "result", "value": {"reached": None}}) + _frame(error))
    time.sleep(60)
    return "nobody ended it"
