"""Sockets of other kinds than TCP: of this machine's services, and of the kernel."""

from __future__ import annotations

import contextlib
import socket

from . import Bait, attack

NO = ("EPERM", "EACCES", "EAFNOSUPPORT")
GONE = (*NO, "ENOENT", "ECONNREFUSED")
ABSENT = ("EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "ENODEV")


def _ask(kind: socket.SocketKind, where: str | bytes) -> object:
    with socket.socket(socket.AF_UNIX, kind) as client:
        client.settimeout(5)
        client.connect(where)
        # Whoever speaks first may have said all and hung up.
        with contextlib.suppress(BrokenPipeError):
            client.sendall(b"hello\r\n\r\n")
        return client.recv(64) if kind == socket.SOCK_STREAM else "sent"


@attack(*GONE)
def unix(bait: Bait) -> object:
    """A service with a path that everybody may use."""
    return _ask(socket.SOCK_STREAM, bait["unix"])


@attack(*GONE)
def postgresql(bait: Bait) -> object:
    """The path at which PostgreSQL listens for those who need no password."""
    return _ask(socket.SOCK_STREAM, bait["postgresql"])


@attack(*GONE)
def unix_datagram(bait: Bait) -> object:
    """What the system's log listens to."""
    return _ask(socket.SOCK_DGRAM, bait["unix_datagram"])


@attack(*GONE)
def abstract(bait: Bait) -> object:
    """A service with a name that no file has."""
    return _ask(socket.SOCK_STREAM, b"\0" + bait["abstract"].encode())


@attack(*GONE)
def unix_by_pair(bait: Bait) -> object:
    """A datagram from one end of a pair to somebody else's address."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with here, there:
        here.sendto(b"hello", bait["unix_datagram"])
        return "sent"


@attack(*GONE)
def unix_listening(bait: Bait) -> object:
    """A service of the run's own, for accomplices in other runs."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as service:
        service.bind(b"\0" + bait["mark"].encode() + b"-service")
        service.listen()
        return "listens"


def _open(family: int, kind: int, protocol: int = 0) -> object:
    socket.socket(family, kind, protocol).close()
    return "a socket"


@attack(*NO, absent=ABSENT)
def netlink(bait: Bait) -> object:
    """Routes and links of the kernel."""
    return _open(socket.AF_NETLINK, socket.SOCK_RAW, 0)


@attack(*NO, absent=ABSENT)
def netlink_events(bait: Bait) -> object:
    """Devices that come and go."""
    return _open(socket.AF_NETLINK, socket.SOCK_DGRAM, 15)


@attack(*NO, absent=ABSENT)
def vsock(bait: Bait) -> object:
    """The host of this virtual machine."""
    return _open(socket.AF_VSOCK, socket.SOCK_STREAM)


@attack(*NO, absent=ABSENT)
def packet(bait: Bait) -> object:
    """Everybody's packets."""
    return _open(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))


@attack(*NO, absent=ABSENT)
def raw(bait: Bait) -> object:
    """Packets with forged senders."""
    return _open(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


@attack(*NO, absent=ABSENT)
def raw_of_ipv6(bait: Bait) -> object:
    """The same over IPv6."""
    return _open(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)


@attack(*NO, absent=(*ABSENT, "EACCES"))
def echo(bait: Bait) -> object:
    """An echo request, for which some systems let everybody have a datagram socket."""
    return _open(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)


@attack(*NO, absent=ABSENT)
def cryptography(bait: Bait) -> object:
    """The kernel's ciphers, which have had holes."""
    return _open(socket.AF_ALG, socket.SOCK_SEQPACKET)


@attack(*NO, "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", absent=ABSENT)
def sctp(bait: Bait) -> object:
    """A stream that is not TCP."""
    return _open(socket.AF_INET, socket.SOCK_STREAM, 132)


@attack(*NO, "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", absent=ABSENT)
def multipath(bait: Bait) -> object:
    """TCP of several paths has a code of its own in the kernel."""
    return _open(socket.AF_INET, socket.SOCK_STREAM, 262)


@attack(*NO, absent=ABSENT)
def bluetooth(bait: Bait) -> object:
    """Radio."""
    return _open(31, socket.SOCK_SEQPACKET, 0)


@attack(*NO, absent=ABSENT)
def can(bait: Bait) -> object:
    """Field buses."""
    return _open(socket.AF_CAN, socket.SOCK_RAW, 1)


@attack(*NO, absent=ABSENT)
def tipc(bait: Bait) -> object:
    """Cluster communication."""
    return _open(30, socket.SOCK_STREAM)


@attack(*NO, absent=(*ABSENT, "EPERM"))
def express(bait: Bait) -> object:
    """Packets past the network stack."""
    return _open(44, socket.SOCK_RAW)


@attack(*NO, absent=ABSENT)
def rxrpc(bait: Bait) -> object:
    """Calls of the Andrew file system."""
    return _open(33, socket.SOCK_DGRAM, 2)
