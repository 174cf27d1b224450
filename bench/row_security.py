"""What row-level security and the guard cost on PostgreSQL, on five million rows.

`crates/store/benches/row_security.rs` starts a durable server, fills it with the executions of a
thousand organizations, and looks single ones up in turns: through `Store::scoped` (a transaction
with role and context, policies, the guard) and by a plain query with an explicit filter: prepared on
tokio-postgres, and on the pool of sqlx.
"""

from __future__ import annotations

import cargo_bench
from figures import Figure

ADDED_MS = 0.2
P99_BOUND = 1.5
THROUGHPUT_BOUND = 0.7


def measure(quick: bool) -> list[Figure]:
    """Differences and ratios for one client and for two."""
    report = cargo_bench.report("store", "row_security", ["--quick"] if quick else [])
    rounds = int(report["rounds"])
    one, two = report["clients"]["1"], report["clients"]["2"]
    added = one["walls"]["p50_ms"] - one["plain"]["p50_ms"]
    return [
        Figure("rows", report["rows"], "rows", 1),
        Figure("walls add to a query, p50, one client", added, "ms", rounds, ADDED_MS),
        Figure("plain query, p50, one client", one["plain"]["p50_ms"], "ms", rounds),
        Figure(
            "p99 with walls over plain, one client",
            one["walls"]["p99_ms"] / one["plain"]["p99_ms"],
            "x",
            rounds,
            P99_BOUND,
        ),
        Figure(
            "throughput plain over with walls, two clients",
            two["plain"]["per_second"] / two["walls"]["per_second"],
            "x",
            rounds,
            1 / THROUGHPUT_BOUND,
        ),
        Figure("with walls, two clients", two["walls"]["per_second"], "/s", rounds),
        Figure(
            "throughput of sqlx's pool, plain, over with walls, two clients",
            two["pooled"]["per_second"] / two["walls"]["per_second"],
            "x",
            rounds,
        ),
    ]
