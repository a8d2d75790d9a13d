"""What the domains publish about their mail: who may send it, how it is signed, and what becomes of other mail."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.dns.names import domains
from preflight.checks.dns.own_servers import judged
from preflight.checks.sources import DNS, rfc
from preflight.report.model import Finding, Severity


@check(
    severity=Severity.RECOMMENDED,
    reads=("answers", "links", "sightings", "ways", "routes", "rules"),
    remedy="Enter one SPF record for the domain that lets this host send: v=spf1 mx a -all",
    docs=(DNS,),
    sources=(rfc(7208),),
    subject="domain",
    subjects=domains,
)
def spf(look: Look, domain: str) -> Iterator[Finding]:
    """The domain's SPF record lets this host send its mail

    Receivers look up the SPF record of the sender's domain and evaluate it for the address that the mail comes from.
    They may refuse mail, or treat it as spam, if the record does not include that address. The record is not valid if
    there are two, or if it needs more than 10 lookups. Every public address that this host sends mail from is
    evaluated.
    """
    from preflight.checks.dns import spf

    yield judged(look, "dns.spf", ((domain, "TXT"),), lambda view: spf.judge(view, domain))


@check(
    severity=Severity.INFO,
    reads=("answers",),
    remedy="Enter the DKIM record that mailcow shows for the domain.",
    docs=(DNS,),
    sources=(rfc(6376),),
    subject="domain",
    subjects=domains,
)
def dkim(look: Look, domain: str) -> Iterator[Finding]:
    """The domain's DKIM key can be read

    Receivers verify the signature of a message with the key that its domain publishes. mailcow creates the key when the
    domain is added and shows the record to enter. Before that, no record is needed.
    """
    from preflight.checks.dns import dkim
    from preflight.policies.dkim import owner

    name = owner(look.host.asked.selector, domain)
    yield judged(look, "dns.dkim", ((name, "TXT"),), lambda view: dkim.judge(view, domain))


@check(
    severity=Severity.RECOMMENDED,
    reads=("answers",),
    remedy="Enter one DMARC record for the domain, such as v=DMARC1; p=none",
    docs=(DNS,),
    sources=(rfc(9989),),
    subject="domain",
    subjects=domains,
)
def dmarc(look: Look, domain: str) -> Iterator[Finding]:
    """The domain has a DMARC record

    DMARC tells receivers what to do with mail that neither SPF nor DKIM confirms. Large providers require a record from
    domains that send a lot of mail. The record is evaluated according to RFC 9989, which replaces RFC 7489: if a domain
    has no record, that of a parent domain applies.
    """
    from preflight.checks.dns import dmarc
    from preflight.policies.dmarc_tree import owner

    yield judged(look, "dns.dmarc", ((owner(domain), "TXT"),), lambda view: dmarc.judge(view, domain))
