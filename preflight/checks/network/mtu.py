"""Whether packets of mailcow's containers fit through the uplink."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import skipped, unknown
from preflight.checks.network import container_mtu
from preflight.checks.sources import PREREQUISITES, issue
from preflight.packets.routing import way_out
from preflight.report.evidence.network import MtuEvidence
from preflight.report.model import Finding, Severity, Status
from preflight.text.sentences import paragraph, phrase, say


@check(
    severity=Severity.RECOMMENDED,
    reads=("ways", "routes", "rules", "links", "engine", "engine_start", "daemon_config", "override"),
    remedy="Set the MTU of the uplink for mailcow's network in docker-compose.override.yml.",
    docs=(PREREQUISITES,),
    sources=(issue(1558),),
)
def mtu(look: Look) -> Iterator[Finding]:
    """The MTU of mailcow's network fits this host's uplink

    Docker gives its networks an MTU of 1500. If the host's uplink has a smaller one (OpenStack, PPPoE, VPN), large
    packets are lost, and TLS handshakes with some hosts hang while others work.
    """
    way = way_out(look.host, 4, look.plan.ipv4_network) or way_out(look.host, 6, look.plan.ipv6_network)
    if way is None:
        reason = say("The host has no default route.")
        yield skipped(reason)
        return
    of_link = next((link.mtu for link in look.host.links.get() if link.name == way.interface), None)
    found = min(filter(None, (of_link, way.mtu)), default=None)
    if found is None:
        reason = say("Could not read the MTU of {interface}.", interface=way.interface)
        help_ = say("Check it on the host.")
        evidence = MtuEvidence(interface=way.interface, mtu=None)
        yield unknown(reason, help_, "ip link", evidence=evidence)
        return
    yield _fits(look, way.interface, found)


def _fits(look: Look, interface: str, found: int) -> Finding:
    """Hold the MTU that mailcow's network gets against that of the way out."""
    usual = look.requirements.mtu
    wanted = container_mtu.network_mtu(look)
    evidence = MtuEvidence(interface=interface, mtu=found)
    values = {"interface": interface, "found": found}
    message = say("The uplink {interface} has an MTU of {found}.", **values)
    override = look.host.override.value
    if found < usual and override is not None and not override.clear and not wanted.exists:
        reason = say("Could not determine whether {path} sets the MTU of mailcow's network.", path=override.path)
        help_ = say("Check the configuration that docker compose generates from it.")
        command = f"cd {shlex.quote(look.plan.directory)} && docker compose config"
        return unknown(reason, help_, command, message=paragraph(message, reason), evidence=evidence)
    if (wanted.mtu or usual) <= found:
        fits = say("{path} sets the MTU of mailcow's network to {wanted}.", path=wanted.path, wanted=wanted.mtu or 0)
        if wanted.exists:
            fits = say("mailcow's network has an MTU of {wanted}.", wanted=wanted.mtu or 0)
        return Finding(
            status=Status.PASS,
            message=paragraph(message, fits if wanted.mtu else None),
            expected=phrase("{wanted} or more", wanted=wanted.mtu or usual),
            found=str(found),
            evidence=evidence,
        )
    too_large = say(
        "The uplink {interface} has an MTU of {found}. Docker uses {wanted} for mailcow's network.",
        **values,
        wanted=wanted.mtu or usual,
    )
    return Finding(
        status=Status.WARN,
        message=paragraph(too_large, container_mtu.remark(look)),
        expected=phrase("{wanted} or more", wanted=wanted.mtu or usual),
        found=str(found),
        evidence=evidence,
        remedy=container_mtu.remedy(look, found),
    )
