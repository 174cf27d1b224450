"""Becomes a program that installs packages, behind walls of its own. Its ruleset for files is fd 0."""

from __future__ import annotations

import json
import os
import sys

from . import cells, limits, system, walls

_LIMITS = {"cpu_seconds": 1200, "file_mb": 2048, "open_files": 1024, "memory_mb": 8192}


def main() -> None:
    """`SETTINGS PROGRAM ARGUMENT…`. Never returns."""
    settings, program = json.loads(sys.argv[1]), sys.argv[2:]
    if settings["user_namespace"]:
        cells.own_user_namespace()
    if settings["processes"]:
        walls.be_first()
    limits.apply(_LIMITS)
    if settings["capabilities"]:
        system.drop_capabilities()
    system.control(system.NO_NEW_PRIVILEGES, 1)
    if settings["ruled"]:
        system.restrict_files(0)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    for code in settings["filters"]:
        filter, _held = system.program(bytes.fromhex(code))
        system.restrict_calls(filter)
    os.execv(program[0], program)
