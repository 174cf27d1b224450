"""What memory a process and all its descendants take, from `/proc`."""

from __future__ import annotations

from pathlib import Path


def resident(pid: int) -> float:
    """Resident memory of one process in MB (`VmRSS`)."""
    return _megabytes(pid, "status", "VmRSS:")


def proportional(pid: int) -> float:
    """The memory in MB of a process and its descendants; shared pages count once (`Pss`)."""
    return sum(_megabytes(each, "smaps_rollup", "Pss:") for each in family(pid))


def unique(pid: int) -> float:
    """The memory in MB that would be free again without this process (its private pages)."""
    fields = ("Private_Clean:", "Private_Dirty:", "Private_Hugetlb:")
    return sum(_megabytes(pid, "smaps_rollup", field) for field in fields)


def family(pid: int) -> list[int]:
    """The process and its descendants."""
    found = [pid]
    for parent in found:  # grows while it is walked
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in _read(task).split()]
    return found


def _megabytes(pid: int, file: str, field: str) -> float:
    for line in _read(Path(f"/proc/{pid}/{file}")).splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0  # it has ended


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
