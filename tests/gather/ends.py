"""Sockets of this machine, opened for a test."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from preflight.facts import View
from preflight.gather.access.roots import Roots

VIEW = View(container=False, root="/", live=True, network=True, privileged=None)

NATIVE = Roots("/", VIEW, anchor="self")


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")


@contextmanager
def opened(
    address: str, port: int = 0, *, listen: bool = True, reuse: bool = True, v6only: bool | None = None
) -> Iterator[socket.socket]:
    """Open a socket as a service would."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as made:
        if reuse:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if v6only is not None:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
        made.bind((address, port))
        if listen:
            made.listen()
        yield made


@contextmanager
def connected(*, reuse: bool) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Connect a client whose local port was chosen with or without SO_REUSEADDR; yields both ends."""
    with opened("127.0.0.1") as server, opened("127.0.0.1", listen=False, reuse=reuse) as client:
        client.connect(server.getsockname())
        with closing(server.accept()[0]) as end:
            yield client, end


def port_of(made: socket.socket) -> int:
    return int(made.getsockname()[1])
