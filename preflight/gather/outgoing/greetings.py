"""The greeting of a mail server: RFC 5321, 3.1 and 4.2. Pure."""

from __future__ import annotations

import re
from typing import Literal

# `foreign`: of no server of that operator's. `unwelcome`: it is the operator's, and will not take mail from here.
Greeted = Literal["own", "foreign", "unwelcome"]
LINE = 512  # bytes that a line may have at most (4.5.3.1.5)
_LINE = re.compile(rb"([245][0-9]{2})([ -]|\r?$)(.*)", re.ASCII | re.DOTALL)
_BEGIN = re.compile(rb"[245][0-9]{2}[ -]|[245]?[0-9]{0,2}$", re.ASCII)
_MASKED = re.compile(rb"\*{4,}")  # what some firewalls make of a greeting, so that nobody knows the server


def greeted(said: bytes, domains: tuple[str, ...]) -> Greeted | None:
    """Judge a greeting by the name in it; None: more of it is to come. Without `domains` any name will do."""
    *lines, rest = said.split(b"\n")
    if not lines:
        # What is no greeting is known by its beginning; what never ends is none.
        return "foreign" if len(rest) > LINE or not _BEGIN.match(rest) else None
    first = _LINE.match(lines[0])
    if first is None or _MASKED.search(lines[0]):
        return "foreign"
    if not any(one[3:4] != b"-" for one in lines):
        return None
    welcome = first[1] == b"220"
    names = _names(first[3])
    if domains and not any(name == one or name.endswith(f".{one}") for name in names for one in domains):
        # A welcome has the server's name in it; whoever is sent away may be told less.
        return "foreign" if welcome or names else "unwelcome"
    return "own" if welcome else "unwelcome"


def _names(text: bytes) -> list[str]:
    """Return the names of hosts that stand in a line."""
    words = re.findall(r"[a-z0-9.-]+", text.decode("latin-1").lower(), re.ASCII)
    names = [word.strip(".-") for word in words]
    return [name for name in names if "." in name and not name.rpartition(".")[2].isdecimal()]
