"""The platform below the SDK: put here by the runtime of a run, absent in a unit test."""

from __future__ import annotations

from ._errors import BifrostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Host(Protocol):
        """What a run offers the SDK."""

        organization: dict[str, Any] | None
        user: dict[str, Any] | None
        execution: dict[str, Any]
        timezone: str
        scratch: str | None

        @property
        def cancelled(self) -> bool:
            """Whether somebody wants the run to end."""

        def remaining(self) -> float | None:
            """Seconds until its time is up."""

        def log(self, level: str, message: str) -> None:
            """Send a log line."""

        def progress(self, done: float, total: float | None, note: str | None) -> None:
            """Say how far it has come."""

        def call(self, method: str, arguments: dict[str, Any]) -> Any:
            """Ask the platform."""

        def call_all(self, calls: list[tuple[str, dict[str, Any]]]) -> Any:
            """Ask several things in a row; the last answer."""

        async def ask(self, calls: list[tuple[str, dict[str, Any]]]) -> Any:
            """The same, without holding up the event loop."""


_host: Host | None = None


def install(host: Host | None) -> None:
    """Set the platform of this process."""
    global _host
    _host = host


def current() -> Host | None:
    """The platform, if this process runs a workflow on it."""
    return _host


def require(what: str) -> Host:
    """The platform, or an error that says what needs it."""
    if _host is None:
        raise BifrostError(f"`{what}` works only while Bifrost runs a workflow")
    return _host
