"""The job that every peer does: it imports one module and gives back what it finds there."""

from __future__ import annotations


def answer() -> int:
    """As the workflow does; a process that did it before has the module already."""
    from shared import tools

    found: int = tools.LIMIT
    return found
