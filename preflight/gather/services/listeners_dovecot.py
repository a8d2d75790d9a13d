"""Whether Dovecot opens any TCP port, by its own settings: one that only delivers (LMTP) listens on sockets alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.services.listeners import SIZE, Streams
from preflight.gather.services.listeners_web import DEPTH, Budget, matching

PLACE = "/etc/dovecot/dovecot.conf"
_QUIET = {"lmtp", "none"}  # they open no TCP port by themselves


def dovecot(roots: Roots) -> Streams | None:
    """Return () where no protocol that is switched on opens a port, else None: not told apart; raise `Unreadable`."""
    protocols: list[str] | None = None
    depth = 0
    for line in _lines(roots, PLACE, Budget(), DEPTH):
        if re.search(r"\binet_listener\b", line):
            return None  # any service may have one, whatever the protocols
        match = re.match(r"protocols\s*(=|\{)\s*(.*)", line)
        if match and not depth:
            if match[1] == "{":
                return None  # Dovecot 2.4 takes a list of switches too
            words = match[2].strip("\"'").split()
            before = protocols if "$protocols" in words else []
            if before is None:
                return None  # more than the default
            protocols = [*before, *(word for word in words if word != "$protocols")]
        depth += line.count("{") - line.count("}")
    if depth:
        return None  # a brace of something else: what stood inside of what is not known
    return () if protocols is not None and _QUIET.issuperset(protocols) else None


def _lines(roots: Roots, path: str, budget: Budget, depth: int) -> Iterator[str]:
    """Yield the settings of a file, with those of the files that it includes in their place."""
    budget.take()
    for line in roots.text(path, SIZE).splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        match = re.match(r"!include(_try)?\s+(\S+)", line)
        if not match:
            yield line
            continue
        if not depth:
            raise Unreadable(path, "")
        pattern = match[2] if match[2].startswith("/") else f"{path.rpartition('/')[0]}/{match[2]}"
        for one in matching(roots, pattern):
            try:
                yield from _lines(roots, one, budget, depth - 1)
            except Unreadable as error:
                if not (error.absent and match[1]):
                    raise
