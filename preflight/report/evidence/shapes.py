"""Which check has evidence of which shape: for the JSON Schema, and to read a report back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from preflight.report.evidence.clock import ClockEvidence, OffsetEvidence, TimeServiceEvidence, TimezoneEvidence
from preflight.report.evidence.engine import (
    ComposeEvidence,
    DaemonConfigEvidence,
    EngineEvidence,
    HealthEvidence,
    StartEvidence,
)
from preflight.report.evidence.firewall import BackendEvidence, FirewallEvidence
from preflight.report.evidence.host import (
    AntivirusEvidence,
    CommandEvidence,
    InodesEvidence,
    KernelEvidence,
    KernelFeaturesEvidence,
    LimitEvidence,
    MachineEvidence,
    MemoryEvidence,
    ProcessorFeaturesEvidence,
    ProcessorSpeedEvidence,
    ReleaseEvidence,
    SecurityModulesEvidence,
    SizeEvidence,
    SpaceEvidence,
    VirtualizationEvidence,
)
from preflight.report.evidence.names import RecordsEvidence
from preflight.report.evidence.network import (
    BlockListEvidence,
    ConnectionEvidence,
    GreetingEvidence,
    Ipv6Evidence,
    MtuEvidence,
    PingEvidence,
    PublicAddressEvidence,
    RecursionEvidence,
    SubnetEvidence,
)
from preflight.report.evidence.ports import (
    AddressEvidence,
    ConfFileEvidence,
    ConfLineEvidence,
    EnvFileEvidence,
    PortEvidence,
)
from preflight.report.evidence.rehearsal import (
    RehearsedEgressEvidence,
    RehearsedHealthEvidence,
    RehearsedNetworkEvidence,
    RehearsedPortEvidence,
)
from preflight.report.evidence.services import ManagerEvidence, ServiceEvidence, SocketUnitEvidence
from preflight.report.model import Evidence, SourceEvidence
from preflight.text.typed import convert

# Of a check's shapes the first one counts whose fields are all there. A check that is not listed has no evidence.
SHAPES: dict[str, tuple[type[Evidence], ...]] = {
    "system.os": (ReleaseEvidence,),
    "system.architecture": (MachineEvidence,),
    "system.virtualization": (VirtualizationEvidence,),
    "system.kernel": (KernelEvidence,),
    "system.kernel-features": (KernelFeaturesEvidence,),
    "system.commands": (CommandEvidence,),
    "system.security-modules": (SecurityModulesEvidence,),
    "system.limits": (LimitEvidence,),
    "resources.cpu-frequency": (ProcessorSpeedEvidence,),
    "resources.cpu-features": (ProcessorFeaturesEvidence,),
    "resources.memory": (MemoryEvidence,),
    "resources.swap": (SizeEvidence,),
    "resources.antivirus": (AntivirusEvidence,),
    "resources.disk": (SpaceEvidence,),
    "resources.inodes": (InodesEvidence,),
    "docker.engine": (EngineEvidence,),
    "docker.compose": (ComposeEvidence,),
    "docker.daemon-config": (DaemonConfigEvidence,),
    "docker.privileged": (StartEvidence,),
    "docker.limits": (StartEvidence,),
    "docker.healthcheck": (HealthEvidence,),
    "ports.configuration": (EnvFileEvidence, ConfFileEvidence, ConfLineEvidence, AddressEvidence),
    "ports.free": (PortEvidence,),
    "services.mail": (ServiceEvidence, SocketUnitEvidence),
    "firewall.inbound": (FirewallEvidence,),
    "firewall.forwarding": (FirewallEvidence,),
    "firewall.backend": (BackendEvidence,),
    "firewall.managers": (ManagerEvidence,),
    "clock.synchronized": (ClockEvidence,),
    "clock.service": (TimeServiceEvidence,),
    "clock.offset": (OffsetEvidence,),
    "clock.timezone": (TimezoneEvidence,),
    "dns.hostname": (RecordsEvidence,),
    "dns.address": (RecordsEvidence,),
    "dns.reverse": (RecordsEvidence,),
    "dns.mx": (RecordsEvidence,),
    "dns.autodiscover": (RecordsEvidence,),
    "dns.autoconfig": (RecordsEvidence,),
    "dns.spf": (RecordsEvidence,),
    "dns.dkim": (RecordsEvidence,),
    "dns.dmarc": (RecordsEvidence,),
    "dns.srv": (RecordsEvidence,),
    "dns.tlsa": (RecordsEvidence,),
    "dns.caa": (RecordsEvidence,),
    "network.subnet": (SubnetEvidence,),
    "network.mtu": (MtuEvidence,),
    "network.ipv6": (Ipv6Evidence,),
    "network.public-address": (PublicAddressEvidence,),
    "network.outbound": (ConnectionEvidence,),
    "network.smtp-out": (GreetingEvidence,),
    "network.recursion": (RecursionEvidence,),
    "network.ping": (PingEvidence,),
    "network.blocklists": (BlockListEvidence,),
    "rehearsal.network": (RehearsedNetworkEvidence,),
    "rehearsal.publish": (RehearsedPortEvidence,),
    "rehearsal.health": (RehearsedHealthEvidence,),
    "rehearsal.egress": (RehearsedEgressEvidence,),
}


def read(check: str, evidence: Mapping[str, Any]) -> Evidence:
    """Return the evidence of a check's result; none where it is of no shape of this version's."""
    for shape in (*SHAPES.get(check, ()), SourceEvidence):
        try:
            made: Evidence = convert(evidence, shape)
        except msgspec.ValidationError:
            continue
        return made
    return Evidence()
