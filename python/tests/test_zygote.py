"""Whole executions through a real zygote: the ordinary ones, and the control channel."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from typing import Any, ClassVar

from .bundle_writer import Scope, Source, memory_file, write_bundle, write_codes
from .supervisor import RUNTIME, Outcome, Supervisor


def workflow(body: str, head: str = "", signature: str = "") -> dict[str, bytes]:
    """A tree with one workflow `main.main`."""
    lines = "\n    ".join(body.split("\n"))
    return {"main.py": f"{head}\ndef main({signature}):\n    {lines}\n".encode()}


class WithZygote(unittest.TestCase):
    """One zygote for all tests of a class: it has to survive them."""

    zygote: ClassVar[Supervisor]

    @classmethod
    def setUpClass(cls) -> None:
        cls.zygote = Supervisor("run")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.zygote.__exit__()
        assert cls.zygote.process.returncode == 0

    def run_body(self, body: str, head: str = "", **options: Any) -> Outcome:
        """Run one workflow in an organization without files."""
        return self.zygote.run({}, workflow(body, head), **options)


class Runs(WithZygote):
    """Executions that go well, or fail as they should."""

    def test_ready(self) -> None:
        self.assertEqual(self.zygote.ready["event"], "ready")
        self.assertTrue(self.zygote.ready["tag"].startswith("cpython-3"))

    def test_override(self) -> None:
        shared = {
            "main.py": b"def main():\n    from shared import one, two\n    return one.X, two.X\n",
            "shared/__init__.py": b"",
            "shared/one.py": b"X = 'global'",
            "shared/two.py": b"X = 'global'",
        }
        acme = {"shared/one.py": b"X = 'acme'"}
        outcome = self.zygote.run(acme, shared)
        self.assertEqual(outcome.value, ["acme", "global"])
        scopes = {name: each["scope"] for name, each in outcome.modules().items()}
        self.assertEqual(
            scopes,
            {"main": "global", "shared": "global", "shared.one": "org", "shared.two": "global"},
        )
        self.assertEqual(self.zygote.run(None, shared).value, ["global", "global"])

    def test_modules(self) -> None:
        import hashlib

        acme = Scope("acme", {"pinned.py": Source(b"X = 3", 3, True), "own.py": Source(b"", 9)})
        shared = {
            "main.py": b"import own\ndef main():\n    import pinned\n    return pinned.__file__\n"
        }
        outcome = self.zygote.run(acme, shared)
        self.assertEqual(outcome.value, "bifrost://global@3/pinned.py")
        modules = outcome.modules()
        self.assertEqual(
            modules["pinned"],
            {
                "name": "pinned",
                "scope": "global",
                "path": "pinned.py",
                "version": 3,
                "hash": hashlib.sha256(b"X = 3").hexdigest(),
            },
        )
        self.assertEqual((modules["own"]["scope"], modules["own"]["version"]), ("org", 9))
        kinds = [frame["type"] for frame in outcome.frames]
        self.assertEqual(kinds, ["modules", "modules", "result"])

    def test_async_and_inputs(self) -> None:
        head = (
            "import asyncio, datetime, enum, typing\nfrom dataclasses import dataclass\n"
            "class Color(enum.Enum):\n    RED = 'red'\n"
            "@dataclass\nclass Item:\n    name: str\n    when: datetime.date\n"
        )
        body = "await asyncio.sleep(0)\nreturn item, color, type(item).__name__, count"
        tree = workflow(body, head, "item: Item, color: Color, count: 'int | None' = None")
        tree["main.py"] = tree["main.py"].replace(b"def main", b"async def main")
        value = {"item": {"name": "x", "when": "2024-02-29"}, "color": "red"}
        outcome = self.zygote.run({}, tree, value=value)
        self.assertEqual(
            outcome.value, [{"name": "x", "when": "2024-02-29"}, "red", "Item", None], outcome.error
        )
        value["color"] = "blue"
        error = self.zygote.run({}, tree, value=value).error
        self.assertEqual(
            error and (error["type"], error["message"]),
            ("InputError", "the input `color` must be one of 'red', not 'blue'"),
        )

    def test_output(self) -> None:
        body = (
            "import sys, logging\nfrom bifrost import log\n"
            "print('one\\ntwo', end='')\nprint(' three')\nsys.stderr.write('err\\n')\n"
            "logging.warning('logged')\nlog.error('bad %d', 3, a=1)\n"
            "sys.stdout.buffer.write('bÿtes\\n'.encode())\nprint('\\ud800 ok')\n"
            "print('unfinished', end='')"
        )
        outcome = self.run_body(body)
        found = [(f["level"], f["message"]) for f in outcome.frames if f["type"] == "log"]
        self.assertEqual(
            found,
            [
                ("info", "one"),
                ("info", "two three"),
                ("warning", "err"),
                ("warning", "WARNING:root:logged"),
                ("error", 'bad 3 {"a": 1}'),
                ("info", "bÿtes"),
                ("info", "\\ud800 ok"),
                ("info", "unfinished"),
            ],
        )

    def test_context(self) -> None:
        body = (
            "from bifrost import context as c\n"
            "return [c.organization and c.organization.slug, c.user.email, c.execution_id,"
            " c.workflow_name, c.attempt]"
        )
        rest = ["ada@acme.test", "0003", "main", 1]
        self.assertEqual(self.run_body(body).value, ["acme", *rest])
        self.assertEqual(self.zygote.run(None, workflow(body)).value, [None, *rest])

    def test_calls(self) -> None:
        import base64

        content = os.urandom(1_000_000)
        written: list[tuple[str, dict[str, Any]]] = []

        def answer(method: str, arguments: dict[str, Any]) -> Any:
            if method == "files.read_bytes":
                if arguments["path"] == "missing":
                    raise FileNotFoundError("missing")
                at = arguments["offset"]
                part = content[at : at + 300_000]
                following = at + len(part) if at + len(part) < len(content) else None
                data = base64.b64encode(part).decode()
                return {"data": data, "size": len(content), "next": following}
            written.append((method, arguments))
            return {"path": "out", "version": 1, "hash": ""}

        body = (
            "from bifrost import files\n"
            "try:\n    files.read('missing')\nexcept FileNotFoundError as e:\n    print(e)\n"
            "data = files.read_bytes('big', scope=None)\n"
            "files.write('out', data)\nfiles.write('text', 'é' * 100_000)\nreturn len(data)"
        )
        outcome = self.run_body(body, answer=answer)
        self.assertEqual((outcome.value, outcome.logs()), (1_000_000, ["missing"]), outcome.error)
        binary = [a.get("data") or a["content"] for _, a in written if a.get("encoding") != "utf-8"]
        self.assertEqual(base64.b64decode("".join(binary[:3])), content)
        self.assertEqual(written[-1][1]["path"], "text")
        self.assertEqual(written[-2][1]["data"] + written[-1][1]["content"], "é" * 100_000)
        ids = [frame["id"] for frame in outcome.frames if frame["type"] == "call"]
        self.assertEqual(ids, list(range(1, len(ids) + 1)))

    def test_calls_from_threads(self) -> None:
        body = (
            "from concurrent.futures import ThreadPoolExecutor\nfrom bifrost import files\n"
            "with ThreadPoolExecutor(8) as pool:\n"
            "    return sum(pool.map(lambda n: files.list(str(n)), range(200)), [])"
        )
        outcome = self.run_body(body, answer=lambda m, a: [a["prefix"]])
        self.assertEqual(outcome.value, [str(n) for n in range(200)], outcome.error)

    def test_large_reply_and_call(self) -> None:
        paths = [f"folder/file-{number}.txt" for number in range(40_000)]
        outcome = self.run_body(
            "from bifrost import files\nreturn len(files.list())", answer=lambda m, a: paths
        )
        self.assertEqual(outcome.value, len(paths), outcome.error)
        error = self.run_body("from bifrost import files\nfiles.read('x' * 2_000_000)").error
        self.assertEqual(error and error["type"], "ValueError")

    def test_missing_module(self) -> None:
        tree = {**workflow("import shared.halopas"), "shared/halopsa.py": b""}
        error = self.zygote.run({}, tree).error
        assert error is not None
        self.assertEqual(
            error["message"],
            "No module named 'shared.halopas' (searched Acme's files and Global; "
            "did you mean 'shared.halopsa'?)",
        )
        self.assertTrue(error["traceback"].endswith("No module named 'shared.halopas'\n"))

    def test_traceback(self) -> None:
        shared = {**workflow("import helper\nhelper.go()"), "helper.py": b"\n1 / 0\n"}
        for acme, origin in (({}, "global"), ({"helper.py": b"def go():\n    1 / 0\n"}, "acme")):
            for compiled in (True, False):
                error = self.zygote.run(acme, shared, compiled=compiled).error
                assert error is not None
                self.assertEqual(error["type"], "ZeroDivisionError")
                self.assertIn(f'File "bifrost://{origin}/helper.py", line 2', error["traceback"])
                self.assertIn("    1 / 0\n", error["traceback"])
                self.assertNotIn("bifrost_runtime", error["traceback"])
                self.assertNotIn("importlib", error["traceback"])

    def test_syntax_error(self) -> None:
        error = self.zygote.run({}, {**workflow("import bad"), "bad.py": b"x = (\n"}).error
        assert error is not None
        self.assertEqual(error["type"], "SyntaxError")
        self.assertIn('File "bifrost://global/bad.py", line 1', error["traceback"])
        self.assertNotIn("bifrost_runtime", error["traceback"])

    def test_entry(self) -> None:
        error = self.zygote.run({}, {"main.py": b"x = 1"}).error
        self.assertEqual(error and error["type"], "EntryError")
        error = self.zygote.run({}, {}).error
        self.assertEqual(error and error["type"], "ModuleNotFoundError")

    def test_surroundings(self) -> None:
        body = (
            "import os, sys, resource, gc\n"
            "fds = {}\n"
            "for n in os.listdir('/proc/self/fd'):\n"
            "    try:\n        fds[n] = os.readlink('/proc/self/fd/' + n)\n"
            "    except OSError:\n        pass\n"
            "return {'env': dict(os.environ), 'fds': fds,\n"
            " 'sid': os.getsid(0) == os.getpid(), 'argv': sys.argv, 'gc': gc.isenabled(),\n"
            " 'stdin': sys.stdin.read(), 'core': resource.getrlimit(resource.RLIMIT_CORE)}"
        )
        value = self.run_body(body).value
        first = [value["fds"].pop(str(number)).partition(":")[0] for number in range(4)]
        self.assertEqual(first, ["/dev/null", "pipe", "pipe", "socket"])
        # What the mappings of its own bundles and codes keep (nothing from Python 3.13 on).
        self.assertLessEqual(len(value["fds"]), 4)
        self.assertTrue(all(each.startswith("/memfd:bundle") for each in value["fds"].values()))
        self.assertEqual(sorted(value["env"]), ["HOME", "LANG", "PATH", "TZ"])
        self.assertEqual((value["sid"], value["gc"], value["stdin"]), (True, True, ""))
        self.assertEqual(value["core"], [0, 0])

    def test_scratch(self) -> None:
        body = (
            "import os, tempfile\n"
            "with open('note', 'w') as file:\n    file.write('x')\n"
            "return [os.getcwd(), os.environ['HOME'], os.environ['TMPDIR'], tempfile.gettempdir()]"
        )
        with tempfile.TemporaryDirectory() as scratch:
            self.assertEqual(self.run_body(body, scratch=scratch).value, [scratch] * 4)
            self.assertEqual(os.listdir(scratch), ["note"])

    def test_scratch_that_is_not_there(self) -> None:
        outcome = self.run_body("return 1", scratch="/nonexistent/scratch")
        self.assertEqual((outcome.value, outcome.status), (None, 70))
        self.assertIn(b"/nonexistent/scratch", outcome.output)

    def test_large_values(self) -> None:
        text = 'é"\\\n' * 500_000
        outcome = self.zygote.run({}, workflow(f"return {text[:4]!r} * 500_000"))
        self.assertEqual(outcome.value, text)
        error = self.run_body("return 'x' * (17 << 20)").error
        self.assertEqual(error and error["type"], "ResultTooLarge")

    def test_resources(self) -> None:
        shared = {
            **workflow(
                "import importlib.resources as r, email, ns, pack, pkgutil\n"
                "with r.as_file(r.files('pack') / 'a.txt') as path:\n    text = path.read_text()\n"
                "return [text, r.read_text('pack', 'b.txt'), r.files(ns).joinpath('x.txt').read_text(),\n"
                "        pkgutil.get_data('pack', 'sub/c.txt').decode(), email.__file__[-17:],\n"
                "        sorted(e.name for e in r.files('ns').iterdir()), list(ns.__path__)]"
            ),
            # A directory of this name must not get in front of the standard library.
            "email/welcome.html": b"",
            "pack/__init__.py": b"",
            "pack/a.txt": b"A",
            "pack/b.txt": b"B",
            "pack/sub/c.txt": b"C",
            "ns/x.txt": b"X",
        }
        acme = {"pack/b.txt": b"acme's B", "ns/y.txt": b"Y"}
        outcome = self.zygote.run(acme, shared)
        self.assertEqual(
            outcome.value,
            [
                "A",
                "acme's B",
                "X",
                "C",
                "email/__init__.py",
                ["x.txt", "y.txt"],
                ["bifrost://acme/ns", "bifrost://global/ns"],
            ],
            outcome.error,
        )

    def test_random_differs(self) -> None:
        body = "import random, uuid\nreturn [random.random(), str(uuid.uuid4())]"
        self.assertNotEqual(self.run_body(body).value, self.run_body(body).value)


class Control(unittest.TestCase):
    """Kill, warm, and the end of a zygote."""

    def test_kill(self) -> None:
        with Supervisor() as zygote:
            child = zygote.start({}, workflow("import time\nprint('up')\ntime.sleep(60)"))
            while (frame := child.receive()) and frame["type"] != "log":
                pass
            zygote.say({"op": "kill", "run": child.run, "signal": signal.SIGKILL})
            self.assertEqual(zygote.wait(child), -signal.SIGKILL)
            zygote.say({"op": "kill", "run": child.run, "signal": signal.SIGKILL})
            zygote.say({"op": "nonsense"})
            self.assertEqual(zygote.run({}, workflow("return 1")).value, 1)

    def test_cancel(self) -> None:
        with Supervisor() as zygote:
            child = zygote.start({}, workflow("from bifrost import files\nfiles.list()"))
            while (frame := child.receive()) and frame["type"] != "call":
                pass
            child.send({"type": "cancel"})
            error = zygote.finish(child).error
            self.assertEqual(error and error["type"], "bifrost.Cancelled")

    def test_group_goes_with_its_child(self) -> None:
        body = (
            "import os, time\npid = os.fork()\nif pid == 0:\n    time.sleep(60)\nprint(pid)\n"
            "return pid"
        )
        with Supervisor() as zygote:
            pid = zygote.run({}, workflow(body)).value
            self.assertTrue(_is_gone(pid))

    def test_channel_closes(self) -> None:
        zygote = Supervisor()
        child = zygote.start(
            {}, workflow("import os, time\nos.fork()\nprint('up')\ntime.sleep(60)")
        )
        while (frame := child.receive()) and frame["type"] != "log":
            pass
        zygote.control.close()
        self.assertEqual(zygote.process.wait(10), 0)
        self.assertTrue(_is_gone(zygote.pids[child.run]))

    def test_warm(self) -> None:
        tree = workflow("import bifrost_runtime.loader as l\nreturn sorted(k[0] for k in l.warm)")
        shared, acme = Scope.of("global", tree), Scope.of("acme", {"own.py": b""})
        with Supervisor() as zygote:
            for scope in (shared, acme):  # the organization's is refused
                count = len(write_codes(scope)) and int.from_bytes(
                    write_bundle(scope)[12:16], "little"
                )
                files = [memory_file(write_bundle(scope)), memory_file(write_codes(scope))]
                zygote.say({"op": "warm", "entries": list(range(count))}, files)
                for each in files:
                    os.close(each)
                value = zygote.run({}, tree).value
                self.assertEqual(value, ["bifrost://global/main.py"] if scope is shared else [])

    def test_import_ahead(self) -> None:
        with Supervisor("run", "decimal", "no_such_module") as zygote:
            value = zygote.run({}, workflow("import sys\nreturn 'decimal' in sys.modules")).value
            self.assertTrue(value)

    def test_temporary_files_when_the_zygote_has_chosen_a_directory(self) -> None:
        code = (
            "import sys, tempfile\n"
            f"sys.path.insert(0, {RUNTIME!r})\n"
            "tempfile.gettempdir()\n"
            "from bifrost_runtime import child\n"
            "child._move_to(sys.argv[1])\n"
            "print(tempfile.gettempdir())\n"
        )
        with tempfile.TemporaryDirectory() as scratch:
            command = [sys.executable, "-c", code, scratch]
            self.assertEqual(subprocess.check_output(command, text=True).strip(), scratch)

    def test_compile(self) -> None:
        scope = Scope.of("acme", {"good.py": b"X = 1", "bad.py": b"x = ("})
        bundle = write_bundle(scope)
        with Supervisor("tools") as zygote:
            out = memory_file(b"")
            child = zygote.spawn([memory_file(bundle), os.dup(out)])
            child.send({"type": "start", "role": "compile", "value": [3, 4]})
            outcome = zygote.finish(child)
            self.assertEqual(outcome.value, 2, outcome.error)
            records = os.pread(out, 1 << 16, 0)
            os.close(out)
        import marshal

        self.assertEqual(records[:8], b"\x03\0\0\0\xff\xff\xff\xff")
        self.assertEqual(records[8:12], b"\x04\0\0\0")
        code = marshal.loads(records[16:])
        self.assertEqual(code.co_filename, "bifrost://acme/good.py")

    def test_analyse(self) -> None:
        source = b"from bifrost import workflow\n@workflow\ndef go(n: int): 'Go.'\nopen('/x')\n"
        with Supervisor("tools") as zygote:
            child = zygote.spawn([memory_file(source)])
            child.send({"type": "start", "role": "analyse", "path": "a.py", "origin": "o"})
            value = zygote.finish(child).value
        self.assertEqual([each["name"] for each in value["workflows"]], ["go"])
        json.dumps(value)


def _is_gone(pid: int) -> bool:
    for _ in range(100):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


if __name__ == "__main__":
    unittest.main()
