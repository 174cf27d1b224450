"""The queue alone: executions a second that are asked for, claimed and ended, beside procrastinate.

`crates/store/benches/queue.rs` starts a durable PostgreSQL and an SQLite file and goes through the
ways to use them in shuffled rounds; `procrastinate_jobs.py` takes its turn on the same server with
procrastinate from PyPI, which is put into `.cache`. One cycle looks its workflow up, queues, claims and
ends; procrastinate's figure is only how fast its worker completes what is queued already.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cargo_bench
from cargo_bench import ROOT
from figures import Figure

VENV = ROOT / ".cache" / "procrastinate"
REQUIREMENTS = ["procrastinate==3.10.0", "psycopg[binary,pool]"]
NAMES = {
    "sqlite_1": "SQLite, one client",
    "sqlite_8": "SQLite, 8 clients, 8 organizations",
    "postgres_1": "PostgreSQL, one client",
    "postgres_8_of_one": "PostgreSQL, 8 clients, one organization",
    "postgres_8": "PostgreSQL, 8 clients, 8 organizations",
    "postgres_16": "PostgreSQL, 16 clients, 16 organizations",
    "other": "procrastinate, jobs its worker completes",
}


def measure(quick: bool) -> list[Figure]:
    """Medians of the rounds, and the ratio to procrastinate."""
    python = VENV / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS]
        subprocess.run([*install, "--disable-pip-version-check"], check=True)
    other = ["--other", str(python), str(ROOT / "bench" / "procrastinate_jobs.py")]
    report = cargo_bench.report("store", "queue", [*(["--quick"] if quick else []), *other])
    rates, rounds = report["per_second"], int(report["rounds"])
    figures = [Figure(NAMES[way], rates[way]["median"], "/s", rounds) for way in NAMES]
    for way in ("postgres_8_of_one", "postgres_8", "postgres_16"):
        ratio = rates["other"]["median"] / rates[way]["median"]
        figures.append(Figure(f"procrastinate over {NAMES[way]}", ratio, "x", rounds, 1.0))
    return figures
