"""Profile services of the host: installed, enabled at boot, running. From the host's own files and processes alone."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from preflight.facts import Fact, Service, Services, SocketUnit
from preflight.gather.access.advice import NONE, Advice
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.packages import packages
from preflight.gather.services import firewall_files, listeners
from preflight.gather.services.init_scripts import Scripts, Unit, openrc, sysv
from preflight.gather.services.profiles import PACKAGES, PROCESSES, PROFILES, Profile, of_process
from preflight.gather.services.systemd import Systemd
from preflight.gather.sockets import processes
from preflight.gather.sockets.processes import Running
from preflight.text.sentences import phrase, say

SOURCE = "the host's units, scripts, package database and processes"

Units = Scripts | Systemd


def services(roots: Roots) -> Fact[Services]:
    """Find every known service that is installed, enabled or running on the host, but for those in containers."""
    try:
        name, units = init(roots)
        listed = packages.installed(roots, PACKAGES)
        running = processes.running_processes(roots, PROCESSES.__contains__)
        found = tuple(_described(roots, row) for row in find(units, listed or {}, running.value))
        found = _with_dependents(roots, found)
        own = {socket for row in found for socket in row.sockets}
        others = tuple(row for row in _sockets(units) if row.unit not in own)
    except Unreadable as error:
        return roots.unknown(SOURCE, error, Advice(say("Copy it too.")) if error.absent else NONE)
    return Fact.of(SOURCE, Services(name, found, running.known, others))


def _sockets(units: Units) -> Iterator[SocketUnit]:
    """Yield what opens ports at boot without a service of its own doing so; other init systems have no such units."""
    if isinstance(units, Systemd):
        for unit, streams in units.sockets().items():
            yield SocketUnit(unit, streams, units.active(unit))


def _described(roots: Roots, row: Service) -> Service:
    if row.kind == "firewall":
        switch, rules = firewall_files.switch(roots, row.name), firewall_files.rules(roots, row.name)
        return replace(row, switch=switch, rule_files=rules.files, closes=rules.closes, chains=rules.makes)
    if row.kind in ("mta", "imap", "web") and row.unit:
        return replace(row, streams=listeners.streams(roots, row.name, row.package))
    return row


def _with_dependents(roots: Roots, rows: tuple[Service, ...]) -> tuple[Service, ...]:
    """Say of mail servers that could be removed which packages would go with them."""
    wanted = {row.package for row in rows if row.kind in ("mta", "imap") and row.package}
    known = packages.dependents(roots, {one: frozenset(one.split()) for one in wanted}) if wanted else {}
    return tuple(replace(row, dependents=known[row.package]) if row.package in known else row for row in rows)


def init(roots: Roots) -> tuple[str, Units]:
    """Say which init system runs the host (in a copy: is installed), and read its services; raise `Unreadable`.

    A machine with an init system of its own kind (`other`) still has the files of one: those count for `enabled`.
    """
    has = roots.exists
    systemd = has("/usr/lib/systemd/systemd") or has("/lib/systemd/systemd")
    levels = has("/etc/runlevels")
    if has("/run/systemd/system") if roots.view.live else systemd:
        return "systemd", Systemd(roots)
    if has("/run/openrc/softlevel") if roots.view.live else levels:
        return "openrc", openrc(roots)
    if not roots.view.live:
        _whole(roots)
    if not roots.view.live or _first_process(roots) == "init":
        return ("sysv" if has("/etc/init.d") else "other"), sysv(roots)
    if systemd:
        return "other", Systemd(roots)
    return "other", openrc(roots) if levels else sysv(roots)


def _whole(roots: Roots) -> None:
    """Raise `Unreadable` where a copy leaves out what would start services: then finding none says nothing."""
    if roots.exists("/etc/systemd/system"):  # with links to units, but not the units themselves
        raise Unreadable("/usr/lib/systemd", phrase("not in the copy, which has systemd's settings"), "absent")
    if not roots.exists("/etc/init.d"):
        raise Unreadable("/etc/init.d", phrase("the copy has no files of an init system"), "absent")


def _first_process(roots: Roots) -> str:
    try:
        return roots.text("/proc/1/comm", 100).strip()
    except Unreadable:
        return ""


def find(units: Units, listed: dict[str, bool], running: tuple[Running, ...] | None) -> tuple[Service, ...]:
    """Bring units, packages and processes together; `running` None: processes could not be seen."""
    found: list[Service] = []
    claimed: set[str] = set()
    for profile in PROFILES:
        package = " ".join(name for name in profile.packages if listed.get(name)) or None
        own = list(_units(profile, units, listed))
        rows = [_of_unit(profile, unit, package) for unit in own if unit.name not in claimed]
        # Debian's ntp only brings ntpsec, whose unit has the name of ntp's as well: that is one service.
        if package and not own:
            rows = [_of_package(profile, package)]
        claimed.update(row.unit for row in rows if row.unit)
        found.extend(rows)
    return tuple(found) if running is None else tuple(_with_processes(found, units, running))


def _units(profile: Profile, units: Units, listed: dict[str, bool]) -> Iterator[Unit]:
    """Yield a service's units, each once whatever aliases it has, and enabled instances of them."""
    states = [listed[name] for name in profile.packages if name in listed]
    removed = bool(states) and not any(states)
    seen: set[str] = set()
    for name in (*profile.units, *(instance for base in profile.units for instance in units.instances(base))):
        unit = units.unit(name)
        if unit is None or unit.name in seen:
            continue
        seen.add(unit.name)
        # A package that was removed and not purged leaves its script and the links to it: they start nothing.
        if not (removed and unit.script):
            yield unit


