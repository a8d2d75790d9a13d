"""Which systemd .socket unit opens a port: systemd itself then holds it, and the service behind it may not even run."""

from __future__ import annotations

import re

UNITS = 500  # units, and drop-ins of each
SIZE = 1 << 16

Streams = dict[str, tuple[tuple[str, int], ...]]  # unit: address ('' = every one) and port of each stream


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
