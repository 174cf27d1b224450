"""What a benchmark gives back: figures with their bounds, and how they are taken."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """One number of one benchmark. A figure without a bound is there to compare with."""

    name: str
    value: float
    unit: str
    runs: int
    bound: float | None = None
    at_least: bool = False  # the bound is the least it may be, and not the most

    @property
    def met(self) -> bool | None:
        """Whether the number is within its bound."""
        if self.bound is None:
            return None
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def as_json(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {**asdict(self), "met": self.met}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def milliseconds(call: Callable[[], object]) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000
