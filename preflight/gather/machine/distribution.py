"""The host's distribution: os-release(5)."""

from __future__ import annotations

import re

from preflight.facts import Fact, OsRelease
from preflight.gather.access.roots import Roots, Unreadable
from preflight.text.sentences import phrase

_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")


def os_release(roots: Roots) -> Fact[OsRelease]:
    """Return os-release(5), from /etc or /usr/lib."""
    error: Unreadable | None = None
    for path in _OS_RELEASE:
        try:
            release = parse_os_release(roots.text(path, 1 << 16))
        except Unreadable as caught:
            error = error or caught
            continue
        if release.id or release.name or release.pretty_name:
            return Fact.of(path, release)
        error = Unreadable(path, phrase("it does not name a distribution"))
    return roots.unknown(_OS_RELEASE[0], error or Unreadable(_OS_RELEASE[0], phrase("not found")))


def parse_os_release(text: str) -> OsRelease:
    """Parse os-release(5); a variable that is set twice has its last value. Never raises."""
    fields: dict[str, str] = {}
    for line in text.lstrip("\ufeff").split("\n")[:1000]:
        match = re.match(r"\s*([A-Z][A-Z0-9_]*)=(.*)", line)
        if match:
            fields[match[1]] = _unquote(match[2])[:256]
    title = fields.get("NAME", "")
    return OsRelease(
        id=fields.get("ID", "").lower(),
        version_id=fields.get("VERSION_ID", ""),
        id_like=tuple(fields.get("ID_LIKE", "").lower().split()),
        pretty_name=fields.get("PRETTY_NAME", "") or f"{title} {fields.get('VERSION', '')}".strip(),
        codename=fields.get("VERSION_CODENAME", "") or fields.get("UBUNTU_CODENAME", ""),
        name=title,
        variant=fields.get("VARIANT_ID", "").lower(),
        base=fields.get("UBUNTU_CODENAME", "") or fields.get("DEBIAN_CODENAME", ""),
    )


def _unquote(value: str) -> str:
    """Undo the shell's quoting as os-release(5) allows it: single and double quotes, backslashes."""
    kept: list[str] = []
    quote = ""
    rest = iter(value.rstrip("\r"))
    for char in rest:
        if char == "\\" and quote != "'":
            following = next(rest, "")
            kept.append(following if not quote or following in '"$`\\' else char + following)
        elif char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        elif not quote and char.isspace():
            break
        else:
            kept.append(char)
    return "".join(kept)
