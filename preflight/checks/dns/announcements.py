"""What is announced of the mail host: its services, the key that proves it, and who may issue its certificate."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from preflight.checks import Look, check
from preflight.checks.dns.names import domains, fqdn
from preflight.checks.dns.own_servers import judged
from preflight.checks.sources import DNS, rfc
from preflight.mailcow.services import ANNOUNCED, Announced
from preflight.report.model import Finding, Severity


class Row(Struct, frozen=True):
    """A service of a domain."""

    service: Announced
    domain: str

    @property
    def subject(self) -> str:
        """Name the record."""
        return self.service.owner(self.domain)


def _services(look: Look) -> tuple[Row, ...]:
    return tuple(Row(service, domain) for domain in domains(look) for service in ANNOUNCED)


@check(
    severity=Severity.INFO,
    reads=("answers",),
    remedy="Enter an SRV record for the service with mailcow's host name as its target, or with the target . if the "
    "service is not provided.",
    docs=(DNS,),
    sources=(rfc(2782), rfc(6186), rfc(6764)),
    subject="record",
    subjects=_services,
)
def srv(look: Look, row: Row) -> Iterator[Finding]:
    """The service's SRV record points to this host

    Some mail programs, and most programs for calendars and address books, use these records to find their server.
    mailcow's documentation lists them in its advanced table. The target . means that a service is not provided. Mail
    works without these records.
    """
    from preflight.checks.dns import srv

    questions = ((row.subject, "SRV"), *(((row.subject, "TXT"),) if row.service.path else ()))
    yield judged(look, "dns.srv", questions, lambda view: srv.judge(view, row.service, row.domain))


def _tlsa(look: Look) -> tuple[str, ...]:
    from preflight.policies.tlsa import owner

    return (owner(fqdn(look)),)


@check(
    severity=Severity.INFO,
    reads=("answers",),
    remedy="Once mailcow runs, enter the TLSA record that its DNS check shows.",
    docs=(DNS,),
    sources=(rfc(7672), rfc(6698)),
    subject="name",
    subjects=_tlsa,
)
def tlsa(look: Look, name: str) -> Iterator[Finding]:
    """Senders can use the host's TLSA records

    Servers that follow DANE deliver only if the certificate on port 25 matches a TLSA record of the host. They ignore
    the records of a zone without DNSSEC, and those with usage 0 or 1. No record is needed. A wrong record stops mail
    from these servers: it must match the key of mailcow's certificate, which does not exist until mailcow runs.
    """
    from preflight.checks.dns import tlsa

    yield judged(look, "dns.tlsa", ((name, "TLSA"),), lambda view: tlsa.judge(view, name))


def _certificates(look: Look) -> tuple[str, ...]:
    from preflight.checks.dns import caa

    return caa.subjects(look)


@check(
    severity=Severity.REQUIRED,
    reads=("answers",),
    remedy='Enter a CAA record that allows Let\'s Encrypt: 0 issue "letsencrypt.org"',
    docs=(DNS,),
    sources=(rfc(8659), rfc(8657)),
    subject="name",
    subjects=_certificates,
)
def caa(look: Look, name: str) -> Iterator[Finding]:
    """CAA records allow Let's Encrypt to issue mailcow's certificate

    mailcow gets its certificate from Let's Encrypt, unless SKIP_LETS_ENCRYPT is on. A certificate authority looks up
    the CAA records of each name in the certificate. If a name has none, those of the closest parent name with records
    apply. The authority issues nothing if the records do not allow it, or if a name server does not answer. mailcow
    itself also reads the records of the parent name, and requests no certificate for a name if these do not allow Let's
    Encrypt. Names in ADDITIONAL_SAN are not checked.
    """
    from preflight.checks.dns import caa

    if caa.is_unasked(look):
        yield caa.judge(look, name)
    else:
        yield judged(look, "dns.caa", caa.questions(name), lambda view: caa.judge(view, name))
