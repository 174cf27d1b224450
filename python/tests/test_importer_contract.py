"""CPython's own contract tests for finders and loaders, from its `test` package.

Where an interpreter comes without that package, `importer_contract` has the same contracts,
written afresh, and they are what runs.
"""

from __future__ import annotations

import sys
import unittest
from typing import TYPE_CHECKING, Any

from bifrost_runtime import finder
from bifrost_runtime.bundle import Bundle, Codes
from bifrost_runtime.loader import WorkspaceLoader
from bifrost_runtime.module_index import ModuleIndex

from .bundle_writer import Scope, write_bundle, write_codes

if TYPE_CHECKING:
    from .importer_contract import FinderTests, LoaderTests
else:
    try:
        from test.test_importlib.abc import FinderTests, LoaderTests
    except ImportError:
        print("the `test` package is absent: our own contract tests run", file=sys.stderr)
        from .importer_contract import FinderTests, LoaderTests

ACME = {"mod.py": b"attr = 'acme'\n", "fails.py": b"attr = 1\nraise ZeroDivisionError\n"}
SHARED = {
    "mod.py": b"attr = 'global'\n",
    "pack/__init__.py": b"attr = 'pack'\n",
    "pack/inner.py": b"from . import attr\n",
}


def _index() -> ModuleIndex:
    bundles = []
    for slug, tree in (("acme", ACME), ("global", SHARED)):
        scope = Scope.of(slug, tree)
        bundle = Bundle(write_bundle(scope), "org" if slug == "acme" else slug)
        bundle.codes = Codes(write_codes(scope), bundle)
        bundles.append(bundle)
    return ModuleIndex(tuple(bundles))


class Finder(FinderTests, unittest.TestCase):
    """What a meta path finder has to do."""

    def setUp(self) -> None:
        index = _index()
        self.finder: Any = finder.WorkspaceFinder(index, WorkspaceLoader(index))

    def test_module(self) -> None:
        spec = self.finder.find_spec("mod")
        self.assertEqual((spec.name, spec.origin), ("mod", "bifrost://acme/mod.py"))
        self.assertTrue(spec.has_location)
        self.assertIsNone(spec.submodule_search_locations)

    def test_package(self) -> None:
        spec = self.finder.find_spec("pack")
        self.assertEqual(spec.submodule_search_locations, ["bifrost://global/pack"])
        self.assertEqual(spec.parent, "pack")

    def test_module_in_package(self) -> None:
        spec = self.finder.find_spec("pack.inner", ["bifrost://global/pack"])
        self.assertEqual(spec.parent, "pack")

    def test_package_in_package(self) -> None:
        self.assertIsNone(self.finder.find_spec("pack.nothing", ["bifrost://global/pack"]))

    def test_package_over_module(self) -> None:
        scope = Scope.of("acme", {"both.py": b"", "both/__init__.py": b""})
        index = ModuleIndex((Bundle(write_bundle(scope), "org"),))
        found = finder.WorkspaceFinder(index, WorkspaceLoader(index)).find_spec("both")
        assert found is not None
        self.assertIsNotNone(found.submodule_search_locations)

    def test_failure(self) -> None:
        self.assertIsNone(self.finder.find_spec("nothing"))
        self.assertIsNone(self.finder.find_spec("\ud800"))

    def test_below_an_installed_package(self) -> None:
        self.assertIsNone(self.finder.find_spec("pack.inner", ["/usr/lib/python3/pack"]))


class Loader(LoaderTests, unittest.TestCase):
    """What a loader has to do."""

    def setUp(self) -> None:
        for name in ("mod", "fails", "pack", "pack.inner"):
            sys.modules.pop(name, None)
            self.addCleanup(sys.modules.pop, name, None)
        path, hooks = sys.meta_path[:], sys.path_hooks[:]
        self.loader = finder.install(_index())
        self.addCleanup(sys.meta_path.__setitem__, slice(None), path)
        self.addCleanup(sys.path_hooks.__setitem__, slice(None), hooks)

    def _facts(self, name: str) -> Any:
        module: Any = __import__(name, fromlist=["x"])
        self.assertIs(module.__loader__, self.loader)
        self.assertIs(sys.modules[name], module)
        self.assertIs(module.__spec__.loader, self.loader)
        return module

    def test_module(self) -> None:
        module = self._facts("mod")
        self.assertEqual((module.attr, module.__package__), ("acme", ""))
        self.assertEqual(module.__file__, "bifrost://acme/mod.py")
        self.assertFalse(hasattr(module, "__cached__"))

    def test_package(self) -> None:
        module = self._facts("pack")
        self.assertEqual((module.__path__, module.__package__), (["bifrost://global/pack"], "pack"))

    def test_lacking_parent(self) -> None:
        module = self._facts("pack.inner")
        self.assertEqual((module.attr, module.__package__), ("pack", "pack"))

    def test_state_after_failure(self) -> None:
        import types

        module = types.ModuleType("fails")
        spec = sys.meta_path[0].find_spec("fails", None)
        assert spec is not None
        module.__spec__ = spec
        sys.modules["fails"] = module
        self.assertRaises(ZeroDivisionError, self.loader.exec_module, module)
        self.assertIs(sys.modules["fails"], module)
        del sys.modules["fails"]
        with self.assertRaises(ZeroDivisionError):
            __import__("fails")
        self.assertNotIn("fails", sys.modules)

    def test_unloadable(self) -> None:
        for method in ("get_code", "get_source", "get_filename", "is_package"):
            with self.assertRaises(ImportError) as caught:
                getattr(self.loader, method)("nothing")
            self.assertEqual(caught.exception.name, "nothing")
        self.assertRaises(OSError, self.loader.get_data, "bifrost://acme/nothing.txt")
        self.assertRaises(OSError, self.loader.get_data, "/etc/passwd")


if __name__ == "__main__":
    unittest.main()
