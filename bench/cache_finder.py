"""The peer: a finder that asks a cache for each module and compiles what it gets.

Kept as fast as the design allows: one connection that is open before the clock starts, one key
for a name instead of one for each file it may be in, and a cache that knows every module.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Sequence
from hashlib import sha256
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

OWN, GLOBAL = "bifrost:module:acme:", "bifrost:module:global:"


class Cache:
    """The server process, with the modules of one scope in it."""

    def __init__(self, folder: str, prefix: str, modules: dict[str, tuple[str, bytes]]) -> None:
        self.address = str(Path(folder, f"{prefix.split(':')[2]}.sock"))
        values = {
            prefix + name: json.dumps(
                {"content": code.decode(), "path": path, "hash": sha256(code).hexdigest()}
            )
            for name, (path, code) in modules.items()
        }
        program = str(Path(__file__).with_name("cache_server.py"))
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", program, self.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(values))
        self._process.stdin.close()
        self._process.stdout.readline()

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


class CacheFinder:
    """Asks for the organization's module, then for Global's."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(address)
        self._replies = self._socket.makefile("rb")

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a module that the cache has."""
        text = self._get(OWN + name) or self._get(GLOBAL + name)
        if text is None:
            return None
        entry = json.loads(text)
        loader = CacheLoader(entry["content"], entry["path"])
        is_package = entry["path"].endswith("/__init__.py")
        return ModuleSpec(name, loader, origin=entry["path"], is_package=is_package)

    def _get(self, key: str) -> bytes | None:
        self._socket.sendall(f"GET {key}\r\n".encode())
        length = int(self._replies.readline()[1:])
        return None if length < 0 else self._replies.read(length + 2)


class CacheLoader(Loader):
    """Compiles and executes one source."""

    def __init__(self, content: str, path: str) -> None:
        self._content = content
        self._path = path

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """An ordinary module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Compiles, as there is only source in the cache."""
        code = compile(self._content, self._path, "exec", dont_inherit=True)
        exec(code, module.__dict__)
