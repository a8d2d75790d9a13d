"""The services that mailcow's documentation announces for a domain by SRV records (RFC 2782, 6186, 6764, 8314).

https://docs.mailcow.email/getstarted/prerequisite-dns/, "The advanced DNS configuration", read 2026-08-22.
"""

from __future__ import annotations

from msgspec import Struct

from preflight.mailcow.layout import SHAPE

PRIORITY, WEIGHT = 0, 1  # of all rows of that table
DAV = "/SOGo/dav/"


class Announced(Struct, frozen=True):
    """A row of the table. `path`: where calendars and address books are, in a TXT record of the same name."""

    label: str
    variable: str  # of mailcow.conf, whose port it is
    path: str = ""

    @property
    def port(self) -> int:
        """Return the port that mailcow has where mailcow.conf does not move it."""
        return next(one.port for one in SHAPE if one.variable == self.variable)

    def owner(self, domain: str) -> str:
        """Return the name that has the records."""
        return f"{self.label}.{domain}"


ANNOUNCED = (
    Announced("_autodiscover._tcp", "HTTPS_PORT"),
    Announced("_caldavs._tcp", "HTTPS_PORT", DAV),
    Announced("_carddavs._tcp", "HTTPS_PORT", DAV),
    Announced("_imap._tcp", "IMAP_PORT"),
    Announced("_imaps._tcp", "IMAPS_PORT"),
    Announced("_pop3._tcp", "POP_PORT"),
    Announced("_pop3s._tcp", "POPS_PORT"),
    Announced("_sieve._tcp", "SIEVE_PORT"),
    Announced("_smtps._tcp", "SMTPS_PORT"),
    Announced("_submission._tcp", "SUBMISSION_PORT"),
    Announced("_submissions._tcp", "SMTPS_PORT"),
)
