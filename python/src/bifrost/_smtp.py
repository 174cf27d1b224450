"""`smtplib`'s classes over the platform's proxy."""

from __future__ import annotations

import smtplib

from .network import connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

__all__ = ["SMTP", "SMTP_SSL"]


class SMTP(smtplib.SMTP):
    """`smtplib.SMTP` through the platform's proxy; `starttls` works as usual."""

    def _get_socket(self, host: str, port: int, timeout: float | None) -> socket.socket:
        return connect(host, port, _seconds(timeout))


class SMTP_SSL(smtplib.SMTP_SSL):  # noqa: N801 (its name in smtplib)
    """`smtplib.SMTP_SSL` through the platform's proxy."""

    def _get_socket(self, host: str, port: int, timeout: float | None) -> socket.socket:
        plain = connect(host, port, _seconds(timeout))
        return self.context.wrap_socket(plain, server_hostname=host)


def _seconds(timeout: object) -> float | None:
    """smtplib's own default is an object that means the process's default."""
    if isinstance(timeout, (int, float)):
        return timeout
    import socket

    return socket.getdefaulttimeout()


for _class in (SMTP, SMTP_SSL):
    _class.__module__ = "bifrost.network"
