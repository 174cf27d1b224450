"""What the names at the top level of a module stand for, read from its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Names:
    """Imports, classes, aliases and functions at the top level, also in `if`, `try` and `with`."""

    def __init__(self, tree: ast.Module) -> None:
        self.imports: dict[str, str] = {}
        self.stars: list[str] = []
        self.classes: dict[str, ast.ClassDef] = {}
        self.aliases: dict[str, ast.expr] = {}
        self.functions: list[Function] = []
        for statement in _statements(tree.body):
            self._add(statement)

    def _add(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Import):
            for each in statement.names:
                # `import a.b` binds `a`, `import a.b as c` binds `c` to `a.b`.
                local = each.asname or each.name.partition(".")[0]
                self.imports[local] = each.name if each.asname else local
        elif isinstance(statement, ast.ImportFrom):
            module = "." * statement.level + (statement.module or "")
            for each in statement.names:
                if each.name == "*":
                    self.stars.append(module)
                else:
                    self.imports[each.asname or each.name] = f"{module}.{each.name}"
        elif isinstance(statement, ast.ClassDef):
            self.classes[statement.name] = statement
        elif isinstance(statement, Function):
            self.functions.append(statement)
        else:
            self._add_alias(statement)

    def _add_alias(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Name):
                self.aliases[target.id] = statement.value
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            if statement.value is not None:
                self.aliases[statement.target.id] = statement.value
        elif type(statement).__name__ == "TypeAlias":  # Python 3.12's `type` statement
            name, value = getattr(statement, "name"), getattr(statement, "value")
            self.aliases[name.id] = value

    def resolve(self, node: ast.expr) -> str | None:
        """The full name a name or attribute stands for: `dt.datetime` is `datetime.datetime`."""
        if isinstance(node, ast.Name):
            if node.id in self.imports:
                return self.imports[node.id]
            if "bifrost" in self.stars and node.id == "workflow":
                return "bifrost.workflow"
            return node.id
        if isinstance(node, ast.Attribute):
            base = self.resolve(node.value)
            return f"{base}.{node.attr}" if base else None
        return None


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when the module is imported, except those in loops."""
    pending = list(reversed(body))
    while pending:
        statement = pending.pop()
        yield statement
        inner: list[ast.stmt] = []
        if isinstance(statement, (ast.If, ast.Try, ast.TryStar, ast.With)):
            inner += statement.body
        if isinstance(statement, (ast.Try, ast.TryStar)):
            inner += [each for handler in statement.handlers for each in handler.body]
        if isinstance(statement, (ast.If, ast.Try, ast.TryStar)):
            inner += statement.orelse
        if isinstance(statement, (ast.Try, ast.TryStar)):
            inner += statement.finalbody
        pending += reversed(inner)
