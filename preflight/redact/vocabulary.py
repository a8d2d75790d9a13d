"""What the whole world knows: names and words in everybodys.toml, and the usual names of network interfaces."""

from __future__ import annotations

import errno
import os
import re
import tomllib
from functools import cache

INTERFACES = re.compile(
    r"\*|lo|dummy[0-9]{1,2}|ifb[0-9]{1,2}|docker0|docker_gwbridge|br-mailcow|br[0-9]{1,3}|virbr[0-9]{1,2}|sit[0-9]{1,2}"
    r"|(?:eth|wlan|bond|team|tun|tap|wg|ppp|venet|vmbr|lxcbr|lxdbr|ib)[0-9]{1,3}(?:\.[0-9]{1,4})?"
    r"|(?:en|wl|ww)(?:o[0-9]{1,3}|s[0-9]{1,3}|p[0-9]{1,3}s[0-9]{1,3})(?:f[0-9]{1,3})?(?:np?[0-9]{1,3}|d[0-9]{1,3})?"
)


@cache
def listed(name: str) -> frozenset[str]:
    """Return one of the lists of everybodys.toml."""
    return frozenset(_lists()[name].split())


@cache
def words() -> frozenset[str]:
    """Return the words, in lower case, that say nothing of whose host it is."""
    return listed("words") | listed("terms") | {name.lower() for name in errno.errorcode.values()}


@cache
def _lists() -> dict[str, str]:
    with open(os.path.join(os.path.dirname(__file__), "everybodys.toml"), "rb") as file:
        return tomllib.load(file)
