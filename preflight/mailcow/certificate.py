"""The certificate that mailcow asks for: for which names, of whom, and when it does not even ask.

Read from mailcow's data/Dockerfiles/acme/ (acme.sh, functions.sh, obtain-certificate.sh), commit 06424670f, 2026-08-05.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from preflight.facts.records import Caa
from preflight.mailcow.conf.problems import Values

LABELS = ("autodiscover", "autoconfig")  # of every domain; mta-sts follows only where mailcow has such a policy


class Certificate(Struct, frozen=True):
    """What mailcow.conf says of it. Names that ADDITIONAL_SAN adds are not in it."""

    skipped: bool = False  # SKIP_LETS_ENCRYPT
    elsewhere: bool = False  # DIRECTORY_URL names another certificate authority
    method: str = "http-01"  # how names are proven: dns-01 with ACME_DNS_CHALLENGE
    labels: tuple[str, ...] = LABELS  # before each domain: none with ONLY_MAILCOW_HOSTNAME or AUTODISCOVER_SAN=n
    apart: bool = False  # ENABLE_SSL_SNI: the domains' names are in certificates of their own


def certificate(values: Values) -> Certificate:
    """Read what mailcow.conf says of it."""
    programs = values.text("AUTODISCOVER_SAN").lower() in ("", "y", "yes") and not values.yes("ONLY_MAILCOW_HOSTNAME")
    return Certificate(
        skipped=values.yes("SKIP_LETS_ENCRYPT"),
        elsewhere=bool(values.text("DIRECTORY_URL")) and not values.yes("LE_STAGING"),
        method="dns-01" if values.yes("ACME_DNS_CHALLENGE") else "http-01",
        labels=LABELS if programs else (),
        apart=values.yes("ENABLE_SSL_SNI"),
    )


def is_asked_for(above: Iterable[Caa], authority: str) -> bool:
    """Say whether mailcow asks for a name, by the CAA records of the name one label above: it looks at no others.

    It finds the authority's name anywhere in the values of `issue`, written so. Tags in other letters it does not see.
    """
    values = [record.value for record in above if record.tag == "issue" and record.value.strip()]
    return not values or authority in " ".join(values)
