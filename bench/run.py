"""Runs the benchmarks and prints their figures, their bounds and the machine.

    python3 bench/run.py [--json] [--only NAME ...] [--quick]

A missed bound is printed as missed and is no failure of the program: figures are for people.
`--quick` makes everything small, to see that it works; its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

import freshness
import imports
import job_queue
import machine
import noisy
import row_security
import run_and_wait
import scale
import scoping
from figures import Figure

BENCHMARKS: dict[str, Callable[[bool], list[Figure]]] = {
    "imports": imports.measure,
    "run_and_wait": run_and_wait.measure,
    "noisy": noisy.measure,
    "row_security": row_security.measure,
    "job_queue": job_queue.measure,
    "scale": scale.measure,
    "freshness": freshness.measure,
    "scoping": scoping.measure,
}
Results = dict[str, list[Figure]]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, metavar="NAME", default=None)
    parser.add_argument("--quick", action="store_true", help="small, to see that it works")
    options = parser.parse_args()
    results: Results = {}
    for name in options.only or BENCHMARKS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        results[name] = BENCHMARKS[name](options.quick)
    report = as_json(results, options.quick)
    print(json.dumps(report, indent=2) if options.json else as_text(results, options.quick))


def as_json(results: Results, quick: bool) -> dict[str, object]:
    """The report for programs."""
    figures = {name: [each.as_json() for each in found] for name, found in results.items()}
    return {"quick": quick, "machine": machine.describe(), "benchmarks": figures}


def as_text(results: Results, quick: bool) -> str:
    """The report for people."""
    lines = [f"{'figure':58}{'value':>10} {'unit':8}{'bound':>8}{'met':>5}{'runs':>7}"]
    for name, figures in results.items():
        lines += ["", name] + [_line(each) for each in figures]
    lines += [""] + [f"{key:12}{value}" for key, value in machine.describe().items()]
    if quick:
        lines += ["", "a quick run: these figures mean nothing"]
    return "\n".join(lines)


def _line(figure: Figure) -> str:
    bound = "" if figure.bound is None else f"{figure.bound:g}"
    met = {None: "", True: "yes", False: "NO"}[figure.met]
    value = f"{figure.value:.0f}" if figure.value >= 1000 else f"{figure.value:.4g}"
    return f"  {figure.name:56}{value:>10} {figure.unit:8}{bound:>8}{met:>5}{figure.runs:>7}"


if __name__ == "__main__":
    main()
