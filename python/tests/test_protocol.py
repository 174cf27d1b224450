"""The protocol's fixtures, which the Rust side reads too, and the frame stream."""

from __future__ import annotations

import json
import os
import unittest

from bifrost_runtime import protocol
from bifrost_runtime.bundle import Bundle

from . import make_fixtures
from .bundle_writer import Scope, Source, items, write_bundle


class FrameFixtures(unittest.TestCase):
    """frames.json"""

    def setUp(self) -> None:
        text = (make_fixtures.FOLDER / "frames.json").read_text(encoding="utf-8")
        self.cases = json.loads(text)

    def test_are_up_to_date(self) -> None:
        self.assertEqual(self.cases, make_fixtures.frames())

    def test_all(self) -> None:
        for case in self.cases:
            data = bytes.fromhex(case["hex"])
            reader, writer = os.pipe()
            os.write(writer, data)
            os.close(writer)
            stream = protocol.FrameStream(reader)
            with self.subTest(case.get("why") or case["json"]["type"]):
                if case["valid"]:
                    self.assertEqual(stream.receive(), case["json"])
                    self.assertEqual(protocol.encode(case["json"]), data)
                else:
                    self.assertRaises(protocol.FrameError, stream.receive)
            os.close(reader)


class BundleFixtures(unittest.TestCase):
    """bundle.json and bundle.bin"""

    def test_bytes(self) -> None:
        described = json.loads((make_fixtures.FOLDER / "bundle.json").read_text(encoding="utf-8"))
        files = {
            file["path"]: Source(bytes.fromhex(file["hex"]), file["version"], file["pinned"])
            for file in described["files"]
        }
        scope = Scope(described["slug"], files, described["generation"])
        expected = (make_fixtures.FOLDER / "bundle.bin").read_bytes()
        self.assertEqual(write_bundle(scope), expected)
        shuffled = Scope(scope.slug, dict(reversed(files.items())), scope.generation)
        self.assertEqual(write_bundle(shuffled), expected)

    def test_reader(self) -> None:
        scope = make_fixtures.scope()
        bundle = Bundle((make_fixtures.FOLDER / "bundle.bin").read_bytes(), "org")
        self.assertEqual(bundle.generation, 42)
        for number, item in enumerate(items(scope)):
            entry = bundle.entry(number)
            self.assertEqual(
                (
                    entry.kind,
                    entry.origin,
                    entry.path(),
                    entry.data(),
                    entry.version(),
                    entry.hash(),
                    entry.pinned(),
                ),
                (
                    item.kind,
                    item.origin,
                    item.path,
                    item.data,
                    item.version,
                    item.hash,
                    bool(item.flags),
                ),
            )
            key = item.key.decode()
            find = {
                "m": lambda k: bundle.find_module(k.encode()),
                "f": bundle.find_file,
                "d": bundle.find_directory,
            }[key[0]]
            found = find(key[2:])
            self.assertEqual(found and found.number, number)
        self.assertIsNone(bundle.find_module(b"nothing"))
        self.assertIsNone(bundle.find_file("nothing"))

    def test_empty(self) -> None:
        bundle = Bundle((make_fixtures.FOLDER / "empty.bin").read_bytes(), "global")
        self.assertIsNone(bundle.find_module(b"x"))
        root = bundle.find_directory("")
        self.assertEqual(root and root.data(), b"")

    def test_damaged(self) -> None:
        whole = (make_fixtures.FOLDER / "bundle.bin").read_bytes()
        for data in (whole[:-1], whole + b"x", b"X" + whole[1:]):
            self.assertRaises(ValueError, Bundle, data, "org")


class Values(unittest.TestCase):
    """Values that travel in parts, and text without a UTF-8 form."""

    def test_parts(self) -> None:
        for value in ("x", "é" * 400_000, ['"\\' * 300_000], "\U0001f600" * 400_000):
            frames = protocol.value_frames("result", protocol.to_json(value))
            reader, writer = os.pipe()
            stream = protocol.FrameStream(reader)
            if os.fork() == 0:
                for text in frames:
                    data = protocol.pack(text)
                    while data:
                        data = data[os.write(writer, data) :]
                os._exit(0)
            os.close(writer)
            self.assertEqual(stream.receive_value(stream.receive()), value)
            os.close(reader)
            os.wait()

    def test_surrogates(self) -> None:
        self.assertEqual(
            json.loads(protocol.to_json({"a\udc80": "\ud800x"})), {"a\\udc80": "\\ud800x"}
        )
        self.assertEqual(json.loads(protocol.quote("\udfff")), "\\udfff")


if __name__ == "__main__":
    unittest.main()
