"""The workflow that tries one attack of the table."""

import importlib

from attacks import run
from bifrost import workflow


@workflow
def attack(name: str, bait: dict) -> dict:
    """Try it, in this run."""
    importlib.import_module("attacks." + name.partition(".")[0])
    return run(name, bait)


@workflow(timeout=4)
def attack_for_ever(name: str, bait: dict) -> dict:
    """The same with less time, for what would go on."""
    return attack(name, bait)
