"""Ask mailcow's service whether the public servers of a block list answer this host's network: one request."""

from __future__ import annotations

import http.client
import time
from urllib.parse import urlsplit

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
        try:
            status, _ = fetch(part, address, context, left)
        except (OSError, http.client.HTTPException, ValueError):
            continue
        return Fact.of(SOURCE, Mirrors(_STATUS.get(status, "strange")))
    return Fact.of(SOURCE, Mirrors("failed"))
