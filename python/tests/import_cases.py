"""Generates pairs of trees for the differential test, and lays them out by the cascade's rule."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

Tree = dict[str, bytes]
NAMES = ("pa", "pb", "mc", "md")


@dataclass
class Case:
    """Two trees and what to do with them, all made from one seed."""

    seed: int
    organization: Tree | None = None
    shared: Tree = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    compiled: bool = True


def layout(organization: Tree | None, shared: Tree) -> Tree:
    """One directory with the organization's tree over Global's.

    Written without regard to how the runtime does it. Where the organization has a module and
    Global a package of the same name, the package is taken away: in one directory it would win.
    """
    own = organization or {}
    merged = {**shared, **own}
    for path in own:
        package = path.removesuffix(".py") + "/__init__.py"
        if path.endswith(".py") and package not in own:
            merged.pop(package, None)
    return merged


def generate(seed: int) -> Case:
    """The case of a seed."""
    rng = random.Random(seed)
    universe = _universe(rng)
    case = Case(seed, None, _tree(rng, universe, "global"))
    if rng.random() < 0.9:
        case.organization = _tree(rng, universe, "acme", 0.35)
    case.compiled = rng.random() < 0.7
    case.names = universe[:]
    rng.shuffle(case.names)
    case.names.insert(rng.randrange(len(case.names) + 1), "zz_missing")
    case.names.insert(rng.randrange(len(case.names) + 1), universe[0] + ".missing")
    return case


def _universe(rng: random.Random) -> list[str]:
    """Dotted names, up to three deep."""
    names = list(NAMES)
    for parent in NAMES:
        for child in rng.sample(NAMES, rng.randint(0, 3)):
            names.append(f"{parent}.{child}")
            if rng.random() < 0.4:
                names.append(f"{parent}.{child}.{rng.choice(NAMES)}")
    return names


def _tree(rng: random.Random, universe: list[str], scope: str, share: float = 0.7) -> Tree:
    tree: Tree = {}
    for name in universe:
        if rng.random() > share:
            continue
        base = name.replace(".", "/")
        form = rng.random()
        if form < 0.45:
            paths = [f"{base}.py"]
        elif form < 0.8:
            paths = [f"{base}/__init__.py"]
        elif form < 0.9:
            paths = [f"{base}.py", f"{base}/__init__.py"]
        else:
            paths = [f"{base}/deep/note.txt"]  # a namespace without a module
        for path in paths:
            tree[path] = (
                b"data" if path.endswith(".txt") else _module(rng, universe, name, path, scope)
            )
        if rng.random() < 0.3:
            tree[f"{base}/data.txt"] = f"{scope} {base} data\r\n".encode()
        if rng.random() < 0.15:
            tree[f"{base}/files/inner.bin"] = scope.encode() + bytes([0, 255])
    return tree


def _module(rng: random.Random, universe: list[str], name: str, path: str, scope: str) -> bytes:
    lines = [
        f'"""{path} of {scope}"""',
        "import builtins",
        "builtins.SEEN.append(__name__)",
        f"WHERE = {scope + ':' + path!r}",
        "FACTS = (__name__, __package__, __doc__, '__path__' in globals())",
        f"def tell():\n    # in {scope}\n    return WHERE, {rng.randrange(1000)}",
        "class Thing:\n    '''\n    >>> 1 + 1\n    2\n    '''\n"
        "    def __init__(self, n): self.n = n",
    ]
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        statement = rng.choice(STATEMENTS)(rng, universe, name)
        if rng.random() < 0.6:
            statement = _guarded(statement)
        lines.insert(rng.randint(2, len(lines)), statement)
    return ("\n".join(lines) + "\n").encode()


def _guarded(statement: str) -> str:
    body = "\n    ".join(statement.split("\n"))
    return (
        f"try:\n    {body}\nexcept BaseException as e:\n"
        "    CAUGHT = (type(e).__name__, str(e), getattr(e, 'name', None))"
    )


Statement = Callable[[random.Random, list[str], str], str]


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _pick(rng: random.Random, universe: list[str]) -> str:
    return rng.choice(universe) if rng.random() < 0.9 else "zz.nothing"


def _from(rng: random.Random, universe: list[str], name: str) -> str:
    parent, _, last = _pick(rng, universe).rpartition(".")
    return f"from {parent or '.'} import {last} as X{rng.randrange(3)}"


def _relative(rng: random.Random, universe: list[str], name: str) -> str:
    dots = "." * rng.randint(1, 3)
    inner = rng.choice((*NAMES, ""))
    return f"from {dots}{inner} import {rng.choice((*NAMES, 'WHERE', 'missing'))} as R"


def _shadow(rng: random.Random, universe: list[str], name: str) -> str:
    return f"{rng.choice(NAMES)} = 'shadows a submodule'"


def _all(rng: random.Random, universe: list[str], name: str) -> str:
    chosen = rng.sample((*NAMES, "WHERE", "tell", "_hidden", "missing"), rng.randint(1, 4))
    return f"_hidden = 1\n__all__ = {chosen!r}"


STATEMENTS: tuple[Statement, ...] = (
    lambda r, u, n: f"import {_pick(r, u)}",
    lambda r, u, n: f"import {_pick(r, u)} as ALIAS",
    _from,
    _from,
    _relative,
    _relative,
    lambda r, u, n: f"from {_pick(r, u)} import *",
    lambda r, u, n: f"from {_pick(r, u)} import WHERE as OTHER, tell as other_tell",
    lambda r, u, n: f"from {_pick(r, u)} import missing_name",
    _shadow,
    _all,
    lambda r, u, n: "raise ValueError('on import of ' + __name__)",
    lambda r, u, n: "raise ImportError('by hand', name=__name__)",
    lambda r, u, n: "1 / 0",
    lambda r, u, n: "def broken(:\n    pass" if r.random() < 0.3 else "BROKEN = False",
    lambda r, u, n: (
        "import sys\nsys.modules[__name__] = type(sys)('replaced')"
        if r.random() < 0.3
        else "REPLACED = False"
    ),
    # Not of a package: CPython's own namespaces below it would need it.
    lambda r, u, n: (
        "import sys\nif '__path__' not in globals(): del sys.modules[__name__]"
        if r.random() < 0.2
        else "GONE = False"
    ),
    lambda r, u, n: (
        "def __getattr__(name):\n"
        "    if name.startswith('lazy'):\n        return name\n    raise AttributeError(name)"
    ),
    lambda r, u, n: (
        f"import importlib\nDYNAMIC = importlib.import_module({_pick(r, u)!r}).__name__"
    ),
    lambda r, u, n: (
        f"import importlib\nREL = importlib.import_module('.{_last(r.choice(u))}',"
        " __package__).__name__"
    ),
    lambda r, u, n: "import sys\nMAIN = sys.modules[__name__].__spec__._initializing",
)
