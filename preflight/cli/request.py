"""What was asked for on the command line, as values: the host or its recording, the checks, the requirements."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import click
import msgspec
from click.core import ParameterSource
from msgspec import UNSET

from preflight.assess.selection import select
from preflight.assess.waivers import Waiver
from preflight.checks import Check, catalogue
from preflight.cli.options import CheckOptions, HostOptions
from preflight.facts import Answers, Asked, Fact, Host, HostsEntry, OsRelease
from preflight.facts.parts import PARTS
from preflight.gather.access.roots import Roots
from preflight.gather.access.view import find_roots
from preflight.mailcow import plan
from preflight.mailcow.requirements import Requirements, RequirementsError, load
from preflight.report.documents import read_facts
from preflight.text.inputs import InputError, named
from preflight.text.sentences import say
from preflight.text.versions import matching_rule

if TYPE_CHECKING:
    from preflight.gathering import Wishes
    from preflight.probes.rehearsal.holding import Holder
    from preflight.redact import Recorded, Redaction
    from preflight.report.model import Report

_ALWAYS = frozenset({"name", "os_release", "kernel", "machine", "mailcow_conf"})
_ENGINE = "dockerd"  # mailcow's scripts do not call it, but where it is, it only has to be started
_NOT_WITH_FACTS = (
    "mailcow_conf",
    "resolvers",
    "ntp_servers",
    "outbound",
    "smtp_targets",
    "ping_targets",
    "blocklists",
    "address_services",
    "docker_host",
    "root",
    "probe",
    "rehearse",
    "hold",
    "wait",
)


def roots(given: str | None) -> Roots:
    """Find the host; a root that is given and certainly none is refused, one that we may not look into is looked at."""
    if given is not None:
        try:
            directory = bool(given) and stat.S_ISDIR(os.stat(given).st_mode)
        except OSError as error:
            directory = error.errno in (errno.EACCES, errno.EPERM)
        if not directory:
            raise click.UsageError(f"--root {given[:200]!r} is not a directory.")
    return find_roots(dict(os.environ), given)


def requirements(name: str) -> Requirements:
    """Return the documented requirements of that name or file."""
    try:
        return load(name)
    except RequirementsError as error:
        raise click.UsageError(f"--requirements {error}") from None


def waivers(given: CheckOptions) -> tuple[Waiver, ...]:
    """Return the waivers of the command line and of a file."""
    if given.waivers is None:
        return tuple(given.ignores)
    from preflight.assess import waiver_file

    return (*given.ignores, *waiver_file.read(given.waivers))


def selection(
    only: tuple[str, ...], skip: tuple[str, ...], waivers: tuple[Waiver, ...], requirements: Requirements
) -> tuple[Check, ...]:
    """Return the checks asked for; a pattern that matches none, or a severity of none, is refused."""
    every = catalogue()
    for option, patterns in (("--only", only), ("--skip", skip)):
        for pattern in patterns:
            if not pattern or not select(every, (pattern,), ()):
                from preflight.assess.selection import meant

                raise click.UsageError(f"{option} {pattern[:80]!r} matches no check: {meant(pattern, every)}")
    for identity in requirements.severities:
        if all(entry.id != identity for entry in every):
            raise click.UsageError(
                f"--requirements {requirements.name}: severities: There is no check {identity[:80]!r}"
            )
    chosen = select(every, only, skip)
    if waivers:
        from preflight.assess import waiver_file

        waiver_file.refuse_strangers(waivers, every, chosen)
    return chosen


def recorded(ctx: click.Context, given: CheckOptions, facts: str) -> Host:
    """Return recorded facts; what was asked of the names may be asked anew."""
    for name in _NOT_WITH_FACTS:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = next(param.opts[0] for param in ctx.command.params if param.name == name)
            raise click.UsageError(
                f"{option} cannot be used with --facts: the facts of the file are checked, not this host."
            )
    host = read_facts(named(facts))
    asked = msgspec.structs.replace(
        host.asked,
        hostname=given.hostname or host.asked.hostname,
        domains=given.domains or host.asked.domains,
        public_ips=given.public_ips or host.asked.public_ips,
        dkim_selector=given.dkim_selector or host.asked.dkim_selector,
        offline=given.offline or host.asked.offline,
    )
    return msgspec.structs.replace(_renamed(host, asked), asked=asked)


def _renamed(host: Host, asked: Asked) -> Host:
    """Return recorded facts for another host name, of which neither /etc/hosts nor the DNS was asked."""
    fqdn = plan.names(host.mailcow_conf.value, asked).fqdn
    before = plan.names(host.mailcow_conf.value, host.asked).fqdn
    if not fqdn or fqdn == before:
        return host
    reason = say("The facts were recorded without a host name.")
    if before:
        reason = say("The facts were recorded for {before}. {fqdn} was not looked up.", before=before, fqdn=fqdn)
    help = say("Run `preflight facts` on that host again, with this --hostname.")
    lines: Fact[tuple[HostsEntry, ...]] = Fact.unknown("/etc/hosts", reason, help, place="docker-run")
    answers: Fact[Answers] = Fact.unknown("DNS", reason, help, place="docker-run")
    if host.asked.offline or (host.answers.known and host.answers.get().get(fqdn, "A")):
        answers = host.answers
    return msgspec.structs.replace(host, hosts_file=lines, answers=answers)


def redaction(host: Host, given: CheckOptions, baseline: Report | None) -> tuple[Host, Redaction | Recorded | None]:
    """Return the host to be judged, and what makes its report one that can be posted, if it is to be."""
    wanted = given.redact or host.pseudonyms
    if not wanted and baseline is None:
        return host, None
    from preflight.redact import Recorded, Redaction
    from preflight.redact.tokens import MIXED, redacted

    if baseline is not None and redacted(baseline) and not wanted:
        raise InputError(f"--baseline {str(given.baseline)[:200]}: redacted, but this report is not; {MIXED}")
    if not wanted:
        return host, None

    recorded = Recorded(host)
    if given.redact:
        return recorded.host, Redaction(recorded.host)
    if baseline is not None and not redacted(baseline):
        raise InputError(f"--baseline {str(given.baseline)[:200]}: not redacted, but the facts are; {MIXED}")
    return recorded.host, recorded


def _holder(given: HostOptions) -> Holder | None:
    """Return who keeps a rehearsal up for others to try; None: it ends when this host has tried it."""
    if given.hold is None:
        return None
    if not given.rehearse:
        raise click.UsageError("--hold needs --rehearse.")
    from preflight.probes.rehearsal.keeper import Keeper

    return Keeper(given.hold)


def first(given: HostOptions) -> Wishes:
    """Return what is to be gathered, as far as the options tell alone: every part."""
    from preflight.gathering import Wishes

    return Wishes(
        asked=Asked(
            hostname=given.hostname,
            domains=given.domains,
            public_ips=given.public_ips,
            dkim_selector=given.dkim_selector or UNSET,
            mailcow_conf=given.mailcow_conf,
            offline=given.offline,
            probe=given.probe,
            rehearse=given.rehearse,
        ),
        holder=_holder(given),
        parts=frozenset(PARTS),
        environ=dict(os.environ),
        seconds=given.timeout,
        docker_host=given.docker_host,
        root_given=given.root is not None,
        resolvers=given.resolvers,
        outbound=given.outbound,
        smtp_targets=given.smtp_targets,
        ping_targets=given.ping_targets,
        blocklists=given.blocklists,
        address_services=given.address_services,
    )


def wishes(given: HostOptions, requirements: Requirements, checks: tuple[Check, ...] | None) -> Wishes:
    """Return what is to be gathered: all that is known how to, or what these checks need."""

    def unsafe(release: str, system: OsRelease | None) -> str:
        rule, possible = matching_rule(tuple(r for r in requirements.kernels if r.unsafe), release, system)
        return (rule or possible).reason if rule or possible else ""  # type: ignore[union-attr]  # one of them is there

    parts = frozenset(PARTS) if checks is None else _ALWAYS.union(*(entry.reads for entry in checks))
    time_servers, web_servers = given.ntp_servers, tuple[str, ...]()
    if not time_servers and "times" in parts and not given.offline:
        from preflight.mailcow.requirements.time_servers import defaults

        time_servers, web_servers = defaults().names
    return msgspec.structs.replace(
        first(given),
        parts=parts,
        commands=tuple(dict.fromkeys((*requirements.commands, *requirements.not_busybox, _ENGINE))),
        unsafe=unsafe,
        time_servers=time_servers,
        web_servers=web_servers,
    )
