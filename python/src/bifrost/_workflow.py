"""`@workflow`: marks the functions that Bifrost offers to run."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal, TypeVar, overload

    F = TypeVar("F", bound=Callable[..., Any])
else:

    def overload(function):  # the real one costs an import of `typing`
        return function


class Workflow:
    """What the decorator says about a function, kept as its `__bifrost_workflow__`."""

    __slots__ = (
        "name",
        "description",
        "timeout",
        "retries",
        "retry_delay",
        "priority",
        "schedule",
        "timezone",
        "missed",
    )

    def __init__(self, name: str, description: str | None, options: dict[str, Any]) -> None:
        self.name = name
        self.description = description
        self.timeout: float | None = options.get("timeout")
        self.retries: int | None = options.get("retries")
        self.retry_delay: float | None = options.get("retry_delay")
        self.priority: int | None = options.get("priority")
        self.schedule: str | None = options.get("schedule")
        self.timezone: str | None = options.get("timezone")
        self.missed: str | None = options.get("missed")

    def __repr__(self) -> str:
        return f"Workflow({self.name!r})"


@overload
def workflow(function: F, /) -> F: ...


@overload
def workflow(
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
    retries: int | None = None,
    retry_delay: float | None = None,
    priority: int | None = None,
    schedule: str | None = None,
    timezone: str | None = None,
    missed: Literal["skip", "once"] | None = None,
) -> Callable[[F], F]: ...


def workflow(function: Any = None, /, **options: Any) -> Any:
    """Offer a function as a workflow, bare or with options.

    `name` defaults to the function's, `description` to the first paragraph of its docstring,
    `timeout` is in seconds. `retries` counts the attempts after the first, when it fails: the first
    pause is `retry_delay` seconds (10), each further one twice as long. `priority`, -10 to 10, goes
    before less within the organization. The function stays as it is: a unit test calls it like any
    other.

    `schedule` starts the workflow by itself, without inputs: minute, hour, day of month, month and
    weekday, as `"0 7 * * mon-fri"`. `timezone` says whose clocks count, as `"Europe/Vienna"`; the
    organization's own unless told. `missed` says what happens with ticks for which no server was
    there: they are passed over (`"skip"`), or one start makes up for all of them (`"once"`).
    """
    _check(options)

    def mark(target: Any) -> Any:
        if not callable(target):
            raise TypeError(f"@workflow goes before a function, not {type(target).__name__}")
        target.__bifrost_workflow__ = Workflow(
            options.get("name") or target.__name__,
            options.get("description") or _first_paragraph(target.__doc__),
            options,
        )
        return target

    return mark if function is None else mark(function)


_OPTIONS = {
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


def _check(options: dict[str, Any]) -> None:
    for option, value in options.items():
        kinds = _OPTIONS.get(option)
        if kinds is None:
            known = ", ".join(f"`{each}`" for each in _OPTIONS)
            raise TypeError(f"@workflow has no option `{option}`; it takes {known}")
        if value is not None and (isinstance(value, bool) or not isinstance(value, kinds)):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise TypeError(f"@workflow: `{option}` must be {wanted}, not {value!r}")


def _first_paragraph(text: str | None) -> str | None:
    if not text:
        return None
    lines = []
    for line in text.strip().splitlines():
        if not line.strip():
            break
        lines.append(line.strip())
    return " ".join(lines)
