"""The walls a child raises around itself before anybody else's code runs."""

from __future__ import annotations

import json
import os
import signal

from . import limits, system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_USER_NAMESPACE = 1
_NO_GROUP: list[int] = []


class Walls:
    """What is the same for all children of a zygote, made ready before the first."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._processes: int | None = None
        if settings["processes"]:
            self._processes = os.open("/proc/self/ns/pid", os.O_RDONLY)
        self._capabilities: bool = settings["capabilities"]
        self._filters = [system.program(bytes.fromhex(each)) for each in settings["filters"]]

    def fork(self) -> int:
        """Fork a child that is the first process of a namespace: with it all others of it go."""
        if self._processes is None:
            return os.fork()
        system.unshare(system.NEW_PROCESSES)
        pid = -1
        try:
            pid = os.fork()
        finally:
            if pid:
                # A second `unshare` would be refused, and what else is forked is no run.
                system.enter(self._processes, system.NEW_PROCESSES)
        return pid

    def enter(self, cell: dict[str, Any], descriptors: list[int]) -> list[int]:
        """Join the groups and namespaces of a cell; the descriptors that are still needed.

        The cell's own are the last ones: groups, namespaces, the ruleset for files.
        """
        ruled = 1 if cell["ruled"] else 0
        first = len(descriptors) - cell["groups"] - cell["namespaces"] - ruled
        groups = descriptors[first : first + cell["groups"]]
        rest = descriptors[first + cell["groups"] :]
        measure = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        for group in groups:
            os.write(group, b"0")
        for namespace in rest[: cell["namespaces"]]:
            system.enter(namespace)
        return [*descriptors[:first], *rest[cell["namespaces"] :], measure]

    def close(self, cell: dict[str, Any], descriptors: list[int]) -> None:
        """Give up every right; takes its own off the end of `descriptors`."""
        limits.measure = descriptors.pop()
        user = cell["uid"]
        if user is not None:
            os.setgroups(_NO_GROUP)
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        if self._capabilities:
            system.drop_capabilities()
        system.control(system.DUMPABLE, 0)
        system.control(system.NO_NEW_PRIVILEGES, 1)
        if cell["ruled"]:
            ruleset = descriptors.pop()
            system.restrict_files(ruleset)
            os.close(ruleset)
        for filter, _ in self._filters:
            system.restrict_calls(filter)
        _use_proxy(cell["proxy"])


def take(arguments: list[str]) -> Walls:
    """Take `--walls SETTINGS` out of the arguments, and be where they need a zygote to be."""
    at = arguments.index("--walls")
    settings = json.loads(arguments[at + 1])
    del arguments[at : at + 2]
    if settings["user_namespace"]:
        system.enter(_USER_NAMESPACE, system.NEW_USER)
    null = os.open("/dev/null", os.O_WRONLY)
    os.dup2(null, _USER_NAMESPACE)
    os.close(null)
    if settings["processes"]:
        be_first()
    return Walls(settings)


def be_first() -> None:
    """Go on as the first process of a namespace, so that whoever kills this kills all runs."""
    system.unshare(system.NEW_PROCESSES)
    pid = os.fork()
    if pid == 0:
        system.control(system.PARENT_DEATH, signal.SIGKILL)
        return
    # The channel is not held open here, so that the supervisor sees when the zygote goes.
    os.closerange(0, 2)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os._exit(status if status >= 0 else 128 - status)


def _use_proxy(port: int | None) -> None:
    """Tell HTTP clients the one way out."""
    if port is None:
        return
    address = f"http://127.0.0.1:{port}"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        os.environ[name] = address
