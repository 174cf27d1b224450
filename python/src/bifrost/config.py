"""`config`: configuration values and secrets. The organization's own, then Global's.

Each call asks the platform anew. What a run was given as a secret is `***` in its log, result and
error from then on.
"""

from __future__ import annotations

from ._errors import ConfigMissing
from ._host import require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["get"]

_MISSING: Any = object()


def get(key: str, default: Any = _MISSING) -> Any:
    """The value of a key; without one the default, or `ConfigMissing`."""
    if not isinstance(key, str):
        raise TypeError(f"a configuration key is str, not {type(key).__name__}")
    host = require("config.get")
    answer = host.call("config.get", {"key": key})
    if answer["found"]:
        return answer["value"]
    if default is not _MISSING:
        return default
    who = "neither the organization nor Global has" if host.organization else "Global does not have"
    raise ConfigMissing(f"{who} a configuration value `{key}`")
