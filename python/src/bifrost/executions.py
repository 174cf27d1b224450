"""`executions`: other workflows of the organization, started, looked at and waited for.

What a run starts are its children: they run for the same organization and the same person, at most
five generations deep, and are stopped when it is. While a run waits it does not count as running,
so that its children come to their turn however few may run at a time.
"""

from __future__ import annotations

from ._both import both

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from ._both import Asking

__all__ = ["Execution", "start", "get", "wait"]


class Execution:
    """An execution as it was when it was asked for."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def __repr__(self) -> str:
        return f"Execution({self.workflow!r}, {self.status!r}, id={self.id!r})"

    @property
    def id(self) -> str:
        """Its id, a UUID."""
        return str(self._values["id"])

    @property
    def workflow(self) -> str:
        """The workflow's name."""
        return str(self._values["workflow"])

    @property
    def status(self) -> str:
        """`pending`, `running`, `succeeded`, or how else it ended."""
        return str(self._values["status"])

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status not in ("pending", "running")

    @property
    def succeeded(self) -> bool:
        """Whether it has returned a result."""
        return self.status == "succeeded"

    @property
    def result(self) -> Any:
        """What it returned; None before that."""
        return self._values["result"]

    @property
    def error(self) -> dict[str, Any] | None:
        """`type` and `message` of why it did not succeed."""
        error: dict[str, Any] | None = self._values["error"]
        return error

    @property
    def parent_id(self) -> str | None:
        """The execution that started it."""
        parent: str | None = self._values["parent_id"]
        return parent


@both("executions.start")
def start(
    workflow: str,
    inputs: dict[str, Any] | None = None,
    *,
    idempotency_key: str | None = None,
    priority: int | None = None,
    start_at: datetime | str | None = None,
) -> Asking[Execution]:
    """Start a workflow of the organization, by its name; does not wait for it.

    The same `idempotency_key` again gives the same execution. Without a `priority` it stands in
    line where this run stood.
    """
    at = start_at if start_at is None or isinstance(start_at, str) else _instant(start_at)
    arguments = {
        "workflow": workflow,
        "inputs": {} if inputs is None else inputs,
        "idempotency_key": idempotency_key,
        "priority": priority,
        "start_at": at,
    }
    values = yield ("executions.start", arguments)
    return Execution(values)


@both("executions.get")
def get(id: str | Execution) -> Asking[Execution]:
    """An execution of the organization; `LookupError` when there is none of this id."""
    values = yield ("executions.get", {"id": _id(id)})
    return Execution(values)


@both("executions.wait")
def wait(id: str | Execution, timeout: float | None = None) -> Asking[Execution]:
    """The execution when it has ended, however it did; `TimeoutError` after `timeout` seconds."""
    values = yield ("executions.wait", {"id": _id(id), "timeout": timeout})
    return Execution(values)


def _id(id: str | Execution) -> str:
    return id.id if isinstance(id, Execution) else id


def _instant(at: datetime) -> str:
    if at.tzinfo is None:
        at = at.astimezone()  # of the run's own clock, which shows its organization's zone
    return at.isoformat()
