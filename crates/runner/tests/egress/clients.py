"""One client: fetches over HTTP and HTTPS, posts, and is refused a host. Ends with an error if not."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

PORTS = json.loads(sys.argv[2])
PLAIN = f"http://service.test:{PORTS['http']}"
SECURE = f"https://service.test:{PORTS['https']}"
REFUSED = "https://refused.test"
PROXY = os.environ["HTTPS_PROXY"]
WHY = "no pattern of `network.allowed_hosts` covers it"
BODY = b"x" * 300_000


def same(found: Any, wanted: Any) -> None:
    """Compares."""
    if found != wanted:
        raise AssertionError(f"{found!r:.500} is not {wanted!r:.500}")


def refused(ask: Callable[[], Any]) -> None:
    """`ask` must fail, and its error must say why."""
    try:
        ask()
    except Exception as error:
        if WHY not in str(error):
            raise AssertionError(f"{error!r} does not say why") from error
        return
    raise AssertionError("it was not refused")


def urllib() -> None:
    """The standard library's, by the environment."""
    from urllib.request import urlopen

    for url, scheme in ((PLAIN, b"http"), (SECURE, b"https")):
        same(urlopen(f"{url}/a").read(), scheme + b" /a")
        same(urlopen(f"{url}/", data=BODY).read(), BODY)
    refused(lambda: urlopen(REFUSED))


def http_client() -> None:
    """Told about the proxy by hand."""
    import http.client

    host, port = PROXY.removeprefix("http://").split(":")
    tunnel = http.client.HTTPSConnection(host, int(port))
    tunnel.set_tunnel("service.test", PORTS["https"])
    tunnel.request("GET", "/a")
    same(tunnel.getresponse().read(), b"https /a")
    plain = http.client.HTTPConnection(host, int(port))
    for path in ("/a", "/b"):
        plain.request("GET", f"{PLAIN}{path}")
        same(plain.getresponse().read(), f"http {path}".encode())
    other = http.client.HTTPSConnection(host, int(port))
    other.set_tunnel("refused.test", 443)
    refused(lambda: other.request("GET", "/"))


def requests() -> None:
    """By the environment, with a session."""
    import requests

    with requests.Session() as session:
        for url, scheme in ((PLAIN, "http"), (SECURE, "https")):
            same(session.get(f"{url}/a").text, f"{scheme} /a")
            same(session.post(f"{url}/", data=BODY).content, BODY)
        refused(lambda: session.get(REFUSED))


def httpx() -> None:
    """By the environment."""
    import httpx

    with httpx.Client() as client:
        for url, scheme in ((PLAIN, "http"), (SECURE, "https")):
            same(client.get(f"{url}/a").text, f"{scheme} /a")
            same(client.post(f"{url}/", content=BODY).content, BODY)
        refused(lambda: client.get(REFUSED))


def urllib3() -> None:
    """Told about the proxy by hand; a plain pool manager does not read the environment."""
    import urllib3

    pool = urllib3.proxy_from_url(PROXY, ca_certs=os.environ["SSL_CERT_FILE"])
    for url, scheme in ((PLAIN, b"http"), (SECURE, b"https")):
        same(pool.request("GET", f"{url}/a").data, scheme + b" /a")
        same(pool.request("POST", f"{url}/", body=BODY).data, BODY)
    refused(lambda: pool.request("GET", REFUSED, retries=False))


def aiohttp() -> None:
    """By the environment when it is told to trust it."""
    import asyncio

    import aiohttp

    async def talk() -> None:
        async with aiohttp.ClientSession(trust_env=True) as session:
            for url, scheme in ((PLAIN, "http"), (SECURE, "https")):
                async with session.get(f"{url}/a") as reply:
                    same(await reply.text(), f"{scheme} /a")
                async with session.post(f"{url}/", data=BODY) as reply:
                    same(await reply.read(), BODY)
            try:
                await session.get(REFUSED)
            except aiohttp.ClientHttpProxyError as error:
                same((error.status, WHY in error.message), (403, True))
            else:
                raise AssertionError("it was not refused")

    asyncio.run(talk())


def smtplib() -> None:
    """The platform's classes, which know the proxy."""
    import ssl

    from bifrost import network

    with network.SMTP("service.test", PORTS["smtp"], timeout=10) as mail:
        same(mail.sendmail("a@service.test", ["b@service.test"], "Subject: x\r\n\r\nbody"), {})
    context = ssl.create_default_context()
    with network.SMTP_SSL("service.test", PORTS["smtps"], context=context) as mail:
        same(mail.noop()[0], 250)
    refused(lambda: network.SMTP("refused.test", 443))


def network() -> None:
    """A socket for libraries that take one."""
    from bifrost import BifrostError, network

    with network.connect("service.test", PORTS["smtp"], timeout=5) as connection:
        same(connection.recv(100), b"220 service.test\r\n")
        same(connection.gettimeout(), 5)
    for error in (BifrostError, ConnectionError, network.NetworkRefused):
        try:
            network.connect("refused.test", 443)
        except error as caught:
            same(WHY in str(caught), True)
    for host in ("a b", "a\r\nX: 1", "", "a/b", "bücher.example"):
        try:
            network.connect(host, 443)
        except ValueError:
            continue
        raise AssertionError(f"{host!r} was taken for a host")


globals()[sys.argv[1]]()
