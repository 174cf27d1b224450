"""What the attacks are after: services, files, shared memory and a process, until standard input ends.

Started in a network namespace of its own, where the addresses of metadata services and of a public host are
its own too. Says on one line where everything is, as JSON.
"""

from __future__ import annotations

import ctypes
import http.server
import json
import os
import socket
import sys
import threading

from attacks.calls import call, check, libc

PUBLIC = "93.184.216.34"
METADATA = "169.254.169.254"
NAMES = {
    "public.test": [PUBLIC],
    "metadata.test": [METADATA],
    "loopback.test": ["127.0.0.1"],
    "both.test": [PUBLIC, "127.0.0.1"],
}


class Service(http.server.BaseHTTPRequestHandler):
    """Gives the mark to whoever asks, and sends on whoever wants that."""

    mark = ""

    def do_GET(self) -> None:
        """Any path but one has the mark."""
        if self.path.endswith("/redirect"):
            self.send_response(302)
            self.send_header("Location", f"http://{METADATA}/latest/meta-data/")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = self.mark.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nobody wants to know."""


class Service6(http.server.ThreadingHTTPServer):
    """The same for IPv6."""

    address_family = socket.AF_INET6


def _thread(do: object, *arguments: object) -> None:
    threading.Thread(target=do, args=arguments, daemon=True).start()  # type: ignore[arg-type]


def _serve(host: str, port: int) -> int:
    server = http.server.ThreadingHTTPServer((host, port), Service)
    _thread(server.serve_forever)
    return server.server_port


def _serve6() -> int:
    server = Service6(("::1", 0), Service)
    _thread(server.serve_forever)
    return server.server_port


def _stream(address: str | bytes) -> None:
    service = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    service.bind(address)
    if isinstance(address, str):
        os.chmod(address, 0o777)
    service.listen(64)

    def serve() -> None:
        while True:
            client, _ = service.accept()
            client.sendall(Service.mark.encode())
            client.close()

    _thread(serve)


def _datagrams(path: str) -> None:
    service = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    service.bind(path)
    os.chmod(path, 0o777)

    def drain() -> None:
        while True:
            service.recv(64)

    _thread(drain)


def _echo() -> int:
    service = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    service.bind(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            text, sender = service.recvfrom(64)
            service.sendto(text, sender)

    _thread(serve)
    port: int = service.getsockname()[1]
    return port


def _name_server() -> None:
    """Answers for `NAMES`, and for `rebinding.test` with another address each time."""
    service = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    service.bind(("127.0.0.1", 53))
    times = [0]

    def serve() -> None:
        while True:
            question, sender = service.recvfrom(512)
            service.sendto(_answer(question, times), sender)

    _thread(serve)


def _answer(question: bytes, times: list[int]) -> bytes:
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode())
        at += 1 + question[at]
    name, kind = ".".join(labels).lower(), int.from_bytes(question[at + 1 : at + 3], "big")
    if name == "rebinding.test" and kind == 1:
        times[0] += 1
        addresses = [PUBLIC if times[0] % 2 else METADATA]
    else:
        addresses = NAMES.get(name, []) if kind == 1 else []
    known = name in NAMES or name == "rebinding.test"
    flags = b"\x81\x80" if known else b"\x81\x83"
    head = question[:2] + flags + b"\0\1" + len(addresses).to_bytes(2, "big") + bytes(4)
    record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4"
    return head + question[12 : at + 5] + b"".join(record + socket.inet_aton(it) for it in addresses)


def _shared(key: int, queue: str, posix: str) -> None:
    """Segments, queues and semaphores that everybody may read."""
    segment = call("shmget", key, 4096, 0o1666)
    libc.shmat.restype = ctypes.c_void_p
    start = libc.shmat(segment, None, 0)
    ctypes.memmove(start, Service.mark.encode(), len(Service.mark))
    call("semget", key, 1, 0o1666)
    messages = call("msgget", key, 0o1666)
    text = ctypes.create_string_buffer((1).to_bytes(8, "little") + Service.mark.encode())
    for _ in range(4):
        check(libc.msgsnd(messages, text, len(Service.mark), 0))
    os.umask(0)
    check(call("mq_open", queue.encode() + b"\0", os.O_RDWR | os.O_CREAT, 0o666, None))
    with open(f"/dev/shm{posix}", "w") as file:
        file.write(Service.mark)


def _clean(key: int, queue: str, posix: str) -> None:
    libc.shmctl(call("shmget", key, 0, 0), 0, None)
    libc.semctl(call("semget", key, 0, 0), 0, 0)
    libc.msgctl(call("msgget", key, 0), 0, None)
    libc.syscall(ctypes.c_long(241), queue.encode() + b"\0")  # mq_unlink
    os.unlink(f"/dev/shm{posix}")


def main() -> None:
    """Lay everything out below a directory that everybody may enter."""
    directory, Service.mark = sys.argv[1], os.environ["BAIT_MARK"]
    mark, key = Service.mark, 0x42000000 + os.getpid() % 0x800000 * 2
    queue, posix = mark + "q", f"/{mark}-memory"
    for name in ("open", "beside", "keep"):
        os.mkdir(f"{directory}/{name}")
        os.chmod(f"{directory}/{name}", 0o777)
    for name in ("secret", "victim", "keep/kept"):
        with open(f"{directory}/{name}", "w") as file:
            file.write(mark)
        os.chmod(f"{directory}/{name}", 0o644 if name == "secret" else 0o666)
    _stream(f"{directory}/service")
    _stream(f"{directory}/.s.PGSQL.5432")
    _stream(b"\0" + mark.encode() + b"-abstract")
    _datagrams(f"{directory}/log")
    _serve(METADATA, 80)
    _name_server()
    _shared(key, queue, posix)
    held = ctypes.create_string_buffer(mark.encode())
    told = {
        "mark": mark,
        "tcp": _serve("0.0.0.0", 0),
        "tcp6": _serve6(),
        "udp": _echo(),
        "public": PUBLIC,
        "name": "public.test",
        "unix": f"{directory}/service",
        "postgresql": f"{directory}/.s.PGSQL.5432",
        "unix_datagram": f"{directory}/log",
        "abstract": f"{mark}-abstract",
        "secret": f"{directory}/secret",
        "victim": f"{directory}/victim",
        "open": f"{directory}/open",
        "beside": f"{directory}/beside",
        "keep": f"{directory}/keep",
        "ipc_key": key,
        "queue": queue,
        "posix": posix,
        "victim_pid": os.getpid(),
        "victim_address": ctypes.addressof(held),
    }
    print(json.dumps(told), flush=True)
    sys.stdin.read()
    _clean(key, queue, posix)
    os._exit(0)


if __name__ == "__main__":
    main()
