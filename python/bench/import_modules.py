"""Importing 100 workspace modules in a forked child, against CPython's own import from disk.

    python3 python/bench/import_modules.py [--rounds N] [--modules N] [--json]

Each round forks one child for each way, in turn, from one process that holds what a zygote
holds. The ways differ only in where code comes from:

- cpython       warm `.pyc` files of the same tree in a directory on `sys.path`
- bifrost       code objects unmarshalled from the mapped bundle
- bifrost-warm  code objects held ready by the zygote
- floor         unmarshal and execute each module's code, without an import system

The collector is off in all of them, as a run has it while it imports; `cpython-gc` is CPython's
way with the collector on.
"""

from __future__ import annotations

import argparse
import gc
import json
import marshal
import mmap
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType

_HERE = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(_HERE / "src"), str(_HERE)]

from bifrost_runtime import finder, loader  # noqa: E402
from bifrost_runtime.bundle import Bundle, Codes, map_descriptor  # noqa: E402
from bifrost_runtime.module_index import ModuleIndex  # noqa: E402
from tests.bundle_writer import Scope, memory_file, write_bundle, write_codes  # noqa: E402

Way = Callable[[], None]


def module_source(number: int) -> str:
    """About sixty lines as people write them: constants, functions, a class."""
    lines = [
        f'"""Module {number} of the benchmark."""',
        "",
        f"LIMIT = {number}",
        'NAMES = ("first", "second", "third")',
        f'URL = "https://example.test/{number}"',
        "",
    ]
    for index in range(5):
        lines += [
            f"def step_{index}(items, limit=LIMIT, *, strict=False):",
            f'    """Step {index}."""',
            "    found = []",
            "    for position, item in enumerate(items):",
            "        if strict and item is None:",
            f'            raise ValueError(f"nothing at {{position}} in step {index}")',
            "        if position >= limit:",
            "            break",
            "        found.append((position, item))",
            "    return found",
            "",
        ]
    lines += [
        f"class Client{number}:",
        '    """Talks to nothing."""',
        "",
        "    retries = 3",
        "",
        "    def __init__(self, url=URL):",
        "        self.url = url",
        "        self.calls = 0",
        "",
        "    def call(self, path):",
        "        self.calls += 1",
        '        return f"{self.url}/{path}"',
        "",
        "    @property",
        "    def busy(self):",
        "        return self.calls > 0",
    ]
    return "\n".join(lines) + "\n"


def tree(modules: int) -> dict[str, bytes]:
    """Ten packages that share the modules."""
    files = {f"pack{number}/__init__.py": b"" for number in range(10)}
    for number in range(modules - len(files)):
        files[f"pack{number % 10}/mod{number}.py"] = module_source(number).encode()
    return files


def names_of(files: dict[str, bytes]) -> list[str]:
    """The modules' names, packages first."""
    names = [path[:-3].removesuffix("/__init__").replace("/", ".") for path in files]
    return sorted(names, key=lambda name: (name.count("."), name))


