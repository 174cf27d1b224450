"""The SDK of Bifrost: what the author of a workflow imports."""

from . import files, log
from ._context import Context, Organization, User, context
from ._errors import BifrostError, Cancelled
from ._workflow import workflow

__all__ = [
    "BifrostError",
    "Cancelled",
    "Context",
    "Organization",
    "User",
    "context",
    "files",
    "log",
    "workflow",
]
