"""A distribution held against mailcow's table of supported systems. Pure, no check itself."""

from __future__ import annotations

import datetime

from preflight.checks import Look
from preflight.facts import OsRelease
from preflight.mailcow.requirements import SupportedOs
from preflight.report.model import Status
from preflight.text import versions
from preflight.text.sentences import paragraph, say, told


def wording(entry: SupportedOs) -> str:
    """Return a row of the table as a value: "Debian 11/12/13", "Ubuntu ≥ 22.04"."""
    releases = "/".join(entry.versions) or (f"≥ {entry.at_least}" if entry.at_least else "")
    return f"{entry.name} {releases}".strip()


def judge(look: Look, system: OsRelease, shown: str) -> tuple[Status, str, str]:
    """Judge a system that is called `shown`: return status, message and what to do ('' = nothing)."""
    entry = next((entry for entry in look.requirements.systems if entry.id == system.id), None)
    if entry is None:
        text = say("mailcow's documentation does not list {shown}: nobody has tested it there.", shown=shown)
        return Status.WARN, text, say("Install one of the listed distributions, or expect to find out by yourself.")
    if base := _derivative(look, system, entry):
        text = say(
            "{base} is built on {name}, but it is not {name}: mailcow is not tested on derivatives.",
            base=base,
            name=entry.name,
        )
        advice = say("Install {entry} itself, or expect differences in kernel and packages.", entry=wording(entry))
        return Status.WARN, text, advice
    if not system.version_id:
        text = say(
            "{shown} names no release, as testing releases do: mailcow supports {entry}.",
            shown=shown,
            entry=wording(entry),
        )
        return Status.WARN, text, say("Install {entry}.", entry=wording(entry))
    if not _supported(entry, system.version_id):
        text = say("mailcow supports {entry}, not {shown}.", entry=wording(entry), shown=shown)
        return Status.WARN, text, say("Upgrade or install {entry}.", entry=wording(entry))
    if ended := _ended(look, system):
        text = say("{shown} is no longer maintained: its support ended on {date}.", shown=shown, date=ended.isoformat())
        return Status.WARN, text, say("Upgrade the distribution to a maintained release before mailcow is installed.")
    if entry.note:
        text = paragraph(say("mailcow supports {shown}.", shown=shown), told(entry.note))
        advice = say("Read what mailcow's documentation says on {name} before the installation.", name=entry.name)
        return Status.WARN, text, advice
    return Status.PASS, say("mailcow supports {shown}.", shown=shown), ""


def _derivative(look: Look, system: OsRelease, entry: SupportedOs) -> str:
    """Return the name of a distribution that only keeps another one's ID; '' = it is that distribution."""
    for name in (system.pretty_name, system.name):
        if name and not name.startswith(entry.name):
            return name
    kernel, virtual = look.host.kernel, look.host.virtualization
    if kernel.known and "-pve" in kernel.get() and virtual.known and virtual.get().container is None:
        return "Proxmox VE"  # leaves Debian's os-release as it is
    return ""


def _supported(entry: SupportedOs, version: str) -> bool:
    if entry.versions and not any(versions.starts_with(version, release) for release in entry.versions):
        return False
    return not entry.at_least or versions.at_least(version, entry.at_least) is True


def _ended(look: Look, system: OsRelease) -> datetime.date | None:
    """Return the last day of the release's support where that has passed."""
    today = datetime.date.fromisoformat(look.host.started[:10])
    for end in look.requirements.end_of_life:
        if end.id == system.id and versions.starts_with(system.version_id, end.version) and end.date < today:
            return end.date
    return None
