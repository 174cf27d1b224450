"""Importing 100 workspace modules in a forked child, against CPython's own import from disk.

Each round forks one child for each way, in a shuffled order, from one process that has the
runtime loaded. The collector is off in all of them, as a run has it while it imports. The ways
differ only in where code comes from:

- cpython       warm `.pyc` files of the same tree in a directory on `sys.path`
- bifrost       code objects unmarshalled from the bundles, which the child maps first
- bifrost-warm  code objects of Global that the zygote holds ready
- cache         a finder that asks a cache for each module: the organization's key, then Global's
- cache-own     the same where the first answer is the module
- floor         unmarshal and execute each module's code, without an import system
"""

from __future__ import annotations

import compileall
import gc
import marshal
import os
import random
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import CodeType, ModuleType

_PYTHON = Path(__file__).resolve().parent.parent / "python"
sys.path[:0] = [str(_PYTHON / "src"), str(_PYTHON)]

from bifrost_runtime import finder, loader  # noqa: E402
from bifrost_runtime.bundle import Bundle, Codes, map_descriptor  # noqa: E402
from bifrost_runtime.module_index import ModuleIndex  # noqa: E402
from cache_finder import GLOBAL, OWN, Cache, CacheFinder  # noqa: E402
from figures import Figure  # noqa: E402
from module_tree import packages  # noqa: E402
from tests.bundle_writer import Scope, memory_file, write_bundle, write_codes  # noqa: E402

BOUND = 0.6


class Ways:
    """The prepared state, and the ways to import it; each way is for a child of its own."""

    def __init__(self, modules: int, folder: str, stack: ExitStack) -> None:
        files = packages(modules)
        self.folder = folder
        self.names = _names(files)
        self.scopes = [Scope.of("acme", {"acme_only.py": b""}), Scope.of("global", files)]
        self.descriptors = [
            (memory_file(write_bundle(scope)), memory_file(write_codes(scope)))
            for scope in self.scopes
        ]
        self._write(files)
        self.warm = self._hold_ready()
        self.marshalled = [(name, marshal.dumps(code)) for name, code in self.warm]
        known = {name: (path, files[path]) for path, name in _by_path(files).items()}
        self.shared = stack.enter_context(Cache(folder, GLOBAL, known))
        self.own = stack.enter_context(Cache(folder, OWN, known))

    def _write(self, files: dict[str, bytes]) -> None:
        for path, content in files.items():
            file = Path(self.folder, "tree", path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        compileall.compile_dir(Path(self.folder, "tree"), quiet=1)

    def _map(self) -> ModuleIndex:
        """As a run's child maps its bundles."""
        bundles = []
        for scope, (entries, codes) in zip(self.scopes, self.descriptors):
            bundle = Bundle(map_descriptor(entries), scope.slug)
            bundle.codes = Codes(map_descriptor(codes), bundle)
            bundles.append(bundle)
        return ModuleIndex(tuple(bundles))

    def _hold_ready(self) -> list[tuple[str, CodeType]]:
        index, found = self._map(), []
        for name in self.names:
            entry = index.find(name)
            assert entry is not None and entry.bundle.codes is not None
            code = entry.bundle.codes.load(entry.number)
            assert code is not None
            loader.warm[(entry.origin, entry.hash())] = code
            found.append((name, code))
        return found

    def cpython(self) -> float:
        """From a directory."""
        started = time.perf_counter()
        sys.path.insert(0, str(Path(self.folder, "tree")))
        return self._import(started)

    def bifrost(self) -> float:
        """From the bundles."""
        loader.warm.clear()
        return self.bifrost_warm()

    def bifrost_warm(self) -> float:
        """From code objects held ready."""
        started = time.perf_counter()
        finder.install(self._map())
        return self._import(started)

    def cache(self) -> float:
        """From the cache, which has nothing under the organization's keys."""
        return self._ask(self.shared)

    def cache_own(self) -> float:
        """From the cache, which has everything under the organization's keys."""
        return self._ask(self.own)

    def _ask(self, cache: Cache) -> float:
        connected = CacheFinder(cache.address)
        started = time.perf_counter()
        sys.meta_path.insert(0, connected)
        return self._import(started)

    def floor(self) -> float:
        """Without an import system."""
        started = time.perf_counter()
        for name, data in self.marshalled:
            module = ModuleType(name)
            exec(marshal.loads(data), module.__dict__)
        return time.perf_counter() - started

    def _import(self, started: float) -> float:
        for name in self.names:
            __import__(name)
        seconds = time.perf_counter() - started
        assert all(name in sys.modules for name in self.names)
        return seconds


def measure(quick: bool) -> list[Figure]:
    """Medians, and ratios of CPython's."""
    rounds, modules = (3, 20) if quick else (31, 100)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        times = _rounds(Ways(modules, folder, stack), rounds)
    medians = {name: statistics.median(each) for name, each in times.items()}
    figures = [
        Figure(
            f"{modules} modules: {name} / cpython",
            medians[name] / medians["cpython"],
            "ratio",
            rounds,
            BOUND if name == "bifrost" else None,
        )
        for name in medians
        if name != "cpython"
    ]
    times_taken = [
        Figure(f"{modules} modules: {name}, p50", seconds * 1000, "ms", rounds)
        for name, seconds in medians.items()
    ]
    return figures + times_taken


def _rounds(ways: Ways, rounds: int) -> dict[str, list[float]]:
    """The seconds of each way in each round."""
    all_ways: dict[str, Callable[[], float]] = {
        "bifrost": ways.bifrost,
        "bifrost-warm": ways.bifrost_warm,
        "cpython": ways.cpython,
        "cache": ways.cache,
        "cache-own": ways.cache_own,
        "floor": ways.floor,
    }
    _touch_import_system()
    gc.collect()
    gc.freeze()
    times: dict[str, list[float]] = {name: [] for name in all_ways}
    order = list(all_ways)
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            times[name].append(_in_child(all_ways[name]))
    gc.unfreeze()
    return times


def _touch_import_system() -> None:
    """As the zygote has."""
    for name in ("zzz_nothing", "encodings.zzz"):
        try:
            __import__(name)
        except ImportError:
            pass


def _in_child(way: Callable[[], float]) -> float:
    """The seconds one way takes in a fresh child."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            gc.disable()
            os.write(writer, repr(way()).encode())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writer)
    text = os.read(reader, 100)
    os.close(reader)
    os.waitpid(pid, 0)
    return float(text)


def _by_path(files: dict[str, bytes]) -> dict[str, str]:
    """The module's name for each path."""
    return {path: path[:-3].removesuffix("/__init__").replace("/", ".") for path in files}


def _names(files: dict[str, bytes]) -> list[str]:
    """The modules' names, packages first."""
    return sorted(_by_path(files).values(), key=lambda name: (name.count("."), name))
