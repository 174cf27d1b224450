"""`@data_provider`: functions that say what a parameter can be, asked while a form is filled in."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])


def data_provider(function: F) -> F:
    """Let parameters of workflows take their choices from what this function returns.

    It returns a list of values, or of `{"value": …, "label": …}`. Its own parameters, if it has
    any, are filled from what the form has so far.
    """
    if not callable(function):
        raise TypeError(f"@data_provider goes before a function, not {type(function).__name__}")
    setattr(function, "__bifrost_data_provider__", True)
    return function


class options:
    """In `Annotated[str, options("tenants")]`: the data provider of a parameter.

    The name is one that the workflow's module defines or imports.
    """

    __slots__ = ("provider",)

    def __init__(self, provider: str) -> None:
        if not isinstance(provider, str) or not provider.isidentifier():
            raise TypeError(f"options(…) takes the name of a function, not {provider!r}")
        self.provider = provider

    def __repr__(self) -> str:
        return f"options({self.provider!r})"
