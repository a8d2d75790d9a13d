"""What `preflight reach` met, as it can be posted: judged on pseudonyms, as a host's facts are."""

from __future__ import annotations

from msgspec import structs

from preflight.net.addresses import parse_address
from preflight.net.hostnames import mail_domain
from preflight.reach.document import Finding, Reach, Row
from preflight.reach.facts import Look
from preflight.reach.judge import judge
from preflight.redact.kinds import masked
from preflight.redact.likeness import same
from preflight.redact.masks import Masks
from preflight.redact.retold import WITHHELD
from preflight.redact.tokens import Unveiler, everywhere
from preflight.text.sentences import noted, say, writing

_ASK = noted("Run the command without --redact to see what to do about it.")


def redacted(look: Look) -> Reach:
    """Return the document with placeholders; where pseudonyms lead to another judgement, the statuses alone."""
    masks = Masks()
    if parse_address(look.host) is None:
        masks.dns.enter(mail_domain(look.host))
    masked(look, masks)  # addresses have to be known before their order
    masks.registry.settle()
    twin: Look = masked(look, masks)
    unveil = Unveiler(masks.registry.placeholders)
    with writing(unveil):
        other = judge(twin)
    shown: Reach = everywhere(structs.replace(other, tool=None), unveil)
    real = judge(look)
    # What somebody said is left out: a placeholder of it would tell nobody anything.
    return structs.replace(
        shown,
        tool=real.tool,
        verdict=real.verdict,
        counts=real.counts,
        findings=tuple(structs.replace(one, detail="") for one in _findings(real, shown)),
        results=tuple(structs.replace(one, said="") for one in _rows(real, shown)),
        controls=tuple(structs.replace(one, said="") for one in shown.controls),
    )


def _rows(real: Reach, shown: Reach) -> tuple[Row, ...]:
    return tuple(
        other
        if (one.status, one.finding) == (other.status, other.finding) and same(one.message, other.message)
        else structs.replace(other, status=one.status, finding=one.finding, message=say(WITHHELD))
        for one, other in zip(real.results, shown.results, strict=True)
    )


def _findings(real: Reach, shown: Reach) -> tuple[Finding, ...]:
    """Return the findings as they are told of pseudonyms; what one says that the real one does not is left out."""
    alike = [(one.id, one.status, one.ports) for one in real.findings]
    if alike != [(one.id, one.status, one.ports) for one in shown.findings]:
        return tuple(_withheld(one) for one in real.findings)
    return tuple(
        other
        if same(one.message, other.message) and same(one.remedy, other.remedy)
        else structs.replace(_withheld(one), address=other.address)
        for one, other in zip(real.findings, shown.findings, strict=True)
    )


def _withheld(finding: Finding) -> Finding:
    return structs.replace(finding, address=None, message=say(WITHHELD), remedy=say(_ASK))
