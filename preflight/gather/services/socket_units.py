"""Which systemd .socket unit opens a port: systemd itself then holds it, and the service behind it may not even run."""

from __future__ import annotations

import re

from preflight.gather.access.roots import Roots, Unreadable

# From the strongest to the weakest: a unit file in an earlier one hides its namesake in a later one.
DIRECTORIES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
MOST = 500  # units, and drop-ins of each
SIZE = 1 << 16

Streams = dict[str, tuple[tuple[str, int], ...]]  # unit: address ('' = every one) and port of each stream


def streams(roots: Roots) -> Streams:
    """Return the ports of every .socket unit on the host, masked ones left out; {} where none can be read."""
    files: dict[str, str] = {}
    drop_ins: dict[str, dict[str, str]] = {}
    for directory in reversed(DIRECTORIES):
        for name in _entries(roots, directory):
            if name.endswith(".socket"):
                files[name] = f"{directory}/{name}"
            elif name.endswith(".socket.d"):
                inside = drop_ins.setdefault(name.removesuffix(".d"), {})
                for file in _entries(roots, f"{directory}/{name}"):
                    inside[file] = f"{directory}/{name}/{file}"
    found = {}
    for unit, path in sorted(files.items())[:MOST]:
        texts = [_text(roots, path)]  # a masked unit is a link to /dev/null, which is no regular file
        if texts[0] is not None:
            more = sorted(item for item in drop_ins.get(unit, {}).items() if item[0].endswith(".conf"))
            texts += [_text(roots, place) for _, place in more[:MOST]]
            found[unit] = listen_streams("\n".join(text for text in texts if text is not None))
    return {unit: ports for unit, ports in found.items() if ports}


def unit_of(found: Streams, address: str, port: int) -> str | None:
    """Return the unit that opens a port, best the one that names its very address."""
    units = [unit for unit, ports in found.items() if (address, port) in ports]
    units += [unit for unit, ports in found.items() if any(port == other for _, other in ports)]
    return units[0] if units else None


def listen_streams(text: str) -> tuple[tuple[str, int], ...]:
    """Read the addresses and ports of ListenStream= in a unit file; an empty one takes back all before it."""
    found: list[tuple[str, int]] = []
    section = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        key, equals, value = line.partition("=")
        if section != "[Socket]" or not equals or key.strip() != "ListenStream":
            continue
        value = value.strip()
        match = re.fullmatch(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]:|(?P<v4>[0-9.]+):)?(?P<port>[0-9]{1,5})", value)
        if not value:
            found.clear()
        elif match:
            found.append((match["v6"] or match["v4"] or "", int(match["port"])))
    return tuple(found)


def _entries(roots: Roots, directory: str) -> list[str]:
    try:
        return roots.entries(directory)
    except Unreadable:
        return []


def _text(roots: Roots, path: str) -> str | None:
    try:
        return roots.text(path, SIZE)
    except Unreadable:
        return None
