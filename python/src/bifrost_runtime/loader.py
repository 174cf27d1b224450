"""Loads workspace modules from mapped code objects or sources, and remembers which it loaded."""

from __future__ import annotations

from importlib.machinery import ModuleSpec, NamespaceLoader, SourceFileLoader

from .bundle import PACKAGE, Entry
from .module_index import ModuleIndex, workspace_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType
    from typing import Any

warm: dict[tuple[str, bytes], CodeType] = {}
"""Code objects that a zygote holds ready, by origin and content hash. Global's only: every
child inherits them, whichever organization it runs for."""


class WorkspaceLoader:
    """The one loader of a process: modules are told apart by name, as in `importlib.abc`."""

    def __init__(self, index: ModuleIndex) -> None:
        self.index = index
        self.loaded: dict[str, Entry] = {}

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Ask for an ordinary module; note that this one is being loaded."""
        self.loaded[spec.name] = spec.loader_state
        return None

    # CPython's own, because it marks the frames of the import system so that the interpreter
    # leaves them out of tracebacks. It asks `get_code` and executes what it gets.
    exec_module: Any = SourceFileLoader.exec_module

    def get_code(self, fullname: str) -> CodeType:
        """The module's code: held ready, or mapped, or else compiled."""
        entry = self.loaded.get(fullname)
        if entry is None:
            entry = self.loaded[fullname] = self._entry(fullname)
        if warm:
            code = warm.get((entry.origin, entry.hash()))
            if code is not None:
                return code
        codes = entry.bundle.codes
        if codes is not None:
            code = codes.load(entry.number)
            if code is not None:
                return code
        return self.source_to_code(entry.data(), entry.origin)

    @staticmethod
    def source_to_code(data: bytes | str, path: str = "<string>") -> CodeType:
        """Compile a source, as `importlib.abc.InspectLoader` has it."""
        code: CodeType = compile(data, path, "exec", dont_inherit=True)
        return code

    def get_source(self, fullname: str) -> str:
        """The module's text, for `linecache` and `inspect`."""
        from importlib.util import decode_source

        try:
            return decode_source(self._entry(fullname).data())
        except (SyntaxError, UnicodeError) as error:
            raise ImportError("source not available through get_source()", name=fullname) from error

    def get_filename(self, fullname: str) -> str:
        """Where the module came from: `bifrost://acme/shared/halopsa.py`."""
        return self._entry(fullname).origin

    def is_package(self, fullname: str) -> bool:
        """Whether the module has submodules."""
        return self._entry(fullname).kind == PACKAGE

    def get_data(self, path: str) -> bytes:
        """The content of a file by its virtual location, for `pkgutil.get_data`."""
        inner = workspace_path(path)
        entry = self.index.find_file(inner) if inner is not None else None
        if entry is None:
            raise FileNotFoundError(2, "No such file or directory", path)
        return entry.data()

    def get_resource_reader(self, fullname: str) -> Any:
        """What `importlib.resources` reads a package's files through."""
        from .resources import WorkspaceReader

        # For a plain module too, as CPython's: the files beside it.
        return WorkspaceReader(self.index, self._entry(fullname).origin.rpartition("/")[0])

    def _entry(self, fullname: str) -> Entry:
        entry = self.loaded.get(fullname) or self.index.find(fullname)
        if entry is None or entry.kind > PACKAGE:
            raise ImportError(f"no workspace module named {fullname!r}", name=fullname)
        return entry


class WorkspaceNamespaceLoader(NamespaceLoader):
    """CPython's own for namespace packages, with resources from the workspace."""

    def __init__(self, portions: Any, index: ModuleIndex) -> None:
        # Not CPython's, which would look for the portions again in `sys.path`.
        self._path = portions
        self._index = index

    def exec_module(self, module: ModuleType) -> None:
        """There is no code; as with CPython's own namespaces there is no file either."""
        module.__file__ = None

    def get_resource_reader(self, module: object) -> Any:
        """What `importlib.resources` reads the namespace's files through."""
        from .resources import WorkspaceReader

        return WorkspaceReader(self._index, *self._path)
