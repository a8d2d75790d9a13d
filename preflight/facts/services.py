"""Services, time zone and clock."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from preflight.facts.kinds import FilePath, Ip, PackageName, ProgramName, Text, UnitName, Word, ZoneName

ServiceKind = Literal["mta", "imap", "web", "time", "firewall"]


class Parent(Struct, frozen=True):
    """The process that started another one."""

    pid: int
    process: ProgramName | None


class SocketUnit(Struct, frozen=True):
    """A .socket unit that opens TCP ports at boot. `streams`: address ('' = every one) and port of each."""

    unit: UnitName
    streams: tuple[tuple[Ip, int], ...]
    active: bool | None = None


class Switch(Struct, frozen=True):
    """The setting that switches a firewall manager on or off, as its own file has it. `on` None: it does not say."""

    variable: Word  # ENABLED; '' where a file that is there switches the manager off
    value: Word  # in lower case, without quotes
    on: bool | None


class RuleFile(Struct, frozen=True):
    """A file that a firewall manager loads rules from.

    `rules`: how many lines decide about packets, without Docker's own; None: it could not be read, for the reason
    `why`. `flushes`: it takes away everybody's rules first.
    """

    path: FilePath
    rules: int | None
    flushes: bool = False
    why: Text = ""


class Service(Struct, frozen=True, kw_only=True):
    """A known service that is installed or running. None = cannot be told."""

    name: ProgramName  # exim4
    kind: ServiceKind
    unit: UnitName | None  # exim4.service; of SysV and OpenRC the script's name
    enabled: bool | None  # starts at boot
    active: bool | None  # runs now
    masked: bool = False
    sockets: tuple[UnitName, ...] = ()  # enabled .socket units that start it
    opens: tuple[SocketUnit, ...] = ()  # those of them that open TCP ports
    package: PackageName | None = None
    source: FilePath = ""
    streams: tuple[tuple[Ip, int], ...] | None = None  # its settings open these TCP ports, as of a `SocketUnit`
    dependents: tuple[PackageName, ...] | None = None  # installed packages that go when its own go
    unmet: Text = ""  # a condition of its unit that keeps it from starting as things are now
    seen: bool | None = None  # a process of it runs; None: not looked for. A unit may be active without one
    process: int | None = None  # the pid by which it is known to run, where its unit does not say so
    pid: int | None = None  # a process of it that no unit accounts for; with a unit, one that runs outside of it
    parent: Parent | None = None  # what started that process
    switch: Switch | None = None  # of a firewall; None: it has none, or it was not read
    rule_files: tuple[RuleFile, ...] = ()  # of a firewall: those that are there
    closes: tuple[Word, ...] = ()  # of a firewall: the chains that its files close (INPUT, FORWARD)
    chains: tuple[Word, ...] = ()  # of a firewall: the chains that its files make


class Services(Struct, frozen=True):
    """Which init system the host has (systemd, openrc, sysv, other) and the known services found.

    `processes` False: running processes could not be seen, so that a daemon without a unit may be missing.
    `sockets`: the enabled .socket units that are none of a known service's.
    """

    init: Word
    services: tuple[Service, ...]
    processes: bool = True
    sockets: tuple[SocketUnit, ...] = ()


NO_SERVICES = Services("", ())  # what is read of services that are not known


class MailTrace(Struct, frozen=True):
    """A sign that mail or a hosting panel lives on the host. `count`: messages or mailboxes seen, 0 for a panel."""

    kind: Literal["queue", "mailboxes", "panel"]
    path: FilePath
    count: int = 0
    name: ProgramName = ""  # of a panel


class Timezone(Struct, frozen=True):
    """The zone's name (None: not set, so UTC) and whether the hardware clock runs in local time (None: unknown).

    `written`: what /etc/timezone says, which mailcow's installer takes first; '' = no zone's name; None: it is not
    there, or not read.
    """

    zone: ZoneName | None
    rtc_local: bool | None
    written: ZoneName | None = None


class OtherKey(Struct, frozen=True):
    """A line of timesyncd's settings that names servers by another key than NTP=.

    It reads Servers= as well, which its manual does not name (held against 252), and ignores Server=.
    """

    path: FilePath
    line: int
    key: Literal["Servers", "Server"]


class Clock(Struct, frozen=True):
    """adjtimex(2): the kernel's own word."""

    maxerror_us: int
    unsynchronized: bool  # STA_UNSYNC
