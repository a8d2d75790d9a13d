"""Sockets in the file system: one that nobody serves, and one whose server never answers."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path


def bound(path: Path) -> None:
    """Leave a socket behind that nobody serves."""
    with socket.socket(socket.AF_UNIX) as made:
        before = os.getcwd()
        os.chdir(path.parent)  # paths of sockets are short
        try:
            made.bind(path.name)
        finally:
            os.chdir(before)


@contextlib.contextmanager
def silent_socket(path: Path) -> Iterator[str]:
    """Take every connection and never answer, until the block ends; yield the URL."""
    kept = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(50)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(server.accept())

        taking = threading.Thread(target=accept, daemon=True)
        taking.start()
        yield f"unix://{path}"
        server.shutdown(socket.SHUT_RDWR)
        taking.join(10)  # else it might still take one
    for connection, _ in kept:
        connection.close()
