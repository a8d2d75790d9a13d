"""Ask services on the Internet by which address they see this host: one request each, all side by side."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from contextlib import suppress
from ipaddress import ip_address
from ssl import SSLContext
from urllib.parse import SplitResult, urlsplit

from preflight.facts import Answers, Fact
from preflight.facts.sightings import AddressService, Sighting
from preflight.gather.access.roots import Roots
from preflight.gather.names.nameservers import find_servers
from preflight.gather.names.resolver import MARGIN, ask
from preflight.gather.outgoing import tls
from preflight.gather.outgoing.outgoing import NAMES, SOURCE, prevented
from preflight.net.addresses import parse_address, usual

SECONDS = 4.0  # for one service
BODY = 1024  # bytes that are read of an answer
KINDS = {4: "A", 6: "AAAA"}


def sightings(
    roots: Roots, services: tuple[AddressService, ...], resolvers: tuple[str, ...], deadline: float
) -> Fact[tuple[Sighting, ...]]:
    """Ask all services until the deadline (of time.monotonic)."""
    if (why := prevented(roots)) is not None:
        return Fact(why.source, None, why.missing)
    parts = {one: urlsplit(one.url) for one in services}
    names = [(part.hostname or "", KINDS[one.version]) for one, part in parts.items() if not _literal(part)]
    servers = find_servers(roots, resolvers).or_(())
    answers = Answers(ask(servers, names, min(deadline, time.monotonic() + NAMES)) if servers and names else {})
    context = tls.authorities(roots) if any(part.scheme == "https" for part in parts.values()) else None
    made: dict[AddressService, Sighting] = {}
    until = min(deadline - MARGIN, time.monotonic() + SECONDS)

    def work(one: AddressService) -> None:
        made[one] = _ask(one, _address(one, parts[one], answers), context, until)

    crew = [threading.Thread(target=work, args=(one,), name="sighting", daemon=True) for one in services]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join(max(0.0, until - time.monotonic()))
    return Fact.of(SOURCE, tuple(made.get(one, Sighting(one, "failed")) for one in services))


def _literal(part: SplitResult) -> bool:
    return parse_address(part.hostname or "") is not None


def _address(one: AddressService, part: SplitResult, answers: Answers) -> str:
    """Return the address of a service for its IP version; '' = it has none."""
    host = part.hostname or ""
    if _literal(part):
        return host if ip_address(host).version == one.version else ""
    answer = answers.get(host, KINDS[one.version])
    return next(iter(answer.addresses), "") if answer else ""


def _ask(one: AddressService, address: str, context: SSLContext | None, until: float) -> Sighting:
    if not address:
        return Sighting(one, "failed")
    try:
        return read(one, *fetch(urlsplit(one.url), address, context, until))
    except (OSError, http.client.HTTPException, ValueError):
        return Sighting(one, "failed")


def fetch(part: SplitResult, address: str, context: SSLContext | None, until: float) -> tuple[int, bytes]:
    """Ask for a page at one address of its host; return the status and the beginning of the body."""
    secure, host = part.scheme == "https", part.hostname or ""
    port = part.port or (443 if secure else 80)
    connection = http.client.HTTPConnection(host, port)
    try:
        connection.sock = socket.create_connection((address, port), max(0.01, until - time.monotonic()))
        if secure:
            connection.sock = tls.agreed(connection.sock, host, context)
        place = f"{part.path or '/'}{'?' * bool(part.query)}{part.query}"
        connection.request("GET", place, headers={"Accept": "text/plain", "Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read(BODY)
    finally:
        with suppress(OSError):
            connection.close()


def read(one: AddressService, status: int, body: bytes) -> Sighting:
    """Read an address out of an answer that is nothing else."""
    found = usual(body.decode("latin-1")) if status == 200 and len(body) < BODY else None
    if found is None or ip_address(found).version != one.version:
        return Sighting(one, "strange")
    return Sighting(one, "seen", found)
