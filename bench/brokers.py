"""Servers that benchmarks start beside Bifrost: Redis that forgets, Redis that does not, RabbitMQ."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
STARTED_WITHIN = 60.0


class Broker:
    """A server on a free port, with a directory of its own; ended with the block."""

    def __init__(self, command: list[str], port: int, directory: Path, **more: str) -> None:
        self.port = port
        self._log = (directory / "log").open("wb")
        environment = os.environ | more
        self._process = subprocess.Popen(
            command, cwd=directory, env=environment, stdout=self._log, stderr=subprocess.STDOUT
        )
        try:
            _wait(lambda: _listens(port), self._process, directory / "log")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stops it, and waits until it has ended."""
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def __enter__(self) -> Broker:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def redis(directory: Path, durable: bool) -> Broker:
    """Redis: each write on the disk before its reply, or nothing ever on the disk."""
    program = shutil.which("redis-server")
    if program is None:
        raise RuntimeError("there is no redis-server; `make servers` installs it")
    directory.mkdir()
    port = free_port()
    keep = ["--appendonly", "yes", "--appendfsync", "always"] if durable else ["--appendonly", "no"]
    where = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory)]
    return Broker([program, *where, "--save", "", *keep], port, directory)


def rabbitmq(directory: Path, stack: ExitStack) -> Broker:
    """RabbitMQ as it comes from Debian, on ports, files and a name of its own.

    The registry of names, which it would otherwise leave behind, is started before it.
    """
    directory.mkdir()
    (directory / "names").mkdir()
    port, names, nodes = free_port(), free_port(), free_port()
    (directory / "plugins").write_text("[].\n")
    registry = ["epmd", "-address", "127.0.0.1", "-port", str(names)]
    stack.enter_context(Broker(registry, names, directory / "names"))
    broker = Broker(
        [str(RABBITMQ)],
        port,
        directory,
        HOME=str(directory),
        ERL_EPMD_PORT=str(names),
        ERL_EPMD_ADDRESS="127.0.0.1",
        RABBITMQ_NODENAME=f"bench{port}@localhost",
        RABBITMQ_NODE_IP_ADDRESS="127.0.0.1",
        RABBITMQ_NODE_PORT=str(port),
        RABBITMQ_DIST_PORT=str(nodes),
        RABBITMQ_MNESIA_BASE=str(directory / "data"),
        RABBITMQ_LOG_BASE=str(directory / "logs"),
        RABBITMQ_ENABLED_PLUGINS_FILE=str(directory / "plugins"),
        RABBITMQ_CONF_ENV_FILE="/dev/null",
    )
    return stack.enter_context(broker)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return False
    return True


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    started = time.monotonic()
    while not ready():
        if process.poll() is not None or time.monotonic() - started > STARTED_WITHIN:
            raise RuntimeError(f"a broker did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)
