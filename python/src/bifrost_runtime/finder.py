"""Finds workspace modules: the meta path finder, and the path hook behind packages' `__path__`."""

from __future__ import annotations

import sys
from importlib._bootstrap_external import _NamespacePath  # type: ignore[attr-defined]
from importlib.machinery import ModuleSpec, PathFinder

from .bundle import MODULE, NAMESPACE, PACKAGE, Entry
from .loader import WorkspaceLoader, WorkspaceNamespaceLoader
from .module_index import ORIGIN_PREFIX, ModuleIndex, workspace_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType
    from typing import Any

_INIT = len("/__init__.py")


class WorkspaceSpec(ModuleSpec):
    """A spec with a location and no cached file: there are no `.pyc` files in a workspace."""

    # `ModuleSpec` would make up a path below `__pycache__`, at a cost, for a file that cannot be.
    cached = None

    def __init__(self, name: str, loader: Any, entry: Entry) -> None:
        self.name = name
        self.loader = loader
        self.origin = origin = entry.origin
        self.loader_state = entry
        self.submodule_search_locations = [origin[:-_INIT]] if entry.kind == PACKAGE else None
        self._uninitialized_submodules: list[str] = []
        self._set_fileattr = True
        self._cached = None


class WorkspaceFinder:
    """Finds a module by its full name, before `PathFinder` looks at installed packages."""

    def __init__(self, index: ModuleIndex, loader: WorkspaceLoader) -> None:
        self.index = index
        self.loader = loader

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a workspace module. Does no input or output."""
        if path is not None and not _ours(path):
            return None  # below a package that is installed
        entry = self.index.find(name)
        if entry is None:
            return None
        if entry.kind == NAMESPACE:
            return self._namespace(name, path)
        return WorkspaceSpec(name, self.loader, entry)

    def _namespace(self, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
        # As everywhere in Python, a namespace yields to a module or package found anywhere else
        # on the path, and joins the portions found there.
        if path is None and name in sys.stdlib_module_names:
            return None
        portions = self.index.portions(name)
        elsewhere = None if path is None else [e for e in path if not e.startswith(ORIGIN_PREFIX)]
        if elsewhere != []:
            spec = PathFinder.find_spec(name, elsewhere)
            if spec is not None and spec.loader is not None:
                return spec
            if spec is not None and spec.submodule_search_locations is not None:
                portions += spec.submodule_search_locations
        return self._namespace_spec(name, portions)

    def _namespace_spec(self, name: str, portions: list[str]) -> ModuleSpec:
        spec = ModuleSpec(name, None, is_package=True)
        # CPython's own, which follows its parent's path and fails as files do where that is gone.
        spec.submodule_search_locations = _NamespacePath(name, portions, self._again)
        spec.loader = WorkspaceNamespaceLoader(spec.submodule_search_locations, self.index)
        return spec

    def _again(self, name: str, path: Sequence[str]) -> ModuleSpec | None:
        """The portions under a parent path that has changed, as CPython asks for them."""
        spec = self.find_spec(name, None if "." not in name else path)
        if isinstance(spec, WorkspaceSpec) or spec is None:
            return spec
        found = ModuleSpec(name, None, is_package=True)
        found.submodule_search_locations = list(spec.submodule_search_locations or ())
        return found

    def invalidate_caches(self) -> None:
        """Nothing to forget: a bundle never changes."""

    def iter_modules(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        """The top-level modules, for `pkgutil`."""
        return iter_directory(self.index, "", prefix)


class WorkspacePathFinder:
    """Finds modules in one virtual directory, for code that walks or changes `__path__`."""

    def __init__(self, index: ModuleIndex, loader: WorkspaceLoader, directory: str) -> None:
        self.index = index
        self.loader = loader
        self.directory = directory

    def find_spec(self, name: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec of the module of this last name in this directory."""
        inner = _module_name(self.directory, name.rpartition(".")[2])
        entry = self.index.find(inner)
        if entry is None:
            return None
        if entry.kind != NAMESPACE:
            return WorkspaceSpec(name, self.loader, entry)
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = self.index.portions(inner)
        return spec

    def invalidate_caches(self) -> None:
        """Nothing to forget: a bundle never changes."""

    def iter_modules(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        """The modules in this directory, for `pkgutil`."""
        return iter_directory(self.index, self.directory, prefix)


def iter_directory(index: ModuleIndex, directory: str, prefix: str) -> Iterator[tuple[str, bool]]:
    """Names and whether they are packages, in the order and by the rules of `pkgutil`."""
    # Sorted without the slash, as a directory listing is: `a` before `a.py` before `ab`.
    for name in sorted(index.list_directory(directory) or (), key=lambda each: each.rstrip("/")):
        is_file = name.endswith(".py")
        stem = name[:-3] if is_file else name[:-1]
        if stem == "__init__" or not (is_file or name.endswith("/")):
            continue
        entry = index.find(_module_name(directory, stem))
        if entry is not None and entry.kind == (MODULE if is_file else PACKAGE):
            yield prefix + stem, not is_file


def _module_name(directory: str, stem: str) -> str:
    return f"{directory.replace('/', '.')}.{stem}" if directory else stem


def _ours(path: Sequence[str]) -> bool:
    for each in path:  # not `any`: this runs once for each submodule imported
        if isinstance(each, str) and each.startswith(ORIGIN_PREFIX):
            return True
    return False


def install(index: ModuleIndex) -> WorkspaceLoader:
    """Make the workspace importable in this process, before anything installed."""
    loader = WorkspaceLoader(index)
    # In front of everything: a top-level name of the standard library is never in a bundle.
    sys.meta_path.insert(0, WorkspaceFinder(index, loader))

    def hook(location: str) -> WorkspacePathFinder:
        path = workspace_path(location)
        if path is None:
            raise ImportError("not a workspace location", path=location)
        return WorkspacePathFinder(index, loader, path)

    sys.path_hooks.insert(0, hook)
    return loader
