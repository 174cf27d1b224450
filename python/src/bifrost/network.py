"""`network`: connections for libraries that know no proxies.

A workflow reaches the network through the platform's proxy alone. HTTP clients find it by
`HTTPS_PROXY`; what speaks another protocol gets its socket from `connect`, and mail has `SMTP` and
`SMTP_SSL`. Outside a run, where there is no proxy, they connect directly.
"""

from __future__ import annotations

import os
import socket

from ._errors import BifrostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._smtp import SMTP, SMTP_SSL

__all__ = ["NetworkRefused", "SMTP", "SMTP_SSL", "connect"]

_LONGEST_HEAD = 16 << 10
_LONGEST_REASON = 4 << 10


class NetworkRefused(BifrostError, ConnectionError):
    """The platform refused a host, or could not reach it; the message says which rule and why."""


NetworkRefused.__module__ = "bifrost.network"


def connect(host: str, port: int, timeout: float | None = None) -> socket.socket:
    """A connected socket to a host, with this timeout in seconds (`None` waits for ever).

    Raises `NetworkRefused`, which is a `ConnectionError`, when the platform refuses the host.
    """
    target = _target(host, port)
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    if not proxy:
        return socket.create_connection((host.strip("[]"), port), timeout)
    from urllib.parse import urlsplit

    place = urlsplit(proxy)
    connection = socket.create_connection((place.hostname or "", place.port or 80), timeout)
    try:
        connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode("ascii"))
        status, head = _read_head(connection)
        if status != 200:
            raise NetworkRefused(_reason(connection, head))
    except BaseException:
        connection.close()
        raise
    return connection


def _target(host: str, port: int) -> str:
    """The host and port of a CONNECT request, with nothing in it that could be another line."""
    if not isinstance(port, int) or not 0 < port < 65536:
        raise ValueError(f"a port is a number from 1 to 65535, not {port!r}")
    inside = host.strip("[]")
    plain = inside.isascii() and inside.replace("-", "").replace(".", "").replace("_", "")
    if ":" in inside:
        plain = plain and plain.replace(":", "")
        inside = f"[{inside}]"
    if not plain or not plain.isalnum():
        raise ValueError(f"{host!r} is no host; write a name as in DNS, or an address")
    return f"{inside}:{port}"


def _read_head(connection: socket.socket) -> tuple[int, str]:
    """The status and the head of the reply, and not one byte of what follows: it is the host's."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte or len(head) > _LONGEST_HEAD:
            raise NetworkRefused("the platform's proxy ended without a reply; try again")
        head += byte
    text = head.decode("latin-1")
    status = text[9:12]
    return (int(status) if status.isdigit() else 0), text


def _reason(connection: socket.socket, head: str) -> str:
    """The sentence in the reply's body."""
    body = bytearray()
    length = 0
    for line in head.lower().splitlines():
        if line.startswith("content-length:"):
            length = min(int(line.partition(":")[2]), _LONGEST_REASON)
    while len(body) < length:
        part = connection.recv(length - len(body))
        if not part:
            break
        body += part
    return body.decode("utf-8", "replace").strip() or head.partition("\r\n")[0]


def __getattr__(name: str) -> object:
    if name in ("SMTP", "SMTP_SSL"):  # smtplib and the whole of `email` only for who sends mail
        from . import _smtp

        return getattr(_smtp, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
