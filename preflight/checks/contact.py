"""What it means that no engine answers, and how to say that something could not be found out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from preflight import distro
from preflight.checks import install
from preflight.facts import Contact, Host
from preflight.model import Finding, Remedy, Status
from preflight.sentences import paragraph, phrase, say


def unknown(
    message: str, reason: str, help: str, *commands: str, evidence: Mapping[str, object] | None = None
) -> Finding:
    """Make a finding that says what could not be found out, why, and what would help."""
    return Finding(
        status=Status.UNKNOWN,
        message=message,
        reason=reason,
        remedy=Remedy(help, commands),
        evidence=dict(evidence or {}),
    )


def _installed(host: Host, name: str) -> str | None:
    """Return where a program of the host lies; None: nowhere, or it is not known."""
    found = (host.commands.value or {}).get(name)
    return found.path if found else None


def silent(host: Host, contact: Contact) -> Finding:
    """Say why there is no engine to talk to; only what is certain fails."""
    where, evidence = contact.url, {"version": None, "api_version": None, "state": contact.state}
    if contact.state == "denied":
        reason = say("This program may not use {where}: {detail}.", where=where, detail=contact.detail)
        help = say("Run preflight as root; in a container, add --privileged.")
        return unknown(paragraph(say("The engine could not be asked."), reason), reason, help, evidence=evidence)
    local = where.startswith("unix://")
    if contact.state == "invalid" and not local:  # a proxy, a certificate or a name server may be what is wrong
        reason = say(
            "What answers at {where} does not speak as a Docker engine does: {detail}.",
            where=where,
            detail=contact.detail,
        )
        help = say("Name the engine with --docker-host, or restart it and look at what it logs.")
        return unknown(paragraph(say("The engine could not be asked."), reason), reason, help, evidence=evidence)
    restart = distro.restart(host, "docker")
    look_up = ("journalctl -u docker -n 50 --no-pager",) if distro.init_system(host) == "systemd" else ()
    if contact.state == "invalid":
        message = say(
            "What answers at {where} is no Docker engine that works: {detail}.",
            where=where,
            detail=contact.detail or phrase("no sense in its reply"),
        )
        remedy = Remedy(
            say("Restart the engine, and look at what it logs and what else holds its socket."),
            (
                *restart,
                *look_up,
                f"ss -xlp | grep {shlex.quote(where.removeprefix('unix://').rpartition('/')[2])}",
            ),
        )
    elif contact.state == "timeout":
        message = say(
            "The Docker engine at {where} hangs: {detail}.",
            where=where,
            detail=contact.detail or phrase("no reply in time"),
        )
        remedy = Remedy(
            say("Restart the engine, and look at what it logged and at the host's disks."), (*restart, *look_up)
        )
    elif contact.state == "refused":
        message = say(
            "Nobody answers at {where}: the socket is there, but no Docker engine listens on it.", where=where
        )
        remedy = Remedy(
            say("Start the engine, and look at what it logs where it does not start."), (*restart, *look_up)
        )
    elif engine := _installed(host, "dockerd"):
        message = say(
            "No Docker engine runs: there is nothing at {where}, though {path} is installed.", where=where, path=engine
        )
        remedy = Remedy(
            say("Start the engine, and look at what it logs where it does not start."), (*restart, *look_up)
        )
    elif client := _installed(host, "docker"):
        message = say(
            "No Docker engine was found: there is nothing at {where}, and {path} is its client alone.",
            where=where,
            path=client,
        )
        remedy = Remedy(say("Install the Docker Engine."), install.engine(host))
    else:
        message = say("No Docker engine was found: there is nothing at {where}.", where=where)
        remedy = Remedy(say("Install the Docker Engine."), install.engine(host))
    return Finding(
        status=Status.FAIL,
        message=message,
        expected=phrase("an engine that answers"),
        found=contact.state,
        evidence=evidence,
        remedy=remedy,
    )
