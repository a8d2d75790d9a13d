"""What the engine finds in ip_tables before it adds a network, and what it changes there, as iptables-restore reads it.

Rules are written as iptables-save prints them, so that one can be looked up by its text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

TABLES = ("raw", "nat", "filter")


class Underivable(Exception):
    """What the engine would add cannot be told: why, in a few words. Nothing is known of whether it would succeed."""


class State(Struct, frozen=True, kw_only=True):
    """Chains as (table, chain), rules as (table, chain, rule), and whether packets of this version are forwarded.

    `native`: in nf_tables. A table of ip_tables that is not there cannot be asked for: its module would be loaded.
    """

    chains: frozenset[tuple[str, str]]
    rules: tuple[tuple[str, str, str], ...] = ()
    forwarding: bool = True
    native: bool = True

    def usable(self, table: str) -> bool:
        """Say whether a table is there, or can be made without a trace."""
        return self.native or any(known == table for known, _ in self.chains)


class Change(Struct, frozen=True):
    """A command of iptables: append, insert (at `position`, from 1), delete a rule; make a chain; set its policy."""

    action: Literal["-A", "-I", "-D", "-N", "-P"]
    table: str
    chain: str
    rule: str = ""
    position: int = 0

    def words(self) -> tuple[str, ...]:
        """Return the arguments of `iptables`."""
        position = (str(self.position),) if self.position else ()
        return ("-t", self.table, self.action, self.chain, *position, *self.rule.split())


class Changes:
    """What an engine does, in its order: it looks whether a rule is there, as libnetwork does before most commands."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.made: list[Change] = []
        self._rules = set(state.rules)

    def add(self, table: str, chain: str, rule: str) -> None:
        """Append a rule, where the chain does not have it."""
        self._put("-A", table, chain, rule)

    def insert(self, table: str, chain: str, rule: str) -> None:
        """Put a rule to the top of a chain, where it does not have it."""
        self._put("-I", table, chain, rule)

    def delete(self, table: str, chain: str, rule: str) -> None:
        """Delete a rule, where it is there."""
        if (table, chain, rule) in self._rules:
            self._rules.discard((table, chain, rule))
            self.made.append(Change("-D", table, chain, rule))

    def to_top(self, table: str, chain: str, rule: str) -> None:
        """Put a rule to the top of a chain, wherever it was."""
        self.delete(table, chain, rule)
        self.insert(table, chain, rule)

    def policy(self, table: str, chain: str, verdict: str) -> None:
        """Set a chain's policy."""
        self.made.append(Change("-P", table, chain, verdict))

    def make(self, table: str, chain: str) -> None:
        """Make a chain, where it is not there."""
        if (table, chain) not in self.state.chains:
            self.made.append(Change("-N", table, chain))

    def _put(self, action: Literal["-A", "-I"], table: str, chain: str, rule: str) -> None:
        if (table, chain, rule) not in self._rules:
            self._rules.add((table, chain, rule))
            self.made.append(Change(action, table, chain, rule))


def parse(saved: str, forwarding: bool, native: bool) -> State:
    """Read what iptables-save prints."""
    table = ""
    chains: set[tuple[str, str]] = set()
    rules: list[tuple[str, str, str]] = []
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(":"):
            chains.add((table, line[1:].split(" ", 1)[0]))
        elif line.startswith("-A "):
            chain, _, rule = line[3:].partition(" ")
            rules.append((table, chain, rule))
    return State(chains=frozenset(chains), rules=tuple(rules), forwarding=forwarding, native=native)


def text(changes: Iterable[Change]) -> str:
    """Write changes for `iptables-restore --noflush`. Of a chain they stay in their order."""
    changes = list(changes)
    parts = []
    for table in dict.fromkeys((*TABLES, *(change.table for change in changes))):
        own = [change for change in changes if change.table == table]
        if own:
            parts.append("\n".join([f"*{table}", *map(_line, own), "COMMIT", ""]))
    return "".join(parts)


def _line(change: Change) -> str:
    # Named so, a chain that is there already would be emptied: only missing ones are made.
    if change.action == "-N":
        return f":{change.chain} - [0:0]"
    if change.action == "-P":
        return f":{change.chain} {change.rule} [0:0]"
    return " ".join(change.words()[2:])
