"""The SDK of Bifrost: what the author of a workflow imports."""

from . import config, executions, files, log, results, state
from ._context import Context, Organization, User, context
from ._data_provider import data_provider, options
from ._errors import BifrostError, Cancelled, ConfigMissing, Conflict, TooDeep, UserError
from ._progress import progress
from ._workflow import workflow
from .executions import Execution

__all__ = [
    "BifrostError",
    "Cancelled",
    "ConfigMissing",
    "Conflict",
    "Context",
    "Execution",
    "Organization",
    "TooDeep",
    "User",
    "UserError",
    "config",
    "context",
    "data_provider",
    "executions",
    "files",
    "log",
    "options",
    "progress",
    "results",
    "state",
    "workflow",
]
