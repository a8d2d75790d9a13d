"""The ports that mailcow publishes, and mailcow.conf, which says where."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from preflight.checks import Look, check
from preflight.checks.holders import endings, wording
from preflight.checks.holders.conflicts import REFUSED, Case, examine
from preflight.checks.ports import conf_addresses, diverted, mailcow_conf
from preflight.checks.sources import IP_BINDINGS, PREREQUISITES, issue
from preflight.facts import require
from preflight.mailcow.plan import Binding
from preflight.net.addresses import with_port
from preflight.report.evidence.ports import HolderEvidence, PortEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import paragraph, phrase, say, unknown_because


@check(
    severity=Severity.REQUIRED,
    reads=("mailcow_conf", "links", "binds", "routes", "engine", "compose"),
    remedy="Correct the line of mailcow.conf that is named.",
    docs=(PREREQUISITES,),
    sources=(issue(4285),),
    subject="variable",
)
def configuration(look: Look) -> Iterator[Finding]:
    """Every port, address and network in mailcow.conf is one that mailcow can use

    Docker Compose takes mailcow.conf as it stands, and mailcow's shell scripts source the same file. A port with a
    wrong address, a port given twice or a file that Compose cannot read ends with containers that are not created,
    and with a message that names no line; a value that a shell reads differently, with updates and backups that fail.
    """
    conf = look.host.mailcow_conf.get()
    findings = mailcow_conf.judge(look, conf)
    # Where the host's addresses are not known, what else was found comes first.
    foreign = conf_addresses.foreign(look, findings)
    yield from (finding for subject, finding in findings.items() if subject not in foreign)
    complete = not findings
    for variable, address in foreign.items():
        finding = conf_addresses.stranger(look, conf, variable, address)
        if variable in findings and (finding is None or finding.status is Status.PASS):
            finding = findings[variable]
        if finding:
            complete = complete and finding.status is Status.PASS
            yield finding
    if complete:
        message = say("There is no mailcow.conf yet, and mailcow's defaults hold nothing that it could not use.")
        if conf.present:
            message = say("{path} holds nothing that mailcow could not use.", path=conf.path)
        yield Finding(status=Status.PASS, message=message)


@check(
    severity=Severity.REQUIRED,
    reads=(
        "binds",
        "sockets",
        "engine",
        "daemon_config",
        "ipv6",
        "nat",
        "links",
        "routes",
        "os_release",
        "mail_traces",
    ),
    remedy="Free the port without losing your way in or mail, or move mailcow's port in mailcow.conf.",
    docs=(PREREQUISITES, IP_BINDINGS),
    sources=(issue(63),),
    subject="port",
    subjects=lambda look: tuple(binding.subject for binding in look.plan.bindings),
)
def free(look: Look, subject: str) -> Iterator[Finding]:
    """Every port that mailcow publishes is free

    Docker publishes mailcow's ports on the host. Where one of them is taken, even on a loopback address alone, the
    container does not start: `bind: address already in use` is the most frequent end of an installation.
    """
    binding = next(entry for entry in look.plan.bindings if entry.subject == subject)
    case = examine(look, binding)
    if not case.outcomes:
        yield _unpublished(binding)
        return
    if case.taken and (case.named or not case.rivals):
        yield _held(look, binding, case)
    elif "EADDRNOTAVAIL" in case.outcomes.values():
        yield _nowhere(look, binding)
    elif case.rivals:
        yield _published(look, binding, case)
    elif (rules := diverted.judge(look, binding, case)) and (rules[0].status is Status.FAIL or not case.undecided):
        yield _diverted(look, binding, rules)
    elif case.undecided:
        yield _undecided(look, binding, case)
    elif case.later:
        yield _later(binding, case)
    elif case.services:
        yield _mesh(binding, case)
    elif case.own:
        names = ", ".join(entry.name for entry in case.own)
        message = say(
            "{subject} is held by mailcow itself, which runs here already (container {names}).",
            subject=subject,
            names=names,
        )
        yield Finding(
            status=Status.PASS,
            message=message,
            expected=phrase("free"),
            found="mailcow",
            evidence=_evidence(binding, "engine"),
        )
    else:
        yield _bindable(look, binding)


def _bindable(look: Look, binding: Binding) -> Finding:
    """Say that a port is free, unless something may take it that does not show."""
    if _untold(look):
        return _unlisted(binding)
    if reason := diverted.unread(look, binding):
        return Finding(
            status=Status.UNKNOWN,
            message=paragraph(say("{subject} can be bound.", subject=binding.subject), reason),
            expected=phrase("free"),
            evidence=_evidence(binding, "nat"),
            remedy=diverted.help_for(look),
            reason=reason,
        )
    if _given_out(look, binding.port):
        return _fleeting(look, binding)
    return Finding(
        status=Status.PASS,
        message=say("{subject} is free.", subject=binding.subject),
        expected=phrase("free"),
        found=phrase("free"),
        evidence=_evidence(binding, "bind"),
    )


def _untold(look: Look) -> bool:
    """Say whether the engine keeps something to itself that may publish ports, without a socket or later."""
    return look.host.engine.known and not look.host.engine.get().whole("containers", "stopped", "services")


def _unlisted(binding: Binding) -> Finding:
    reason = say("The engine did not list everything on it that may publish ports.")
    return Finding(
        status=Status.UNKNOWN,
        message=paragraph(say("{subject} can be bound.", subject=binding.subject), unknown_because(reason)),
        expected=phrase("free"),
        evidence=_evidence(binding, "engine"),
        remedy=Remedy(say("Look yourself what publishes this port."), ("docker ps -a",)),
        reason=reason,
    )


def _evidence(binding: Binding, decided_by: str, held: Iterable[HolderEvidence] = ()) -> PortEvidence:
    holders = tuple(held)
    return PortEvidence(
        service=binding.wanted[0].service,
        variables=tuple(published.variable for published in binding.wanted),
        bind=with_port(binding.address, binding.port, "*"),
        holder=holders[0] if holders else None,
        holders=holders,
        decided_by=decided_by,
    )


def _held(look: Look, binding: Binding, case: Case) -> Finding:
    """Say who holds a port. Where the kernel alone does, there is no holder and its state stands in `found`."""
    owners = not look.host.sockets.known or look.host.sockets.get().owners
    alone = [entry for entry in case.named if wording.kernel(entry, owners)]
    named = [entry for entry in case.named if entry not in alone]
    by_bind = any(case.outcomes[half] == "EADDRINUSE" for half in case.taken)
    shown = (named or alone)[:1]
    return Finding(
        status=Status.FAIL,
        message=wording.by_whom(look, binding.subject, named, alone),
        expected=phrase("free"),
        found=", ".join(map(wording.seen, shown)) or phrase("in use"),
        evidence=_evidence(binding, "bind" if by_bind else "sockets", map(wording.evidence, named)),
        remedy=wording.remedy(look, binding, named, alone),
    )


def _published(look: Look, binding: Binding, case: Case) -> Finding:
    """Say which container publishes a port without a socket of its own."""
    names = ", ".join(map(wording.about, case.rivals))
    published_by = say(
        "{subject} is published by a container, 'port is already allocated': {names}.",
        subject=binding.subject,
        names=names,
    )
    held = [
        wording.published(entry, published)
        for entry in case.rivals
        for published in entry.ports
        if published.port == binding.port
    ]
    ended = endings.together([endings.of_container(look, binding, entry) for entry in case.rivals])
    return Finding(
        status=Status.FAIL,
        message=paragraph(published_by, *map(wording.belonging, case.rivals)),
        expected=phrase("free"),
        found=phrase("container {name}", name=case.rivals[0].name),
        evidence=_evidence(binding, "bind" if case.taken else "engine", held),
        remedy=replace(ended, text=paragraph(ended.text, wording.alternative(look, binding, []))),
    )


def _diverted(look: Look, binding: Binding, rules: list[diverted.Verdict]) -> Finding:
    """Say which rule of the firewall takes a port that nobody listens on."""
    worst = rules[0]
    return Finding(
        status=worst.status,
        message=diverted.message(binding, worst),
        expected=phrase("free"),
        found=diverted.to(worst.rule),
        evidence=replace(_evidence(binding, "nat"), rules=diverted.evidence(rules)),
        remedy=diverted.remedy(look, binding, rules),
        reason=worst.effect if worst.status is Status.UNKNOWN else None,
    )


def _unpublished(binding: Binding) -> Finding:
    variables = ", ".join(published.bind or published.variable for published in binding.wanted)
    return Finding(
        status=Status.WARN,
        message=(
            say(
                "{subject} would not be published, without a word of the engine: mailcow's network "
                "has no IPv6 (ENABLE_IPV6=false), and the engine has no userland proxy.",
                subject=binding.subject,
            )
        ),
        expected=phrase("published"),
        found=phrase("not published"),
        evidence=_evidence(binding, "engine"),
        remedy=Remedy(
            say(
                "Write an IPv4 address of this host into {variables}, or ENABLE_IPV6=true into mailcow.conf.",
                variables=variables,
            )
        ),
    )


def _nowhere(look: Look, binding: Binding) -> Finding:
    variables = ", ".join(published.bind or published.variable for published in binding.wanted)
    message = say(
        "{subject} cannot be bound: cannot assign requested address, as this host does not have it.",
        subject=binding.subject,
    )
    text = say("Write an address of this host into {variables}, or none.", variables=variables)
    links = look.host.links.value or ()
    if any(entry.address == binding.address for link in links for entry in link.addresses):
        message = say(
            "{subject} cannot be bound: an interface has the address, but the kernel does not let programs use it yet.",
            subject=binding.subject,
        )
        text = say("Find out why the address is tentative or has failed: another host may have it too.")
    return Finding(
        status=Status.FAIL,
        message=message,
        expected=phrase("an address of this host"),
        found=binding.address,
        evidence=_evidence(binding, "bind"),
        remedy=Remedy(text, ("ip address",)),
    )


def _undecided(look: Look, binding: Binding, case: Case) -> Finding:
    """Say why it is not known whether a port is free; ends the check where no attempt was made at all."""
    require(look.host.binds)
    said = [case.outcomes[half] for half in case.undecided]
    if any(outcome in REFUSED for outcome in said):
        reason = say("Only root may bind {port} here.", port=binding.subject)
        help_ = say("Run the check as root.")
    elif all(said):
        reason = say("The kernel answered {error} to a bind attempt.", error=said[0])
        help_ = say("Try it as root on the host itself.")
    else:
        reason = say("No bind attempt was recorded for it.")
        help_ = say("Gather the facts again with this mailcow.conf.")
    return Finding(
        status=Status.UNKNOWN,
        message=paragraph(say("Whether {port} is free could not be found out.", port=binding.subject), reason),
        expected=phrase("free"),
        evidence=_evidence(binding, "bind"),
        remedy=Remedy(help_),
        reason=reason,
    )


def _later(binding: Binding, case: Case) -> Finding:
    first = case.later[0]
    names = ", ".join(f"{entry.name} ({entry.image}, restart={entry.restart})" for entry in case.later)
    return Finding(
        status=Status.WARN,
        message=(
            say(
                "{subject} is free now, but a stopped container publishes it and may be started again when the engine"
                " or the host restarts: {names}.",
                subject=binding.subject,
                names=names,
            )
        ),
        expected=phrase("free"),
        found=phrase("stopped container {name}", name=first.name),
        evidence=_evidence(binding, "engine"),
        remedy=Remedy(
            say("Remove the container, or keep it from being started again."),
            tuple(f"docker update --restart=no {shlex.quote(entry.name)}" for entry in case.later),
        ),
    )


def _mesh(binding: Binding, case: Case) -> Finding:
    """Say which service of the swarm publishes a port that nobody holds here at the moment."""
    names = ", ".join(map(wording.service, case.services))
    return Finding(
        status=Status.WARN,
        message=say(
            "{subject} is free now, but a service of the swarm publishes it, and the engine may take it at any time:"
            " {names}.",
            subject=binding.subject,
            names=names,
        ),
        expected=phrase("free"),
        found=phrase("swarm service {name}", name=case.services[0].name),
        evidence=_evidence(binding, "engine"),
        remedy=endings.together([endings.of_swarm(entry, binding.port) for entry in case.services]),
    )


def _given_out(look: Look, port: int) -> bool:
    """Say whether the kernel gives the port to whoever connects to elsewhere."""
    found = look.host.sockets.value
    if found is None or found.fleeting is None or not found.fleeting[0] <= port <= found.fleeting[1]:
        return False
    return not any(first <= port <= last for first, last in found.reserved)


def _fleeting(look: Look, binding: Binding) -> Finding:
    """Say that a free port may be gone when mailcow wants it: any connection of the host's may have it for a while."""
    ports = sorted({row.port for row in look.plan.bindings if _given_out(look, row.port)})
    reserved = [*look.host.sockets.get().reserved, *((port, port) for port in ports)]
    listed = ",".join(str(first) if first == last else f"{first}-{last}" for first, last in sorted(reserved))
    return Finding(
        status=Status.WARN,
        message=(
            say(
                "{subject} is free now, but the kernel gives it to outgoing connections "
                "(net.ipv4.ip_local_port_range): one of them may have it when mailcow starts.",
                subject=binding.subject,
            )
        ),
        expected=phrase("free"),
        found=phrase("free for now"),
        evidence=_evidence(binding, "bind"),
        remedy=Remedy(
            say("Keep mailcow's ports out of that range."),
            (
                f"echo net.ipv4.ip_local_reserved_ports={listed} > /etc/sysctl.d/90-mailcow-ports.conf",
                "sysctl -p /etc/sysctl.d/90-mailcow-ports.conf",
            ),
        ),
    )
