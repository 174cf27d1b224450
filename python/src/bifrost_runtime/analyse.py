"""The `analyse` role: finds the workflows of a module by its syntax tree. Executes nothing."""

from __future__ import annotations

import ast
import warnings
from typing import Any

from . import literals
from .docstrings import first_paragraph, parameter_descriptions
from .names import Function, Names
from .schema import SchemaMaker

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TOO_DEEP = "the source is nested too deeply"
_OPTIONS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "description": (str,),
    "timeout": (int, float),
    "retries": (int,),
    "retry_delay": (int, float),
    "priority": (int,),
    "schedule": (str,),
    "timezone": (str,),
    "missed": (str,),
}
_RANGES: dict[str, tuple[float, float]] = {
    "retry_delay": (0, 3600),
    "priority": (-10, 10),
}


def analyse(source: bytes, path: str) -> dict[str, Any]:
    """What the protocol's `analyse` answers about a source."""
    diagnostics: list[dict[str, Any]] = []
    try:
        tree = _parse(source, path, diagnostics)
        workflows = Analysis(tree, diagnostics).workflows()
        error = None
    except SyntaxError as failure:
        workflows, error = [], _syntax_error(failure)
    except (RecursionError, MemoryError):
        workflows, error = [], {"message": _TOO_DEEP, "line": 1, "column": 1, "text": ""}
    except ValueError as failure:  # NUL bytes, before Python 3.12
        workflows, error = [], {"message": str(failure), "line": 1, "column": 1, "text": ""}
    return {"syntax_error": error, "diagnostics": diagnostics, "workflows": workflows}


def _within(option: str, value: Any) -> bool:
    least, most = _RANGES.get(option, (None, None))
    return least is None or most is None or least <= value <= most


def _parse(source: bytes, path: str, diagnostics: list[dict[str, Any]]) -> ast.Module:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tree = ast.parse(source, path)
        # Some errors show only to the compiler: `return` outside of a function.
        compile(source, path, "exec", dont_inherit=True)
    seen = set()
    for warning in caught:
        if (warning.lineno, str(warning.message)) not in seen:
            seen.add((warning.lineno, str(warning.message)))
            diagnostics.append(
                {
                    "severity": "warning",
                    "line": warning.lineno,
                    "column": 1,
                    "code": "syntax-warning",
                    "message": str(warning.message),
                }
            )
    return tree


def _syntax_error(error: SyntaxError) -> dict[str, Any]:
    return {
        "message": error.msg,
        "line": max(1, error.lineno or 1),
        "column": max(1, error.offset or 1),
        "text": (error.text or "").rstrip("\n")[:1000],
    }


