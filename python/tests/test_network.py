"""`bifrost.network` against a proxy that answers what a test says."""

from __future__ import annotations

import os
import socket
import threading
import unittest
from unittest import mock

from bifrost import BifrostError, network


class Proxy:
    """Gives one answer to one connection; what was asked is `asked`."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        url = "http://127.0.0.1:{}".format(self._listener.getsockname()[1])
        self._environment = mock.patch.dict(os.environ, {"HTTPS_PROXY": url})
        self._environment.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._environment.stop()
        self._thread.join(10)
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            while not self.asked.endswith(b"\r\n\r\n"):
                self.asked += connection.recv(1)
            connection.sendall(self.answer)


class Network(unittest.TestCase):
    """Tunnels and their errors."""

    def test_what_follows_the_head_is_the_host_s(self) -> None:
        with Proxy(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n220 ready") as proxy:
            with network.connect("mail.example.com", 25, timeout=5) as connection:
                self.assertEqual(connection.recv(100), b"220 ready")
        self.assertEqual(proxy.asked.split(b"\r\n")[0], b"CONNECT mail.example.com:25 HTTP/1.1")

    def test_a_refusal_is_the_sentence_of_the_proxy(self) -> None:
        answer = b"HTTP/1.1 403 short\r\nContent-Length: 7\r\n\r\nbecause"
        for error in (BifrostError, ConnectionError, network.NetworkRefused):
            with Proxy(answer), self.assertRaises(error) as caught:
                network.connect("a.example", 443)
            self.assertEqual(str(caught.exception), "because")

    def test_half_an_answer_is_an_error(self) -> None:
        for answer in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 " + b"x" * 20_000):
            with Proxy(answer), self.assertRaises(network.NetworkRefused):
                network.connect("a.example", 443, timeout=5)
        with Proxy(b"nonsense, no status\r\n\r\n"), self.assertRaises(network.NetworkRefused):
            network.connect("a.example", 443, timeout=5)

    def test_a_host_cannot_add_a_line(self) -> None:
        for host in ("a b", "a\r\nX: 1", "", "a/b", "a@b", "b\u00fccher.example", "[]", "%2e"):
            with self.assertRaises(ValueError, msg=host):
                network.connect(host, 443)
        for port in (0, -1, 65536):
            with self.assertRaises(ValueError):
                network.connect("a.example", port)

    def test_an_ipv6_address_has_brackets_on_the_way(self) -> None:
        for host in ("2606:4700::1111", "[2606:4700::1111]"):
            with Proxy(b"HTTP/1.1 200 OK\r\n\r\n") as proxy:
                network.connect(host, 443).close()
            self.assertIn(b"CONNECT [2606:4700::1111]:443 ", proxy.asked)

    def test_without_a_proxy_it_connects_directly(self) -> None:
        nothing = {"HTTPS_PROXY": "", "https_proxy": ""}
        with mock.patch.dict(os.environ, nothing), socket.create_server(("127.0.0.1", 0)) as host:
            with network.connect("127.0.0.1", host.getsockname()[1], timeout=5) as connection:
                self.assertEqual(connection.getpeername(), host.getsockname())

    def test_mail_is_loaded_only_for_who_sends_it(self) -> None:
        import subprocess
        import sys

        script = "import sys; from bifrost import network; assert 'smtplib' not in sys.modules; " \
            "network.SMTP; assert 'smtplib' in sys.modules"
        path = os.path.join(os.path.dirname(__file__), "..", "src")
        environment = {"PYTHONPATH": path, "PATH": os.environ["PATH"]}
        subprocess.run([sys.executable, "-c", script], check=True, env=environment)


if __name__ == "__main__":
    unittest.main()
