#!/usr/bin/env python3
"""Holds the deployment files to what reads them: schemas, the programs themselves, and `bifrost`.

Usage: `.cache/deploy/bin/python deploy/check.py`. `BIFROST` names the program whose flags and variables
the files may use. `systemd-analyze` and `caddy` come from Debian; without one its part is left out,
aloud, and with `CI` set that is a failure.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from kubernetes_validate import ValidationError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PROGRAM = ROOT / os.environ.get("BIFROST", "target/debug/bifrost")
KUBERNETES = ["1.30", "1.37"]
# What a process needs beyond its linger and drain to be gone.
SPARE = 5


def main() -> int:
    """Exit code 0 if nothing is wrong."""
    parts = [compose, kubernetes, systemd, proxy, scripts, image, names]
    faults = [f"{part.__name__}: {fault}" for part in parts for fault in part()]
    for fault in faults:
        print(f"deploy/check: {fault}", file=sys.stderr)
    if not faults:
        print(f"deploy: {len(parts)} parts are as they should be")
    return 1 if faults else 0


# Compose


def compose() -> Iterator[str]:
    """The compose file, against its schema and within itself."""
    path = HERE / "compose.yaml"
    checker = Path(sys.executable).with_name("check-jsonschema")
    yield from run([str(checker), "--builtin-schema", "vendor.compose-spec", str(path)])
    text = path.read_text(encoding="utf-8")
    told = set(re.findall(r"\$\{(\w+)", text))
    example = set(re.findall(r"^(\w+)=", (HERE / "compose.env.example").read_text(), re.M))
    yield from differ("variables of compose.env.example", told, example)
    document = yaml.safe_load(text)
    for name, service in document["services"].items():
        for fault in compose_service(document, service):
            yield f"{name}: {fault}"


def compose_service(document: dict[str, Any], service: dict[str, Any]) -> Iterator[str]:
    """What one service refers to is there, and it gets time to stop."""
    for kind in ("networks", "secrets"):
        yield from missing(kind, service.get(kind, []), document[kind])
    yield from missing("service", service.get("depends_on", []), document["services"])
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        there = (HERE / source).is_file() if source.startswith(".") else source in document["volumes"]
        if not there:
            yield f"volume {source} is not there"
    files = [value for value in service.get("environment", {}).values() if "/run/secrets/" in str(value)]
    yield from missing("secret", [Path(value).name for value in files], service.get("secrets", []))
    yield from patience(service.get("environment", {}), service.get("stop_grace_period", "10s").rstrip("s"))
    if not re.search(r":[\w.$-]|\$\{", service["image"]):
        yield f"image {service['image']} has no tag"
    if "no-new-privileges:true" not in service.get("security_opt", []):
        yield "may gain privileges"
    if "limits" not in service.get("deploy", {}).get("resources", {}) and service.get("command") != ["migrate", "up"]:
        yield "has no limits"


# Kubernetes


def kubernetes() -> Iterator[str]:
    """The manifests, against the schemas of the oldest and newest version meant, and within themselves."""
    listed = yaml.safe_load((HERE / "kubernetes/kustomization.yaml").read_text())["resources"]
    extra = {"kustomization.yaml", "secrets.example.yaml"}
    there = {path.name for path in (HERE / "kubernetes").iterdir()}
    yield from differ("files of the kustomization", set(listed), there - extra)
    documents = []
    for name in [*listed, "secrets.example.yaml"]:
        found = yaml.safe_load_all((HERE / "kubernetes" / name).read_text())
        documents += [(name, document) for document in found]
    for name, document in documents:
        for version in KUBERNETES:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except ValidationError as error:
                yield f"{name}: {error.message}"
    secrets = {it["metadata"]["name"] for _, it in documents if it["kind"] == "Secret"}
    pods = {it["metadata"]["name"]: it for _, it in documents if it["kind"] in ("Deployment", "Job")}
    for name, document in pods.items():
        for fault in pod(document["spec"]["template"]["spec"], secrets):
            yield f"{name}: {fault}"
    labels = [it["spec"]["template"]["metadata"]["labels"].items() for it in pods.values()]
    for name, document in documents:
        for selector in selectors(document.get("spec", {})):
            if not any(selector.items() <= own for own in labels):
                yield f"{name}: {document['kind']} selects nothing with {selector}"


def selectors(spec: dict[str, Any]) -> Iterator[dict[str, str]]:
    """The labels by which an object finds our pods."""
    for key in ("selector", "podSelector"):
        selector = spec.get(key)
        if selector:
            yield selector.get("matchLabels", selector)


def pod(spec: dict[str, Any], secrets: set[str]) -> Iterator[str]:
    """What a pod may do, what it refers to, and how long it may take to stop."""
    if not spec["securityContext"].get("runAsNonRoot") or spec.get("automountServiceAccountToken", True):
        yield "runs as root, or has a token of the cluster"
    names = {volume["name"] for volume in spec["volumes"]}
    used = set()
    wanted = [volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume]
    yield from missing("secret", wanted, secrets)
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        used |= {mount["name"] for mount in container["volumeMounts"]}
        sealed = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True}
        sealed["capabilities"] = {"drop": ["ALL"]}
        if container["name"] == "worker":
            # Who makes walls has to be let.
            unconfined = {"type": "Unconfined"}
            sealed |= {"seccompProfile": unconfined, "appArmorProfile": unconfined}
        if container.get("securityContext") != sealed:
            yield f"{container['name']} may do more than it needs"
        if "memory" not in container["resources"]["limits"]:
            yield f"{container['name']} has no limit of memory"
        told = {one["name"]: one["value"] for one in container.get("env", [])}
        yield from patience(told, spec.get("terminationGracePeriodSeconds", 30))
        paths = [mount["mountPath"] for mount in container["volumeMounts"]]
        for value in told.values():
            if value.startswith("/") and not any(value == path or value.startswith(f"{path}/") for path in paths):
                yield f"{value} is not mounted"
    yield from differ("volumes", names, used)


# systemd


def systemd() -> Iterator[str]:
    """The units, as systemd reads them."""
    units = sorted((HERE / "systemd").glob("*.service"))
    for unit in units:
        text = unit.read_text()
        told = dict(re.findall(r"^Environment=(\w+)=(.*)$", text, re.M))
        wait = re.search(r"^TimeoutStopSec=(\d+)$", text, re.M)
        for fault in patience(told, wait[1] if wait else 90):
            yield f"{unit.name}: {fault}"
        loaded = re.findall(r"^LoadCredential=([\w.-]+):", text, re.M)
        for fault in missing("credential", re.findall(r"%d/([\w.-]+)", text), loaded):
            yield f"{unit.name}: {fault}"
        user = re.search(r"^User=(\S+)$", text, re.M)
        known = (HERE / "systemd/bifrost.sysusers.conf").read_text()
        if not user or not re.search(rf"^u {user[1]} ", known, re.M):
            yield f"{unit.name}: its user is not in bifrost.sysusers.conf"
    if not tool("systemd-analyze"):
        yield from absent("systemd-analyze", "systemd")
        return
    with tempfile.TemporaryDirectory() as directory:
        # The program is not installed here, and systemd wants it to be.
        for unit in units:
            text = unit.read_text().replace("/usr/local/bin/bifrost", "/bin/true")
            Path(directory, unit.name).write_text(text)
        copies = [str(Path(directory, unit.name)) for unit in units]
        yield from run(["systemd-analyze", "verify", "--man=no", *copies], quiet=True)
        for copy in copies:
            # Who makes walls for others has fewer around itself.
            threshold = 30 if copy.endswith("worker.service") else 20
            security = ["systemd-analyze", "security", "--offline=yes", f"--threshold={threshold}", "--no-pager"]
            yield from run([*security, copy])


# The proxy, the scripts and the image


def proxy() -> Iterator[str]:
    """The proxy's configuration, as the proxy reads it."""
    if not tool("caddy"):
        yield from absent("caddy", "caddy")
        return
    config = ["--config", str(HERE / "Caddyfile"), "--adapter", "caddyfile"]
    told = {"SITE": "http://127.0.0.1:1", "UPSTREAMS": "127.0.0.1:2 127.0.0.1:3"}
    yield from run(["caddy", "validate", *config], variables=told)


