"""The program of every stand-in container: answers on the ports that mailcow's would, and does nothing else.

    python3 -I -m preflight.probes.stand_in NAME [PORT...]    one banner a connection, until it is told to end
    python3 -I -m preflight.probes.stand_in --healthy [PORT]  exit code 0 where the port answers (a HEALTHCHECK)

The banner says who answers whom: `mailcow-preflight TOKEN NAME PORT PEER`. The token (of PREFLIGHT_TOKEN) tells our
own answer from that of anybody else on that port; the peer is the client's address as the container sees it.

In a rehearsal PREFLIGHT_ASKED is set: then only who says the token first gets the banner, and nobody else a byte.
PREFLIGHT_SECONDS is how long the program lives at most, so that nothing lasts where nobody removes it.

PREFLIGHT_REACH is a key, in hexadecimal digits: who proves to know it gets an answer that proves the same
(`reach.protocol`). Both ways, how many come at once and within a second is limited.
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
import time
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from preflight.reach.gate import Gate
    from preflight.reach.hearing import Hearing

GREETING = "mailcow-preflight"
SECONDS = 5.0
LINE = 256  # bytes of a client's first line


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


class Ear:
    """Listens to clients before it answers, each in a thread of its own, as others may say nothing."""

    def __init__(self, name: str, token: str, key: str) -> None:
        # Loaded where it is needed: a container that answers everybody has no use for it.
        from preflight.reach.gate import Gate
        from preflight.reach.hearing import Hearing

        self._name, self._token = name, token
        self._lock = threading.Lock()
        self._gate: Gate = Gate()
        self._hearing: Hearing | None = Hearing(bytes.fromhex(key), name) if key else None

    def take(self, connection: socket.socket, port: int, peer: str) -> None:
        """Listen to a client, or close where too many come."""
        with self._lock:
            let_in = self._gate.enter(peer, time.monotonic())
        if let_in:
            threading.Thread(target=self._listen, args=(connection, port, peer), daemon=True).start()
        else:
            connection.close()

    def _listen(self, connection: socket.socket, port: int, peer: str) -> None:
        try:
            with connection, contextlib.suppress(OSError):
                line = first_line(connection)
                connection.settimeout(SECONDS)
                if self._token and hmac.compare_digest(line, self._token.encode()):
                    connection.sendall(banner(self._token, self._name, port, peer))
                elif self._hearing is not None:
                    connection.sendall(self._hearing.reply(line, port, peer, connection.getsockname()[0]))
        finally:
            with self._lock:
                self._gate.leave(peer)


def serve(name: str, ports: list[int], token: str) -> None:
    """Answer every connection until the process is told to end."""
    ear = Ear(name, token, os.environ.get("PREFLIGHT_REACH", "")) if os.environ.get("PREFLIGHT_ASKED") else None
    with selectors.DefaultSelector() as selector:
        for port in ports:
            selector.register(listen(port), selectors.EVENT_READ, port)
        while True:
            for key, _ in selector.select():
                answer(key.fileobj, name, key.data, token, ear)  # type: ignore[arg-type]  # what was registered above


def answer(server: socket.socket, name: str, port: int, token: str, ear: Ear | None = None) -> None:
    """Take one connection; send the banner and close, or listen first. A client that is gone is nobody's failure."""
    with contextlib.suppress(OSError):
        connection, peer = server.accept()
        if ear is not None:
            ear.take(connection, port, peer[0])
            return
        with connection:
            connection.settimeout(SECONDS)
            connection.sendall(banner(token, name, port, peer[0]))


def first_line(connection: socket.socket) -> bytes:
    """Return a client's first line without its end; what comes after it is nobody's. Raises OSError."""
    said, until = b"", time.monotonic() + SECONDS
    while b"\n" not in said and len(said) < LINE:
        connection.settimeout(max(0.001, until - time.monotonic()))
        if not (more := connection.recv(LINE)):
            break
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
