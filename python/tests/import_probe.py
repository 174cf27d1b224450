"""What the differential test looks at: runs the same in a process of CPython's and of Bifrost's."""

from __future__ import annotations

import builtins
import doctest
import importlib
import importlib.resources
import importlib.util
import inspect
import linecache
import pickle
import pkgutil
import random
import runpy
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .import_cases import Case

_LOADERS = {
    "SourceFileLoader": "source",
    "WorkspaceLoader": "source",
    "NamespaceLoader": "namespace",
    "_NamespaceLoader": "namespace",
    "WorkspaceNamespaceLoader": "namespace",
    "NoneType": "namespace",  # CPython puts the loader in only when it loads
}


def observe(case: Case) -> list[Any]:
    """Every fact about importing the case's names, in order."""
    seen: list[str] = []
    setattr(builtins, "SEEN", seen)
    rng = random.Random(case.seed + 1)
    found: list[Any] = []
    for name in case.names:
        if rng.random() < 0.2:
            found.append(
                ("find_spec", name, _attempt(lambda: _spec(importlib.util.find_spec(name))))
            )
        found.append(("import", name, _attempt(lambda: _module(importlib.import_module(name)))))
    found.append(("order", list(seen)))
    modules = [name for name in case.names if name in sys.modules]
    found.append(("modules", modules))
    for name in modules:
        found.append(("attributes", name, _attempt(lambda: _attributes(sys.modules[name], case))))
        for action in (_walk, _resources, _get_data, _source, _pickle, _doctest):
            if rng.random() < 0.4:
                found.append((action.__name__, name, _attempt(lambda: action(name))))
    for name in rng.sample(modules, min(2, len(modules))):
        found.append(
            ("reload", name, _attempt(lambda: _module(importlib.reload(sys.modules[name]))))
        )
    for name in rng.sample(case.names, 2):
        found.append(("runpy", name, _attempt(lambda: _run(name))))
    found.append(("top", sorted(n for _, n, _ in pkgutil.iter_modules() if n in case.names)))
    found.append(("order", list(seen)))
    return found


def _attempt(action: Callable[[], Any]) -> Any:
    try:
        return action()
    except BaseException as error:
        facts = [type(error).__name__, str(error), getattr(error, "name", None)]
        if isinstance(error, SyntaxError):
            facts += [error.filename, error.lineno, error.offset, error.text]
        elif isinstance(error, ImportError) or type(error) in (ValueError, ZeroDivisionError):
            trace = traceback.extract_tb(error.__traceback__)
            # Frames of this file and of importlib's Python parts are the same in both.
            facts.append([(f.filename, f.lineno, f.name, f.line) for f in trace][3:])
            facts.append(getattr(error, "path", None))
        return ("raised", *facts)


def _spec(spec: Any) -> Any:
    if spec is None:
        return None
    locations = spec.submodule_search_locations
    return {
        "name": spec.name,
        "parent": spec.parent,
        "origin": spec.origin,
        "has_location": spec.has_location,
        "locations": None if locations is None else [str(each) for each in locations],
        "loader": _LOADERS[type(spec.loader).__name__],
    }


def _module(module: ModuleType) -> Any:
    facts = {
        "spec": _spec(module.__spec__),
        "file": getattr(module, "__file__", "absent"),
        "package": module.__package__,
        "name": module.__name__,
        "path": [str(each) for each in getattr(module, "__path__", ())],
        "same loader": module.__spec__ is not None and module.__loader__ is module.__spec__.loader,
    }
    if getattr(module, "__file__", None):
        facts["repr"] = repr(module)
    return facts


def _attributes(module: ModuleType, case: Case) -> Any:
    found = {}
    for name, value in sorted(vars(module).items()):
        if name in ("__builtins__", "__cached__", "__file__", "__path__", "__loader__", "__spec__"):
            continue
        if isinstance(value, ModuleType):
            found[name] = "module " + value.__name__
        elif callable(value):
            found[name] = f"callable {value.__module__}.{value.__qualname__}"
        else:
            found[name] = repr(value)
    return found


def _walk(name: str) -> Any:
    path = sys.modules[name].__path__
    direct = [(n, p) for _, n, p in pkgutil.iter_modules(path, name + ".")]
    return direct, [(n, p) for _, n, p in pkgutil.walk_packages(path, name + ".", lambda n: None)]


def _resources(name: str) -> Any:
    root: Any = importlib.resources.files(name)
    found: list[Any] = []
    pending = [root]
    while pending:
        here = pending.pop()
        for each in sorted(here.iterdir(), key=lambda item: item.name):
            # A package that a module replaces keeps its `__init__.py` as a file; the layout for
            # CPython has to take it away.
            if each.name in ("__pycache__", "__init__.py"):
                continue
            found.append((each.name, each.is_dir(), each.is_file()))
            if each.is_dir():
                pending.append(each)
            else:
                found.append(each.read_bytes().hex())
    for inner in ("data.txt", "files/inner.bin", "nothing.txt", "files"):
        found.append(_attempt_text(lambda: root.joinpath(inner).read_text(encoding="latin-1")))
    found.append(_attempt_text(lambda: root.joinpath("data.txt").open("r", newline="").read()))
    return found


def _attempt_text(action: Callable[[], str]) -> Any:
    try:
        return action()
    except OSError as error:
        return type(error).__name__, error.errno, str(error)


def _get_data(name: str) -> Any:
    data = pkgutil.get_data(name, "data.txt")
    return None if data is None else data.decode()


def _source(name: str) -> Any:
    module: Any = sys.modules[name]
    tell = getattr(module, "tell", None)
    return (
        inspect.getsource(module),
        tell and inspect.getsource(tell),
        inspect.getsourcefile(module),
        linecache.getline(module.__file__ or "", 1, module.__dict__),
        module.__loader__.get_source(name) if module.__loader__ else None,
    )


def _pickle(name: str) -> Any:
    thing = sys.modules[name].Thing(3)
    copy = pickle.loads(pickle.dumps(thing))
    return type(copy) is type(thing), copy.n


def _doctest(name: str) -> Any:
    tests = doctest.DocTestFinder().find(sys.modules[name])
    return [(test.name, test.filename, test.lineno, len(test.examples)) for test in tests]


def _run(name: str) -> Any:
    result = runpy.run_module(name, run_name="probe")
    facts = sorted((key, value) for key, value in result.items() if isinstance(value, (str, tuple)))
    return [fact for fact in facts if fact[0] != "__cached__"]  # there are no cached files
