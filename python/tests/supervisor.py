"""A small supervisor for tests: starts a real zygote and speaks the protocol with it."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .bundle_writer import Scope, memory_file, write_bundle, write_codes

RUNTIME = str(Path(__file__).parent.parent / "src")
_START = (
    f"import sys; sys.path.insert(0, {RUNTIME!r}); from bifrost_runtime.zygote import main; main()"
)
ACME = {
    "id": "0001",
    "slug": "acme",
    "name": "Acme",
    "timezone": "UTC",
    "currency": "USD",
    "locale": "en-US",
}
LIMITS = {
    "memory_mb": 512,
    "cpu_seconds": 60,
    "file_mb": 64,
    "open_files": 256,
    "processes": 4096,
}
Answer = Callable[[str, dict[str, Any]], Any]


@dataclass
class Outcome:
    """Everything a child said, and how it went."""

    frames: list[dict[str, Any]] = field(default_factory=list)
    value: Any = None
    error: dict[str, str] | None = None
    status: int | None = None
    output: bytes = b""

    def logs(self, level: str | None = None) -> list[str]:
        """The messages of the log frames."""
        return [
            frame["message"]
            for frame in self.frames
            if frame["type"] == "log" and level in (None, frame["level"])
        ]

    def modules(self) -> dict[str, dict[str, Any]]:
        """The modules it reported, by name."""
        found = [each for f in self.frames if f["type"] == "modules" for each in f["modules"]]
        assert len({each["name"] for each in found}) == len(found), "a module was reported twice"
        return {each["name"]: each for each in found}


class Child:
    """The supervisor's side of one child's socket."""

    def __init__(self, run: str, connection: socket.socket, output: int) -> None:
        self.run = run
        self.connection = connection
        self.output = output
        self._data = bytearray()

    def send(self, frame: dict[str, Any]) -> None:
        """Send a frame."""
        body = json.dumps(frame).encode()
        self.connection.sendall(len(body).to_bytes(4, "big") + body)

    def receive(self) -> dict[str, Any] | None:
        """The next frame, or None when the child has gone."""
        while True:
            if len(self._data) >= 4:
                end = 4 + int.from_bytes(self._data[:4], "big")
                assert end <= 4 + (1 << 20), "a frame is too large"
                if len(self._data) >= end:
                    frame: dict[str, Any] = json.loads(self._data[4:end].decode())
                    del self._data[:end]
                    return frame
            data = self.connection.recv(1 << 16)
            if not data:
                assert not self._data, f"rest of a frame: {bytes(self._data[:100])!r}"
                return None
            self._data += data


class Supervisor:
    """One zygote and its children."""

    def __init__(self, kind: str = "run", *ahead: str) -> None:
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        null = os.open("/dev/null", os.O_WRONLY)
        environment: dict[str, str] = {}
        command = [sys.executable, "-I", "-S", "-c", _START, kind, *ahead]
        self.process = subprocess.Popen(
            command, stdin=theirs.fileno(), stdout=null, env=environment
        )
        os.close(null)
        theirs.close()
        self.control = mine
        self.exits: dict[str, int] = {}
        self.pids: dict[str, int] = {}
        self.ready = self._event()
        self._count = 0

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self.control.close()
        self.process.wait(10)

    def _event(self, timeout: float = 30) -> dict[str, Any]:
        if not select.select([self.control], [], [], timeout)[0]:
            raise TimeoutError("the zygote says nothing")
        data = self.control.recv(1 << 16)
        if not data:
            raise ConnectionError("the zygote has gone")
        event: dict[str, Any] = json.loads(data)
        if event["event"] == "exited":
            self.exits[event["run"]] = event["status"]
        if event["event"] == "forked":
            self.pids[event["run"]] = event["pid"]
        return event

    def say(self, packet: dict[str, Any], descriptors: list[int] | None = None) -> None:
        """Send a control packet."""
        socket.send_fds(self.control, [json.dumps(packet).encode()], descriptors or [])

    def spawn(self, descriptors: list[int]) -> Child:
        """A new child with these descriptors after its socket and output, which are closed."""
        self._count += 1
        run = f"run-{self._count}"
        mine, theirs = socket.socketpair()
        reader, writer = os.pipe()
        packet = {"op": "spawn", "run": run, "cell": None}
        self.say(packet, [theirs.fileno(), writer, *descriptors])
        theirs.close()
        for descriptor in (writer, *descriptors):
            os.close(descriptor)
        while run not in self.pids:
            event = self._event()
            if event["event"] == "fork_failed":
                raise RuntimeError(event["error"])
        return Child(run, mine, reader)

    def wait(self, child: Child, timeout: float = 30) -> int:
        """How the child ended."""
        end = time.monotonic() + timeout
        while child.run not in self.exits:
            self._event(max(0.0, end - time.monotonic()))
        return self.exits[child.run]

    def finish(self, child: Child, answer: Answer | None = None) -> Outcome:
        """Read all the child says, answering its calls."""
        outcome = Outcome()
        drain = threading.Thread(target=_drain, args=(child.output, outcome))
        drain.start()
        parts: list[str] = []
        while (frame := child.receive()) is not None:
            outcome.frames.append(frame)
            if frame["type"] == "call":
                for reply in _replies(frame, answer):
                    child.send(reply)
            elif frame["type"] == "part":
                parts.append(frame["data"])
            elif frame["type"] == "result" and "value" in frame:
                outcome.value = frame["value"]
            elif frame["type"] == "error":
                outcome.error = frame["error"]
        if parts:
            outcome.value = json.loads("".join(parts))
        child.connection.close()
        outcome.status = self.wait(child)
        drain.join(10)
        return outcome

    def run(
        self,
        organization: dict[str, bytes] | Scope | None,
        shared: dict[str, bytes] | Scope,
        function: str = "main.main",
        value: Any = None,
        answer: Answer | None = None,
        limits: dict[str, int] | None = None,
        compiled: bool = True,
        scratch: str | None = None,
    ) -> Outcome:
        """One execution over two trees, from start to end."""
        child = self.start(organization, shared, function, value, limits, compiled, scratch)
        return self.finish(child, answer)

    def start(
        self,
        organization: dict[str, bytes] | Scope | None,
        shared: dict[str, bytes] | Scope,
        function: str = "main.main",
        value: Any = None,
        limits: dict[str, int] | None = None,
        compiled: bool = True,
        scratch: str | None = None,
        provider: bool = False,
    ) -> Child:
        """Start one execution."""
        scopes = [shared if isinstance(shared, Scope) else Scope.of("global", shared)]
        if organization is not None:
            scopes.append(
                organization if isinstance(organization, Scope) else Scope.of("acme", organization)
            )
        descriptors = []
        for scope in scopes:
            descriptors.append(memory_file(write_bundle(scope)))
            descriptors.append(memory_file(write_codes(scope, compiled)))
        child = self.spawn(descriptors)
        module, _, name = function.rpartition(".")
        child.send(
            {
                "type": "start",
                "role": "run",
                "organization": ACME if organization is not None else None,
                "timezone": "UTC",
                "user": {"id": "0002", "email": "ada@acme.test", "name": "Ada"},
                "execution": {"id": "0003", "workflow": name, "attempt": 1},
                "entry": {"module": module, "function": name, "provider": provider},
                "limits": LIMITS if limits is None else limits,
                **({} if scratch is None else {"scratch": scratch}),
                "value": {} if value is None else value,
            }
        )
        return child


def _drain(descriptor: int, outcome: Outcome) -> None:
    while data := os.read(descriptor, 1 << 16):
        outcome.output += data
    os.close(descriptor)


def _replies(frame: dict[str, Any], answer: Answer | None) -> list[dict[str, Any]]:
    reply = _reply(frame, answer)
    text = json.dumps(reply.get("result"))
    if len(text) <= 512 << 10:
        return [reply]
    del reply["result"]
    parts = [text[at : at + 200_000] for at in range(0, len(text), 200_000)]
    return [{**reply, "parts": len(parts)}, *({"type": "part", "data": each} for each in parts)]


def _reply(frame: dict[str, Any], answer: Answer | None) -> dict[str, Any]:
    reply = {"type": "reply", "id": frame["id"]}
    try:
        if answer is None:
            raise PermissionError("no calls here")
        return {**reply, "result": answer(frame["method"], frame["arguments"])}
    except Exception as error:
        return {**reply, "error": {"type": type(error).__name__, "message": str(error)}}
