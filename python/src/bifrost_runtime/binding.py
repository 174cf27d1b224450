"""Makes the Python values a workflow's annotations ask for out of its JSON inputs."""

from __future__ import annotations

import sys

from .values import class_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FunctionType
    from typing import Any

_MISSING: Any = object()
_PLAIN = {str: "a string", bool: "true or false", dict: "an object", list: "a list"}


class InputError(ValueError):
    """Inputs that do not fit the workflow's parameters."""


def bind(function: Any, inputs: object) -> dict[str, Any]:
    """The keyword arguments for the function; `InputError` names what does not fit."""
    if inputs is None:
        inputs = {}
    if not isinstance(inputs, dict):
        raise InputError(f"the inputs must be an object, not {_describe(inputs)}")
    target = _unwrapped(function)
    if target is None:
        return inputs  # a callable of another kind: Python itself checks the names
    names, required, extra = _parameters(target)
    optional = _none_by_default(target)
    for name in required:
        if name not in inputs:
            raise InputError(f"the input `{name}` is missing")
    arguments = {}
    for name, value in inputs.items():
        if name not in names and not extra:
            known = ", ".join(f"`{each}`" for each in names) or "none"
            raise InputError(f"there is no input `{name}`; the workflow takes {known}")
        if name not in names or (value is None and name in optional):
            arguments[name] = value
        else:
            annotation = target.__annotations__.get(name, _MISSING)
            arguments[name] = convert(value, _evaluate(annotation, target), name)
    return arguments


def takes(function: Any, name: str) -> bool:
    """Whether the function has this parameter."""
    target = _unwrapped(function)
    return target is None or name in _parameters(target)[0]


def _none_by_default(function: FunctionType) -> set[str]:
    """Parameters as in `x: int = None`, which mean that None may be given too."""
    code = function.__code__
    positional = code.co_varnames[: code.co_argcount]
    defaults = function.__defaults__ or ()
    pairs = [*zip(reversed(positional), reversed(defaults))]
    pairs += (function.__kwdefaults__ or {}).items()
    return {name for name, default in pairs if default is None}


def _unwrapped(function: Any) -> FunctionType | None:
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function if type(function).__name__ == "function" else None


def _parameters(function: FunctionType) -> tuple[list[str], list[str], bool]:
    """Names, required names, and whether any other name is taken too."""
    code = function.__code__
    positional = list(code.co_varnames[: code.co_argcount])
    keyword = list(code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount])
    defaults = len(function.__defaults__ or ())
    required = positional[: len(positional) - defaults]
    required += [name for name in keyword if name not in (function.__kwdefaults__ or {})]
    return positional + keyword, required, bool(code.co_flags & 0x08)


def _evaluate(annotation: Any, function: FunctionType) -> Any:
    if isinstance(annotation, str):
        try:
            return eval(annotation, function.__globals__)
        except Exception:
            return _MISSING  # a name that exists only for type checkers
    return annotation


def convert(value: Any, wanted: Any, where: str) -> Any:
    """The JSON value as an instance of the annotation, `where` naming it in errors."""
    if wanted is _MISSING or type(wanted).__name__ == "TypeVar":
        return value
    if wanted is None or wanted is type(None):
        if value is not None:
            raise _misfit(where, "null", value)
        return None
    origin = getattr(wanted, "__origin__", None)
    if origin is None and type(wanted).__name__ != "UnionType":
        return _convert_class(value, wanted, where)
    return _convert_generic(value, wanted, origin, where)


def _convert_generic(value: Any, wanted: Any, origin: Any, where: str) -> Any:
    arguments: tuple[Any, ...] = getattr(wanted, "__args__", ())
    typing = sys.modules.get("typing")
    if hasattr(wanted, "__metadata__"):  # Annotated[T, …]
        return convert(value, origin, where)
    if origin is getattr(typing, "Literal", _MISSING):
        return _convert_literal(value, arguments, where)
    if origin is None or origin is getattr(typing, "Union", _MISSING):
        return _convert_union(value, arguments, where)
    name = getattr(origin, "__name__", "")
    if name in ("list", "Sequence", "Iterable", "Collection", "MutableSequence"):
        _need(value, list, where)
        inner = arguments[0] if arguments else _MISSING
        return [convert(each, inner, f"{where}[{n}]") for n, each in enumerate(value)]
    if name in ("set", "frozenset"):
        _need(value, list, where)
        return origin(convert(each, arguments[0], f"{where}[{n}]") for n, each in enumerate(value))
    if name == "tuple":
        return _convert_tuple(value, arguments, where)
    if name in ("dict", "Mapping", "MutableMapping"):
        _need(value, dict, where)
        inner = arguments[1] if len(arguments) > 1 else _MISSING
        return {key: convert(each, inner, f"{where}.{key}") for key, each in value.items()}
    return value


def _convert_literal(value: Any, allowed: tuple[Any, ...], where: str) -> Any:
    for each in allowed:
        plain = each.value if class_kind(type(each)) == "enum" else each
        # `1 == True`, but they are different literals.
        if plain == value and isinstance(plain, bool) == isinstance(value, bool):
            return each
    choices = ", ".join(repr(each) for each in allowed)
    raise _misfit(where, f"one of {choices}", value)


