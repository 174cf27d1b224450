"""The analyser: sources in, workflows, schemas and diagnostics out."""

from __future__ import annotations

import json
import textwrap
import unittest
from pathlib import Path
from typing import Any

from bifrost import _workflow
from bifrost_runtime import analyse as analysing
from bifrost_runtime.analyse import analyse

GOLDEN = Path(__file__).parent / "fixtures" / "analyse"


def parameter(annotation: str, head: str = "", default: str = "") -> Any:
    """The schema of one parameter, and the codes of what was said."""
    result = _analyse(
        f"{head}\nfrom bifrost import workflow\n@workflow\ndef f(x: {annotation}{default}): ..."
    )
    assert result["syntax_error"] is None, result
    parameters = result["workflows"][0]["parameters"]
    return parameters["properties"]["x"], [each["code"] for each in result["diagnostics"]]


def _analyse(source: str) -> dict[str, Any]:
    return analyse(textwrap.dedent(source).encode(), "a.py")


STRING, INTEGER, NULL = {"type": "string"}, {"type": "integer"}, {"type": "null"}
IMPORTS = """
import typing as t, datetime as dt, uuid, decimal
from typing import Optional, Union, Any, List, Dict, Literal, Sequence, Annotated
from datetime import date
Ids = list[int]
"""
TYPES: list[tuple[str, Any]] = [
    ("str", STRING),
    ("int", INTEGER),
    ("float", {"type": "number"}),
    ("bool", {"type": "boolean"}),
    ("None", NULL),
    ("Any", {}),
    ("t.Any", {}),
    ("object", {}),
    ("list", {"type": "array"}),
    ("list[int]", {"type": "array", "items": INTEGER}),
    ("List[int]", {"type": "array", "items": INTEGER}),
    ("Sequence[str]", {"type": "array", "items": STRING}),
    ("list[Any]", {"type": "array"}),
    ("Ids", {"type": "array", "items": INTEGER}),
    ("set[int]", {"type": "array", "uniqueItems": True, "items": INTEGER}),
    ("tuple[int, ...]", {"type": "array", "items": INTEGER}),
    (
        "tuple[int, str]",
        {"type": "array", "prefixItems": [INTEGER, STRING], "minItems": 2, "maxItems": 2},
    ),
    ("dict", {"type": "object"}),
    ("dict[str, int]", {"type": "object", "additionalProperties": INTEGER}),
    ("t.Dict[str, Any]", {"type": "object"}),
    ("Optional[int]", {"anyOf": [INTEGER, NULL]}),
    ("int | None", {"anyOf": [INTEGER, NULL]}),
    ("Union[int, str, None]", {"anyOf": [INTEGER, STRING, NULL]}),
    ("int | (str | int)", {"anyOf": [INTEGER, STRING]}),
    ("int | Any", {}),
    ("'int'", INTEGER),
    ("'list[\"int\"]'", {"type": "array", "items": INTEGER}),
    ("Literal['a', 1, None]", {"enum": ["a", 1, None]}),
    ("Annotated[int, 'doc']", INTEGER),
    ("date", {"type": "string", "format": "date"}),
    ("dt.datetime", {"type": "string", "format": "date-time"}),
    ("uuid.UUID", {"type": "string", "format": "uuid"}),
]
UNKNOWN = [
    "Foo",
    "mod.Foo",
    "bytes",
    "dict[int, str]",
    "list[Foo]",
    "'('",
    "Callable[[], int]",
    "x()",
]


