"""The SDK of Bifrost: what the author of a workflow imports."""

from . import config, files, log
from ._context import Context, Organization, User, context
from ._errors import BifrostError, Cancelled, ConfigMissing
from ._workflow import workflow

__all__ = [
    "BifrostError",
    "Cancelled",
    "ConfigMissing",
    "Context",
    "Organization",
    "User",
    "config",
    "context",
    "files",
    "log",
    "workflow",
]
