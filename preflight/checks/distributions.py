"""A distribution held against mailcow's table of supported systems. Pure, no check itself."""

from __future__ import annotations

import datetime

from preflight import versions
from preflight.checks import Look
from preflight.facts import OsRelease
from preflight.model import Status
from preflight.requirements import SupportedOs


def wording(entry: SupportedOs) -> str:
    """Return a row of the table in words: "Debian 11/12/13", "Ubuntu 22.04 or later"."""
    releases = "/".join(entry.versions) or (f"{entry.at_least} or later" if entry.at_least else "")
    return f"{entry.name} {releases}".strip()


def judge(look: Look, system: OsRelease, shown: str) -> tuple[Status, str, str]:
    """Judge a system that is called `shown`: return status, message and what to do ('' = nothing)."""
    entry = next((entry for entry in look.requirements.systems if entry.id == system.id), None)
    if entry is None:
        text = f"mailcow's documentation does not list {shown}: nobody has tested it there."
        return Status.WARN, text, "Install one of the listed distributions, or expect to find out by yourself."
    if base := _derivative(look, system, entry):
        text = f"{base} is built on {entry.name}, but it is not {entry.name}: mailcow is not tested on derivatives."
        return Status.WARN, text, f"Install {wording(entry)} itself, or expect differences in kernel and packages."
    if not system.version_id:
        text = f"{shown} names no release, as testing releases do: mailcow supports {wording(entry)}."
        return Status.WARN, text, f"Install {wording(entry)}."
    if not _supported(entry, system.version_id):
        text = f"mailcow supports {wording(entry)}, not {shown}."
        return Status.WARN, text, f"Upgrade or install {wording(entry)}."
    if ended := _ended(look, system):
        text = f"{shown} is no longer maintained: its support ended on {ended.isoformat()}."
        return Status.WARN, text, "Upgrade the distribution to a maintained release before mailcow is installed."
    if entry.note:
        text = f"mailcow supports {shown} {entry.note}."
        return Status.WARN, text, f"Read what mailcow's documentation says on {entry.name} before the installation."
    return Status.PASS, f"mailcow supports {shown}.", ""


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
