"""What the walls between organizations cost: queries and requests with them and without.

`crates/api/benches/scoping_cost.rs` measures in one process, interleaved: a look-up by id through
`Store::scoped` and the guard, the same without the guard, and the same statement on a bare
connection; and whole requests, in process, with the guard and without. It is built with a feature of
the store that `cargo xtask tidy` keeps out of everything else.
"""

from __future__ import annotations

import cargo_bench
from figures import Figure

QUERY_BOUND_US = 50.0
REQUEST_BOUND = 1.05


def measure(quick: bool) -> list[Figure]:
    """The differences and ratios of medians, with the medians they come from."""
    arguments = ["--quick"] if quick else []
    report = cargo_bench.report("api", "scoping_cost", arguments, ["unguarded"])
    return _query(report["query"]) + [
        figure for path, times in report["requests"].items() for figure in _request(path, times)
    ]


def _query(times: dict[str, float]) -> list[Figure]:
    runs = int(times["runs"])
    added = times["walls"] - times["bare"]
    return [
        Figure("walls add to a query", added, "us", runs, QUERY_BOUND_US),
        Figure("of it the guard", times["walls"] - times["unguarded"], "us", runs),
        Figure("query on a bare connection, p50", times["bare"], "us", runs),
    ]


def _request(path: str, times: dict[str, float]) -> list[Figure]:
    runs = int(times["runs"])
    ratio = times["walls"] / times["unguarded"]
    return [
        Figure(f"GET {path}, with over without", ratio, "x", runs, REQUEST_BOUND),
        Figure(f"GET {path}, p50", times["walls"], "us", runs),
    ]
