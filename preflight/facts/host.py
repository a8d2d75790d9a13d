"""All that is known of a host."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct, field

from preflight.facts.base import BEFORE, Fact, about
from preflight.facts.blocklists import BlockLists, Mirrors
from preflight.facts.daemon import DaemonConfig, EngineStart
from preflight.facts.engine import Compose, Contact, Engine, EngineLimits
from preflight.facts.kinds import FilePath, HostName, Ip, Legend, Moment, ProgramName, Version, Word
from preflight.facts.mailcow import ConfFile, Override
from preflight.facts.names import Answers, HostsEntry
from preflight.facts.network import Ipv6, Link, Route, RoutingRule, Way
from preflight.facts.outgoing import Outgoing
from preflight.facts.probes import Probes
from preflight.facts.rehearsal import UNASKED, Rehearsal
from preflight.facts.resources import CpuFeatures, CpuSpeed, Memory, Space
from preflight.facts.services import Clock, MailTrace, OtherKey, Services, Timezone
from preflight.facts.sightings import Sighting
from preflight.facts.sockets import BindAttempt, Nat, Sockets
from preflight.facts.system import Command, KernelFeatures, OsRelease, SecurityModules, Userland, Virtualization
from preflight.facts.time import Times
from preflight.facts.twin import Twin
from preflight.facts.view import Asked, View

SCHEMA = 1


class Host(Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"pseudonyms": "stand_ins"}):
    """All that is known of a host: saved as facts.json, replayed by --facts. A part not gathered says so.

    Each part has a default, so that facts of older versions stay readable, and says what it is about.

    `pseudonyms`, in the document `stand_ins`: in redacted facts, values of the same kind that take the placeholders'
    part when they are judged.
    """

    schema: int
    version: Version  # of the program that gathered
    started: Moment  # UTC, 2026-11-23T01:23:45Z
    seconds: float
    view: View
    asked: Asked
    name: Annotated[Fact[HostName], about("the host's own name")] = BEFORE
    os_release: Annotated[Fact[OsRelease], about("the distribution and its release")] = BEFORE
    kernel: Annotated[Fact[Version], about("the release of the running kernel")] = BEFORE
    machine: Annotated[Fact[Word], about("the machine's architecture")] = BEFORE
    userland: Annotated[Fact[Userland], about("the architecture of the host's programs")] = BEFORE
    virtualization: Annotated[Fact[Virtualization], about("the kind of machine")] = BEFORE
    commands: Annotated[Fact[dict[ProgramName, Command]], about("the installed commands")] = BEFORE
    kernel_features: Annotated[Fact[KernelFeatures], about("the features of the running kernel")] = BEFORE
    security: Annotated[Fact[SecurityModules], about("SELinux and AppArmor")] = BEFORE
    sysctls: Annotated[Fact[dict[Word, int]], about("kernel settings (sysctl)")] = BEFORE
    cpu_speed: Annotated[Fact[CpuSpeed], about("the processor's speed")] = BEFORE
    cpu_features: Annotated[Fact[CpuFeatures], about("the processor's features")] = BEFORE
    memory: Annotated[Fact[Memory], about("memory and swap")] = BEFORE
    spaces: Annotated[Fact[dict[FilePath, Fact[Space]]], about("free space and inodes of file systems")] = BEFORE
    services: Annotated[Fact[Services], about("services that run or are enabled")] = BEFORE
    mail_traces: Annotated[Fact[tuple[MailTrace, ...]], about("existing mail data and hosting panels")] = BEFORE
    timezone: Annotated[Fact[Timezone], about("the time zone and the hardware clock")] = BEFORE
    clock: Annotated[Fact[Clock], about("the status of the kernel's clock")] = BEFORE
    timesyncd: Annotated[Fact[tuple[OtherKey, ...]], about("keys other than NTP= in timesyncd's settings")] = BEFORE
    times: Annotated[Fact[Times], about("the time from time servers")] = BEFORE
    contact: Annotated[Fact[Contact], about("whether the engine answers, and how")] = BEFORE
    engine: Annotated[Fact[Engine], about("the engine, its containers, networks and volumes")] = BEFORE
    daemon_config: Annotated[Fact[DaemonConfig], about("the engine's settings")] = BEFORE
    engine_start: Annotated[Fact[EngineStart], about("the settings for the engine's next start")] = BEFORE
    engine_limits: Annotated[Fact[EngineLimits], about("the limits of the engine's own process")] = BEFORE
    compose: Annotated[Fact[Compose], about("Docker Compose on the host")] = BEFORE
    override: Annotated[Fact[Override], about("docker-compose.override.yml in mailcow's directory")] = BEFORE
    probes: Probes = Probes()
    links: Annotated[Fact[tuple[Link, ...]], about("network interfaces and their addresses")] = BEFORE
    routes: Annotated[Fact[tuple[Route, ...]], about("the routes")] = BEFORE
    rules: Annotated[Fact[tuple[RoutingRule, ...]], about("the rules for policy routing")] = BEFORE
    handed: Annotated[Fact[tuple[Ip, ...]], about("the name servers that the engine gives to containers")] = BEFORE
    ways: Annotated[Fact[tuple[Way, ...]], about("the route that the kernel chooses for packets to the Internet")] = (
        BEFORE
    )
    ipv6: Annotated[Fact[Ipv6], about("the kernel's settings for IPv6")] = BEFORE
    sockets: Annotated[Fact[Sockets], about("the sockets in use, and which programs use them")] = BEFORE
    binds: Annotated[Fact[tuple[BindAttempt, ...]], about("an attempt to bind each port")] = BEFORE
    nat: Annotated[Fact[Nat], about("firewall rules that send packets elsewhere")] = BEFORE
    twin: Annotated[Fact[Twin], about("results of test packets in a twin of the host's network")] = BEFORE
    mailcow_conf: Annotated[Fact[ConfFile], about("mailcow.conf")] = BEFORE
    hosts_file: Annotated[Fact[tuple[HostsEntry, ...]], about("/etc/hosts")] = BEFORE
    answers: Annotated[Fact[Answers], about("answers of name servers")] = BEFORE
    outgoing: Annotated[Fact[Outgoing], about("connections to the Internet that were tried")] = BEFORE
    smtp: Annotated[Fact[Outgoing], about("the greetings of other mail servers")] = BEFORE
    blocklists: Annotated[Fact[BlockLists], about("answers of DNS block lists for the public addresses")] = BEFORE
    mirrors: Annotated[Fact[Mirrors], about("whether Spamhaus answers this host's network")] = BEFORE
    sightings: Annotated[
        Fact[tuple[Sighting, ...]], about("the addresses at which services on the Internet see the host")
    ] = BEFORE
    rehearsal: Annotated[Fact[Rehearsal], about("a dress rehearsal of mailcow's network, ports and conditions")] = (
        UNASKED
    )
    pseudonyms: Legend = field(default_factory=dict)
