"""What is to be asked about certificates (CAA, TLSA) and about services that domains announce (SRV). Pure."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.gather.names.questions import MailHost, Question
from preflight.mailcow.certificate import LABELS
from preflight.mailcow.services import ANNOUNCED
from preflight.policies import caa, tlsa


def certificates(host: MailHost) -> Iterator[Question]:
    """Yield the questions by which an authority may issue mailcow's certificate, up to the top-level domains."""
    yield from ((name, "CAA") for name in caa.climb(host.fqdn))
    for domain in host.domains:
        yield from ((name, "CAA") for name in caa.climb(domain))
        yield from ((f"{label}.{domain}", "CAA") for label in LABELS)


def services(host: MailHost) -> Iterator[Question]:
    """Yield the questions by which programs and senders find services, and what proves them to be the right ones."""
    yield tlsa.owner(host.fqdn), "TLSA"
    for domain in host.domains:
        yield from ((one.owner(domain), "SRV") for one in ANNOUNCED)
        yield from ((one.owner(domain), "TXT") for one in ANNOUNCED if one.path)
