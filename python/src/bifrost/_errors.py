"""The exceptions of the SDK."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class BifrostError(Exception):
    """Something the platform refused or could not do."""


class Cancelled(BaseException):
    """The execution was cancelled. Not an `Exception`, so that a retry loop does not catch it."""


class ConfigMissing(BifrostError, KeyError):
    """Neither the organization nor Global has a configuration value of this key."""

    __str__ = Exception.__str__  # `KeyError` would show the sentence in quotes


class TooDeep(BifrostError):
    """The execution is too many generations below the one that somebody asked for."""


class Conflict(BifrostError):
    """A value has another version than the one that was expected."""


class UserError(Exception):
    """What the people who started the workflow did wrong, in words for them: no traceback."""

    def __init__(self, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


for _error in (BifrostError, Cancelled, ConfigMissing, TooDeep, Conflict, UserError):
    _error.__module__ = "bifrost"
