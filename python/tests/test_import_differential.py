"""Importing through Bifrost against CPython on one directory, for generated pairs of trees.

`BIFROST_IMPORT_CASES` is how many (300; a full run takes 5000), `BIFROST_IMPORT_SEED` the first
seed; a failure names the one to run again with `BIFROST_IMPORT_CASES=1`.
"""

from __future__ import annotations

import gc
import json
import os
import random
import re
import shutil
import sys
import tempfile
import traceback
import unittest
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bifrost_runtime import finder
from bifrost_runtime.bundle import Bundle, Codes
from bifrost_runtime.module_index import ModuleIndex

from .bundle_writer import Scope, write_bundle, write_codes
from .import_cases import Case, generate, layout
from .import_probe import observe

_ORIGIN = re.compile(r"bifrost://(?:acme|global)")
_TWO_PORTIONS = re.compile(r"('ROOT[^']*'), \1")  # of a namespace, one for each scope
_NAMESPACE_LOADER = re.compile(r"<[\w.]*NamespaceLoader object at 0x[0-9a-f]+>")


class Differential(unittest.TestCase):
    """Both outcomes, case by case."""

    def test_generated_cases(self) -> None:
        cases = int(os.environ.get("BIFROST_IMPORT_CASES", "300"))
        first = int(os.environ.get("BIFROST_IMPORT_SEED", str(random.randrange(1 << 32))))
        print(f"import cases: {cases} from seed {first}", file=sys.stderr)
        gc.collect()
        gc.freeze()
        failed = []
        for seed in range(first, first + cases):
            case = generate(seed)
            difference = compare(case)
            if difference:
                failed.append(f"seed {seed}: {difference}")
                if len(failed) == 5:
                    break
        gc.unfreeze()
        if failed:
            self.fail("\n\n".join(failed))


def compare(case: Case) -> str | None:
    """The first difference between the two outcomes."""
    folder = tempfile.mkdtemp(prefix="bifrost-import-")
    try:
        expected = _forked(lambda: _cpython(case, folder))
        actual = _forked(lambda: _bifrost(case))
    finally:
        shutil.rmtree(folder)
    if isinstance(expected, str) or isinstance(actual, str):
        return f"CPython: {str(expected)[:3000]}\nBifrost: {str(actual)[:3000]}"
    canonical = [[_canonical(each, folder) for each in outcome] for outcome in (expected, actual)]
    for left, right in zip(*canonical):
        if _beyond_comparison(left):
            return None
        if left != right:
            trees = f"acme: {sorted(case.organization or {})}\nglobal: {sorted(case.shared)}"
            return f"\nCPython: {str(left)[:3000]}\nBifrost: {str(right)[:3000]}\n{trees}"
    return None if len(canonical[0]) == len(canonical[1]) else "different lengths"


def _beyond_comparison(fact: Any) -> bool:
    """Whether CPython ended in a way that what follows depends on its own inner workings.

    Where a recursion error strikes depends on the frames already there; one that was caught shows
    in a module having run some hundred times.
    """
    ran = fact[1] if fact[0] == "order" else []
    return "'RecursionError'" in str(fact) or len(ran) > 100


def _canonical(fact: Any, folder: str) -> Any:
    if isinstance(fact, dict):
        plain = {key: _canonical(each, folder) for key, each in fact.items()}
        for key in ("locations", "path"):  # a namespace names one directory for each scope
            if isinstance(plain.get(key), list):
                plain[key] = sorted(set(plain[key]))
        return plain
    if isinstance(fact, list):
        return [_canonical(each, folder) for each in fact]
    if isinstance(fact, str):
        fact = fact.replace("WorkspaceSpec", "ModuleSpec")
        fact = _ORIGIN.sub("ROOT", fact.replace(folder, "ROOT"))
        return _NAMESPACE_LOADER.sub("LOADER", _TWO_PORTIONS.sub(r"\1", fact))
    return fact


def _forked(action: Callable[[], list[Any]]) -> Any:
    """What the action returns in a fork of this process, by way of JSON."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            warnings.simplefilter("ignore")
            text = json.dumps(action())
        except BaseException:
            text = json.dumps(traceback.format_exc())
        with os.fdopen(writer, "w") as file:
            file.write(text)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def _cpython(case: Case, folder: str) -> list[Any]:
    for path, content in layout(case.organization, case.shared).items():
        file = Path(folder, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    for path in set(case.shared) - set(layout(case.organization, case.shared)):
        Path(folder, path).parent.mkdir(parents=True, exist_ok=True)  # the directory stays
    sys.dont_write_bytecode = True
    sys.path.insert(0, folder)
    return observe(case)


def _bifrost(case: Case) -> list[Any]:
    bundles = []
    for slug, label, tree in (
        ("acme", "org", case.organization),
        ("global", "global", case.shared),
    ):
        if tree is not None:
            scope = Scope.of(slug, tree)
            bundle = Bundle(write_bundle(scope), label)
            bundle.codes = Codes(write_codes(scope, case.compiled), bundle)
            bundles.append(bundle)
    finder.install(ModuleIndex(tuple(bundles)))
    return observe(case)


if __name__ == "__main__":
    unittest.main()
