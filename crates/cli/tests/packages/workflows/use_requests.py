"""Talks HTTP through requests, urllib3, idna, certifi and charset_normalizer."""

import importlib.resources
import os

import certifi
import charset_normalizer
import idna
import requests

from bifrost import workflow
from workflows.marks import marked


@workflow
def use_requests(url: str) -> dict:
    """Everything that comes back."""
    with requests.Session() as session:
        session.headers["X-Asked-By"] = "bifrost"
        posted = session.post(url + "/echo/{organization}", params={"q": "a b"}, json={"n": [1, 2]})
        moved = session.get(url + "/moved")
        packed = session.get(url + "/packed")
    return {
        "posted": posted.json(),
        "shown": repr(posted.headers).partition("{")[0],
        "moved": [moved.url.removeprefix(url), [each.status_code for each in moved.history]],
        "packed": [packed.headers["Content-Encoding"], packed.json()],
        "missing": failure(requests.HTTPError, url + "/nothing").partition(" for url")[0],
        "https": type_of_failure("https" + url.removeprefix("http")),
        "domain": idna.encode("größe.example").decode(),
        "charset": charset_normalizer.detect("Die Größe der Straße ist süß. Они были здесь. ".encode()),
        **authorities(),
        "marked": marked(),
    }


def failure(kind: type, url: str) -> str:
    """What requests says."""
    try:
        requests.get(url, timeout=10).raise_for_status()
    except kind as error:
        return str(error)
    return "nothing failed"


def type_of_failure(url: str) -> str:
    """By which exception a request fails."""
    try:
        requests.get(url, timeout=10)
    except requests.RequestException as error:
        return type(error).__name__
    return "nothing failed"


def authorities() -> dict:
    """The list of authorities: by its path, as a resource and as requests would use it."""
    with open(certifi.where(), encoding="ascii") as file:
        on_disk = file.read()
    resource = importlib.resources.files("certifi").joinpath("cacert.pem").read_text("ascii")
    return {
        "authorities": on_disk.count("BEGIN CERTIFICATE") > 100,
        "same": on_disk == resource and os.path.samefile(requests.certs.where(), certifi.where()),
        "first_line": certifi.contents().splitlines()[0],
    }