class Analysis:
    """One module's workflows and what is to be said about them."""

    def __init__(self, tree: ast.Module, diagnostics: list[dict[str, Any]]) -> None:
        self._names = Names(tree)
        self._diagnostics = diagnostics

    def workflows(self) -> list[dict[str, Any]]:
        """Every decorated function, in the order of the source."""
        found: dict[str, dict[str, Any]] = {}
        for function in self._names.functions:
            decorator = self._decorator(function)
            if decorator is None:
                continue
            workflow = self._workflow(function, decorator)
            first = found.setdefault(workflow["name"], workflow)
            if first is not workflow:
                message = (
                    f"the workflow `{workflow['name']}` is already defined in line "
                    f"{first['line']}; this one is left out"
                )
                self._say("error", function, "duplicate-workflow", message)
        return list(found.values())

    def _decorator(self, function: Function) -> ast.expr | None:
        for decorator in function.decorator_list:
            target = decorator.func if isinstance(decorator, ast.Call) else decorator
            if self._names.resolve(target) == "bifrost.workflow":
                return decorator
        return None

    def _workflow(self, function: Function, decorator: ast.expr) -> dict[str, Any]:
        options = self._options(decorator)
        docstring = ast.get_docstring(function)
        return {
            "name": options.pop("name", None) or function.name,
            "function": function.name,
            "line": function.lineno,
            "description": options.pop("description", None) or first_paragraph(docstring) or "",
            "is_async": isinstance(function, ast.AsyncFunctionDef),
            "parameters": self._parameters(function, parameter_descriptions(docstring)),
            "options": options,
        }

    def _options(self, decorator: ast.expr) -> dict[str, Any]:
        if not isinstance(decorator, ast.Call):
            return {}
        for argument in decorator.args:
            self._say("error", argument, "bad-option", "@workflow takes its options by name")
        options = {}
        for keyword in decorator.keywords:
            kinds = _OPTIONS.get(keyword.arg or "")
            value = literals.value_of(keyword.value, self._names)
            if keyword.arg is not None and kinds is None:
                known = ", ".join(f"`{name}`" for name in _OPTIONS)
                message = f"@workflow has no option `{keyword.arg}`; it takes {known}"
                self._say("error", keyword.value, "unknown-option", message)
            elif keyword.arg is None or value is literals.UNKNOWN:
                message = f"`{literals.shown(keyword.value)}` is not a literal and is passed over"
                self._say("warning", keyword.value, "not-literal", message)
            elif value is not None and (
                isinstance(value, bool) or not isinstance(value, kinds or ())
            ):
                wanted = " or ".join(kind.__name__ for kind in kinds or ())
                message = f"`{keyword.arg}` must be {wanted}, not {value!r}"
                self._say("error", keyword.value, "bad-option", message)
            elif value is not None and not _within(keyword.arg, value):
                least, most = _RANGES[keyword.arg]
                message = f"`{keyword.arg}` must be {least} to {most}, not {value!r}"
                self._say("error", keyword.value, "bad-option", message)
            elif value is not None:
                options[keyword.arg] = value
        return options

    def _parameters(self, function: Function, descriptions: dict[str, str]) -> dict[str, Any]:
        maker = SchemaMaker(self._names, lambda *about: self._say("warning", *about))
        arguments = function.args
        for each in arguments.posonlyargs:
            message = f"inputs are passed by name, and `{each.arg}` cannot be"
            self._say("error", each, "positional-only", message)
        if arguments.vararg is not None:
            message = f"inputs are passed by name, so `*{arguments.vararg.arg}` is always empty"
            self._say("warning", arguments.vararg, "variable-arguments", message)
        properties, required = {}, []
        for each, default in _with_defaults(arguments):
            schema = maker.schema(each.annotation)
            if isinstance(default, ast.Constant) and default.value is None:
                schema = _or_null(schema)
            provider = self._provider(each.annotation)
            if provider is not None:
                schema["x-options"] = provider
            if each.arg in descriptions:
                schema["description"] = descriptions[each.arg]
            if default is None:
                required.append(each.arg)
            else:
                value = literals.value_of(default, self._names)
                if value is not literals.UNKNOWN:
                    schema["default"] = value
            properties[each.arg] = schema
        result: dict[str, Any] = {"$schema": _DIALECT, "type": "object", "properties": properties}
        if required:
            result["required"] = required
        result["additionalProperties"] = arguments.kwarg is not None
        if maker.definitions:
            result["$defs"] = maker.definitions
        return result

    def _provider(self, annotation: ast.expr | None) -> str | None:
        """The name in `options(…)`, wherever it stands in the annotation."""
        for node in ast.walk(annotation) if annotation is not None else ():
            if isinstance(node, ast.Call) and self._names.resolve(node.func) == "bifrost.options":
                name = node.args[0] if len(node.args) == 1 else None
                if isinstance(name, ast.Constant) and str(name.value).isidentifier():
                    return str(name.value)
                message = "`options` takes the name of a data provider, as a text"
                self._say("error", node, "bad-option", message)
        return None

    def _say(self, severity: str, node: ast.AST, code: str, message: str) -> None:
        self._diagnostics.append(
            {
                "severity": severity,
                "line": getattr(node, "lineno", 1),
                "column": getattr(node, "col_offset", 0) + 1,
                "code": code,
                "message": message,
            }
        )


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """As `x: int = None` is meant: None may be given too."""
    null = {"type": "null"}
    if not schema or schema == null:
        return schema
    options = schema["anyOf"] if set(schema) == {"anyOf"} else [schema]
    return {"anyOf": options if null in options else [*options, null]}


def _with_defaults(arguments: ast.arguments) -> list[tuple[ast.arg, ast.expr | None]]:
    """The parameters that can be passed by name, each with its default."""
    defaults = [None] * len(arguments.args) + list(arguments.defaults)
    positional = zip(arguments.args, defaults[len(defaults) - len(arguments.args) :])
    return [*positional, *zip(arguments.kwonlyargs, arguments.kw_defaults)]
