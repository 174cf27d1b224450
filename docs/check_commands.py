#!/usr/bin/env python3
"""Runs the `sh` blocks of README.md from top to bottom and compares what they print.

Usage: `docs/check_commands.py [README.md]`. `BIFROST` names the program to use in place of
`./target/release/bifrost`, `BIFROST_TEST_POSTGRES` the server to use in place of the one that a line
`SERVER=…` names. A block marked `sh demo`, `sh test`, `sh build` or `sh elsewhere` is left out. Each line
of a `text` block right after a block that ran must be in that block's output; `…` in it stands for
anything.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = "./target/release/bifrost"
LEFT_OUT = {"demo", "test", "build", "elsewhere"}
SECONDS = 180
MARK = "=== block of line "
FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block of the page."""

    line: int
    info: list[str]
    text: str


def main() -> int:
    """Exit code 0 if all commands work and print what the page says."""
    page = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "README.md"
    blocks = list(read(page.read_text(encoding="utf-8")))
    commands = [block for block in blocks if runs(block)]
    if not commands:
        return fail(f"{page} has no `sh` block to run")
    program = os.environ.get("BIFROST", PROGRAM)
    if not Path(ROOT, program).is_file():
        return fail(f"`{program}` is not there: build it, or set BIFROST")
    status, output, errors = execute(script(commands, program))
    if status != 0:
        return fail(f"{errors}\n{output}\nexit code {status}")
    missing = list(differences(blocks, output))
    if missing:
        return fail("\n".join([output, *missing]))
    print(f"{page.name}: {len(commands)} blocks work as they say")
    return 0


def read(text: str) -> list[Block]:
    """All fenced blocks."""
    found = []
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(line, match["info"].split(), match["text"]))
    return found


def runs(block: Block) -> bool:
    """Whether this block is to be run."""
    if block.info[:1] == ["console"]:
        raise SystemExit(f"line {block.line}: write commands as `sh` and output as `text`")
    if block.info[:1] != ["sh"]:
        return False
    unknown = set(block.info[1:]) - LEFT_OUT
    if unknown:
        raise SystemExit(f"line {block.line}: unknown mark {unknown} on an `sh` block")
    return len(block.info) == 1


def script(commands: list[Block], program: str) -> str:
    """One bash script that names the command that failed."""
    absolute = shlex.quote(str(Path(ROOT, program)))
    trap = "trap 'echo \"failed: $BASH_COMMAND\" >&2' ERR"
    parts = ["set -Eeuo pipefail", trap]
    for block in commands:
        text = block.text.replace(PROGRAM, absolute)
        text = re.sub(r"^PORT=\d+$", f"PORT={free_port()}", text, flags=re.MULTILINE)
        server = os.environ.get("BIFROST_TEST_POSTGRES")
        if server:
            text = re.sub(r"^SERVER=\S+$", f"SERVER={server}", text, flags=re.MULTILINE)
        mark = f"printf '\\n%s\\n' '{MARK}{block.line}'"
        parts.append(f"{mark}; {mark} >&2\n{text}")
    return "\n".join(parts)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def execute(text: str) -> tuple[int, str, str]:
    """Exit code, output and errors; whatever the script started is gone afterwards."""
    with tempfile.TemporaryDirectory() as directory:
        out, err = Path(directory, "out"), Path(directory, "err")
        variables = {**os.environ, "TMPDIR": directory}
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                ["bash", "-c", text],
                cwd=ROOT,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
            try:
                status = process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                status = -1
                stderr.write(f"took longer than {SECONDS} seconds\n".encode())
            finally:
                kill_group(process.pid)
                process.wait()
        return status, out.read_text(errors="replace"), err.read_text(errors="replace")


def kill_group(group: int) -> None:
    """Ends a server that a failed script left behind; it kills its own children."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


def differences(blocks: list[Block], output: str) -> list[str]:
    """The promised lines that were not printed."""
    printed = {}
    for part in output.split(MARK)[1:]:
        line, _, text = part.partition("\n")
        printed[int(line)] = text
    missing = []
    for command, promised in zip(blocks, blocks[1:]):
        if promised.info != ["text"] or command.line not in printed:
            continue
        for line in filter(str.strip, promised.text.splitlines()):
            pattern = ".*".join(re.escape(part) for part in line.strip().split("…"))
            if not re.search(pattern, printed[command.line]):
                missing.append(f"line {command.line}: not printed: {line}")
    return missing


def fail(why: str) -> int:
    """Say why, loudly."""
    print(f"check_commands: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
