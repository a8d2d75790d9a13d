"""A port that somebody has: a process, a container, or a rule of the firewall."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from preflight.checks import Look
from preflight.checks.holders import endings, wording
from preflight.checks.holders import evidence as holding
from preflight.checks.holders.conflicts import Case
from preflight.checks.ports import rules
from preflight.checks.ports.rows import evidence, row
from preflight.facts import NO_SOCKETS
from preflight.mailcow.plan import Binding
from preflight.report.model import Finding, Status
from preflight.text.sentences import paragraph, phrase, say


def held(look: Look, binding: Binding, case: Case) -> Finding:
    """Say who holds a port. Where the kernel alone does, there is no holder and its state stands in `found`."""
    owners = look.host.sockets.or_(NO_SOCKETS).owners
    alone = [entry for entry in case.occupants if wording.kernel(entry, owners)]
    named = [entry for entry in case.occupants if entry not in alone]
    by_bind = any(case.outcomes[half] == "EADDRINUSE" for half in case.taken)
    return row(
        Status.FAIL,
        wording.by_whom(look, binding.subject, named, alone),
        evidence(binding, "bind" if by_bind else "sockets", map(holding.evidence, named)),
        found=", ".join(map(wording.seen, (named or alone)[:1])) or phrase("in use"),
        remedy=wording.remedy(look, binding, named, alone),
    )


def published(look: Look, binding: Binding, case: Case) -> Finding:
    """Say which container publishes a port without a socket of its own."""
    message = say(
        "{subject} is published by a container ('port is already allocated'): {names}.",
        subject=binding.subject,
        names=", ".join(map(wording.about, case.rivals)),
    )
    holders = [
        holding.published(entry, port) for entry in case.rivals for port in entry.ports if port.port == binding.port
    ]
    ended = endings.together([endings.of_container(look, binding, entry) for entry in case.rivals])
    return row(
        Status.FAIL,
        paragraph(message, *map(wording.belonging, case.rivals)),
        evidence(binding, "bind" if case.taken else "engine", holders),
        found=phrase("container {name}", name=case.rivals[0].name),
        remedy=replace(
            ended,
            text=paragraph(ended.text, wording.alternative(look, binding, [])),
            settings=wording.alternative_lines(look, binding) or UNSET,
        ),
    )


def diverted_by(look: Look, binding: Binding, consequences: list[rules.Consequence]) -> Finding:
    """Say which rule of the firewall takes a port that nobody listens on; `consequences`: the worst first."""
    worst = consequences[0]
    return row(
        worst.status,
        rules.message(binding, worst),
        replace(evidence(binding, "nat"), rules=rules.evidence(consequences)),
        found=rules.to(worst.rule),
        remedy=rules.remedy(look, binding, consequences),
        reason=worst.effect if worst.status is Status.UNKNOWN else None,
    )