def _of_package(profile: Profile, package: str) -> Service:
    return Service(
        name=profile.name, kind=profile.kind, unit=None, enabled=None, active=None, package=package, source="packages"
    )  # fmt: skip


def _of_unit(profile: Profile, unit: Unit, package: str | None) -> Service:
    return Service(
        name=profile.name,
        kind=profile.kind,
        unit=unit.name,
        enabled=unit.enabled,
        active=unit.active,
        masked=unit.masked,
        sockets=tuple(socket.unit for socket in unit.sockets),
        opens=tuple(socket for socket in unit.sockets if socket.streams),
        package=package,
        source=unit.source,
        unmet=unit.unmet,
    )


def _with_processes(found: list[Service], units: Units, running: tuple[Running, ...]) -> Iterator[Service]:
    """Add what runs: to the row of its unit, else to the row of its service, else as a row of its own."""
    first: dict[int, Running] = {}  # row: its first process
    more: dict[tuple[str, str | None], Service] = {}
    for process in running:
        candidates = of_process(process.name, process.command)
        row = _row_of(process, found, tuple(profile.name for profile in candidates))
        if row is not None:
            first.setdefault(row, process)
        elif candidates:
            more.setdefault((candidates[0].name, process.unit), _of_process(candidates[0], process, units))
    for number, service in enumerate(found):
        yield _running(service, first.get(number))
    yield from more.values()


def _row_of(process: Running, found: list[Service], names: tuple[str, ...]) -> int | None:
    """Return the row of the process's own unit, else of the one it is an instance of; without a unit of its name."""
    unit = process.unit
    if unit is None:
        return next((number for number, row in enumerate(found) if row.name in names), None)
    own = (number for number, row in enumerate(found) if row.unit == unit)
    stems = [f"{row.unit.removesuffix('.service')}@" if row.unit else None for row in found]
    return next(own, next((number for number, stem in enumerate(stems) if stem and unit.startswith(stem)), None))


def _of_process(profile: Profile, process: Running, units: Units) -> Service:
    unit = units.unit(process.unit) if process.unit else None
    return Service(
        name=profile.name, kind=profile.kind, unit=process.unit, enabled=unit.enabled if unit else None, active=True,
        source="processes", seen=True, process=process.pid, pid=None if process.unit else process.pid,
        parent=process.parent,
    )  # fmt: skip


def _running(row: Service, process: Running | None) -> Service:
    """Say of a row whether it runs, now that the processes are known."""
    if any(profile.processes for profile in PROFILES if profile.name == row.name):
        row = replace(row, seen=process is not None)
    if process is not None and not row.active:
        outside = row.unit is None or (row.active is False and process.unit is None)
        row = replace(row, active=True, process=process.pid)
        return replace(row, pid=process.pid, parent=process.parent) if outside else row
    if (
        process is None
        and row.active is None
        and any(profile.processes for profile in PROFILES if profile.name == row.name)
    ):
        return replace(row, active=False)
    return row