class Bench:
    """The prepared state, and the ways to measure."""

    def __init__(self, modules: int, folder: str) -> None:
        self.files = tree(modules)
        self.names = names_of(self.files)
        self.folder = folder
        self._write(folder)
        acme = Scope.of("acme", {"acme_only.py": b""})
        shared = Scope.of("global", self.files)
        self.bundles = [self._map(acme), self._map(shared)]
        self.codes = write_codes(shared)
        for name in self.names:
            entry = self.bundles[1].find_module(name.encode())
            assert entry is not None and self.bundles[1].codes is not None
            code = self.bundles[1].codes.load(entry.number)
            assert code is not None
            loader.warm[(entry.origin, entry.hash())] = code
        self.floor_codes = [self._marshalled(name) for name in self.names]
        self.floor_memory = self._floor_memory()

    def _write(self, folder: str) -> None:
        import compileall

        for path, content in self.files.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        compileall.compile_dir(folder, quiet=1)

    @staticmethod
    def _map(scope: Scope) -> Bundle:
        bundle = Bundle(map_descriptor(memory_file(write_bundle(scope))), scope.slug)
        bundle.codes = Codes(map_descriptor(memory_file(write_codes(scope))), bundle)
        return bundle

    def _marshalled(self, name: str) -> bytes:
        entry = self.bundles[1].find_module(name.encode())
        assert entry is not None
        return marshal.dumps(loader.warm[(entry.origin, entry.hash())])

    def _floor_memory(self) -> list[tuple[str, memoryview]]:
        memory: mmap.mmap = map_descriptor(memory_file(b"".join(self.floor_codes)))
        view, at, found = memoryview(memory), 0, []
        for name, code in zip(self.names, self.floor_codes):
            found.append((name, view[at : at + len(code)]))
            at += len(code)
        return found

    def cpython(self) -> None:
        """From a directory."""
        sys.path.insert(0, self.folder)
        self._import()

    def cpython_gc(self) -> None:
        """From a directory, with the collector on."""
        gc.enable()
        self.cpython()

    def bifrost(self) -> None:
        """From the bundle."""
        loader.warm.clear()
        self.bifrost_warm()

    def bifrost_warm(self) -> None:
        """From code objects held ready."""
        finder.install(ModuleIndex(tuple(self.bundles)))
        self._import()

    def floor(self) -> None:
        """Without an import system."""
        started = time.perf_counter()
        for name, data in self.floor_memory:
            code: CodeType = marshal.loads(data)
            module = ModuleType(name)
            exec(code, module.__dict__)
        self.seconds = time.perf_counter() - started

    def _import(self) -> None:
        started = time.perf_counter()
        for name in self.names:
            __import__(name)
        self.seconds = time.perf_counter() - started

    def measure(self, way: Way) -> float:
        """The seconds one way takes in a fresh child."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                gc.disable()
                way()
                os.write(writer, repr(self.seconds).encode())
            finally:
                os._exit(0)
        os.close(writer)
        text = os.read(reader, 100)
        os.close(reader)
        os.waitpid(pid, 0)
        return float(text)


def run(rounds: int, modules: int) -> dict[str, object]:
    """All rounds; medians in milliseconds and as ratios of CPython's."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(modules, folder)
        ways: dict[str, Way] = {
            "cpython": bench.cpython,
            "cpython-gc": bench.cpython_gc,
            "bifrost": bench.bifrost,
            "bifrost-warm": bench.bifrost_warm,
            "floor": bench.floor,
        }
        for name in ("zzz_nothing", "pack0.zzz"):  # touch the import system, as the zygote does
            try:
                __import__(name)
            except ImportError:
                pass
        gc.collect()
        gc.freeze()
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                times[name].append(bench.measure(way) * 1000)
    base = statistics.median(times["cpython"])
    results = {
        name: {
            "median_ms": round(statistics.median(each), 3),
            "fastest_ms": round(min(each), 3),
            "ratio": round(statistics.median(each) / base, 3),
        }
        for name, each in times.items()
    }
    return {"modules": modules, "rounds": rounds, "machine": machine(), "ways": results}


def machine() -> str:
    """Interpreter and processor."""
    model = platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python}, {model}, {os.cpu_count()} cores"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--modules", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = run(options.rounds, options.modules)
    if options.json:
        print(json.dumps(report))
        return
    print(f"{report['modules']} modules, medians of {report['rounds']} rounds, {report['machine']}")
    print(f"{'way':14}{'median ms':>12}{'fastest ms':>12}{'ratio':>8}")
    ways = report["ways"]
    assert isinstance(ways, dict)
    for name, each in ways.items():
        print(f"{name:14}{each['median_ms']:12.3f}{each['fastest_ms']:12.3f}{each['ratio']:8.2f}")


if __name__ == "__main__":
    main()
