"""Makes a JSON Schema (2020-12) out of annotations, from the syntax tree alone."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from . import literals
from .names import Names

Schema = dict[str, Any]
Warn = Callable[[ast.AST, str, str], None]
"""Takes the node a warning is about, its code and its message."""

_SCALARS: dict[str, Schema] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "None": {"type": "null"},
    "object": {},
    "list": {"type": "array"},
    "tuple": {"type": "array"},
    "set": {"type": "array", "uniqueItems": True},
    "frozenset": {"type": "array", "uniqueItems": True},
    "dict": {"type": "object"},
    "typing.Any": {},
    "datetime.datetime": {"type": "string", "format": "date-time"},
    "datetime.date": {"type": "string", "format": "date"},
    "datetime.time": {"type": "string", "format": "time"},
    "uuid.UUID": {"type": "string", "format": "uuid"},
    "decimal.Decimal": {"type": ["string", "number"]},
}
_SAME = {
    **{f"typing.{name}": name.lower() for name in ("List", "Tuple", "Set", "FrozenSet", "Dict")},
    **{
        f"{module}.{name}": kind
        for module in ("typing", "collections.abc")
        for name, kind in (
            ("Sequence", "list"),
            ("MutableSequence", "list"),
            ("Iterable", "list"),
            ("Collection", "list"),
            ("Mapping", "dict"),
            ("MutableMapping", "dict"),
        )
    },
}
_WRAPPERS = {"Annotated", "Required", "NotRequired", "ReadOnly", "InitVar"}


class SchemaMaker:
    """Schemas of one module's annotations; the classes they name are gathered in `definitions`."""

    def __init__(self, names: Names, warn: Warn) -> None:
        self.names = names
        self.definitions: dict[str, Schema] = {}
        self._warn = warn
        self._aliases: set[str] = set()

    def schema(self, annotation: ast.expr | None) -> Schema:
        """The schema of an annotation; empty when there is none or it is not known."""
        if annotation is None:
            return {}
        return self._schema(annotation, annotation)

    def _schema(self, node: ast.expr, place: ast.expr) -> Schema:
        if isinstance(node, ast.Constant):
            return self._constant(node, place)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return self._union([node.left, node.right], place)
        if isinstance(node, ast.Subscript):
            return self._generic(node, place)
        name = self.names.resolve(node)
        if name is None:
            return self.unknown(place)
        name = _plain_name(name)
        if name in self.names.classes:
            return self._class(name, place)
        if name in _SCALARS:
            return dict(_SCALARS[name])
        if name in self.names.aliases and name not in self._aliases:
            self._aliases.add(name)  # an alias of itself is not known
            try:
                return self._schema(self.names.aliases[name], place)
            finally:
                self._aliases.discard(name)
        return self.unknown(place)

    def unknown(self, place: ast.expr) -> Schema:
        """The schema that takes anything, with a warning."""
        text = literals.shown(place)
        self._warn(place, "unknown-type", f"the type `{text}` is not known; any value is taken")
        return {}

    def _constant(self, node: ast.Constant, place: ast.expr) -> Schema:
        if node.value is None:
            return {"type": "null"}
        if isinstance(node.value, str):
            try:
                return self._schema(ast.parse(node.value.strip(), mode="eval").body, place)
            except (SyntaxError, ValueError):
                pass
        return self.unknown(place)

    def _union(self, members: list[ast.expr], place: ast.expr) -> Schema:
        options: list[Schema] = []
        for member in members:
            schema = self._schema(member, place)
            # A union in a union is one union.
            inner = schema["anyOf"] if set(schema) == {"anyOf"} else [schema]
            options += [each for each in inner if each not in options]
        if {} in options:
            return {}
        return options[0] if len(options) == 1 else {"anyOf": options}

    def _generic(self, node: ast.Subscript, place: ast.expr) -> Schema:
        name = _plain_name(self.names.resolve(node.value) or "")
        inner = node.slice
        arguments = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        last = name.rpartition(".")[2]
        if name == "typing.Optional":
            return self._union([*arguments[:1], ast.Constant(None)], place)
        if name == "typing.Union":
            return self._union(arguments, place)
        if name == "typing.Literal":
            return self._literal(arguments, place)
        if last in _WRAPPERS and name != last:
            return self._schema(arguments[0], place)
        if name in ("list", "set", "frozenset"):
            return {**_SCALARS[name], **_some("items", self._schema(arguments[0], place))}
        if name == "tuple":
            return self._tuple(arguments, place)
        if name == "dict" and len(arguments) == 2:
            if self._schema(arguments[0], place) != {"type": "string"}:
                return self.unknown(place)
            inner_schema = self._schema(arguments[1], place)
            return {"type": "object", **_some("additionalProperties", inner_schema)}
        return self.unknown(place)

    def _tuple(self, arguments: list[ast.expr], place: ast.expr) -> Schema:
        last = arguments[-1] if arguments else None
        if isinstance(last, ast.Constant) and last.value is Ellipsis and len(arguments) == 2:
            return {"type": "array", **_some("items", self._schema(arguments[0], place))}
        members = [self._schema(each, place) for each in arguments]
        size = len(members)
        return {"type": "array", "prefixItems": members, "minItems": size, "maxItems": size}

    def _literal(self, arguments: list[ast.expr], place: ast.expr) -> Schema:
        values = []
        for each in arguments:
            value = literals.value_of(each, self.names)
            if value is literals.UNKNOWN:
                return self.unknown(place)
            values.append(value)
        return {"enum": values}

    def _class(self, name: str, place: ast.expr) -> Schema:
        from .schema_classes import class_schema

        if name not in self.definitions:
            self.definitions[name] = {}  # a class may hold itself
            definition = class_schema(self, self.names.classes[name])
            if definition is None:
                del self.definitions[name]
                return self.unknown(place)
            self.definitions[name] = definition
        return {"$ref": f"#/$defs/{name}"}


def _plain_name(name: str) -> str:
    name = name.removeprefix("builtins.").replace("typing_extensions.", "typing.")
    return _SAME.get(name, name)


def _some(key: str, schema: Schema) -> Schema:
    return {key: schema} if schema else {}
