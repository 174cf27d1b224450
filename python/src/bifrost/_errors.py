"""The exceptions of the SDK."""


class BifrostError(Exception):
    """Something the platform refused or could not do."""


class Cancelled(BaseException):
    """The execution was cancelled. Not an `Exception`, so that a retry loop does not catch it."""


for _error in (BifrostError, Cancelled):
    _error.__module__ = "bifrost"
