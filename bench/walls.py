"""What the walls around a run cost: the same trivial run with all, with none, and without some.

`crates/runner/benches/walls.rs` runs it in turns, without HTTP and without the queue: from the claimed
job until nothing of its process is left. Only a program built for tests can leave a wall out.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from figures import Figure

ROOT = Path(__file__).resolve().parent.parent
ADDED_MS = 0.5
COMMAND = ["cargo", "bench", "--quiet", "--package", "runner", "--bench", "walls", "--"]


def measure(quick: bool) -> list[Figure]:
    """The median with and without, and what all walls together add."""
    command = [*COMMAND, *(["--quick"] if quick else [])]
    ran = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    report = json.loads(ran.stdout)
    runs, ways = int(report["runs"]), report["ways"]
    added = ways["all"]["whole"] - ways["none"]["whole"]
    figures = [Figure("walls add to a run, p50", added, "ms", runs, ADDED_MS)]
    for name, stages in ways.items():
        figures += [
            Figure(f"{name}: {stage}, p50", milliseconds, "ms", runs)
            for stage, milliseconds in stages.items()
        ]
    return figures
