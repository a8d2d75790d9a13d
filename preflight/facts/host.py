"""All that is known of a host."""

from __future__ import annotations

from msgspec import Struct, field

from preflight.facts.base import BEFORE, Fact
from preflight.facts.daemon import DaemonConfig, EngineStart
from preflight.facts.engine import Compose, Contact, Engine
from preflight.facts.kinds import FilePath, HostName, Ip, Legend, Moment, ProgramName, Version, Word
from preflight.facts.mailcow import ConfFile, Override
from preflight.facts.names import Answers, HostsEntry
from preflight.facts.network import Ipv6, Link, Route, Rule, Way
from preflight.facts.probes import Probes
from preflight.facts.resources import CpuFeatures, CpuSpeed, Memory, Space
from preflight.facts.services import Clock, MailTrace, Services, Timezone
from preflight.facts.sockets import BindAttempt, Nat, Sockets
from preflight.facts.system import Command, KernelFeatures, OsRelease, SecurityModules, Userland, Virtualization
from preflight.facts.view import Asked, View

SCHEMA = 1


class Host(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is known of a host: saved as facts.json, replayed by --facts. A part not gathered says so.

    Each part has a default, so that facts of older versions stay readable.

    `stand_ins`: in redacted facts, values of the same kind that take the placeholders' part when they are judged.
    """

    schema: int
    version: Version  # of the program that gathered
    started: Moment  # UTC, 2026-11-23T01:23:45Z
    seconds: float
    view: View
    asked: Asked
    name: Fact[HostName] = BEFORE
    os_release: Fact[OsRelease] = BEFORE
    kernel: Fact[Version] = BEFORE
    machine: Fact[Word] = BEFORE
    userland: Fact[Userland] = BEFORE
    virtualization: Fact[Virtualization] = BEFORE
    commands: Fact[dict[ProgramName, Command]] = BEFORE
    kernel_features: Fact[KernelFeatures] = BEFORE
    security: Fact[SecurityModules] = BEFORE
    sysctls: Fact[dict[Word, int]] = BEFORE
    cpu_speed: Fact[CpuSpeed] = BEFORE
    cpu_features: Fact[CpuFeatures] = BEFORE
    memory: Fact[Memory] = BEFORE
    spaces: Fact[dict[FilePath, Fact[Space]]] = BEFORE
    services: Fact[Services] = BEFORE
    mail_traces: Fact[tuple[MailTrace, ...]] = BEFORE
    timezone: Fact[Timezone] = BEFORE
    clock: Fact[Clock] = BEFORE
    contact: Fact[Contact] = BEFORE
    engine: Fact[Engine] = BEFORE
    daemon_config: Fact[DaemonConfig] = BEFORE
    engine_start: Fact[EngineStart] = BEFORE
    compose: Fact[Compose] = BEFORE
    override: Fact[Override] = BEFORE
    probes: Probes = Probes()
    links: Fact[tuple[Link, ...]] = BEFORE
    routes: Fact[tuple[Route, ...]] = BEFORE
    rules: Fact[tuple[Rule, ...]] = BEFORE
    handed: Fact[tuple[Ip, ...]] = BEFORE
    ways: Fact[tuple[Way, ...]] = BEFORE
    ipv6: Fact[Ipv6] = BEFORE
    sockets: Fact[Sockets] = BEFORE
    binds: Fact[tuple[BindAttempt, ...]] = BEFORE
    nat: Fact[Nat] = BEFORE
    mailcow_conf: Fact[ConfFile] = BEFORE
    hosts_file: Fact[tuple[HostsEntry, ...]] = BEFORE
    answers: Fact[Answers] = BEFORE
    stand_ins: Legend = field(default_factory=dict)