class Schemas(unittest.TestCase):
    """Annotations to schemas."""

    def test_known(self) -> None:
        for annotation, expected in TYPES:
            with self.subTest(annotation):
                self.assertEqual(parameter(annotation, IMPORTS), (expected, []))

    def test_unknown(self) -> None:
        for annotation in UNKNOWN:
            with self.subTest(annotation):
                self.assertEqual(parameter(annotation)[1], ["unknown-type"])

    def test_aliases_that_go_round(self) -> None:
        self.assertEqual(parameter("A", "A = B\nB = A")[1], ["unknown-type"])
        self.assertEqual(parameter("A", "A = 'A'")[1], ["unknown-type"])

    def test_defaults(self) -> None:
        for text, expected in (
            ("1", 1),
            ("-1.5", -1.5),
            ("'a'", "a"),
            ("[1, (2,)]", [1, [2]]),
            ("{'a': None}", {"a": None}),
            ("E.B", "b"),
        ):
            schema, said = parameter(
                "Any",
                "import enum\nfrom typing import Any\nclass E(enum.Enum):\n    B = 'b'",
                f" = {text}",
            )
            self.assertEqual((schema, said), ({"default": expected}, []))
        for text in ("f()", "{1: 2}", "1e999", "b'x'", "2**3", "E.B"):
            self.assertEqual(parameter("int", default=f" = {text}"), (INTEGER, []))
        self.assertEqual(
            parameter("int", default=" = None")[0], {"anyOf": [INTEGER, NULL], "default": None}
        )


class Workflows(unittest.TestCase):
    """Which functions are found, and with what."""

    def test_golden(self) -> None:
        for source in sorted(GOLDEN.glob("*.py")):
            with self.subTest(source.name):
                expected = json.loads(source.with_suffix(".json").read_text(encoding="utf-8"))
                self.assertEqual(analyse(source.read_bytes(), source.name), expected)

    def test_ways_to_import(self) -> None:
        for head, decorator in (
            ("from bifrost import workflow", "workflow"),
            ("from bifrost import workflow", "workflow()"),
            ("from bifrost import workflow as wf", "wf"),
            ("import bifrost", "bifrost.workflow"),
            ("import bifrost as b", "b.workflow()"),
            ("from bifrost import *", "workflow"),
            ("if True:\n  try:\n    from bifrost import workflow\n  finally: pass", "workflow"),
        ):
            for source in (
                f"{head}\n@{decorator}\ndef f(): ...",
                f"{head}\nif True:\n  try:\n    @{decorator}\n    async def f(): ...\n"
                "  except E: pass",
            ):
                found = _analyse(source)["workflows"]
                self.assertEqual([each["name"] for each in found], ["f"], source)
                self.assertEqual(found[0]["is_async"], "async" in source)

    def test_what_is_none(self) -> None:
        for source in (
            "def workflow(f): return f\n@workflow\ndef f(): ...",
            "from other import workflow\n@workflow\ndef f(): ...",
            "from bifrost import workflow\ndef g():\n    @workflow\n    def f(): ...",
            "from bifrost import workflow\nclass C:\n    @workflow\n    def f(self): ...",
            "from bifrost import workflow\nworkflow(print)",
        ):
            self.assertEqual(_analyse(source)["workflows"], [], source)

    def test_diagnostics(self) -> None:
        head = "from bifrost import workflow\n"
        for source, code, severity in (
            ("@workflow(name=N)\ndef f(): ...", "not-literal", "warning"),
            ("@workflow(**N)\ndef f(): ...", "not-literal", "warning"),
            ("@workflow(timeout='1')\ndef f(): ...", "bad-option", "error"),
            ("@workflow('f')\ndef f(): ...", "bad-option", "error"),
            ("@workflow(speed=1)\ndef f(): ...", "unknown-option", "error"),
            ("@workflow\ndef f(a, /): ...", "positional-only", "error"),
            ("@workflow\ndef f(*a): ...", "variable-arguments", "warning"),
            (
                "@workflow\ndef f(): ...\n@workflow(name='f')\ndef g(): ...",
                "duplicate-workflow",
                "error",
            ),
            ("@workflow\ndef f(a: Foo): ...", "unknown-type", "warning"),
            ("@workflow\ndef f(): '\\d'", "syntax-warning", "warning"),
        ):
            result = _analyse(head + source)
            found = [(each["code"], each["severity"]) for each in result["diagnostics"]]
            self.assertEqual(found, [(code, severity)], source)
            self.assertEqual([each["function"] for each in result["workflows"]], ["f"])
            self.assertGreater(result["diagnostics"][0]["line"], 1)

    def test_syntax_errors(self) -> None:
        for data, line in (
            (b"x = 1\ny = (\n", 2),
            (b"x\0y", 1),
            (b"\xff", 1),
            (b"# coding: nonsense\n", 1),
            (b"return 1", 1),
            (b"(" * 5000, 1),
            (b"-" * 100_000 + b"1", 1),
            (b"a" + b".b" * 50_000, 1),
            (b"\n\nbreak", 3),
            (b"def f():\nx", 2),
        ):
            error = analyse(data, "a.py")["syntax_error"]
            self.assertIsNotNone(error, data[:20])
            self.assertEqual(sorted(error), ["column", "line", "message", "text"])
            self.assertEqual(error["line"], line)
            json.dumps(error)

    def test_other_encodings(self) -> None:
        source = "# coding: latin-1\nfrom bifrost import workflow\n@workflow\ndef f(): 'é'\n"
        found = analyse(source.encode("latin-1"), "a.py")["workflows"]
        self.assertEqual(found[0]["description"], "é")
        self.assertIsNone(analyse(b"\xef\xbb\xbfx = 1\r\n", "a.py")["syntax_error"])

    def test_executes_nothing(self) -> None:
        source = "raise SystemExit\nfrom bifrost import workflow\n@workflow\ndef f(x=1/0): ...\n"
        self.assertEqual(len(_analyse(source)["workflows"]), 1)


