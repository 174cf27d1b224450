"""Services on loopback that the clients talk to: HTTP, HTTPS, mail, mail with TLS."""

from __future__ import annotations

import json
import socketserver
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Pages(BaseHTTPRequestHandler):
    """Says which way a request came."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The scheme, and the path."""
        scheme = "https" if isinstance(self.connection, ssl.SSLSocket) else "http"
        self._answer(f"{scheme} {self.path}".encode())

    def do_POST(self) -> None:
        """The body, back."""
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as sending one message takes."""

    def handle(self) -> None:
        """Speaks first."""
        self._say("220 service.test")
        while line := self.rfile.readline().strip().upper():
            if line == b"DATA":
                self._say("354 go on")
                while self.rfile.readline().strip() != b".":
                    pass
            self._say("221 bye" if line == b"QUIT" else "250 ok")
            if line == b"QUIT":
                return

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class Threads(socketserver.ThreadingTCPServer):
    """A thread each."""

    daemon_threads = True


def main(directory: Path) -> None:
    """Prints the ports and serves until it is killed."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    place = ("127.0.0.1", 0)
    servers: dict[str, socketserver.BaseServer] = {}
    servers["http"] = ThreadingHTTPServer(place, Pages)
    servers["https"] = secure = ThreadingHTTPServer(place, Pages)
    secure.socket = tls.wrap_socket(secure.socket, server_side=True)
    servers["smtp"] = Threads(place, Mail)
    servers["smtps"] = mail = Threads(place, Mail)
    mail.socket = tls.wrap_socket(mail.socket, server_side=True)
    for server in servers.values():
        threading.Thread(target=server.serve_forever, daemon=True).start()
    ports = {name: server.server_address[1] for name, server in servers.items()}  # type: ignore[index]
    print(json.dumps(ports), flush=True)
    threading.Event().wait()


main(Path(sys.argv[1]))
