"""A case: a host's rules, written as lines that its own programs read, so that one can be taken out at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pprint import pformat

from msgspec import Struct
from msgspec.structs import replace

from preflight.twin.request import Port, Request

PROGRAMS = ("nft", "iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy", "ip", "sysctl")
SUBNET4, SUBNET6 = "172.22.1.0/24", "fd4d:6169:6c63:6f77::/64"
HOST = {4: "198.51.100.5", 6: "2a01:4f8:1::5"}
SERVICES = {
    "postfix-mailcow": ("172.22.1.253", "fd4d:6169:6c63:6f77::253"),
    "dovecot-mailcow": ("172.22.1.250", "fd4d:6169:6c63:6f77::250"),
    "nginx-mailcow": ("172.22.1.101", "fd4d:6169:6c63:6f77::101"),
}
PUBLISHED = {
    25: "postfix-mailcow", 465: "postfix-mailcow", 587: "postfix-mailcow",
    110: "dovecot-mailcow", 143: "dovecot-mailcow", 993: "dovecot-mailcow", 995: "dovecot-mailcow",
    4190: "dovecot-mailcow", 80: "nginx-mailcow", 443: "nginx-mailcow",
}  # fmt: skip
# What no single packet decides: the twin may say `depends` where a rule has one of these.
_RATES = re.compile(
    r"(?<!-)\b(limit|hashlimit|statistic|recent|time|quota|connlimit|numgen|jhash|symhash|meter|ct count|NFQUEUE|queue"
    r"|hour|day|cpu|HMARK|dynset|osf|nfacct|SYNPROXY|synproxy|random|last)\b|(add|update) @"
)


class Step(Struct, frozen=True):
    """What one program is given. A line of iptables begins with its table: `filter -A INPUT …`."""

    program: str
    lines: tuple[str, ...]


class Case(Struct, frozen=True, kw_only=True):
    """A host: its engine, and what is put there before the engine starts, and after (mailcow is up by then or not).

    legacy: the engine's iptables is that of ip_tables. six: mailcow has IPv6. bridge: br-mailcow is a real bridge, of
    which the kernel writes into its log, else a cable.
    """

    family: str
    seed: int
    engine: str = "26.1.5"
    legacy: bool = False
    six: bool = True
    ip6tables: bool = True
    proxy: bool = True
    present: bool = True
    bound: bool = False  # to the host's own addresses
    bridge: bool = False
    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()
    beside: tuple[Step, ...] = ()  # what others do when mailcow comes up: firewalld

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return all steps."""
        return self.before + self.after

    @property
    def rates(self) -> bool:
        """Say whether rules have rates, chance, time, or a program."""
        lines = [line for step in self.steps for line in step.lines if "-j LOG" not in line]
        return any(_RATES.search(line) for line in lines)

    def request(self, **changed: object) -> Request:
        """Return what the twin is asked."""
        ports = tuple(
            Port(address, number, service, number, SERVICES[service][0], SERVICES[service][1] if self.six else "")
            for number, service in PUBLISHED.items()
            for address in (HOST.values() if self.bound else ("",))
        )
        return Request(
            ports=ports, bridge="br-mailcow", subnet4=SUBNET4, subnet6=SUBNET6 if self.six else "", engine=self.engine,
            present=self.present, ip6tables=self.six and self.ip6tables, userland_proxy=self.proxy, seconds=20.0,
        )  # fmt: skip

    def smaller(self) -> Iterator[Case]:
        """Yield cases with lines left out: large parts first."""
        places = [(index, line) for index, step in enumerate(self.steps) for line in range(len(step.lines))]
        size = max(1, len(places) // 2)
        while places:
            for start in range(0, len(places), size):
                yield self.without(set(places[start : start + size]))
            if size == 1:
                return
            size //= 2

    def without(self, places: set[tuple[int, int]]) -> Case:
        """Return the case without some lines, given as the number of their step and their own."""
        kept = [
            replace(step, lines=tuple(line for number, line in enumerate(step.lines) if (index, number) not in places))
            for index, step in enumerate(self.steps)
        ]
        border = len(self.before)
        return replace(self, before=tuple(kept[:border]), after=tuple(kept[border:]))

    def text(self) -> str:
        """Write it as Python, to be pasted."""
        empty = replace(
            self, before=tuple(step for step in self.before if step.lines),
            after=tuple(step for step in self.after if step.lines),
        )  # fmt: skip
        return pformat(empty, width=118)
