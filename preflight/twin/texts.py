"""The text of one rule of the host, as its own nft or iptables prints it: only for the rule that is named."""

from __future__ import annotations

import re
import shutil
import time

from msgspec import Struct

from preflight.facts.twin import Culprit
from preflight.gather.access.command import run

SECONDS = 3.0  # of one program: nft takes longer for thousands of rules with a set each
LISTING_BYTES = 4 << 20
LONGEST = 1000  # characters of a rule that are kept
TABLES = ("filter", "nat", "mangle", "raw", "security")  # those that iptables knows
FOLDERS = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin:/run/current-system/sw/bin"
_HANDLE = re.compile(r"\s+# handle (\d+)$")
# What is quoted anybody may have written, and is passed over.
_QUOTED = r'"(?:\\.|[^"\\])*"'
_COUNTER = re.compile(_QUOTED + r"|\b(counter) packets (\d+) bytes \d+")
_OPENS = re.compile(r"\s*(?:table|chain) .*\{ # handle \d+$")
_COUNTED = re.compile(_QUOTED + r"|() -c (\d+) \d+(?= -[jg] |$)")
_IPTABLES = {"ip": "iptables", "ip6": "ip6tables"}


class Text(Struct, frozen=True):
    """A rule: its text ('' = it could not be had), and the packets that it has met (None: it does not count)."""

    rule: str = ""
    counter: int | None = None


def rule(culprit: Culprit, root: str, until: float) -> Text:
    """Return the text of a rule of the namespace that is entered, by the programs below `root`.

    `until`: on the monotonic clock, when no program runs any more.
    """
    if culprit.kind != "rule" or culprit.predicted:
        return Text()
    if culprit.backend == "ip_tables":
        return _legacy(culprit, root, until)
    listing = _run(root, until, "nft", "-a", "list", "chain", culprit.family, culprit.table, culprit.chain)
    found, number = native(listing, culprit.handle)
    if number and culprit.family in _IPTABLES and culprit.table in TABLES:
        program = _IPTABLES[culprit.family]
        # nft cannot say all of a rule that iptables made; iptables refuses a table that holds others.
        for name in (f"{program}-nft", program):
            told = saved(_run(root, until, name, "-t", culprit.table, "-S", culprit.chain, "-v"), culprit.chain, number)
            if told.rule:
                return told
    return found


def native(listing: str, handle: int | None) -> tuple[Text, int]:
    """Find a rule by its handle in what `nft -a list chain` prints; also its place among the chain's rules, from 1."""
    number = 0
    for line in listing.splitlines():
        match = _HANDLE.search(line)
        if match is None or _OPENS.match(line):
            continue
        number += 1
        if int(match[1]) == handle:
            words = line[: match.start()].strip()
            return _told(words, _COUNTER), number
    return Text(), 0


def saved(listing: str, chain: str, number: int) -> Text:
    """Find a rule by its number in what `iptables -S CHAIN` prints."""
    rules = [line for line in listing.splitlines() if line.startswith(f"-A {chain} ")]
    if not 0 < number <= len(rules):
        return Text()
    return _told(rules[number - 1], _COUNTED)


def _told(words: str, counter: re.Pattern[str]) -> Text:
    """Take the count out of a rule's text: it is another one each time."""
    counts = [match for match in counter.finditer(words) if match[2] is not None]
    for match in reversed(counts):
        words = words[: match.start()] + match[1] + words[match.end() :]
    return Text(words[:LONGEST], int(counts[0][2]) if counts else None)


def _legacy(culprit: Culprit, root: str, until: float) -> Text:
    if culprit.number is None:
        return Text()
    program = _IPTABLES.get(culprit.family, "iptables")
    for name in (f"{program}-legacy", program):
        listing = _run(root, until, name, "-t", culprit.table, "-S", culprit.chain, "-v")
        if (found := saved(listing, culprit.chain, culprit.number)).rule:
            return found
    return Text()


def _run(root: str, until: float, name: str, *words: str) -> str:
    for folder in FOLDERS.split(":"):
        path = f"{folder}/{name}"
        if shutil.which(f"{root.rstrip('/')}{path}"):
            seconds = min(SECONDS, until - time.monotonic())
            if seconds <= 0:
                return ""
            ran = run((path, *words), seconds, root, LISTING_BYTES)
            return ran.out if ran.code == 0 else ""
    return ""
