"""Builds and runs a benchmark that is written in Rust, and reads the one JSON object it prints."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def report(
    package: str, bench: str, arguments: Sequence[str], features: Sequence[str] = ()
) -> Any:
    """What `crates/PACKAGE/benches/BENCH.rs` prints."""
    command = ["cargo", "bench", "--quiet", "--package", package, "--bench", bench]
    command += ["--features", ",".join(features), "--", *arguments]
    ran = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(ran.stdout)
