"""Writes the protocol's fixture files. Run by hand when the protocol changes:
`python3 -m tests.make_fixtures` in `python/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bifrost_runtime import protocol

from .bundle_writer import Scope, Source, write_bundle

FOLDER = Path(__file__).parent / "fixtures" / "protocol"


def _wire(body: bytes) -> str:
    return (len(body).to_bytes(4, "big") + body).hex()


def _nested(levels: int) -> dict[str, Any]:
    value: Any = []
    for _ in range(levels - 2):
        value = [value]
    return {"type": "result", "value": value}


VALID: list[dict[str, Any]] = [
    {"type": "cancel"},
    {"type": "log", "level": "info", "message": 'héllo \U0001f600\n\t"\\', "time": 1.5},
    {"type": "dropped", "lines": 3, "bytes": 120},
    {
        "type": "call",
        "id": 1,
        "method": "files.read_bytes",
        "arguments": {"path": "a.txt", "scope": "cascade", "offset": 0},
    },
    {"type": "reply", "id": 1, "result": {"data": "aGk=", "size": 2, "next": None}},
    {"type": "reply", "id": 2, "error": {"type": "FileNotFoundError", "message": "a.txt"}},
    {
        "type": "modules",
        "modules": [
            {"name": "a.b", "scope": "org", "path": "a/b.py", "version": 3, "hash": "00" * 32}
        ],
    },
    {"type": "result", "value": {"n": -9223372036854775808, "x": 1.25, "t": True, "e": []}},
    {"type": "result", "parts": 2},
    {"type": "result", "result_type": "text/markdown", "value": "# hi"},
    {"type": "progress", "done": 3, "total": None, "note": "tickets"},
    {"type": "part", "data": "[1,"},
    {"type": "error", "error": {"type": "ValueError", "message": "", "traceback": ""}},
    _nested(100),
]

INVALID: list[tuple[str, bytes]] = [
    ("not JSON", b"{"),
    ("empty", b""),
    ("not an object", b"[1]"),
    ("no type", b"{}"),
    ("type is not text", b'{"type":1}'),
    ("not UTF-8", b'{"type":"log","message":"\xff"}'),
    ("NaN", b'{"type":"result","value":NaN}'),
    ("something behind it", b'{"type":"cancel"}{}'),
    ("nested 101 deep", json.dumps(_nested(101), separators=(",", ":")).encode()),
]


def frames() -> list[dict[str, Any]]:
    """Valid frames with their bytes, and invalid ones with the reason."""
    listed: list[dict[str, Any]] = [
        {"valid": True, "json": each, "hex": protocol.encode(each).hex()} for each in VALID
    ]
    listed += [{"valid": False, "why": why, "hex": _wire(body)} for why, body in INVALID]
    too_long = (protocol.FRAME_LIMIT + 1).to_bytes(4, "big").hex()
    return [*listed, {"valid": False, "why": "length over the limit", "hex": too_long}]


def scope() -> Scope:
    """The tree of the bundle fixture: every kind of entry, form conflicts, a pinned file."""
    return Scope(
        "acme",
        {
            "main.py": Source(b"print('main')\n", 7),
            "shared/__init__.py": Source(b"", 1),
            "shared/halopsa.py": Source(b"X = 1\n", 12),
            "shared/pinned.py": Source(b"P = 3\n", 3, pinned=True),
            "space/deep/er/mod.py": Source(b"import main\n", 2),
            "both.py": Source(b"FORM = 'module'\n", 1),
            "both/__init__.py": Source(b"FORM = 'package'\n", 4),
            "both/inner.py": Source(b"", 1),
            "data/greeting.txt": Source("grüß\n".encode(), 5),
            "data/raw.bin": Source(bytes(range(16)), 1),
            "not-a-module.py": Source(b"", 1),
            "dash-ed/mod.py": Source(b"", 1),
            "größe.py": Source(b"G = 1\n", 1),
        },
        generation=42,
    )


def described(source: Scope) -> dict[str, Any]:
    """A scope as JSON."""
    files = [
        {"path": path, "hex": file.content.hex(), "version": file.version, "pinned": file.pinned}
        for path, file in source.files.items()
    ]
    return {"slug": source.slug, "generation": source.generation, "files": files}


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, value in (("frames.json", frames()), ("bundle.json", described(scope()))):
        text = json.dumps(value, indent=1, ensure_ascii=True)
        (FOLDER / name).write_text(text + "\n", encoding="utf-8")
    (FOLDER / "bundle.bin").write_bytes(write_bundle(scope()))
    (FOLDER / "empty.bin").write_bytes(write_bundle(Scope("global", {}, 1)))


if __name__ == "__main__":
    main()
