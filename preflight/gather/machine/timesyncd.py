"""systemd-timesyncd's settings: servers behind another key than NTP=, as mailcow's page had it until 2022."""

from __future__ import annotations

from typing import Literal

from preflight.facts import Fact, OtherKey
from preflight.gather.access.roots import Roots, Unreadable

Key = Literal["Servers", "Server"]

PATH = "/etc/systemd/timesyncd.conf"
FOLDERS = tuple(f"{folder}/systemd/timesyncd.conf.d" for folder in ("/etc", "/run", "/usr/local/lib", "/usr/lib"))
BYTES = 1 << 16
DROP_INS = 20  # of each folder


def timesyncd(roots: Roots) -> Fact[tuple[OtherKey, ...]]:
    """Return such lines of its file and its drop-ins; none where there are no such files."""
    try:
        drop_ins = [f"{folder}/{name}" for folder in FOLDERS for name in _names(roots, folder)]
        found = [line for path in (PATH, *drop_ins) for line in _lines(roots, path)]
    except Unreadable as error:
        return roots.unknown(PATH, error)
    return Fact.of(PATH, tuple(found))


def _names(roots: Roots, folder: str) -> list[str]:
    return [name for name in roots.entries(folder) if name.endswith(".conf")][:DROP_INS]


def _lines(roots: Roots, path: str) -> list[OtherKey]:
    try:
        return [OtherKey(path, number, key) for number, key in other_keys(roots.text(path, BYTES))]
    except Unreadable as error:
        if error.absent:
            return []
        raise


def other_keys(text: str) -> list[tuple[int, Key]]:
    """Return the numbers of lines that name servers by another key, in the section of the time, and the keys."""
    found: list[tuple[int, Key]] = []
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        key, _, value = (part.strip() for part in line.partition("="))
        if line.strip().startswith("["):
            section = line.strip()
        elif section == "[Time]" and value and key in ("Servers", "Server"):
            found.append((number, "Servers" if key == "Servers" else "Server"))
    return found