def scripts() -> Iterator[str]:
    """The shell scripts parse; the secrets are made once, whole and private."""
    for script in sorted(HERE.rglob("*.sh")):
        yield from run(["sh", "-n", str(script)])
    with tempfile.TemporaryDirectory() as directory:
        made = Path(directory, "secrets")
        for _ in range(2):
            # Only root can give files to the containers' user; the script says so last.
            told = subprocess.run(["sh", str(HERE / "secrets.sh"), str(made)], capture_output=True, text=True)
            if told.returncode != 0 and (os.geteuid() == 0 or "run as root" not in told.stderr):
                yield f"secrets.sh: {told.stderr}"
            kept = {path.name: path.read_bytes() for path in made.iterdir()}
        if kept != {path.name: path.read_bytes() for path in made.iterdir()}:
            yield "secrets.sh changes what is there"
        if made.stat().st_mode & 0o077 or (made / "master.key").stat().st_mode & 0o077:
            yield "secrets.sh leaves something open"
        wanted = {Path(one["file"]).name for one in yaml.safe_load((HERE / "compose.yaml").read_text())["secrets"].values()}
        yield from missing("secret", wanted, kept)


def image() -> Iterator[str]:
    """The image runs as nobody in particular, and what it is built from is let through."""
    text = (HERE / "Dockerfile").read_text()
    if not re.search(r"^USER 10001:10001$", text, re.M) or "HEALTHCHECK" not in text:
        yield "no user or no health check"
    for base in re.findall(r"^FROM (\S+)", text, re.M):
        if ":" not in base or base.endswith(":latest"):
            yield f"{base} is not pinned"
    let = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.M)
    for path in let:
        if not (ROOT / path).exists():
            yield f".dockerignore lets {path} through, which is not there"
    manifest = (ROOT / "Cargo.toml").read_text()
    members = re.search(r"^members = (\[.*?\])", manifest, re.M | re.S)
    for member in ast.literal_eval(members[1]) if members else []:
        if member.split("/")[0] not in let:
            yield f".dockerignore keeps {member} out"


