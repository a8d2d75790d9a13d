"""Which options change what a check finds: those by which the parts of the host that it reads are made."""

from __future__ import annotations

from collections.abc import Iterable

from preflight.checks import Check

_NETWORK = ("--offline", "--resolver")
_ENGINE = ("--docker-host",)
_PROBE = ("--probe", *_ENGINE)
# For each part of a host, the options that decide what is in it. What is not here is read below --root alone.
PARTS: dict[str, tuple[str, ...]] = {
    "times": ("--ntp-server", *_NETWORK),
    "answers": ("--hostname", "--domain", *_NETWORK),
    "hosts_file": ("--hostname",),
    "outgoing": ("--outbound", *_NETWORK),
    "smtp": ("--smtp-target", *_NETWORK),
    "blocklists": ("--blocklist", *_NETWORK),
    "mirrors": ("--blocklist", *_NETWORK),
    "sightings": ("--address-service", "--public-ip", *_NETWORK),
    "contact": _ENGINE,
    "engine": _ENGINE,
    "spaces": _ENGINE,
    "twin": _PROBE,
    "probes.healthcheck": _PROBE,
    "probes.timeout": _PROBE,
    "probes.executions": _PROBE,
    "probes.privileged": _PROBE,
    "probes.limits": _PROBE,
    "probes.publishing": _PROBE,
    "probes.recursion": (*_NETWORK, *_PROBE),
    "rehearsal": ("--rehearse", *_ENGINE),
}
# Options about one check.
CHECKS = {"dns.dkim": ("--dkim-selector",), "network.ping": ("--ping-target",)}
# What may change every check: where the host's facts are from, what mailcow asks for by its settings, what is required.
EVERY = ("--facts", "--requirements", "--mailcow-conf", "--root", "--timeout")


def options(check: Check, known: Iterable[str]) -> list[str]:
    """Return the options that change what this check finds and not every other, in the order of `known`."""
    found = {option for part in check.reads for option in PARTS.get(part, ())} | {*CHECKS.get(check.id, ())}
    return [option for option in known if option in found]
