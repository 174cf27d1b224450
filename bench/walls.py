"""What the walls around a run cost: the same trivial run with all, with none, and without some.

`crates/runner/benches/walls.rs` runs it in turns, without HTTP and without the queue: from the claimed
job until nothing of its process is left. Only a program built for tests can leave a wall out.
"""

from __future__ import annotations

import cargo_bench
from figures import Figure

ADDED_MS = 0.5


def measure(quick: bool) -> list[Figure]:
    """The median with and without, and what all walls together add."""
    report = cargo_bench.report("runner", "walls", ["--quick"] if quick else [])
    runs, ways = int(report["runs"]), report["ways"]
    added = ways["all"]["whole"] - ways["none"]["whole"]
    figures = [Figure("walls add to a run, p50", added, "ms", runs, ADDED_MS)]
    for name, stages in ways.items():
        figures += [
            Figure(f"{name}: {stage}, p50", milliseconds, "ms", runs)
            for stage, milliseconds in stages.items()
        ]
    return figures
