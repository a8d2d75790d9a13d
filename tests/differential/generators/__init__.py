"""Random rule sets, a module for each sort."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.differential.cases import Case
from tests.differential.generators import firewalld, iptables, mixed, nft, traps, ufw

FAMILIES: dict[str, Callable[[Random, int], Case]] = {
    "user": iptables.user,
    "iptables-nft": iptables.native,
    "iptables-legacy": iptables.legacy,
    "nft": nft.random,
    "mixed": mixed.random,
    "traps": traps.random,
    "ufw": ufw.random,
    "firewalld": firewalld.random,
}
# Undecided verdicts that are let through, of 1: these have no rates, others may. One of the traps is never decided, the
# rules of bridges, which some 4 in 100 of their cases have.
UNDECIDED = {"user": 0.01, "ufw": 0.01, "firewalld": 0.01, "traps": 0.08}


def make(family: str, seed: int) -> Case:
    """Return a family's case of that number, always the same."""
    return FAMILIES[family](Random(f"{family} {seed}"), seed)
