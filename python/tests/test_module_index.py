"""The cascade as a child decides it, against the table that the Rust side reads too."""

from __future__ import annotations

import json
import unittest
from pathlib import Path

from bifrost_runtime.bundle import MODULE, NAMESPACE, PACKAGE, Bundle
from bifrost_runtime.module_index import ModuleIndex
from .bundle_writer import Scope, write_bundle

TABLE = Path(__file__).parent / "fixtures" / "cascade.json"
FORMS = {MODULE: "module", PACKAGE: "package", NAMESPACE: "namespace"}


class Cascade(unittest.TestCase):
    """Every combination of what two scopes can have for one name."""

    def test_table(self) -> None:
        rows = json.loads(TABLE.read_text())
        self.assertEqual(len(rows), 64)
        for row in rows:
            self.assertEqual(self._found(row), row["a"], row)

    def _found(self, row: dict[str, list[str]]) -> dict[str, str | None] | None:
        own = _bundle("acme", "org", row["own"])
        index = ModuleIndex((own, _bundle("global", "global", row["global"])))
        entry = index.find("a")
        if entry is None:
            return None
        side = "org" if entry.bundle is own else "global"
        scope = None if entry.kind == NAMESPACE else side
        return {"scope": scope, "form": FORMS[entry.kind]}


def _bundle(slug: str, scope: str, files: list[str]) -> Bundle:
    return Bundle(write_bundle(Scope.of(slug, {path: b"" for path in files})), scope)


if __name__ == "__main__":
    unittest.main()
