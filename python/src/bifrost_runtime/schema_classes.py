"""Schemas of classes defined in the module: enums, dataclasses and typed dictionaries."""

from __future__ import annotations

import ast

from . import literals
from .docstrings import first_paragraph, parameter_descriptions
from .schema import Schema, SchemaMaker

_ENUMS = {"enum.Enum", "enum.IntEnum", "enum.StrEnum"}
_FACTORIES: dict[str, object] = {"list": [], "dict": {}}


def class_schema(maker: SchemaMaker, cls: ast.ClassDef) -> Schema | None:
    """The schema of a class's JSON form, or None if it has none."""
    kind = _kind(maker, cls, set())
    if kind == "enum":
        values = list(literals.members(cls, maker.names).values())
        return (
            None if not values or literals.UNKNOWN in values else _described(cls, {"enum": values})
        )
    if kind is None:
        return None
    properties: dict[str, Schema] = {}
    required: list[str] = []
    for each in _lineage(maker, cls, set()):
        _add_fields(maker, each, kind, properties, required)
    schema: Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    schema["additionalProperties"] = False
    return _described(cls, schema)


def _described(cls: ast.ClassDef, schema: Schema) -> Schema:
    description = first_paragraph(ast.get_docstring(cls))
    return {**schema, "description": description} if description else schema


def _kind(maker: SchemaMaker, cls: ast.ClassDef, seen: set[str]) -> str | None:
    names = maker.names
    for decorator in cls.decorator_list:
        function = decorator.func if isinstance(decorator, ast.Call) else decorator
        if names.resolve(function) == "dataclasses.dataclass":
            return "dataclass"
    for base in cls.bases:
        name = names.resolve(base)
        if name in _ENUMS:
            return "enum"
        if name in ("typing.TypedDict", "typing_extensions.TypedDict"):
            return "dict"
        # A dataclass's subclass is one only by its own decorator; its fields are inherited.
        if name in names.classes and name not in seen:
            kind = _kind(maker, names.classes[name], {*seen, name})
            if kind is not None:
                return kind
    return None


def _lineage(maker: SchemaMaker, cls: ast.ClassDef, seen: set[str]) -> list[ast.ClassDef]:
    """The class and its bases in this module, bases first."""
    found: list[ast.ClassDef] = []
    for base in reversed(cls.bases):
        name = maker.names.resolve(base) or ""
        if name in maker.names.classes and name not in seen:
            found += _lineage(maker, maker.names.classes[name], {*seen, name})
    return [*found, cls]


def _add_fields(
    maker: SchemaMaker,
    cls: ast.ClassDef,
    kind: str,
    properties: dict[str, Schema],
    required: list[str],
) -> None:
    descriptions = _attribute_descriptions(cls)
    total = not any(
        keyword.arg == "total" and literals.value_of(keyword.value, maker.names) is False
        for keyword in cls.keywords
    )
    for statement in cls.body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        name, annotation = statement.target.id, _annotation(statement.annotation)
        wrapper = _wrapper(maker, annotation)
        field = _field(maker, statement.value)
        if wrapper in ("ClassVar", "KW_ONLY") or field is None:
            continue
        properties[name] = {**maker.schema(annotation), **field}
        if name in descriptions:
            properties[name]["description"] = descriptions[name]
        optional = statement.value is not None if kind == "dataclass" else not total
        if wrapper in ("Required", "NotRequired"):
            optional = wrapper == "NotRequired"
        if isinstance(statement.value, ast.Call) and "default" not in field:
            optional = _has_default(maker, statement.value)
        if name in required:
            required.remove(name)
        if not optional:
            required.append(name)


def _annotation(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            inner = ast.parse(node.value.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            return node
        return ast.copy_location(inner, node)
    return node


def _wrapper(maker: SchemaMaker, annotation: ast.expr) -> str:
    base = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return (maker.names.resolve(base) or "").rpartition(".")[2]


def _field(maker: SchemaMaker, value: ast.expr | None) -> Schema | None:
    """The `default` of a field, if it has one that can be told; None if it is not an input."""
    if value is None:
        return {}
    if isinstance(value, ast.Call) and _is_field(maker, value):
        options = {keyword.arg: keyword.value for keyword in value.keywords}
        init = options.get("init")
        if init is not None and literals.value_of(init, maker.names) is False:
            return None
        factory = options.get("default_factory")
        if factory is not None:
            name = maker.names.resolve(factory)
            return {"default": _FACTORIES[name]} if name in _FACTORIES else {}
        if "default" not in options:
            return {}
        value = options["default"]
    default = literals.value_of(value, maker.names)
    return {} if default is literals.UNKNOWN else {"default": default}


def _is_field(maker: SchemaMaker, call: ast.Call) -> bool:
    return maker.names.resolve(call.func) == "dataclasses.field"


def _has_default(maker: SchemaMaker, call: ast.Call) -> bool:
    options = {keyword.arg for keyword in call.keywords}
    return not _is_field(maker, call) or bool(options & {"default", "default_factory"})


def _attribute_descriptions(cls: ast.ClassDef) -> dict[str, str]:
    docstring = ast.get_docstring(cls) or ""
    return parameter_descriptions(docstring.replace("Attributes:", "Args:"))
