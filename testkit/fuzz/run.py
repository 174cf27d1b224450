#!/usr/bin/env python3
"""Drives every operation of the OpenAPI document with made-up requests, good and bad, against the
real program: no reply is a 5xx, each is as the document says, none has a mark of the other
organization.

Usage: `testkit/fuzz/run.py`, with schemathesis installed beside the interpreter that runs it.
`BIFROST` names the program (`target/debug/bifrost`), `BIFROST_FULL=1` asks for more requests.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("BIFROST", str(ROOT / "target/debug/bifrost"))
PASSWORD = "correct horse battery staple"
MARKS = {"acme": "qxacme77vk31j5w", "globex": "qxglobex4t8zzpw"}
PAIRS = [("acme", "globex"), ("globex", "acme")]
EXAMPLES = "200" if os.environ.get("BIFROST_FULL") else "8"
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "no_foreign_mark",
]
WORKFLOW = """
from bifrost import log, workflow

@workflow(name="w-{mark}")
def f_{mark}(text: str = "{mark}") -> str:
    '''Does {mark}.'''
    log.info("in the log {mark}")
    return text
"""


def main() -> int:
    """Exit code 0 if nothing was found."""
    with tempfile.TemporaryDirectory() as data:
        server = subprocess.Popen(
            [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--data-dir", data],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            url = address(server)
            tokens = {slug: furnish(url, data, slug) for slug in MARKS}
            own = drive(url, tokens["acme"], MARKS["acme"], ["--include-operation-id", "listFiles"])
            if own == 0:
                sys.exit("the check does not see the organization's own mark: it sees nothing")
            print("\nThat had to fail: the check sees an organization's own mark. Now the other's.")
            found = [drive(url, tokens[slug], MARKS[other], []) for slug, other in PAIRS]
            return max(found)
        finally:
            server.kill()
            server.wait()


def address(server: subprocess.Popen[str]) -> str:
    """Where the server listens; what it says afterwards is read and forgotten."""
    assert server.stderr
    for line in server.stderr:
        if found := re.search(r"listening on (\S+)", line):
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return found[1]
    raise SystemExit("the server does not listen")


def furnish(url: str, data: str, slug: str) -> str:
    """Gives an organization a marked file, workflow, execution and person; its admin's token."""
    mark = MARKS[slug]
    command(data, ["create-organization", "--slug", slug, "--name", slug.title()])
    email = f"admin@{mark}.test"
    new = ["create-user", "--organization", slug, "--email", email, "--role", "admin"]
    command(data, [*new, "--password-stdin"])
    credentials = {"organization": slug, "email": email, "password": PASSWORD}
    token = str(call(url, "", "POST", "/api/auth/login", credentials)["access_token"])
    source = WORKFLOW.format(mark=mark)
    call(url, token, "PUT", f"/api/files/content/{mark}.py", {"content": source})
    path = f"/api/workflows/w-{mark}/executions?wait=60"
    execution = call(url, token, "POST", path, {"inputs": {}})
    assert execution["result"] == mark, execution
    return token


def command(data: str, arguments: list[str]) -> None:
    """Runs `bifrost admin`."""
    subprocess.run(
        [PROGRAM, "admin", *arguments, "--data-dir", data],
        input=PASSWORD,
        text=True,
        check=True,
        capture_output=True,
    )


def call(url: str, token: str, method: str, path: str, body: object) -> dict[str, object]:
    """The reply's JSON."""
    headers = {"Content-Type": "application/json", "If-Match": "*"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, headers, method=method)
    with urllib.request.urlopen(request) as reply:
        return dict(json.load(reply))


def drive(url: str, token: str, mark: str, further: list[str]) -> int:
    """Runs schemathesis with a token; not 0 if it found anything, such as the mark."""
    environment = os.environ | {
        "FOREIGN_MARK": mark,
        "SCHEMATHESIS_HOOKS": "hooks",
        "PYTHONPATH": str(Path(__file__).parent),
    }
    arguments = [
        str(Path(sys.executable).parent / "schemathesis"),
        "run",
        f"{url}/api/openapi.json",
        "--header",
        f"Authorization: Bearer {token}",
        "--checks",
        ",".join(CHECKS),
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        EXAMPLES,
        "--seed",
        "1",
        "--no-shrink",
        "--request-timeout",
        "30",
        "--suppress-health-check",
        "all",
        "--warnings",
        "off",
        "--no-color",
        *further,
    ]
    return subprocess.run(arguments, env=environment, cwd=tempfile.gettempdir()).returncode


if __name__ == "__main__":
    sys.exit(main())
