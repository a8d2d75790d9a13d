"""The records of the domains that mail is for."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.dns.deliveries import delivery, for_programs
from preflight.checks.dns.names import domains
from preflight.checks.dns.own_servers import judged
from preflight.checks.sources import DNS, issue
from preflight.report.model import Finding, Severity


@check(
    severity=Severity.REQUIRED,
    reads=("answers",),
    remedy="Enter an MX record for the domain with mailcow's host name as its target.",
    docs=(DNS,),
    sources=(issue(3703),),
    subject="domain",
    subjects=domains,
)
def mx(look: Look, domain: str) -> Iterator[Finding]:
    """The domain's mail is delivered to this host

    Other servers look up the domain's MX records and deliver to the target with the lowest preference. The target must
    be mailcow's host name, because the certificate is issued for that name, and must not be an alias (RFC 2181). The
    name servers of the domain's zone are queried too. Servers that do not answer for the zone are listed.
    """
    yield judged(look, "dns.mx", ((domain, "MX"),), lambda view: delivery(view, domain))


@check(
    severity=Severity.RECOMMENDED,
    reads=("answers",),
    remedy="Enter a CNAME record for autodiscover.DOMAIN with mailcow's host name as its target.",
    docs=(DNS,),
    subject="domain",
    subjects=domains,
)
def autodiscover(look: Look, domain: str) -> Iterator[Finding]:
    """Outlook and phones find their settings at autodiscover

    Outlook and ActiveSync look for https://autodiscover.DOMAIN. mailcow answers there, and includes the name in its
    certificate if the record points to this host.
    """
    yield _program(look, domain, "autodiscover")


@check(
    severity=Severity.RECOMMENDED,
    reads=("answers",),
    remedy="Enter a CNAME record for autoconfig.DOMAIN with mailcow's host name as its target.",
    docs=(DNS,),
    subject="domain",
    subjects=domains,
)
def autoconfig(look: Look, domain: str) -> Iterator[Finding]:
    """Thunderbird finds its settings at autoconfig

    Thunderbird and others look for autoconfig.DOMAIN. mailcow answers there, and includes the name in its certificate
    if the record points to this host.
    """
    yield _program(look, domain, "autoconfig")


def _program(look: Look, domain: str, label: str) -> Finding:
    name = f"{label}.{domain}"
    questions = ((name, "A"), (name, "AAAA"))
    return judged(look, f"dns.{label}", questions, lambda view: for_programs(view, domain, label))
