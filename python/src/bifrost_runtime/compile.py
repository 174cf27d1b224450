"""The `compile` role: turns sources of a bundle into marshalled code objects."""

from __future__ import annotations

import marshal
import os
import warnings

from .bundle import Bundle

_BATCH = 1 << 20
_FAILED = b"\xff\xff\xff\xff"


def compile_entries(bundle: Bundle, numbers: list[int], out: int) -> int:
    """Append a record for each entry to the descriptor; how many there are."""
    os.nice(10)  # nobody waits for this: a run compiles for itself what is not there yet
    warnings.simplefilter("ignore")  # a source's own warnings come when it is analysed
    records = bytearray()
    for number in numbers:
        records += record(bundle, number)
        if len(records) >= _BATCH:
            _append(out, records)
    _append(out, records)
    return len(numbers)


def record(bundle: Bundle, number: int) -> bytes:
    """One entry's number, length and code; the length of a failure and nothing if there is none."""
    entry = bundle.entry(number)
    head = number.to_bytes(4, "little")
    try:
        code = compile(entry.data(), entry.origin, "exec", dont_inherit=True)
        data = marshal.dumps(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return head + _FAILED
    return head + len(data).to_bytes(4, "little") + data


def _append(out: int, records: bytearray) -> None:
    while records:
        written = os.write(out, records)
        del records[:written]
