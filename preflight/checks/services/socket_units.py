"""Units of systemd that open ports of mailcow's themselves."""

from __future__ import annotations

import shlex

from preflight.checks import Look
from preflight.checks.holders import way_in
from preflight.checks.remedies import distro
from preflight.facts import SocketUnit
from preflight.mailcow.plan import Binding
from preflight.report.evidence.services import SocketUnitEvidence
from preflight.report.model import Finding, Remedy, Status
from preflight.text.sentences import paragraph, phrase, say


def opened(look: Look, unit: SocketUnit, ports: dict[int, Binding]) -> Finding:
    """Complain of a unit that opens ports of mailcow's at boot."""
    listed = ", ".join(map(str, ports))
    message = say(
        "{unit} is set to listen at boot on ports that mailcow publishes: {ports}.", unit=unit.unit, ports=listed
    )
    now = say("It is listening there now.") if unit.active else None
    if unit.active is False:
        now = say("It is not listening now.")
    return Finding(
        status=Status.WARN,
        subject=unit.unit,
        message=paragraph(message, now),
        expected=phrase("none"),
        found=phrase("opens {ports}", ports=listed),
        evidence=SocketUnitEvidence(unit=unit.unit, ports=tuple(ports), enabled=True, active=unit.active),
        remedy=_remedy(look, unit.unit, next(iter(ports.values()))),
    )


def _remedy(look: Look, unit: str, binding: Binding) -> Remedy:
    kind = way_in.of_unit(unit)
    if kind is not None:
        return way_in.remedy(binding, "systemd", unit, kind)
    text = say("systemd itself opens the ports of a .socket unit, and mailcow's containers then do not start.")
    return Remedy(text, distro.disable(look.host, shlex.quote(unit)))
