"""A port that is free now, and may be taken when mailcow wants it."""

from __future__ import annotations

import shlex

from preflight.checks import Look
from preflight.checks.holders import endings, wording
from preflight.checks.holders.conflicts import Case
from preflight.checks.ports.rows import evidence, row
from preflight.mailcow.plan import Binding
from preflight.report.model import Finding, Remedy, Status, WrittenFile
from preflight.text.sentences import phrase, say

_RESERVED = "/etc/sysctl.d/90-mailcow-ports.conf"


def stopped(binding: Binding, case: Case) -> Finding:
    """Say which stopped container takes the port when it is started again."""
    message = say(
        "{subject} is free now. When the engine or the host restarts, it may be taken by a stopped container: {names}.",
        subject=binding.subject,
        names=", ".join(f"{entry.name} ({entry.image}, restart={entry.restart})" for entry in case.later),
    )
    remedy = Remedy(
        say("Remove the container, or keep it from starting again."),
        tuple(f"docker update --restart=no {shlex.quote(entry.name)}" for entry in case.later),
    )
    found = phrase("stopped container {name}", name=case.later[0].name)
    return row(Status.WARN, message, evidence(binding, "engine"), found=found, remedy=remedy)


def swarm(binding: Binding, case: Case) -> Finding:
    """Say which service of the swarm publishes a port that nobody holds here at the moment."""
    message = say(
        "{subject} is free now, but a swarm service publishes it, and the engine may take it at any time: {names}.",
        subject=binding.subject,
        names=", ".join(map(wording.service, case.services)),
    )
    remedy = endings.together([endings.of_swarm(entry, binding.port) for entry in case.services])
    found = phrase("swarm service {name}", name=case.services[0].name)
    return row(Status.WARN, message, evidence(binding, "engine"), found=found, remedy=remedy)


def given_out(look: Look, port: int) -> bool:
    """Say whether the kernel gives the port to whoever connects to elsewhere."""
    found = look.host.sockets.value
    if found is None or found.fleeting is None or not found.fleeting[0] <= port <= found.fleeting[1]:
        return False
    return not any(first <= port <= last for first, last in found.reserved)


def outgoing(look: Look, binding: Binding) -> Finding:
    """Say that any connection of the host's may have the port for a while."""
    message = say(
        "{subject} is free now, but it is in the range for outgoing connections (net.ipv4.ip_local_port_range): one "
        "of them may use it when mailcow starts.",
        subject=binding.subject,
    )
    ports = {wanted.port for wanted in look.plan.bindings if given_out(look, wanted.port)}
    reserved = sorted([*look.host.sockets.get().reserved, *((port, port) for port in ports)])
    listed = ",".join(str(first) if first == last else f"{first}-{last}" for first, last in reserved)
    setting = f"net.ipv4.ip_local_reserved_ports={listed}"
    commands = (f"echo {setting} > {_RESERVED}", f"sysctl -p {_RESERVED}")
    file = WrittenFile(_RESERVED, f"{setting}\n")
    remedy = Remedy(say("Exclude mailcow's ports from that range."), commands, files=(file,))
    return row(Status.WARN, message, evidence(binding, "bind"), found=phrase("free for now"), remedy=remedy)
