"""Packages of an environment: which are imported ahead, and what of them is reported."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

from .supervisor import RUNTIME

_PROBE = """
import json, os, sys
sys.path.insert(0, {runtime!r})
from bifrost_runtime import packages
complaints = []
packages.install({directory!r})
packages.import_ahead({names!r}, complaints.append)
_before = packages.remember()
children = True
try:
    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
except ChildProcessError:
    children = False
{more}
print(json.dumps([_before, complaints, children, packages.imported()]))
"""


class Packages(unittest.TestCase):
    """In a process of their own, as a zygote has them."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def offer(self, path: str, text: str = "") -> None:
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def ahead(self, *names: str, more: str = "") -> Any:
        probe = _PROBE.format(
            runtime=RUNTIME, directory=str(self.directory), names=list(names), more=more
        )
        command = [sys.executable, "-I", "-S", "-c", probe]
        done = subprocess.run(command, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return json.loads(done.stdout)

    def test_good_one(self) -> None:
        self.offer("thing/__init__.py", "import other")
        self.offer("other.py")
        self.assertEqual(self.ahead("thing"), [["other", "thing"], [], False, []])

    def test_effects(self) -> None:
        effects = {
            "threads": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()",
            "files": "HELD = open('/dev/null')",
            "socket_": "import socket\nHELD = socket.socketpair()",
            "processes": "import os, time\nif os.fork() == 0:\n    time.sleep(60)",
            "fails": "1 / 0",
            "leaves": "import os\nos._exit(7)",
            "control": "import os\nassert not os.path.exists('/proc/self/fd/0') "
            "or os.readlink('/proc/self/fd/0') == '/dev/null'",
        }
        for name, text in effects.items():
            self.offer(f"{name}.py", text)
        held, complaints, children, _ = self.ahead(*effects, "this", "missing")
        self.assertEqual((held, children), (["control"], False))
        faults = {text.partition(" ")[0]: text.partition(": ")[2] for text in complaints}
        self.assertEqual(
            faults,
            {
                "threads": "it starts threads",
                "files": "it opens files or sockets",
                "socket_": "it opens files or sockets",
                "processes": "it starts processes",
                "fails": "it cannot be imported",
                "leaves": "it ends the process (7)",
                "this": "it is not of this environment",
                "missing": "it cannot be imported",
            },
        )

    def test_pth(self) -> None:
        self.offer("evil.pth", "import sys; sys.evil = True")
        self.offer("thing.py")
        more = "import thing; assert not hasattr(sys, 'evil')"
        self.assertEqual(self.ahead(more=more)[3], ["thing"])

    def test_report(self) -> None:
        self.offer("held/__init__.py")
        self.offer("held/later.py")
        self.offer("name/space/thing/__init__.py", "from . import inner")
        self.offer("name/space/thing/inner.py")
        self.offer("odd.py", "import sys\nsys.modules['odd'] = 7")
        more = "import held.later, json.tool, name.space.thing, threading, odd"
        held, _, _, imported = self.ahead("held", more=more)
        self.assertEqual((held, imported), (["held"], ["held", "name.space.thing"]))


if __name__ == "__main__":
    unittest.main()
