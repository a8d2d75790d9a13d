"""Who holds a port, as data: in the shape of the report's evidence."""

from __future__ import annotations

from preflight.checks.holders.conflicts import Occupant
from preflight.facts import Container, PublishedPort
from preflight.report.evidence.ports import HolderEvidence


def evidence(occupant: Occupant) -> HolderEvidence:
    """Return a holder as the report's evidence has it."""
    holder, container = occupant.holder, occupant.container
    swarm = occupant.service.name if occupant.service else container.swarm if container else ""
    return HolderEvidence(
        pid=holder.pid,
        process=holder.process,
        user=holder.user,
        unit=holder.unit,
        container=container.name if container else holder.container,
        image=container.image if container else holder.image,
        address=holder.address,
        port=holder.port,
        state=holder.state,
        command=holder.command,
        binary=holder.binary,
        package=holder.package,
        project=(container.project or None) if container else None,
        restart=(container.restart or None) if container else None,
        swarm_service=swarm or None,
    )


def published(container: Container, port: PublishedPort) -> HolderEvidence:
    """Return what a container publishes without a socket of its own, in the shape of a holder."""
    return HolderEvidence(
        pid=None,
        process=None,
        user=None,
        unit=None,
        container=container.name,
        image=container.image,
        address=port.address,
        port=port.port,
        state="published",
        command=(),
        binary=None,
        package=None,
        project=container.project or None,
        restart=container.restart or None,
        swarm_service=container.swarm or None,
    )
