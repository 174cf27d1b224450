"""A real Bifrost server for benchmarks, and a client that keeps its connection open."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent.parent / "target"
PROGRAM = Path(os.environ.get("BIFROST", TARGET / "release" / "bifrost")).resolve()
DATA = TARGET / "bench"  # on a disk, as an installation's data is; `/tmp` may be memory
IDLE_SECONDS = 10.0  # the server ends connections on which nothing is asked for thirty
PASSWORD = "correct horse battery staple"


class Client:
    """A signed-in person with one connection, as a program that calls the API would have."""

    def __init__(self, address: str, token: str | None = None) -> None:
        self._address, self._token = address, token
        host, port = address.removeprefix("http://").split(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=120)
        self._used = time.monotonic()
        self._headers = {"Content-Type": "application/json", "If-Match": "*"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def again(self) -> Client:
        """The same person on another connection."""
        return Client(self._address, self._token)

    def close(self) -> None:
        """Ends the connection; the next call makes a new one."""
        self._connection.close()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The reply's JSON; raises when the reply is no success."""
        if time.monotonic() - self._used > IDLE_SECONDS:
            self._connection.close()  # the request makes a new one
        data = None if body is None else json.dumps(body)
        self._connection.request(method, path, data, self._headers)
        reply = self._connection.getresponse()
        text = reply.read()
        self._used = time.monotonic()
        if reply.status >= 300:
            raise RuntimeError(f"{method} {path}: {reply.status} {text[:500]!r}")
        return json.loads(text) if text else None

    def put(self, path: str, content: str) -> Any:
        """Writes a file whatever is there."""
        return self.call("PUT", f"/api/files/content/{path}", {"content": content})

    def run(self, workflow: str, inputs: dict[str, Any]) -> Any:
        """Runs a workflow to its end; raises when it did not succeed."""
        path = f"/api/workflows/{workflow}/executions?wait=60"
        execution = self.call("POST", path, {"inputs": inputs})
        if execution["status"] != "succeeded":
            raise RuntimeError(f"{workflow}: {execution['status']} {execution['error']}")
        return execution


class Server:
    """A server on a data directory, which is a new one unless given."""

    def __init__(
        self,
        directory: str | None = None,
        database_url: str | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        if not PROGRAM.exists():
            sys.exit("no program to measure; `cargo build --release --package bifrost` makes it")
        DATA.mkdir(parents=True, exist_ok=True)
        self._temporary = None if directory else tempfile.TemporaryDirectory(dir=DATA)
        self.directory = directory or (self._temporary.name if self._temporary else "")
        self._places = ["--data-dir", self.directory]
        if database_url:
            self._places += ["--database-url", database_url]
        command = [str(PROGRAM), "serve", "--listen", "127.0.0.1:0", *self._places, *arguments]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.address = self._address()

    def _address(self) -> str:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            found = re.search(r"listening on (\S+)", line)
            if found:
                return found[1]
        raise RuntimeError("the server did not start")

    def command(self, *arguments: str, text: str = "") -> None:
        """A `bifrost` command on the same data."""
        command = [str(PROGRAM), *arguments, *self._places]
        subprocess.run(command, input=text, text=True, check=True, stdout=subprocess.DEVNULL)

    def sign_in(self, organization: str, role: str = "admin") -> Client:
        """A new user of the organization, signed in."""
        email = f"{role}@{organization}.test"
        user = ["--organization", organization, "--email", email, "--role", role]
        self.command("admin", "create-user", *user, "--password-stdin", text=PASSWORD)
        return self.sign_in_again(organization, role)

    def sign_in_again(self, organization: str, role: str = "admin") -> Client:
        """A user whom `sign_in` made, also on an earlier server of this data."""
        email = f"{role}@{organization}.test"
        credentials = {"organization": organization, "email": email, "password": PASSWORD}
        reply = Client(self.address).call("POST", "/api/auth/login", credentials)
        return Client(self.address, reply["access_token"])

    def act(self, provider: Client, organization: str | None) -> Client:
        """The provider's admin acting in an organization, or in Global."""
        wish = {"organization": organization, "reason": "benchmark"}
        reply = provider.call("POST", "/api/auth/act", wish)
        return Client(self.address, reply["access_token"])

    def stop(self) -> None:
        """Stops the server as an operator would."""
        self.process.terminate()
        self.process.wait(timeout=60)
        if self.process.stderr:
            self.process.stderr.close()
        if self._temporary:
            self._temporary.cleanup()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
