"""What it means that no engine answers."""

from __future__ import annotations

import shlex

from preflight.checks.findings import Outcome, unknown
from preflight.checks.remedies import distro, install, rights
from preflight.facts import Contact, Host
from preflight.report.evidence.engine import EngineEvidence
from preflight.report.model import Finding, Remedy, Status
from preflight.text.sentences import paragraph, phrase, say


def engine_version(host: Host) -> str:
    """Return the engine's version, of one that does not answer its package's; '' = not known."""
    engine, start = host.engine.value, host.engine_start.value
    return engine.version if engine else start.version if start else ""


def silent(host: Host, contact: Contact) -> Finding:
    """Say why there is no engine to talk to; only what is certain fails."""
    evidence = EngineEvidence(version=None, api_version=None, state=contact.state)
    # What answers elsewhere and makes no sense may be a proxy; a certificate or a name server may be what is wrong.
    if contact.state == "denied" or (contact.state == "invalid" and not contact.url.startswith("unix://")):
        reason, remedy = _unasked(host, contact)
        message = paragraph(say("The engine could not be queried."), reason)
        return unknown(
            reason, remedy.text, message=message, detail=contact.detail, evidence=evidence, place=remedy.place
        )
    tell = {"invalid": _senseless, "timeout": _hanging, "refused": _deserted}.get(contact.state, _absent)
    outcome = (_absent if install.absent(host) else tell)(host, contact)
    return Finding(
        status=outcome.status,
        message=outcome.message,
        detail=contact.detail if contact.state == "invalid" else None,
        expected=phrase("an engine that answers"),
        found=contact.state,
        evidence=evidence,
        remedy=outcome.remedy,
    )


def _unasked(host: Host, contact: Contact) -> tuple[str, Remedy]:
    """Return why nothing is known, and what would help."""
    if contact.state == "denied":
        return say("preflight is not allowed to use {where}.", where=contact.url), rights.more(host)
    text = say("Select the engine with --docker-host, or restart it and check its log.")
    reason = say("Something answers at {where}, but it does not respond like a Docker engine.", where=contact.url)
    return reason, Remedy(text, place="docker-run")


def _restart(host: Host) -> tuple[str, ...]:
    """Return the commands that restart the engine, and show what it logs where systemd keeps that."""
    look_up = ("journalctl -u docker -n 50 --no-pager",) if distro.init_system(host) == "systemd" else ()
    return (*distro.restart(host, "docker"), *look_up)


def _senseless(host: Host, contact: Contact) -> Outcome:
    message = say("Something answers at {where}, but it is not a working Docker engine.", where=contact.url)
    text = say("Restart the engine. Check its log and what else uses its socket.")
    name = contact.url.removeprefix("unix://").rpartition("/")[2]
    return Outcome(Status.FAIL, message, Remedy(text, (*_restart(host), f"ss -xlp | grep {shlex.quote(name)}")))


def _hanging(host: Host, contact: Contact) -> Outcome:
    message = say("The Docker engine at {where} hangs: it does not reply in time.", where=contact.url)
    text = say("Restart the engine. Check its log and the host's disks.")
    return Outcome(Status.FAIL, message, Remedy(text, _restart(host)))


def _start(host: Host) -> Remedy:
    return Remedy(say("Start the engine. If it does not start, check its log."), _restart(host))


def _deserted(host: Host, contact: Contact) -> Outcome:
    message = say(
        "Nothing answers at {where}: the socket exists, but no Docker engine listens on it.", where=contact.url
    )
    return Outcome(Status.FAIL, message, _start(host))


def _absent(host: Host, contact: Contact) -> Outcome:
    if engine := install.path(host, "dockerd"):
        message = say(
            "No Docker engine is running: there is nothing at {where}, but {path} is installed.",
            where=contact.url,
            path=engine,
        )
        return Outcome(Status.FAIL, message, _start(host))
    message = say("No Docker engine was found at {where}.", where=contact.url)
    if contact.state == "refused":
        message = say("No Docker engine is installed: nothing listens at {where}.", where=contact.url)
    elif client := install.path(host, "docker"):
        message = say(
            "No Docker engine was found: there is nothing at {where}, and {path} is only the client.",
            where=contact.url,
            path=client,
        )
    return Outcome(Status.FAIL, message, install.docker(host))
