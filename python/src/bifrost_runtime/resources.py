"""Package data for `importlib.resources`: virtual directories with the files of both scopes."""

from __future__ import annotations

import io
from posixpath import normpath

from .bundle import Entry
from .module_index import ORIGIN_PREFIX, ModuleIndex, workspace_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Any


class WorkspaceReader:
    """A package's `TraversableResources`."""

    def __init__(self, index: ModuleIndex, *locations: str) -> None:
        # The portions of a namespace differ only in the scope they name; the cascade looks in
        # all scopes from any of them.
        virtual = [each for each in locations if each.startswith(ORIGIN_PREFIX)]
        self._root = WorkspacePath(index, (virtual or [ORIGIN_PREFIX])[0])

    def files(self) -> WorkspacePath:
        """The package's directory."""
        return self._root

    def open_resource(self, resource: str) -> IO[bytes]:
        """A file of the package, open for reading."""
        return io.BytesIO(self._root.joinpath(resource).read_bytes())

    def resource_path(self, resource: str) -> str:
        """There is no path on a file system."""
        raise FileNotFoundError(resource)

    def is_resource(self, path: str) -> bool:
        """Whether the package's directory has this file."""
        return self._root.joinpath(path).is_file()

    def contents(self) -> Iterator[str]:
        """The names in the package's directory."""
        return (each.name for each in self._root.iterdir())


class WorkspacePath:
    """One file or directory, as `importlib.resources.abc.Traversable` has it."""

    def __init__(self, index: ModuleIndex, location: str) -> None:
        self._index = index
        self._location = location

    def __str__(self) -> str:
        return self._location

    def __repr__(self) -> str:
        return f"WorkspacePath({self._location!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WorkspacePath) and other._location == self._location

    def __hash__(self) -> int:
        return hash(self._location)

    @property
    def name(self) -> str:
        """The last part."""
        return self._location.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The last part's extension, as `pathlib` has it."""
        stem, dot, suffix = self.name.rpartition(".")
        return dot + suffix if stem and suffix else ""

    def joinpath(self, *descendants: str) -> WorkspacePath:
        """What lies below here at these names, whether or not it is there."""
        inner = normpath("/".join(str(each) for each in descendants)) if descendants else "."
        return self if inner == "." else WorkspacePath(self._index, f"{self._location}/{inner}")

    def __truediv__(self, child: str) -> WorkspacePath:
        return self.joinpath(child)

    def is_dir(self) -> bool:
        """Whether this is a directory."""
        return self._index.is_directory(self._path())

    def is_file(self) -> bool:
        """Whether this is a file."""
        return self._entry() is not None

    def exists(self) -> bool:
        """Whether this is anything."""
        return self.is_file() or self.is_dir()

    def iterdir(self) -> Iterator[WorkspacePath]:
        """What is in this directory."""
        names = self._index.list_directory(self._path()) if self.is_dir() else None
        if names is None:
            raise self._missing(NotADirectoryError if self.is_file() else FileNotFoundError)
        for name in names:
            yield WorkspacePath(self._index, f"{self._location}/{name.rstrip('/')}")

    def read_bytes(self) -> bytes:
        """The file's content."""
        entry = self._entry()
        if entry is None:
            raise self._missing(IsADirectoryError if self.is_dir() else FileNotFoundError)
        return entry.data()

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        """The file's content as text, UTF-8 unless said otherwise, newlines as `open` has them."""
        with self.open("r", encoding=encoding or "utf-8", errors=errors) as file:
            text: str = file.read()
            return text

    def open(self, mode: str = "r", *args: Any, **kwargs: Any) -> IO[Any]:
        """The file, open for reading; arguments as for `io.TextIOWrapper`."""
        if mode not in ("r", "rt", "rb"):
            raise ValueError(f"a workspace file cannot be opened in mode {mode!r}: it is read-only")
        raw = io.BytesIO(self.read_bytes())
        return raw if mode == "rb" else io.TextIOWrapper(raw, *args, **kwargs)

    def _path(self) -> str:
        return workspace_path(self._location) or ""

    def _entry(self) -> Entry | None:
        path = self._path()
        return None if self._index.is_directory(path) else self._index.find_file(path)

    def _missing(self, kind: type[OSError]) -> OSError:
        code, text = {
            FileNotFoundError: (2, "No such file or directory"),
            NotADirectoryError: (20, "Not a directory"),
        }.get(kind, (21, "Is a directory"))
        return kind(code, text, self._location)
