"""What the whole world knows: names and words in everybodys.toml, and the usual names of network interfaces."""

from __future__ import annotations

import errno
import os
import re
import tomllib
from functools import cache

from preflight.checks.docker import directives
from preflight.checks.holders import known_programs, supervised

LONGEST = 4000  # characters that are looked at of one value
_TOKEN = re.compile(r"[^\W_]+")
FOUR = re.compile(r"[0-9]{1,3}([._-])[0-9]{1,3}\1[0-9]{1,3}\1[0-9]{1,3}")  # an address, in whatever disguise
_RATE = re.compile(r"[0-9]{1,3}[GM]Hz")
INTERFACES = re.compile(
    r"\*|lo|dummy[0-9]{1,2}|ifb[0-9]{1,2}|docker0|docker_gwbridge|br-mailcow|br[0-9]{1,3}|virbr[0-9]{1,2}|sit[0-9]{1,2}"
    r"|cni[0-9]{1,2}|(?:cni-)?podman[0-9]{1,2}|(?:nerdctl|incusbr)[0-9]{1,2}|flannel(?:\.[0-9]{1,4}|-v6\.[0-9]{1,4})"
    r"|(?:eth|en|wl|wlan|bond|team|tun|tap|wg|ppp|veth|cni|cali|lxc|br-?|virbr|vmbr)\*"
    r"|cilium_(?:host|net|vxlan|geneve)|kube-bridge|kube-ipvs0"
    r"|(?:eth|wlan|bond|team|tun|tap|wg|ppp|venet|vmbr|lxcbr|lxdbr|ib)[0-9]{1,3}(?:\.[0-9]{1,4})?"
    r"|(?:en|wl|ww)(?:o[0-9]{1,3}|s[0-9]{1,3}|p[0-9]{1,3}s[0-9]{1,3})(?:f[0-9]{1,3})?(?:np?[0-9]{1,3}|d[0-9]{1,3})?"
)


@cache
def listed(name: str) -> frozenset[str]:
    """Return one of the lists of everybodys.toml."""
    return frozenset(_lists()[name].split())


@cache
def deciding() -> frozenset[str]:
    """Return the names of programs and units by which checks decide how one is told to end it: those stay, whole."""
    ways = {name for names in known_programs.NAMES.values() for name in names.split()}
    units = {name for entry in supervised.SUPERVISORS for name in entry.units}
    return known_programs.SENDERS | known_programs.READERS | ways | units


@cache
def words() -> frozenset[str]:
    """Return the words, in lower case, that say nothing of whose host it is."""
    return listed("words") | listed("terms") | {name.lower() for name in errno.errorcode.values()}


def is_public_text(text: str) -> bool:
    """Say whether text is made of words that may be shown; of long numbers nobody knows what they are."""
    if not text.isascii() or not text.isprintable() or len(text) > LONGEST:
        return False
    if text.count(":") > 2 or FOUR.search(text):
        return False
    if text.lower() in words() or text in directives.ENGINE_KEYS:
        return True
    return all(_everybodys(part) for part in _TOKEN.findall(text))


def is_product(text: str) -> bool:
    """Say whether text is what a product calls itself, as a whole: nothing that somebody wrote is put together so."""
    return len(text) <= LONGEST and _products().fullmatch(text) is not None


@cache
def _products() -> re.Pattern[str]:
    lists = _lists()
    parts = {"number": r"(?:v?[0-9]{1,4}(?:\.[0-9]{1,3}){0,2}|(?:(?:trixie|forky|duke)/)?sid|rolling)"}
    parts |= {name: f"(?:{lists[f'{name}s']})" for name in ("code", "model")} | {"family": f"(?:{lists['families']})"}
    forms = [
        re.sub(r"\b(number|code|family|model)\b", lambda match: parts[match[0]], form)
        for form in lists["products"].strip().split("\n")
    ]
    return re.compile("|".join(forms))


def _everybodys(word: str) -> bool:
    number = word.isdecimal() and len(word) <= 7
    return len(word) == 1 or number or word.lower() in words() or _RATE.fullmatch(word) is not None


def is_public_name(name: str) -> bool:
    """Say whether a name is made of parts that everybody knows, and short numbers."""
    if name in deciding():
        return True
    parts = _TOKEN.findall(name)
    usual = all(part in listed("programs") or (part.isdecimal() and len(part) < 3) for part in parts)
    return name.isascii() and len(name) <= 80 and usual and any(not part.isdecimal() for part in parts)


@cache
def _lists() -> dict[str, str]:
    with open(os.path.join(os.path.dirname(__file__), "everybodys.toml"), "rb") as file:
        return tomllib.load(file)
