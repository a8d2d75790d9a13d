"""The host's name."""

from __future__ import annotations

import os
import re

from preflight.facts import Fact
from preflight.gather.access.roots import Roots, Unreadable
from preflight.text.sentences import phrase


def name(roots: Roots) -> Fact[str]:
    """Return the host's name: the kernel's word where its name space is the host's, else the host's own file."""
    if not roots.view.container and roots.anchor == "self":
        return Fact.of("uname", os.uname().nodename)
    paths = ["/etc/hostname", "/etc/HOSTNAME"]
    if not roots.view.live:
        paths.append("/proc/sys/kernel/hostname")
    error = Unreadable("/etc/hostname", phrase("not found"))
    for path in paths:
        try:
            found = parse_hostname(roots.text(path, 4096))
        except Unreadable as caught:
            error = caught
            continue
        if found:
            return Fact.of(path, found)
        error = Unreadable(path, phrase("it contains no name"))
    if roots.view.container and roots.view.network:  # the engine gives such a container the host's name
        return Fact.of("uname (of a container in the host's network)", os.uname().nodename)
    return roots.unknown("/etc/hostname", error)


def parse_hostname(text: str) -> str:
    """Read hostname(5): the first line that is no comment; '' where there is none or it is no name."""
    lines = (line.strip() for line in text.split("\n"))
    found = next((line for line in lines if line and not line.startswith("#")), "")
    return found if re.fullmatch(r"[A-Za-z0-9._-]{1,253}", found) else ""
