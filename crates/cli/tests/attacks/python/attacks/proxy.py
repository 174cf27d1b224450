"""Through the proxy: what the organization's list allows is no way to the machine or to private networks."""

from __future__ import annotations

import http.client
import os
from urllib.parse import urlsplit

from . import Bait, attack

NO_PROXY = "there is no proxy without a run: what it guards is reached directly in `network`"
NOTATIONS = {
    "plain": "169.254.169.254",
    "decimal": "2852039166",
    "hexadecimal": "0xA9FEA9FE",
    "hexadecimal_bytes": "0xA9.0xFE.0xA9.0xFE",
    "octal": "0251.0376.0251.0376",
    "short": "169.254.43518",
    "shorter": "169.16689662",
    "trailing_dot": "169.254.169.254.",
    "zeros": "169.254.169.0254",
    "mapped": "[::ffff:169.254.169.254]",
    "mapped_in_hexadecimal": "[::ffff:a9fe:a9fe]",
    "compatible": "[::169.254.169.254]",
    "nat64": "[64:ff9b::a9fe:a9fe]",
    "six_to_four": "[2002:a9fe:a9fe::1]",
    "of_amazon": "[fd00:ec2::254]",
    "link_local": "[fe80::a9fe:a9fe]",
    "fullwidth": "169%E3%80%82254%E3%80%82169%E3%80%82254",
    "userinfo": "public.test@169.254.169.254",
    "loopback": "127.0.0.1",
    "loopback_short": "127.1",
    "loopback_zero": "0",
    "loopback_unspecified": "0.0.0.0",
    "loopback_of_ipv6": "[::1]",
    "loopback_name": "localhost",
    "private_ten": "10.0.0.1",
    "private_home": "192.168.0.1",
    "carrier": "100.64.0.1",
    "name_of_metadata": "metadata.test",
    "name_of_loopback": "loopback.test",
    "name_of_both": "both.test",
    "name_that_changes": "rebinding.test",
}


class Refused(Exception):
    """The proxy said no."""


def _connection() -> http.client.HTTPConnection:
    where = urlsplit(os.environ["HTTPS_PROXY"])
    return http.client.HTTPConnection(str(where.hostname), where.port, timeout=20)


def _tunnel(host: str, port: int) -> str:
    connection = _connection()
    connection.connect()
    try:
        line = f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
        connection.sock.sendall(line.encode())
        status = connection.sock.recv(4096).split(b"\r\n")[0].decode("latin-1")
        if " 200" not in status:
            raise Refused(status)
        connection.sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return connection.sock.recv(64).decode("latin-1")
    finally:
        connection.close()


def _forwarded(host: str, port: int) -> str:
    connection = _connection()
    try:
        connection.putrequest("GET", f"http://{host}:{port}/", skip_host=True)
        connection.putheader("Host", f"{host}:{port}")
        connection.endheaders()
        reply = connection.getresponse()
        if reply.status != 200:
            raise Refused(f"{reply.status} {reply.reason}")
        return reply.read(64).decode("latin-1")
    finally:
        connection.close()


def _enter(name: str, host: str) -> None:
    def tunnelled(bait: Bait) -> object:
        return [_tunnel(host, bait["tcp"]), _tunnel(host, 80)]

    def forwarded(bait: Bait) -> object:
        return [_forwarded(host, bait["tcp"]), _forwarded(host, 80)]

    for how, do in (("tunnel_to", tunnelled), ("forward_to", forwarded)):
        do.__name__ = f"{how}_{name}"
        attack("Refused", alone=NO_PROXY)(do)


for _name, _host in NOTATIONS.items():
    _enter(_name, _host)


@attack("Refused", alone=NO_PROXY)
def rebinding(bait: Bait) -> object:
    """A name whose address changes between two questions, asked often."""
    said = [_attempt("rebinding.test", bait["tcp"]) for _ in range(40)]
    if any(bait["mark"] in each for each in said):
        return said
    raise Refused(said[-1])


def _attempt(host: str, port: int) -> str:
    try:
        return _tunnel(host, port)
    except Refused as refusal:
        return str(refusal)


@attack("Refused", alone=NO_PROXY)
def redirect(bait: Bait) -> object:
    """A public service that sends the client on to the metadata."""
    connection = _connection()
    connection.request("GET", f"http://public.test:{bait['tcp']}/redirect")
    reply = connection.getresponse()
    reply.read()
    target = urlsplit(reply.getheader("Location") or "http://nowhere.test/")
    connection.close()
    return _forwarded(str(target.hostname), target.port or 80)
