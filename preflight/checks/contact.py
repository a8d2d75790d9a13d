"""What it means that no engine answers, and how to say that something could not be found out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from preflight import distro
from preflight.checks import install
from preflight.facts import Contact, Host
from preflight.model import Finding, Remedy, Status


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
        reason = f"this program may not use {where} ({contact.detail})"
        help = "Run preflight as root; in a container, add --privileged."
        return unknown(f"The engine could not be asked: {reason}.", reason, help, evidence=evidence)
    local = where.startswith("unix://")
    if contact.state == "invalid" and not local:  # a proxy, a certificate or a name server may be what is wrong
        reason = f"what answers at {where} does not speak as a Docker engine does ({contact.detail})"
        help = "Name the engine with --docker-host, or restart it and look at what it logs."
        return unknown(f"The engine could not be asked: {reason}.", reason, help, evidence=evidence)
    restart = distro.restart(host, "docker")
    look_up = ("journalctl -u docker -n 50 --no-pager",) if distro.init_system(host) == "systemd" else ()
    if contact.state == "invalid":
        message = (
            f"What answers at {where} is no Docker engine that works: {contact.detail or 'no sense in its reply'}."
        )
        remedy = Remedy(
            "Restart the engine, and look at what it logs and what else holds its socket.",
            (
                *restart,
                *look_up,
                f"ss -xlp | grep {shlex.quote(where.removeprefix('unix://').rpartition('/')[2])}",
            ),
        )
    elif contact.state == "timeout":
        message = f"The Docker engine at {where} hangs: {contact.detail or 'no reply in time'}."
        remedy = Remedy("Restart the engine, and look at what it logged and at the host's disks.", (*restart, *look_up))
    elif contact.state == "refused":
        message = f"Nobody answers at {where}: the socket is there, but no Docker engine listens on it."
        remedy = Remedy("Start the engine, and look at what it logs where it does not start.", (*restart, *look_up))
    elif engine := _installed(host, "dockerd"):
        message = f"No Docker engine runs: there is nothing at {where}, though {engine} is installed."
        remedy = Remedy("Start the engine, and look at what it logs where it does not start.", (*restart, *look_up))
    elif client := _installed(host, "docker"):
        message = f"No Docker engine was found: there is nothing at {where}, and {client} is its client alone."
        remedy = Remedy("Install the Docker Engine.", install.engine(host))
    else:
        message = f"No Docker engine was found: there is nothing at {where}."
        remedy = Remedy("Install the Docker Engine.", install.engine(host))
    return Finding(
        status=Status.FAIL, message=message, expected="an engine that answers", found=contact.state,
        evidence=evidence, remedy=remedy,
    )  # fmt: skip
