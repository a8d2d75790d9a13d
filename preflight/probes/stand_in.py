"""The program of every stand-in container: answers on the ports that mailcow's would, and does nothing else.

    python3 -I -m preflight.probes.stand_in NAME [PORT...]    one banner a connection, until it is told to end
    python3 -I -m preflight.probes.stand_in --healthy [PORT]  exit code 0 where the port answers (a HEALTHCHECK)

The banner says who answers whom: `mailcow-preflight TOKEN NAME PORT PEER`. The token (of PREFLIGHT_TOKEN) tells our
own answer from that of anybody else on that port; the peer is the client's address as the container sees it.

In a rehearsal PREFLIGHT_ASKED is set: then only who says the token first gets the banner, and nobody else a byte.
PREFLIGHT_SECONDS is how long the program lives at most, so that nothing lasts where nobody removes it.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import selectors
import signal
import socket
import sys
import threading
from types import FrameType

GREETING = "mailcow-preflight"
SECONDS = 5.0
LINE = 256  # bytes of a client's first line
AT_ONCE = threading.BoundedSemaphore(64)  # clients that are listened to


def banner(token: str, name: str, port: int, peer: str) -> bytes:
    """Make the line that a connection is answered with."""
    return f"{GREETING} {token} {name} {port} {peer.removeprefix('::ffff:')}\r\n".encode()


def listen(port: int) -> socket.socket:
    """Listen on every address of both families, of IPv4 alone where there is no IPv6."""
    if not socket.has_dualstack_ipv6():
        return socket.create_server(("", port))
    try:
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    except OSError:  # IPv6 is compiled in, and switched off here
        return socket.create_server(("", port))


def serve(name: str, ports: list[int], token: str) -> None:
    """Answer every connection with the banner until the process is told to end."""
    with selectors.DefaultSelector() as selector:
        for port in ports:
            selector.register(listen(port), selectors.EVENT_READ, port)
        while True:
            for key, _ in selector.select():
                answer(key.fileobj, name, key.data, token)  # type: ignore[arg-type]  # what was registered above


def answer(server: socket.socket, name: str, port: int, token: str) -> None:
    """Take one connection, send the banner, close; a client that is gone already is nobody's failure."""
    with contextlib.suppress(OSError):
        connection, peer = server.accept()
        words = banner(token, name, port, peer[0])
        if os.environ.get("PREFLIGHT_ASKED"):
            if AT_ONCE.acquire(blocking=False):
                threading.Thread(target=listened, args=(connection, token, words), daemon=True).start()
            else:
                connection.close()
            return
        with connection:
            connection.settimeout(SECONDS)
            connection.sendall(words)


def listened(connection: socket.socket, token: str, words: bytes) -> None:
    """Send the banner to a client that says the token first; in a thread of its own, as others may say nothing."""
    try:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(SECONDS)
            if hmac.compare_digest(first_line(connection), token.encode()) and token:
                connection.sendall(words)
    finally:
        AT_ONCE.release()


def first_line(connection: socket.socket) -> bytes:
    """Return a client's first line without its end; what comes after it is nobody's. Raises OSError."""
    said = b""
    while b"\n" not in said and len(said) < LINE and (more := connection.recv(LINE)):
        said += more
    return said[:LINE].partition(b"\n")[0].rstrip(b"\r")


def healthy(port: int) -> bool:
    """Say whether the container's own port answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
            connection.settimeout(SECONDS)
            connection.sendall(f"{os.environ.get('PREFLIGHT_TOKEN', '')}\r\n".encode())
            return connection.recv(200).startswith(GREETING.encode())
    except OSError:
        return False


def end(_number: int, _frame: FrameType | None) -> None:
    # The first process of a container ignores signals that it has no handler for.
    os._exit(0)


def main(words: list[str]) -> int:
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGALRM, end)
    signal.alarm(int(os.environ.get("PREFLIGHT_SECONDS") or 0))
    match words:
        case ["--healthy", port]:
            return 0 if healthy(int(port)) else 1
        case [name, *ports]:
            serve(name, [int(port) for port in ports], os.environ.get("PREFLIGHT_TOKEN", ""))
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
