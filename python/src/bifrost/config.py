"""`config`: configuration values and secrets. The organization's own, then Global's.

Each call asks the platform anew. What a run was given as a secret is `***` in its log, result and
error from then on.
"""

from __future__ import annotations

from ._both import both
from ._errors import ConfigMissing
from ._host import require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._both import Asking

__all__ = ["get"]

_MISSING: Any = object()


@both("config.get")
def get(key: str, default: Any = _MISSING) -> Asking[Any]:
    """The value of a key; without one the default, or `ConfigMissing`."""
    if not isinstance(key, str):
        raise TypeError(f"a configuration key is str, not {type(key).__name__}")
    answer = yield ("config.get", {"key": key})
    if answer["found"]:
        return answer["value"]
    if default is not _MISSING:
        return default
    own = require("config.get").organization
    who = "neither the organization nor Global has" if own else "Global does not have"
    raise ConfigMissing(f"{who} a configuration value `{key}`")
