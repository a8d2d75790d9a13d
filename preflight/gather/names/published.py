"""What is to be asked about the TXT records of mail domains: SPF, DKIM, DMARC, MTA-STS and TLS reports. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.facts import Answers
from preflight.gather.names.budget import REPORT_HOSTS
from preflight.gather.names.questions import MailHost, Question
from preflight.policies import dkim, dmarc_tree, transport
from preflight.policies.spf.macros import Mail
from preflight.policies.spf.walk import Walk


def questions(host: MailHost, answers: Answers) -> Iterator[Question]:
    """Yield all that can be asked by now; further records of SPF and DMARC are known by the first ones."""
    for domain in host.domains:
        yield domain, "TXT"
        yield dkim.owner(host.selector, domain), "TXT"
        yield from dmarc_tree.questions(answers.get, domain, REPORT_HOSTS)
        yield from ((name, "TXT") for name in transport.owners(domain))
        mails = (Mail(address, f"postmaster@{domain}", host.fqdn) for address in host.addresses)
        yield from Walk(answers.get, mails).questions(domain)
