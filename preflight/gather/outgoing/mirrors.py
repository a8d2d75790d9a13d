"""Ask mailcow's service whether the public servers of a block list answer this host's network: one request."""

from __future__ import annotations

import http.client
import threading
import time
from contextlib import suppress
from ssl import SSLContext
from urllib.parse import SplitResult, urlsplit

from preflight.facts import Answers, Fact, Mirrors
from preflight.facts.blocklists import Answering
from preflight.gather.access.roots import Roots
from preflight.gather.names.nameservers import find_servers
from preflight.gather.names.resolver import MARGIN, ask
from preflight.gather.outgoing import tls
from preflight.gather.outgoing.outgoing import KINDS, NAMES, prevented
from preflight.gather.outgoing.sightings import fetch

SOURCE = "Internet"
SECONDS = 4.0
_STATUS: dict[int, Answering] = {200: "open", 503: "closed", 429: "busy"}


def mirrors(roots: Roots, url: str, resolvers: tuple[str, ...], deadline: float) -> Fact[Mirrors]:
    """Ask until the deadline (of time.monotonic); its addresses are tried one after another until one answers.

    It is asked over any IP version: mailcow's own question does not choose one, either.
    """
    if (why := prevented(roots)) is not None:
        return Fact(why.source, None, why.missing)
    part = urlsplit(url)
    host = part.hostname or ""
    servers = find_servers(roots, resolvers).or_(())
    names = [(host, kind) for kind in KINDS]
    answers = Answers(ask(servers, names, min(deadline, time.monotonic() + NAMES)) if servers else {})
    found = [address for kind in KINDS if (answer := answers.get(host, kind)) for address in answer.addresses[:1]]
    context = tls.authorities(roots) if part.scheme == "https" else None
    for number, address in enumerate(found):
        left = min(deadline - MARGIN, time.monotonic() + SECONDS / (len(found) - number))
        if (status := _status(part, address, context, left)) is not None:
            return Fact.of(SOURCE, Mirrors(_STATUS.get(status, "strange")))
    return Fact.of(SOURCE, Mirrors("failed"))


def _status(part: SplitResult, address: str, context: SSLContext | None, until: float) -> int | None:
    """Ask one address until then (of time.monotonic); None: it did not answer.

    In a thread, which nobody waits for any longer: each step has its time, and a server that sends its answer byte by
    byte takes any number of steps.
    """
    found: list[int] = []

    def work() -> None:
        with suppress(OSError, http.client.HTTPException, ValueError):
            found.append(fetch(part, address, context, until)[0])

    thread = threading.Thread(target=work, name="mirror", daemon=True)
    thread.start()
    thread.join(max(0.0, until - time.monotonic()))
    return found[0] if found else None
