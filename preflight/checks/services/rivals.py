"""What to do about a mail or web server beside mailcow: it keeps its data, and the host what depends on it."""

from __future__ import annotations

import shlex

from msgspec import UNSET

from preflight.checks import Look
from preflight.checks.holders import endings, mailers
from preflight.checks.remedies import distro
from preflight.facts import Service
from preflight.report.model import Remedy
from preflight.text.sentences import paragraph, say


def remedy(look: Look, service: Service) -> Remedy:
    """Say how a service that is enabled or runs leaves mailcow's ports alone."""
    name = service.unit or service.name
    found = mailers.signs(look, service.kind, _reader(look))
    panel = mailers.PANELS.get(service.name) or found.panel
    if panel:
        return mailers.governed(panel)
    if service.kind == "web":
        return _web(look, service)
    if found.told:
        return mailers.alive(name, found, ())
    if not service.unit:
        return _without_unit(service)
    if service.name == "postfix" and service.dependents != ():
        quiet = mailers.silenced(service.unit, distro.restart(look.host, "postfix.service"))
        if quiet is not None:
            text = paragraph(quiet.text, _needed(service), *mailers.queued(found))
            return Remedy(text, quiet.commands, choice=True if found.queued else UNSET)
    return _stopped(look, service, found)


def _reader(look: Look) -> bool:
    """Say whether people read mail on this host."""
    known = look.host.services.get().services
    return mailers.reads(look) or any(row.kind == "imap" and (row.active or row.enabled) for row in known)


def _web(look: Look, service: Service) -> Remedy:
    if not service.unit:
        return _without_unit(service)
    text = paragraph(
        say(
            "To keep it as a reverse proxy, set HTTP_PORT, HTTPS_PORT, HTTP_BIND and HTTPS_BIND in "
            "{path} so that mailcow leaves ports 80 and 443 to it.",
            path=look.plan.conf_path,
        ),
        say("If you no longer need it, stop it permanently."),
    )
    return Remedy(text, _stop(look, service, service.unit), choice=True)


def _without_unit(service: Service) -> Remedy:
    if service.pid is None:
        return Remedy(
            say("{name} belongs to no service unit. Find out what starts it and stop it there.", name=service.name),
            ("ps -eo pid,ppid,user,lstart,args",),
        )
    parent = service.parent
    return endings.started_by(service.name, service.pid, parent)


def _stopped(look: Look, service: Service, found: mailers.Signs) -> Remedy:
    """Stop first; remove only what is known to be needed by nothing else, with nothing left in its queue."""
    assert service.unit
    outside = endings.started_by(service.name, service.pid, service.parent) if service.pid is not None else None
    # Of a server that people read mail on only the settings would go, but nobody could go back to it.
    free = service.kind == "mta" and service.dependents == () and not found.queued and outside is None
    removal = distro.remove(look.host, " ".join(map(shlex.quote, (service.package or "").split()))) if free else ()
    text = paragraph(
        say("Stop {name} permanently.", name=service.unit),
        outside.text if outside else "",
        *mailers.queued(found),
        mailers.lost(service.name) if service.kind == "mta" else mailers.unseen(service.name),
        _needed(service),
        say("No other package needs it, so it may then be removed.") if removal else "",
    )
    commands = (*_stop(look, service, service.unit), *(outside.commands if outside else ()), *removal)
    return Remedy(text, commands, choice=True if found.queued else UNSET)


def _stop(look: Look, service: Service, unit: str) -> tuple[str, ...]:
    return distro.disable(look.host, shlex.quote(unit), *map(shlex.quote, service.sockets))


def _needed(service: Service) -> str:
    """Say which packages would go with its own; '' where none would, or that is not known."""
    if not service.dependents:
        return ""
    return say(
        "Do not remove its packages, because others need them: {packages}.", packages=", ".join(service.dependents)
    )
