"""A small key-value server on a Unix socket, in place of the cache a finder would ask.

    python3 -I -S bench/cache_server.py SOCKET < values.json

It speaks Redis's `GET`: `GET key` is answered by `$length`, then the value, or by `$-1`. One
connection at a time, one thread, whole replies in one send: nothing waits for anything else.
"""

from __future__ import annotations

import json
import socket
import sys


def answer(connection: socket.socket, replies: dict[bytes, bytes]) -> None:
    """Answers one client until it leaves."""
    with connection, connection.makefile("rb") as requests:
        for line in requests:
            connection.sendall(replies.get(line[4:-2], b"$-1\r\n"))


def main() -> None:
    """Reads the values, says that it listens, serves until it is ended."""
    values: dict[str, str] = json.load(sys.stdin)
    replies = {
        key.encode(): b"$%d\r\n%s\r\n" % (len(value.encode()), value.encode())
        for key, value in values.items()
    }
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen()
        print("listening", flush=True)
        while True:
            answer(listener.accept()[0], replies)


if __name__ == "__main__":
    main()
