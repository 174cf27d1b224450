"""Draws where the time of a run goes, as `docs/where-time-goes.svg`.

    python3 bench/run.py --json stages | python3 bench/picture.py > docs/where-time-goes.svg
"""

from __future__ import annotations

import json
import sys
from html import escape
from typing import Any

WORDS = {
    "enqueue": "written into the queue, durably",
    "claim": "taken by a worker, durably",
    "place": "a cell, a scratch directory, limits",
    "files": "its files, which are there already",
    "fork": "a process of its own",
    "import": "its walls, then its first module",
    "code": "the workflow itself",
    "end": "the process and all below it gone",
    "finish": "its outcome written, durably",
    "the rest": "HTTP, sign-in, finding the workflow, waking up",
}
WIDTH, LEFT, ROW, TOP = 860, 90, 26, 58
SCALE = 400  # pixels of the whole run


def main() -> None:
    """Standard input to standard output."""
    print(draw(json.load(sys.stdin)))


def draw(report: dict[str, Any]) -> str:
    """The picture: one bar below the other, each beginning where the one before ended."""
    found = {each["name"].removesuffix(", mean"): each for each in report["benchmarks"]["stages"]}
    whole = found["whole run"]
    rows, at = [], 0.0
    for number, (name, words) in enumerate(WORDS.items()):
        value = found[name]["value"]
        x, width = LEFT + at / whole["value"] * SCALE, value / whole["value"] * SCALE
        y = TOP + number * ROW
        rows += [
            _text(8, y + 14, name, "name"),
            f'<rect x="{x:.1f}" y="{y + 3}" width="{max(width, 1):.1f}" height="15" rx="2"/>',
            _text(LEFT + SCALE + 14, y + 14, f"{value:.2f} ms  {words}", "words"),
        ]
        at += value
    height = TOP + len(WORDS) * ROW + 10
    title = f"A trivial workflow over HTTP, from request to reply: {whole['value']:.1f} ms"
    beneath = f"mean of {whole['runs']} runs, one after the other; SQLite; all walls on"
    style = (
        "text{font:13px sans-serif;fill:#24292f}.title{font-size:15px;font-weight:600}"
        ".words{fill:#57606a}rect{fill:#2f6f9f}.back{fill:#fff}"
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" role="img">',
            f"<title>{escape(title)}</title><style>{style}</style>",
            f'<rect class="back" width="{WIDTH}" height="{height}"/>',
            _text(8, 22, title, "title"),
            _text(8, 42, beneath, "words"),
            *rows,
            "</svg>",
        ]
    )


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(text)}</text>'


if __name__ == "__main__":
    main()