GOOGLE = """Do.

    Args:
        a: first
            one
        b (int, optional): second

    Returns:
        c: no
"""
NUMPY = """Do.

    Parameters
    ----------
    a : str
        first
        one
    b
        second

    Returns
    -------
    c : int
        no
"""
SPHINX = """Do.

    :param a: first
        one
    :param int b: second
    :returns: no
"""


class Docstrings(unittest.TestCase):
    """Descriptions of parameters in three styles."""

    def test_without(self) -> None:
        for function in ("def f(): ...", "def f(): ''", "def f(): '  '"):
            source = f"from bifrost import workflow\n@workflow\n{function}\n"
            self.assertEqual(analyse(source.encode(), "a.py")["workflows"][0]["description"], "")

    def test_styles(self) -> None:
        head = "from bifrost import workflow\n@workflow\ndef f(a, b, c):\n"
        for docstring in (GOOGLE, NUMPY, SPHINX):
            source = f'{head}    """{docstring}    """\n'
            workflow = analyse(source.encode(), "a.py")["workflows"][0]
            self.assertEqual(workflow["description"], "Do.")
            self.assertEqual(
                workflow["parameters"]["properties"],
                {"a": {"description": "first one"}, "b": {"description": "second"}, "c": {}},
                docstring,
            )


class Providers(unittest.TestCase):
    """`options(…)` in an annotation."""

    def test_the_name_is_in_the_schema(self) -> None:
        head = "from typing import Annotated\nfrom bifrost import options as of"
        with_options = {"type": "string", "x-options": "tenants"}
        self.assertEqual(parameter('Annotated[str, of("tenants")]', head), (with_options, []))
        schema, _ = parameter('Annotated[str, of("tenants")] | None', head, " = None")
        self.assertEqual(schema["x-options"], "tenants")

    def test_what_is_no_name_is_said(self) -> None:
        head = "from typing import Annotated\nfrom bifrost import options"
        for wrong in ("options(tenants)", "options()", 'options("a b")'):
            schema, codes = parameter(f"Annotated[str, {wrong}]", head)
            self.assertEqual((schema, codes), (STRING, ["bad-option"]), wrong)


class OneListOfOptions(unittest.TestCase):
    """The decorator, which runs, and the analyser, which does not, take the same options."""

    def test_both_know_the_same_options_of_the_same_kinds(self) -> None:
        self.assertEqual(vars(_workflow)["_OPTIONS"], vars(analysing)["_OPTIONS"])


if __name__ == "__main__":
    unittest.main()
