"""What to do about what stops mailcow's packets: as its owner does it, for these packets alone, and without a gap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from preflight.checks import Look
from preflight.checks.firewall import kernel
from preflight.checks.firewall.culprits import Case
from preflight.checks.firewall.kernel import BY_KIND
from preflight.checks.firewall.owned import BY_OWNER, Way, by_hand
from preflight.checks.remedies import distro
from preflight.report.model import Remedy
from preflight.text.sentences import paragraph, say


def remedy(look: Look, cases: Sequence[Case], every: Sequence[Case]) -> Remedy:
    """Say what to do about what stops a port's packets.

    `every`: what stops those of all ports, so that ports with the same cause have the same remedy.
    """
    kinds = dict.fromkeys(map(_key, cases))
    ways = [_way(look, [case for case in every if _key(case) == key]) for key in kinds]
    return Remedy(
        paragraph(*dict.fromkeys(text for way in ways for text in way.texts)),
        tuple(dict.fromkeys(command for way in ways for command in way.commands)),
        files=tuple(dict.fromkeys(file for way in ways for file in way.files)),
    )


def merged(cases: Iterable[Case]) -> list[Case]:
    """Bring cases together that differ in their ports alone."""
    found: dict[Case, list[Case]] = {}
    for case in cases:
        culprit = replace(case.culprit, counter=None)
        found.setdefault(replace(case, inner=(), outer=(), culprit=culprit), []).append(case)
    return [
        replace(
            group[0],
            inner=tuple(dict.fromkeys(port for case in group for port in case.inner)),
            outer=tuple(dict.fromkeys(port for case in group for port in case.outer)),
        )
        for group in found.values()
    ]


def restart(look: Look, *texts: str) -> Remedy:
    """Have Docker write its rules again."""
    again = say("Restart Docker to restore its rules.")
    stop = say("Containers stop briefly, unless live-restore is set.")
    return Remedy(paragraph(*texts, again, stop), distro.restart(look.host, "docker"))


def _key(case: Case) -> tuple[str, str]:
    culprit = case.culprit
    if case.way == "in" and case.hook == "input":
        return "", "socket"  # nothing has translated its address: to open the host's own port would not help
    return (case.owner, "rules") if culprit.kind in ("rule", "policy") else ("", culprit.kind)


def _way(look: Look, cases: Sequence[Case]) -> Way:
    whole = merged(cases)
    owner, kind = _key(whole[0])
    return (BY_OWNER.get(owner, by_hand) if kind == "rules" else BY_KIND[kind])(look, whole)


def proxied(look: Look) -> Remedy:
    """Say what to do where docker-proxy alone answers."""
    way = kernel.proxied(look, [])
    return Remedy(paragraph(*way.texts), way.commands)
