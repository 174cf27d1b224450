"""Functions that ask the platform: plain calls wait, `.aio` is for `await`.

Such a function is written once, as a generator that yields what it asks and is sent the answer.
"""

from __future__ import annotations

from ._host import require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from typing import Any, Generic, ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")
    Request = tuple[str, dict[str, Any]]
    Asking = Generator[Request | list[Request], Any, R]

    class Both(Generic[P, R]):
        """A function that can be called, and awaited as `.aio`."""

        def __init__(self, name: str, function: Callable[P, Asking[R]]) -> None: ...

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
            """Ask, and wait for the answer."""
            raise NotImplementedError

        def aio(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
            """Ask without holding up the event loop."""
            raise NotImplementedError

else:

    class Both:
        """A function that can be called, and awaited as `.aio`."""

        def __init__(self, name, function):
            self._name = name
            self.__wrapped__ = function
            self.__name__ = self.__qualname__ = function.__name__
            self.__doc__ = function.__doc__

        def __repr__(self):
            return f"<function {self._name}>"

        def __call__(self, *args, **kwargs):
            asking = self.__wrapped__(*args, **kwargs)
            step, answer = asking.send, None
            while True:
                try:
                    request = step(answer)
                except StopIteration as end:
                    return end.value
                host = require(self._name)
                try:
                    if type(request) is list:
                        step, answer = asking.send, host.call_all(request)
                    else:
                        step, answer = asking.send, host.call(*request)
                except Exception as error:
                    step, answer = asking.throw, error

        async def aio(self, *args, **kwargs):
            asking = self.__wrapped__(*args, **kwargs)
            step, answer = asking.send, None
            while True:
                try:
                    request = step(answer)
                except StopIteration as end:
                    return end.value
                host = require(self._name)
                try:
                    requests = request if type(request) is list else [request]
                    step, answer = asking.send, await host.ask(requests)
                except Exception as error:
                    step, answer = asking.throw, error


def both(name: str) -> Callable[[Callable[P, Asking[R]]], Both[P, R]]:
    """Make a generator of requests a function of the SDK; `name` is for people."""
    return lambda function: Both(name, function)
