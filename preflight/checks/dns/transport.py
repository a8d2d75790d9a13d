"""What a domain publishes about TLS between mail servers, as remarks: MTA-STS and TLS reports."""

from __future__ import annotations

from preflight.checks import Look
from preflight.checks.dns.names import any_answer, fqdn
from preflight.policies.transport import has_sts, reports_owner, reports_to, sts_owner
from preflight.text.sentences import paragraph, say


def remarks(look: Look, domain: str) -> str | None:
    """Say what other servers will hold this host to; None where the domain publishes nothing."""
    policy = report = None
    if has_sts(any_answer(look, sts_owner(domain), "TXT")):
        policy = say(
            "{domain} has an MTA-STS policy. Servers that follow it deliver only to the hosts in it, so {name} must "
            "be one of them.",
            domain=domain,
            name=fqdn(look),
        )
    if address := reports_to(any_answer(look, reports_owner(domain), "TXT")):
        report = say("TLS reports go to {address}.", address=address[:120])
    return paragraph(policy, report) if policy or report else None
