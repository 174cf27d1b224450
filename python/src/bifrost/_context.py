"""`context`: for whom and as what the workflow runs."""

from __future__ import annotations

from ._errors import BifrostError
from ._host import require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime


class _Record:
    """Fields that can be read and compared but not set."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self._values.items())
        return f"{type(self).__name__}({fields})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._values == self._values

    def __hash__(self) -> int:
        return hash(self._values.get("id"))


class Organization(_Record):
    """An organization."""

    __slots__ = ()

    @property
    def id(self) -> str:
        """Its id, a UUID."""
        return self._values["id"]

    @property
    def slug(self) -> str:
        """Its name in addresses: `acme`."""
        return self._values["slug"]

    @property
    def name(self) -> str:
        """Its name for people: `Acme`."""
        return self._values["name"]

    @property
    def timezone(self) -> str:
        """The IANA name of its time zone, `Europe/Vienna`; the clock of the run shows it."""
        return self._values["timezone"]

    @property
    def currency(self) -> str:
        """The ISO 4217 code of its currency: `EUR`."""
        return self._values["currency"]

    @property
    def locale(self) -> str:
        """The BCP 47 tag of its language and region: `de-AT`."""
        return self._values["locale"]


class User(_Record):
    """A person."""

    __slots__ = ()

    @property
    def id(self) -> str:
        """Their id, a UUID."""
        return self._values["id"]

    @property
    def email(self) -> str:
        """Their e-mail address."""
        return self._values["email"]

    @property
    def name(self) -> str:
        """Their name."""
        return self._values["name"]


class Context:
    """The running execution. Reading it anywhere else raises `BifrostError`."""

    __slots__ = ()

    @property
    def organization(self) -> Organization | None:
        """The organization the workflow runs for; None in Global."""
        values = require("context.organization").organization
        return None if values is None else Organization(values)

    @property
    def user(self) -> User | None:
        """Who asked for the execution; None for a schedule or another machine."""
        values = require("context.user").user
        return None if values is None else User(values)

    @property
    def execution_id(self) -> str:
        """The execution's id, a UUID."""
        return str(require("context.execution_id").execution["id"])

    @property
    def workflow_name(self) -> str:
        """The name of the workflow that runs."""
        return str(require("context.workflow_name").execution["workflow"])

    @property
    def attempt(self) -> int:
        """1 for the first attempt."""
        return int(require("context.attempt").execution["attempt"])

    @property
    def timezone(self) -> str:
        """The IANA name of the time zone that the run's clock shows."""
        return require("context.timezone").timezone

    @property
    def scratch(self) -> str:
        """The directory the run may write to, removed with everything in it at its end."""
        scratch = require("context.scratch").scratch
        if scratch is None:
            raise BifrostError("this run has no scratch directory")
        return scratch

    @property
    def cancelled(self) -> bool:
        """Whether somebody wants the run to end, or its time is up: seconds are left to clean up."""
        return require("context.cancelled").cancelled

    @property
    def deadline(self) -> datetime | None:
        """When the run's time is up, in UTC."""
        left = self.remaining()
        if left is None:
            return None
        from datetime import datetime, timedelta, timezone

        return datetime.now(timezone.utc) + timedelta(seconds=left)

    def remaining(self) -> float | None:
        """Seconds until the run's time is up, 0 when it is."""
        return require("context.remaining").remaining()


context = Context()
