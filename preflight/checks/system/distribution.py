"""The distribution, held against mailcow's table of supported systems."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.sources import PREREQUISITES
from preflight.facts import OsRelease
from preflight.mailcow.requirements import SupportedOs
from preflight.report.evidence.host import ReleaseEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text import versions
from preflight.text.sentences import paragraph, say, told


@check(
    severity=Severity.RECOMMENDED,
    reads=("os_release", "kernel", "virtualization"),
    remedy="Install a maintained release of a distribution that mailcow's documentation lists.",
    docs=(PREREQUISITES,),
)
def os(look: Look) -> Iterator[Finding]:
    """The distribution is one that mailcow supports

    mailcow is tested on a few distributions only. Elsewhere it may work, but nobody has tried the combination of
    kernel, firewall and Docker packages. A release past its end of life gets no security updates, although the host
    faces the Internet.
    """
    system = look.host.os_release.get()
    shown = system.pretty_name or f"{system.id} {system.version_id}".strip()
    doubt = next(_doubts(look, system, shown), None)
    message, advice = doubt or (say("mailcow supports {shown}.", shown=shown), "")
    yield Finding(
        status=Status.WARN if doubt else Status.PASS,
        message=message,
        expected=", ".join(map(_wording, look.requirements.systems)),
        found=shown,
        evidence=ReleaseEvidence(id=system.id, version_id=system.version_id),
        remedy=Remedy(advice) if advice else None,
    )


def _wording(entry: SupportedOs) -> str:
    """Return a row of the table as a value: "Debian 11/12/13", "Ubuntu ≥ 22.04"."""
    releases = "/".join(entry.versions) or (f"≥ {entry.at_least}" if entry.at_least else "")
    return f"{entry.name} {releases}".strip()


def _doubts(look: Look, system: OsRelease, shown: str) -> Iterator[tuple[str, str]]:
    """Yield why a system, called `shown`, is not simply supported, and what to do; the first one counts."""
    entry = next((entry for entry in look.requirements.systems if entry.id == system.id), None)
    if entry is None:
        text = say("mailcow's documentation does not list {shown}: nobody has tested mailcow there.", shown=shown)
        yield text, say("Install one of the listed distributions, or be prepared to troubleshoot on your own.")
        return
    wanted = _wording(entry)
    if base := _derivative(look, system, entry):
        text = say(
            "{base} is based on {name}, but it is not {name}: mailcow is not tested on derivatives.",
            base=base,
            name=entry.name,
        )
        yield text, say("Install {entry} itself, or expect differences in kernel and packages.", entry=wanted)
    if not system.version_id:
        text = say(
            "{shown} has no release number, which is typical of testing releases. mailcow supports {entry}.",
            shown=shown,
            entry=wanted,
        )
        yield text, say("Install {entry}.", entry=wanted)
    if not _supported(entry, system.version_id):
        text = say("mailcow supports {entry}, not {shown}.", entry=wanted, shown=shown)
        yield text, say("Upgrade or install {entry}.", entry=wanted)
    if ended := _ended(look, system):
        text = say("{shown} is no longer maintained: its support ended on {date}.", shown=shown, date=ended.isoformat())
        yield text, say("Upgrade the distribution to a maintained release before you install mailcow.")
    if entry.note:
        text = paragraph(say("mailcow supports {shown}.", shown=shown), told(entry.note))
        yield (
            text,
            say("Read what mailcow's documentation says about {name} before you install mailcow.", name=entry.name),
        )


def _derivative(look: Look, system: OsRelease, entry: SupportedOs) -> str:
    """Return the name of a distribution that only keeps another one's ID; '' = it is that distribution."""
    for name in (system.pretty_name, system.name):
        if name and not name.startswith(entry.name):
            return name
    virtual = look.host.virtualization.value
    if "-pve" in look.host.kernel.or_("") and virtual and virtual.container is None:
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
