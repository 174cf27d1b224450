"""The cascade: which scope's entry a name or path stands for. The one place that decides it."""

from __future__ import annotations

from .bundle import DIRECTORY, NAMESPACE, Bundle, Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGIN_PREFIX = "bifrost://"


class ModuleIndex:
    """One or two bundles, the organization's before Global's."""

    def __init__(self, bundles: tuple[Bundle, ...]) -> None:
        self.bundles = bundles

    def find(self, name: str) -> Entry | None:
        """The first scope's module or package; else the first namespace; else None."""
        key = name.encode(errors="surrogatepass")
        namespace = None
        for bundle in self.bundles:
            entry = bundle.find_module(key)
            if entry is not None:
                if entry.kind != NAMESPACE:
                    return entry
                namespace = namespace or entry
        return namespace

    def portions(self, name: str) -> list[str]:
        """The virtual directories of a namespace, one for each scope that has files in it."""
        key = name.encode(errors="surrogatepass")
        found = (bundle.find_module(key) for bundle in self.bundles)
        return [entry.origin.rstrip("/") for entry in found if entry is not None]

    def find_file(self, path: str) -> Entry | None:
        """The first scope's file at this path."""
        for bundle in self.bundles:
            entry = bundle.find_file(path)
            if entry is not None:
                return entry
        return None

    def list_directory(self, path: str) -> list[str] | None:
        """The names in a directory of either scope, directories with a `/`; None if not there.

        Where one scope has a file and the other a directory of the same name, the first wins.
        """
        names: dict[str, str] = {}
        found = False
        for bundle in self.bundles:
            entry = bundle.find_directory(path)
            if entry is not None and entry.kind == DIRECTORY:
                found = True
                for name in entry.data().decode().split("\n"):
                    if name:
                        names.setdefault(name.rstrip("/"), name)
        return sorted(names.values()) if found else None

    def is_directory(self, path: str) -> bool:
        """Whether the first scope that has anything at this path has a directory there."""
        for bundle in self.bundles:
            if bundle.find_directory(path) is not None:
                return True
            if bundle.find_file(path) is not None:
                return False
        return False

    def module_names(self) -> Iterator[str]:
        """Every name either scope offers, with repetitions."""
        for bundle in self.bundles:
            yield from bundle.module_names()


def workspace_path(location: str) -> str | None:
    """The workspace path of a virtual location, whatever its scope; None if it is not one.

    `bifrost://acme/shared/x.py` is `shared/x.py`. The scope in it says where something came
    from; what is found there is decided by the cascade again, as in one merged directory.
    """
    if not location.startswith(ORIGIN_PREFIX):
        return None
    path = location[len(ORIGIN_PREFIX) :].partition("/")[2]
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
