"""What domains publish about TLS between mail servers: MTA-STS (RFC 8461) and TLS reports (RFC 8460)."""

from __future__ import annotations

from preflight.facts import Answer
from preflight.facts.records import Txt
from preflight.policies import tags


def sts_owner(domain: str) -> str:
    """Return the name whose record says that the domain has an MTA-STS policy."""
    return f"_mta-sts.{domain}"


def reports_owner(domain: str) -> str:
    """Return the name whose record says where reports on TLS go."""
    return f"_smtp._tls.{domain}"


def owners(domain: str) -> tuple[str, str]:
    """Return the names that are asked for."""
    return sts_owner(domain), reports_owner(domain)


def has_sts(answer: Answer | None) -> bool:
    """Say whether a domain announces a policy: with more than one such record it does not (RFC 8461, 3.1)."""
    return _only(answer, "STSv1") is not None


def reports_to(answer: Answer | None) -> str | None:
    """Return where reports on TLS go, as it is written; None: nowhere."""
    given = _only(answer, "TLSRPTv1")
    return given.get("rua") if given else None


def _only(answer: Answer | None, version: str) -> dict[str, str] | None:
    found = [tags.read(record.text) for record in answer.of(Txt)] if answer else []
    meant = [given for given in found if given.get("v") == version]
    return meant[0] if len(meant) == 1 else None
