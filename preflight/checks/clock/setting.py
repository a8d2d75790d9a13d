"""How the clock is set right."""

from __future__ import annotations

from preflight.checks.clock import timekeepers
from preflight.checks.remedies import distro
from preflight.facts import Host, Service
from preflight.report.model import Remedy
from preflight.text.sentences import paragraph, say

# What sets a clock at once, beside a restart of the service that keeps it.
_STEPS = {"chrony": "chronyc makestep", "systemd-timesyncd": "timedatectl timesync-status"}


def right(host: Host) -> Remedy:
    """Set the clock by the service that keeps it, or by one that is put to work for that."""
    if container := timekeepers.container(host):
        text = say("This {container} container uses the clock of its host. Set the clock there.", container=container)
        return Remedy(text)
    chosen = _chosen(host)
    if chosen is None:
        return timekeepers.get_one(host)
    if chosen.name == timekeepers.VIRTUALBOX:
        text = say("{name} gets the time from the VirtualBox host. Set the clock there.", name=chosen.name)
        return Remedy(text)
    text = say("{name} is enabled but not running. Start it, and find out why it stopped.", name=chosen.name)
    if chosen.active is not False:
        text = say(
            "{name} sets the clock, but cannot reach a time server or follows a wrong one. Restart it, and check its "
            "status.",
            name=chosen.name,
        )
    commands = distro.restart(host, chosen.unit) if chosen.unit else ()
    step = _STEPS.get(chosen.name)
    return Remedy(paragraph(text, timekeepers.shown(host)), (*commands, *((step,) if step else ())))


def _chosen(host: Host) -> Service | None:
    """Return the service that keeps the clock: one that runs before one that is only enabled."""
    found = [service for service in timekeepers.every(host) if service.active or service.enabled]
    return max(found, key=lambda service: bool(service.active), default=None)
