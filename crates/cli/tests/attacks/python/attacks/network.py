"""The network without the proxy: nothing of the machine or beyond it answers."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

from . import Bait, attack

GONE = ("ENETUNREACH", "ECONNREFUSED", "EACCES", "EPERM", "EADDRNOTAVAIL", "EAFNOSUPPORT")
METADATA = "169.254.169.254"


def _read(host: str, port: int, family: socket.AddressFamily = socket.AF_INET) -> bytes:
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(5)
        connection.connect((host, port))
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        if not (answer := connection.recv(64)):
            raise ConnectionResetError("closed without an answer")
        return answer


@attack(*GONE)
def loopback(bait: Bait) -> object:
    """A service of the machine on 127.0.0.1."""
    return _read("127.0.0.1", bait["tcp"])


@attack(*GONE)
def loopback_of_ipv6(bait: Bait) -> object:
    """The same on ::1."""
    return _read("::1", bait["tcp6"], socket.AF_INET6)


@attack(*GONE)
def loopback_mapped(bait: Bait) -> object:
    """127.0.0.1 carried by IPv6."""
    return _read("::ffff:127.0.0.1", bait["tcp"], socket.AF_INET6)


@attack(*GONE)
def loopback_unspecified(bait: Bait) -> object:
    """0.0.0.0 means this machine."""
    return _read("0.0.0.0", bait["tcp"])


@attack(*GONE)
def another_loopback(bait: Bait) -> object:
    """127.0.0.2 is this machine too."""
    return _read("127.0.0.2", bait["tcp"])


@attack(*GONE)
def server(bait: Bait) -> object:
    """The server's own port."""
    return _read("127.0.0.1", bait["server_port"])


@attack(*GONE)
def public(bait: Bait) -> object:
    """A public address, directly."""
    return _read(bait["public"], bait["tcp"])


@attack(*GONE)
def metadata(bait: Bait) -> object:
    """The cloud's credentials."""
    return _read(METADATA, 80)


@attack(*GONE)
def metadata_mapped(bait: Bait) -> object:
    """The same carried by IPv6."""
    return _read(f"::ffff:{METADATA}", 80, socket.AF_INET6)


@attack(*GONE)
def metadata_decimal(bait: Bait) -> object:
    """As one number, which the C library understands."""
    return _read("2852039166", 80)


@attack(*GONE)
def metadata_hexadecimal(bait: Bait) -> object:
    """In hexadecimal."""
    return _read("0xA9FEA9FE", 80)


@attack(*GONE)
def metadata_octal(bait: Bait) -> object:
    """In octal."""
    return _read("0251.0376.0251.0376", 80)


@attack(*GONE)
def metadata_short(bait: Bait) -> object:
    """With the last two bytes as one."""
    return _read("169.254.43518", 80)


@attack(*GONE)
def datagram(bait: Bait) -> object:
    """UDP to this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(5)
        udp.connect(("127.0.0.1", bait["udp"]))
        udp.send(b"hello")
        return udp.recv(64)


@attack(*GONE)
def name_server(bait: Bait) -> object:
    """A question to the machine's name server could carry anything away."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(5)
        question = b"\0\1\1\0\0\1\0\0\0\0\0\0\6public\4test\0\0\1\0\1"
        udp.sendto(question, ("127.0.0.1", 53))
        return udp.recv(512)


@attack("gaierror", *GONE)
def lookup(bait: Bait) -> object:
    """A name, looked up by the run itself."""
    return socket.getaddrinfo(bait["name"], 80, socket.AF_INET, socket.SOCK_STREAM)


@attack(*GONE, "EOPNOTSUPP")
def fast_open(bait: Bait) -> object:
    """Data with the first packet: a connection without `connect`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.sendto(b"hello\r\n\r\n", 0x20000000, ("127.0.0.1", bait["tcp"]))
        connection.settimeout(5)
        if not (answer := connection.recv(64)):
            raise ConnectionResetError("closed without an answer")
        return answer


@attack("NothingElse")
def every_port(bait: Bait) -> object:
    """Whatever listens on the loopback, the run's own way out apart."""
    own = urlsplit(os.environ.get("HTTPS_PROXY", "")).port
    ports = [port for port in range(1, 65536) if port != own and _opens(port)]
    if not ports:
        raise NothingElse("only the proxy listens")
    return ports


class NothingElse(Exception):
    """There was nothing."""


def _opens(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        if connection.connect_ex(("127.0.0.1", port)) != 0:
            return False
        # A connection to itself, from the port it happened to be given, is nobody's.
        return bool(connection.getsockname() != connection.getpeername())