# bifrost itself


def names() -> Iterator[str]:
    """Every variable and flag is one that `bifrost` knows, so that none is silently without effect."""
    if not PROGRAM.is_file():
        yield f"{PROGRAM} is not there: build it, or set BIFROST"
        return
    known = ""
    for command in (["serve"], ["migrate", "up"], ["admin", "create-user"], ["doctor"]):
        known += subprocess.run([PROGRAM, *command, "--help"], capture_output=True, text=True, check=True).stdout
    variables = set(re.findall(r"\bBIFROST_[A-Z_]+", known))
    flags = set(re.findall(r"(?<![\w-])--[a-z-]+", known))
    for path in sorted(path for path in HERE.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")):
        text = path.read_text(encoding="utf-8")
        for name in sorted(set(re.findall(r"\bBIFROST_[A-Z_]+", text)) - variables):
            yield f"{path.relative_to(ROOT)}: `{name}` is unknown to bifrost"
        for line in re.findall(r"\bbifrost (?:serve|migrate|admin)\b(.*)", text):
            for flag in sorted(set(re.findall(r"(?<![\w-])--[a-z-]+", line)) - flags):
                yield f"{path.relative_to(ROOT)}: `{flag}` is unknown to bifrost"


# Helpers


def patience(told: dict[str, str], grace: str | int) -> Iterator[str]:
    """Who stops a server waits for longer than the server takes."""
    takes = [int(told.get(f"BIFROST_{name}_SECONDS", 0)) for name in ("LINGER", "DRAIN")]
    if sum(takes) and int(grace) < sum(takes) + SPARE:
        yield f"is killed after {grace} s, but lingers and drains for {sum(takes)} s"


def run(command: list[str], variables: dict[str, str] | None = None, quiet: bool = False) -> Iterator[str]:
    """What a program has to say, if it is not content; `quiet` ones say nothing when they are."""
    environment = {**os.environ, **(variables or {})}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    said = (done.stdout + done.stderr).strip()
    if done.returncode != 0 or (quiet and said):
        yield f"{Path(command[0]).name}: {said}"


def tool(name: str) -> bool:
    """Whether a program is installed."""
    return shutil.which(name) is not None


def absent(name: str, package: str) -> Iterator[str]:
    """A part that cannot be checked here."""
    words = f"`{name}` is not installed: apt-get install {package}"
    if os.environ.get("CI"):
        yield words
    else:
        print(f"deploy/check: left out: {words}", file=sys.stderr)


def missing(kind: str, wanted: Any, there: Any) -> Iterator[str]:
    """What is referred to and not there."""
    for name in wanted:
        if name not in there:
            yield f"{kind} {name} is not there"


def differ(what: str, one: set[str], other: set[str]) -> Iterator[str]:
    """What is only on one of two sides."""
    if one != other:
        yield f"{what}: {sorted(one ^ other)} on one side only"


if __name__ == "__main__":
    sys.exit(main())
