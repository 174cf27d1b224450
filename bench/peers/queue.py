"""One peer that is measured: its workers, and the client that submits to them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

JOBS = Path(__file__).resolve().parent.parent / "peer_jobs"
STOPPED_WITHIN = 15.0


@dataclass(frozen=True)
class Queue:
    """What to start for it. `burst` and `sequence` are jobs a round, some two seconds of them."""

    name: str
    module: str
    workers: list[list[str]]
    burst: int
    sequence: int
    environment: dict[str, str] = field(default_factory=dict)


class Running:
    """Its processes, up to the end of the block."""

    def __init__(self, queue: Queue, programs: Path, directory: Path) -> None:
        self.queue = queue
        self._directory = directory
        directory.mkdir()
        search = os.pathsep.join([str(JOBS), str(directory.parent)])
        self._environment = {
            **queue.environment,
            "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]),
            "PYTHONPATH": search,
            "HOME": str(directory),
        }
        self._log = (directory / "log").open("wb")
        self._workers = [self._start(command, subprocess.DEVNULL) for command in queue.workers]
        client = ["python", str(JOBS / "client.py"), queue.module]
        self._client = self._start(client, subprocess.PIPE)

    def _start(self, command: list[str], pipe: int) -> subprocess.Popen[bytes]:
        """In a group of its own, so that what it forks ends with it."""
        return subprocess.Popen(
            command,
            cwd=self._directory,
            env=self._environment,
            stdin=pipe,
            stdout=self._log if pipe == subprocess.DEVNULL else pipe,
            stderr=self._log,
            start_new_session=True,
        )

    def burst(self, count: int) -> float:
        """Seconds from the first job's submission to the last one's result."""
        return float(self._ask(f"burst {count}"))

    def sequence(self, count: int) -> list[float]:
        """Milliseconds from each job's submission to its result, one after the other."""
        return list(self._ask(f"sequence {count}"))

    def _ask(self, command: str) -> Any:
        assert self._client.stdin and self._client.stdout
        try:
            self._client.stdin.write(f"{command}\n".encode())
            self._client.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, so there is no answer either
        answer = self._client.stdout.readline()
        if not answer:
            told = (self._directory / "log").read_text(errors="replace")
            raise RuntimeError(f"{self.queue.name} failed:\n{told[-3000:]}")
        return json.loads(answer)

    def stop(self) -> None:
        """Ends what was started, and waits for it."""
        for process in [self._client, *self._workers]:
            _signal(process, signal.SIGTERM)
        for process in [self._client, *self._workers]:
            try:
                process.wait(timeout=STOPPED_WITHIN)
            except subprocess.TimeoutExpired:
                pass  # it is killed below, with all that it started
            _signal(process, signal.SIGKILL)
            process.wait()
        self._log.close()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass  # all of it has ended
