"""Workflows that mean harm, or do it without: the child reports or dies, the zygote lives."""

from __future__ import annotations

import signal
import time
import unittest
from typing import Any

from .supervisor import LIMITS, Outcome, Supervisor
from .test_zygote import WithZygote, workflow


class Hostile(WithZygote):
    """One after the other on the same zygote."""

    def tearDown(self) -> None:
        self.assertEqual(self.zygote.run({}, workflow("return 'alive'")).value, "alive")

    def error_of(self, body: str, head: str = "", **options: Any) -> dict[str, str]:
        outcome = self.run_body(body, head, **options)
        assert outcome.error is not None, outcome
        self.assertEqual(outcome.status, 0)
        return outcome.error

    def crash_of(self, body: str, **options: Any) -> Outcome:
        outcome = self.run_body(body, **options)
        self.assertIsNone(outcome.error)
        self.assertNotIn("result", [frame["type"] for frame in outcome.frames])
        return outcome

    def test_sys_exit(self) -> None:
        for code, shown in (("", ""), ("0", "0"), ("3", "3"), ("'bye'", "'bye'")):
            error = self.error_of(f"import sys\nsys.exit({code})")
            self.assertEqual(error["type"], "SystemExit")
            self.assertEqual(error["message"], f"the workflow called sys.exit({shown})")
        self.assertEqual(self.error_of("pass", head="raise SystemExit(1)")["type"], "SystemExit")

    def test_os_exit(self) -> None:
        self.assertEqual(self.crash_of("import os\nos._exit(5)").status, 5)

    def test_signals(self) -> None:
        self.assertEqual(self.crash_of("import os\nos.kill(os.getpid(), 9)").status, -9)
        error = self.error_of(
            "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nwhile 1: pass"
        )
        self.assertEqual(error["type"], "KeyboardInterrupt")
        self.assertEqual(self.crash_of("import ctypes\nctypes.string_at(0)").status, -11)

    def test_signals_that_whoever_started_the_server_ignores(self) -> None:
        ignored = (signal.SIGINT, signal.SIGHUP)
        before = {number: signal.signal(number, signal.SIG_IGN) for number in ignored}
        try:
            deaf = Supervisor("run")
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        with deaf as zygote:
            body = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nreturn 'deaf'"
            outcome = zygote.run({}, workflow(body))
            assert outcome.error is not None, outcome
            self.assertEqual(outcome.error["type"], "KeyboardInterrupt")
            body = "import os, signal\nos.kill(os.getpid(), signal.SIGHUP)\nreturn 'deaf'"
            self.assertEqual(zygote.run({}, workflow(body)).status, -1)

    def test_threads_that_never_end(self) -> None:
        body = (
            "import threading, time\n"
            "def spin():\n    while True:\n        print('x' * 100)\n"
            "for _ in range(3):\n    threading.Thread(target=spin).start()\n"
            "time.sleep(0.05)\nreturn 1"
        )
        outcome = self.run_body(body)
        self.assertEqual((outcome.value, outcome.status), (1, 0))
        self.assertEqual(outcome.frames[-1]["type"], "result")

    def test_fork(self) -> None:
        body = (
            "import os, sys\nprint('before', end=' ')\npid = os.fork()\n"
            "if pid == 0:\n    print('from the copy')\n    sys.stderr.write('and err')\n"
            "    return 'copy'\n"
            "os.waitpid(pid, 0)\nprint('after')\nreturn 'original'"
        )
        outcome = self.run_body(body)
        self.assertEqual((outcome.value, outcome.logs()), ("original", ["before after"]))
        self.assertEqual(outcome.output, b"from the copy\nand err")
        outcome = self.run_body(
            "import os\nfrom bifrost import files\npid = os.fork()\n"
            "if pid == 0:\n    try:\n        files.list()\n    except Exception as e:\n"
            "        os.write(1, str(e).encode())\n        os._exit(0)\n"
            "os.waitpid(pid, 0)"
        )
        self.assertIn(b"forked copy", outcome.output)

    def test_subprocess_and_multiprocessing(self) -> None:
        body = (
            "import subprocess, multiprocessing\nsubprocess.run(['/bin/echo', 'hi'])\n"
            "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
            "    return pool.map(abs, [-1, -2])"
        )
        outcome = self.run_body(body)
        self.assertEqual((outcome.value, outcome.output), ([1, 2], b"hi\n"), outcome.error)

    def test_recursion(self) -> None:
        error = self.error_of("def f(n):\n    return f(n + 1)\nf(0)")
        self.assertEqual(error["type"], "RecursionError")
        body = (
            "import sys\nsys.setrecursionlimit(10**6)\n"
            "def f(n, text):\n    if n == 0: raise ValueError(text)\n    g(n, text)\n"
            "def g(n, text): f(n - 1, text)\nf(2000, 'x' * 1000)"
        )
        error = self.error_of(body)
        self.assertLess(len(error["traceback"].encode()), (64 << 10) + 100)
        self.assertIn("left out", error["traceback"])
        self.assertTrue(error["traceback"].startswith("Traceback"))

    def test_lowered_recursion_limit(self) -> None:
        error = self.error_of("import sys\nsys.setrecursionlimit(12)\nimport decimal, asyncio")
        self.assertEqual(error["type"], "RecursionError")
        self.assertIn("main.py", error["traceback"])

    def test_chain_of_exceptions(self) -> None:
        body = (
            "e = None\nfor n in range(5000):\n    new = ValueError(n)\n"
            "    new.__context__ = e\n    e = new\nraise e"
        )
        self.assertEqual(self.error_of(body)["type"], "ValueError")

    def test_exceptions_without_text(self) -> None:
        head = (
            "class Bad(Exception):\n    def __str__(self): raise RuntimeError('no')\n"
            "    __repr__ = __str__\n"
            "class Huge(Exception):\n    def __str__(self): return 'x' * 10_000_000\n"
            "class Odd(Exception):\n    def __str__(self): return '\\ud800'\n"
        )
        error = self.error_of("raise Bad()", head)
        self.assertEqual(error["type"], "main.Bad")
        self.assertEqual(error["message"], "<Bad whose text could not be made: RuntimeError>")
        self.assertLessEqual(len(self.error_of("raise Huge()", head)["message"]), 16 << 10)
        self.assertEqual(self.error_of("raise Odd()", head)["message"], "\\ud800")

    def test_results(self) -> None:
        for body, message in (
            (
                "import socket\nreturn {'a': [1, socket.socket()]}",
                "result.a[1] is a socket, which JSON cannot hold",
            ),
            ("return float('nan')", "result is nan, which JSON cannot hold"),
            ("return {1: 2}", "result has the key 1, an int; JSON keys are strings"),
            (
                "return {'x y': {1, 2}}",
                "result['x y'] is a set, which JSON cannot hold; return a list",
            ),
            ("a = []\na.append(a)\nreturn a", None),
            ("return 10 ** 5000", None),
        ):
            error = self.error_of(body)
            self.assertEqual(error["type"], "ResultError")
            if message:
                self.assertEqual(error["message"], message)
        self.assertEqual(
            self.run_body("return ['\\udc80', 2**64 - 1]").value, ["\\udc80", 2**64 - 1]
        )

    def test_print_a_gigabyte(self) -> None:
        started = time.monotonic()
        outcome = self.run_body("for _ in range(1000):\n    print('x' * 1_000_000)\nreturn 1")
        self.assertEqual(outcome.value, 1)
        text = sum(len(message) for message in outcome.logs())
        self.assertLessEqual(text, 10 << 20)
        self.assertEqual(outcome.frames[-2]["type"], "dropped")
        outcome = self.run_body("for _ in range(1_000_000):\n    print('x' * 100)\nreturn 1")
        dropped = outcome.frames[-2]
        self.assertEqual(dropped["lines"] + len(outcome.logs()), 1_000_000)
        self.assertEqual(dropped["bytes"] + sum(map(len, outcome.logs())), 100_000_000)
        self.assertLess(time.monotonic() - started, 30)

    def test_long_line(self) -> None:
        outcome = self.run_body("for _ in range(100_000):\n    print('é', end='')\nprint()")
        (line,) = outcome.logs()
        self.assertLessEqual(len(line.encode()), 64 << 10)
        self.assertTrue(line.endswith(" … [cut]"))

    def test_closed_descriptors(self) -> None:
        outcome = self.crash_of("import os\nos.closerange(0, 100)")
        self.assertNotEqual(outcome.status, 0)
        self.assertEqual(self.run_body("import os\nos.closerange(0, 3)\nreturn 1").value, 1)

    def test_streams_taken_away(self) -> None:
        body = "import sys\nsys.stdout.close()\nsys.stderr = None\ndel sys.stdin\nreturn 2"
        self.assertEqual(self.run_body(body).value, 2)
        self.assertEqual(
            self.run_body("import sys\nsys.stdout = 3\nsys.meta_path.clear()\n").value, None
        )

    def test_memory(self) -> None:
        limits = {**LIMITS, "memory_mb": 64}
        self.assertEqual(
            self.error_of("x = bytearray(200 << 20)", limits=limits)["type"], "MemoryError"
        )
        error = self.error_of("x = []\nwhile True:\n    x.append(' ' * 5_000_000)", limits=limits)
        self.assertEqual(error["type"], "MemoryError")
        error = self.error_of("x = []\nwhile True:\n    x.append([1, 2])", limits=limits)
        self.assertEqual(error["type"], "MemoryError")
        self.assertEqual(
            self.run_body("return len(bytearray(40 << 20))", limits=limits).value, 40 << 20
        )

    def test_cpu(self) -> None:
        outcome = self.crash_of("while True:\n    pass", limits={"cpu_seconds": 1})
        self.assertEqual(outcome.status, -24)

    def test_other_limits(self) -> None:
        limits = {**LIMITS, "file_mb": 1, "open_files": 32}
        body = (
            "import tempfile\nwith tempfile.TemporaryFile() as file:\n"
            "    file.write(b'x' * (2 << 20))\n    file.flush()"
        )
        self.assertEqual(self.error_of(body, limits=limits)["type"], "OSError")
        body = "x = [open('/dev/null') for _ in range(100)]"
        self.assertEqual(self.error_of(body, limits=limits)["type"], "OSError")

    def test_supervisor_goes(self) -> None:
        child = self.zygote.start(
            {}, workflow("import time\ntime.sleep(0.2)\nprint('x')\nreturn 1")
        )
        child.connection.close()
        self.assertEqual(self.zygote.wait(child), 71)

    def test_garbage_on_the_socket(self) -> None:
        child = self.zygote.start({}, workflow("import os\nos.write(3, b'\\xff' * 8)\nos._exit(0)"))
        data = child.connection.recv(100)
        while more := child.connection.recv(100):
            data += more
        self.assertTrue(data.endswith(b"\xff" * 8))
        self.zygote.wait(child)


if __name__ == "__main__":
    unittest.main()
