"""What every finding on a port has: its subject's name, what is expected, and who was asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import UNSET

from preflight.mailcow.plan import Binding
from preflight.net.addresses import with_port
from preflight.report.evidence.ports import HolderEvidence, PortEvidence
from preflight.report.model import Finding, Remedy, Status
from preflight.text.sentences import phrase

Judge = Literal["bind", "sockets", "engine", "nat"]


def row(
    status: Status,
    message: str,
    evidence: PortEvidence,
    *,
    found: str | None = None,
    expected: str | None = None,
    remedy: Remedy | None = None,
    reason: str | None = None,
) -> Finding:
    """Make the finding on a port, of which `free` is expected where nothing else is."""
    return Finding(
        status=status,
        message=message,
        expected=expected or phrase("free"),
        found=found,
        evidence=evidence,
        remedy=remedy,
        reason=reason,
    )


def evidence(
    binding: Binding, decided_by: Judge, held: Iterable[HolderEvidence] = (), *, source: str = ""
) -> PortEvidence:
    """Return what is told of a port whatever becomes of it, who decided, and who holds it.

    `source`: where the fact would have come from that is missing.
    """
    holders = tuple(held)
    return PortEvidence(
        service=binding.published[0].service,
        variables=tuple(published.variable for published in binding.published),
        bind=with_port(binding.address, binding.port, "*"),
        holder=holders[0] if holders else None,
        holders=holders,
        decided_by=decided_by,
        source=source or UNSET,
    )


def variables(binding: Binding) -> str:
    """Name the variables of mailcow.conf that say where a port is published."""
    return ", ".join(published.bind or published.variable for published in binding.published)