def _convert_union(value: Any, members: tuple[Any, ...], where: str) -> Any:
    # A member that takes the value as it is comes before one that converts it.
    if value is None and type(None) in members:
        return None
    for member in members:
        if type(value) is member:
            return value
    errors = []
    for member in members:
        try:
            return convert(value, member, where)
        except InputError as error:
            errors.append(error)
    if len(errors) == 2 and type(None) in members:
        raise errors[0 if members[1] is type(None) else 1]
    wanted = " or ".join(getattr(each, "__name__", str(each)) for each in members)
    raise _misfit(where, wanted, value)


def _convert_tuple(value: Any, arguments: tuple[Any, ...], where: str) -> Any:
    _need(value, list, where)
    if not arguments:
        return tuple(value)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = arguments[:1] * len(value)
    if len(arguments) != len(value):
        raise _misfit(where, f"a list of {len(arguments)}", value)
    return tuple(
        convert(each, kind, f"{where}[{n}]") for n, (each, kind) in enumerate(zip(value, arguments))
    )


def _convert_class(value: Any, wanted: Any, where: str) -> Any:
    if wanted in _PLAIN:
        _need(value, wanted, where)
        return value
    if wanted is int:
        return _convert_int(value, where)
    if wanted is float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _misfit(where, "a number", value)
        return float(value)
    if wanted is tuple or wanted is set or wanted is frozenset:
        _need(value, list, where)
        return wanted(value)
    kind = class_kind(wanted)
    if kind == "enum":
        return _convert_enum(value, wanted, where)
    if kind == "dataclass":
        return _convert_dataclass(value, wanted, where)
    if kind is not None:
        return _convert_text(value, wanted, kind, where)
    if isinstance(wanted, type) and "__total__" in wanted.__dict__:
        return _convert_typed_dict(value, wanted, where)
    return value


def _convert_int(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _misfit(where, "an integer", value)
    if isinstance(value, float) and not value.is_integer():
        raise _misfit(where, "an integer", value)
    return int(value)  # JSON Schema has 3.0 as an integer too


def _convert_enum(value: Any, wanted: Any, where: str) -> Any:
    for member in wanted:
        if member.value == value and isinstance(member.value, bool) == isinstance(value, bool):
            return member
    raise _misfit(where, "one of " + ", ".join(repr(member.value) for member in wanted), value)


def _convert_text(value: Any, wanted: Any, kind: str, where: str) -> Any:
    if kind == "decimal" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return wanted(repr(value))
    if not isinstance(value, str):
        raise _misfit(where, f"{kind} text", value)
    try:
        if kind in ("datetime", "date", "time"):
            return wanted.fromisoformat(value)
        return wanted(value)
    except (ValueError, ArithmeticError):
        raise _misfit(where, f"{kind} text", value) from None


def _convert_dataclass(value: Any, wanted: Any, where: str) -> Any:
    _need(value, dict, where)
    hints = _hints(wanted)
    fields = {name: field for name, field in wanted.__dataclass_fields__.items() if field.init}
    _check_names(value, set(fields), where)
    no_default = sys.modules["dataclasses"].MISSING
    arguments = {}
    for name, field in fields.items():
        if name in value:
            arguments[name] = convert(value[name], hints.get(name, _MISSING), f"{where}.{name}")
        elif field.default is no_default and field.default_factory is no_default:
            raise InputError(f"the input `{where}.{name}` is missing")
    return wanted(**arguments)


def _convert_typed_dict(value: Any, wanted: Any, where: str) -> Any:
    _need(value, dict, where)
    hints = _hints(wanted)
    _check_names(value, set(hints), where)
    whole = _hints(wanted, include_extras=True)
    for name in sorted(wanted.__required_keys__):
        # With postponed annotations `__required_keys__` does not know of `NotRequired`.
        wrapper = getattr(getattr(whole.get(name), "__origin__", None), "_name", None)
        if name not in value and wrapper != "NotRequired":
            raise InputError(f"the input `{where}.{name}` is missing")
    return {name: convert(each, hints[name], f"{where}.{name}") for name, each in value.items()}


def _hints(cls: type, include_extras: bool = False) -> dict[str, Any]:
    from typing import get_type_hints

    try:
        return get_type_hints(cls, include_extras=include_extras)
    except Exception:
        return {}


def _check_names(value: dict[str, Any], names: set[str], where: str) -> None:
    for name in value:
        if name not in names:
            raise InputError(f"there is no input `{where}.{name}`")


def _need(value: Any, kind: type, where: str) -> None:
    if not isinstance(value, kind):
        raise _misfit(where, _PLAIN[kind], value)


def _misfit(where: str, wanted: str, value: Any) -> InputError:
    return InputError(f"the input `{where}` must be {wanted}, not {_describe(value)}")


def _describe(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, (dict, list)):
        return _PLAIN[type(value)]
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
