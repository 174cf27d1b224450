"""The exceptions of the SDK."""


class BifrostError(Exception):
    """Something the platform refused or could not do."""


class Cancelled(BaseException):
    """The execution was cancelled. Not an `Exception`, so that a retry loop does not catch it."""


class ConfigMissing(BifrostError, KeyError):
    """Neither the organization nor Global has a configuration value of this key."""

    __str__ = Exception.__str__  # `KeyError` would show the sentence in quotes


for _error in (BifrostError, Cancelled, ConfigMissing):
    _error.__module__ = "bifrost"
