"""The SDK outside of the platform, as the unit tests of a workflow's author use it."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import subprocess
import sys
import textwrap
import unittest
from pathlib import Path
from typing import Any

import bifrost
from bifrost import (
    BifrostError,
    ConfigMissing,
    _host,
    config,
    context,
    files,
    log,
    workflow,
)

from .supervisor import RUNTIME


class Decorator(unittest.TestCase):
    """`@workflow`"""

    def test_bare_and_with_options(self) -> None:
        @workflow
        def plain(a: int) -> int:
            """Adds.

            Much more.
            """
            return a + 1

        @workflow(name="Other", description="Other text", timeout=3, retries=2)
        async def other() -> None: ...

        @workflow(schedule="0 7 * * mon-fri", timezone="Europe/Vienna", missed="once")
        def morning() -> None: ...

        self.assertEqual(plain(1), 2)
        about: Any = getattr(plain, "__bifrost_workflow__")
        self.assertEqual((about.name, about.description, about.timeout), ("plain", "Adds.", None))
        about = getattr(other, "__bifrost_workflow__")
        self.assertEqual(
            (about.name, about.description, about.timeout, about.retries),
            ("Other", "Other text", 3, 2),
        )
        self.assertIsNone(about.schedule)
        about = getattr(morning, "__bifrost_workflow__")
        self.assertEqual(
            (about.schedule, about.timezone, about.missed),
            ("0 7 * * mon-fri", "Europe/Vienna", "once"),
        )

    def test_refused(self) -> None:
        anything: Any = workflow
        for options, message in (
            ({"speed": 1}, "@workflow has no option `speed`; it takes"),
            ({"timeout": "1"}, "@workflow: `timeout` must be int or float, not '1'"),
            ({"schedule": 7}, "@workflow: `schedule` must be str, not 7"),
            ({"retries": True}, "@workflow: `retries` must be int, not True"),
        ):
            with self.assertRaises(TypeError) as caught:
                anything(**options)
            self.assertIn(message, str(caught.exception))
        self.assertRaises(TypeError, anything, "name")


class Answers:
    """A platform that has these answers, one after the other."""

    organization: dict[str, Any] | None = {"id": "1", "slug": "acme", "name": "Acme"}
    user: dict[str, Any] | None = None
    execution: dict[str, Any] = {}
    timezone = "UTC"
    scratch: str | None = None
    cancelled = False

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __enter__(self) -> None:
        _host.install(self)

    def __exit__(self, *_: object) -> None:
        _host.install(None)

    def log(self, level: str, message: str) -> None:
        """Nothing is logged."""

    def progress(self, done: float, total: float | None, note: str | None) -> None:
        """Nothing is shown."""

    def remaining(self) -> float | None:
        """There is no hurry."""
        return None

    async def ask(self, calls: list[tuple[str, dict[str, Any]]]) -> Any:
        """The next answer to the last of these."""
        return self.call(*calls[-1])

    def call(self, method: str, arguments: dict[str, Any]) -> Any:
        """The next answer."""
        self.calls.append((method, arguments))
        return self.answers.pop(0)

    def call_all(self, calls: list[tuple[str, dict[str, Any]]]) -> Any:
        """Not asked here."""
        raise AssertionError(calls)


class Outside(unittest.TestCase):
    """Nothing there to speak to."""

    def test_context(self) -> None:
        for name in ("organization", "user", "execution_id", "workflow_name", "attempt"):
            with self.assertRaises(BifrostError) as caught:
                getattr(context, name)
            self.assertIn(f"`context.{name}` works only while", str(caught.exception))

    def test_files(self) -> None:
        for call in (lambda: files.read("a"), lambda: files.write("a", "b"), files.list):
            self.assertRaises(BifrostError, call)

    def test_config(self) -> None:
        self.assertRaises(BifrostError, config.get, "a")
        self.assertRaises(BifrostError, config.get, "a", default=1)

    def test_config_asks_each_time(self) -> None:
        host = Answers({"found": True, "value": None}, {"found": True, "value": [1]})
        with host:
            self.assertIsNone(config.get("a", default=1))
            self.assertEqual(config.get("a"), [1])
        self.assertEqual(host.calls, [("config.get", {"key": "a"})] * 2)

    def test_config_that_is_missing(self) -> None:
        with Answers({"found": False}, {"found": False}, {"found": False}):
            self.assertEqual(config.get("a", default=1), 1)
            self.assertIsNone(config.get("a", None))
            with self.assertRaises(ConfigMissing) as caught:
                config.get("halopsa.api_key")
        self.assertIsInstance(caught.exception, KeyError)
        self.assertEqual(
            str(caught.exception),
            "neither the organization nor Global has a configuration value `halopsa.api_key`",
        )

    def test_config_key_is_a_text(self) -> None:
        anything: Any = 1
        with Answers():
            self.assertRaises(TypeError, config.get, anything)

    def test_log(self) -> None:
        with contextlib.redirect_stderr(io.StringIO()) as text:
            log.info("a %s", "b", c=1)
            log.warning("100%", "odd")
        self.assertEqual(text.getvalue(), 'info: a b {"c": 1}\nwarning: 100% odd\n')

    def test_names(self) -> None:
        self.assertEqual((BifrostError.__module__, bifrost.Cancelled.__module__), ("bifrost",) * 2)

    def test_is_cheap_to_import(self) -> None:
        code = (
            f"import sys; sys.path.insert(0, {RUNTIME!r}); before = set(sys.modules); "
            "import bifrost;"
            "print(*sorted(n for n in set(sys.modules) - before if not n.startswith('bifrost')))"
        )
        command = [sys.executable, "-I", "-S", "-c", code]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        self.assertLessEqual(set(found), {"__future__", "binascii"})


class Documentation(unittest.TestCase):
    """`docs/sdk.md`"""

    def test_examples_are_python_and_name_what_there_is(self) -> None:
        page = Path(__file__).parents[2] / "docs" / "sdk.md"
        blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
        self.assertGreater(len(blocks), 5)
        for block in blocks:
            tree = ast.parse("async def example():\n" + textwrap.indent(block, "    "))
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module == "bifrost":
                    for each in node.names:
                        self.assertTrue(hasattr(bifrost, each.name), each.name)
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    module = getattr(bifrost, node.value.id, None)
                    if module is not None:
                        self.assertTrue(hasattr(module, node.attr), f"{node.value.id}.{node.attr}")


if __name__ == "__main__":
    unittest.main()
