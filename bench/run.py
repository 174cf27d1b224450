"""Runs the benchmarks and prints their figures, their bounds and the machine.

    python3 bench/run.py [--json] [--quick] [NAME ...]

Without names all of them, in about forty minutes. A missed bound is printed as missed and is no
failure of the program: figures are for people. `--quick` makes everything small, to see that it works;
its figures mean nothing. Nor do those of a machine that is busy with something else: the load before
and after is printed beside them, and before should be near 0.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

import bombs
import freshness
import imports
import job_queue
import machine
import memory
import noisy
import peers
import row_security
import run_and_wait
import scale
import scoping
import stages
import walls
import with_packages
from figures import Figure

BENCHMARKS: dict[str, Callable[[bool], list[Figure]]] = {
    "imports": imports.measure,
    "run_and_wait": run_and_wait.measure,
    "stages": stages.measure,
    "walls": walls.measure,
    "with_packages": with_packages.measure,
    "peers": peers.measure,
    "memory": memory.measure,
    "noisy": noisy.measure,
    "bombs": bombs.measure,
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
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="small, to see that it works")
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}, but {', '.join(BENCHMARKS)}")
    before = machine.load()
    results = measure(options.names or list(BENCHMARKS), options.quick)
    where = machine.describe() | {"load before": before, "load after": machine.load()}
    report = as_json(results, where, options.quick)
    print(json.dumps(report, indent=2) if options.json else as_text(results, where, options.quick))


def measure(names: list[str], quick: bool) -> Results:
    """One after the other, telling how long each took."""
    results: Results = {}
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        started = time.monotonic()
        results[name] = BENCHMARKS[name](quick)
        seconds = time.monotonic() - started
        print(f"  {seconds:.0f} s, load now {machine.load()}", file=sys.stderr, flush=True)
    return results


def as_json(results: Results, where: dict[str, str], quick: bool) -> dict[str, object]:
    """The report for programs."""
    figures = {name: [each.as_json() for each in found] for name, found in results.items()}
    return {"quick": quick, "machine": where, "benchmarks": figures}


def as_text(results: Results, where: dict[str, str], quick: bool) -> str:
    """The report for people."""
    lines = [f"{'figure':58}{'value':>10} {'unit':8}{'bound':>10}{'met':>5}{'runs':>7}"]
    for name, figures in results.items():
        lines += ["", name] + [_line(each) for each in figures]
    lines += [""] + [f"{key:13}{value}" for key, value in where.items()]
    if quick:
        lines += ["", "a quick run: these figures mean nothing"]
    return "\n".join(lines)


def _line(figure: Figure) -> str:
    sign = ">= " if figure.at_least else "<= "
    bound = "" if figure.bound is None else f"{sign}{figure.bound:g}"
    met = {None: "", True: "yes", False: "NO"}[figure.met]
    value = f"{figure.value:.0f}" if figure.value >= 1000 else f"{figure.value:.4g}"
    return f"  {figure.name:56}{value:>10} {figure.unit:8}{bound:>10}{met:>5}{figure.runs:>7}"


if __name__ == "__main__":
    main()
