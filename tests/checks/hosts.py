"""Parts of hosts that several tests of checks need."""

from __future__ import annotations

from preflight.facts import OsRelease


def release(identity: str = "debian", version: str = "12", pretty: str = "", name: str = "") -> OsRelease:
    titles = {"debian": "Debian GNU/Linux", "ubuntu": "Ubuntu", "almalinux": "AlmaLinux", "alpine": "Alpine Linux"}
    title = name or titles.get(identity, identity.title())
    return OsRelease(identity, version, (), pretty or f"{title} {version}".strip(), "", title)
