"""Random rules of nf_tables: tables of all families, hooks, sets, maps, verdict maps, marks, routes, connections."""

from __future__ import annotations

from random import Random

from tests.differential.cases import HOST, Case, Step
from tests.differential.generators.common import LINK, NETWORKS, PORTS, case, container, mailcow, some, target

HOOKS = {
    "prerouting": (-300, -150, -100, 0, -450, -290), "input": (-10, 0, 100), "forward": (-10, 0, 10, 1),
    "output": (-150, 0, 10), "postrouting": (-10, 50, 100, 150),
}  # fmt: skip
RATES = (
    "limit rate 5/minute burst 1 packets", "limit rate over 100/second", "numgen random mod 2 0", "quota over 100 bytes",
    'meta hour "02:00"-"03:00"', "ct count over 3", "limit rate 10/second",
)  # fmt: skip
OUT, IN = ("postrouting", "output", "forward"), ("prerouting", "input", "forward")


class Table:
    """A table that is being made: its lines, in order, and the names that rules may use."""

    def __init__(self, draw: Random, family: str, name: str, rates: float) -> None:
        self.draw, self.family, self.rates = draw, family, rates
        self.name = f"{family} {name}"
        self.versions = {"ip": (4,), "ip6": (6,)}.get(family, (4, 6))
        self.lines = [f"add table {self.name}"]
        self.sets: list[tuple[str, str]] = []  # what is looked up, and the set's name
        self.maps: list[tuple[str, str]] = []
        self.chains: list[str] = []

    def fill(self) -> list[str]:
        """Make sets, chains and rules; return all lines."""
        self._sets()
        for number in range(self.draw.choice((0, 1, 1, 2))):
            self._chain(f"own{number}", "forward", self.draw.randint(0, 3))
            self.chains.append(f"own{number}")
        for _ in range(self.draw.choice((0, 0, 1))):
            self._map()
        for number in range(self.draw.choice((1, 1, 2, 3))):
            self._base(f"base{number}")
        if self.draw.random() < 0.2 and self.family in ("ip", "ip6", "inet"):
            self._nat()
        return self.lines

    def _sets(self) -> None:
        for number in range(self.draw.choice((0, 1, 2))):
            version = self.draw.choice(self.versions)
            name, word = ("ipv4_addr", "ip") if version == 4 else ("ipv6_addr", "ip6")
            networks = ", ".join(self.draw.sample(NETWORKS[version], self.draw.randint(0, 3)))
            ports = ", ".join(map(str, some(self.draw, 5)))
            kind, elements, looked = self.draw.choice((
                ("type inet_service;", ports, "tcp dport"), ("type inet_service; flags interval;", "0-24, 100-200, 4000-5000", "tcp dport"),
                (f"type {name}; flags interval;", networks, f"{word} saddr"),
                (f"type {name}; flags interval; auto-merge;", networks, f"{word} saddr"),
                ("type ifname;", '"eth0", "lo"', "iifname"), ("type mark;", "0x1, 0x2", "meta mark"),
                (f"type {name} . inet_service;", f"{HOST[version]} . 25, {container(self.draw, version)} . 443", f"{word} daddr . tcp dport"),
                (f"type {name} . inet_service; flags interval;", f"{LINK[version]} . 25-500, {mailcow(version)} . 1-142", f"{word} daddr . tcp dport"),
                ("type inet_proto . inet_service;", "tcp . 25, tcp . 443, udp . 53", "meta l4proto . th dport"),
                (f"type {name}; flags timeout; timeout 1h;", HOST[version], f"{word} daddr"),
                ("type ether_addr;", "52:54:00:11:22:33", "ether saddr"),
                ("typeof ct original proto-dst;", ports, "ct original proto-dst"),
            ))  # fmt: skip
            self.lines.append(f"add set {self.name} s{number} {{ {kind} }}")
            if elements:
                self.lines.append(f"add element {self.name} s{number} {{ {elements} }}")
            self.sets.append((looked, f"s{number}"))

    def _map(self) -> None:
        verdicts = [
            self.draw.choice(("accept", "drop", *(f"jump {chain}" for chain in self.chains), "return"))
            for _ in range(3)
        ]
        ports = some(self.draw, 3)
        self.lines.append(f"add map {self.name} m0 {{ type inet_service : verdict; }}")
        pairs = ", ".join(f"{port} : {verdict}" for port, verdict in zip(ports, verdicts, strict=False))
        self.lines.append(f"add element {self.name} m0 {{ {pairs} }}")
        self.maps.append(("tcp dport", "m0"))

    def _base(self, name: str) -> None:
        draw = self.draw
        if self.family == "netdev":
            self.lines.append(
                f'add chain {self.name} {name} {{ type filter hook ingress device "eth0" priority {draw.choice((0, 10, -500))} ; policy accept ; }}'
            )
            hook = "ingress"
        else:
            hook = draw.choice(list(HOOKS))
            kind = "route" if hook == "output" and draw.random() < 0.2 else "filter"
            policy = "drop" if draw.random() < 0.08 else "accept"
            self.lines.append(
                f"add chain {self.name} {name} {{ type {kind} hook {hook} priority {draw.choice(HOOKS[hook])} ; policy {policy} ; }}"
            )
        self._rules(name, hook, draw.choice((1, 2, 4, 7)))

    def _nat(self) -> None:
        draw = self.draw
        version = draw.choice(self.versions)
        word, of = ("ip", "ip") if version == 4 else ("ip6", "ip6")
        to = container(draw, version)
        if self.family == "inet":
            word = f"{of}"
        dnat = f"dnat {word} to {to}" if self.family == "inet" else f"dnat to {to}"
        masquerade = draw.choice(("masquerade", "masquerade", "counter accept"))
        if draw.random() < 0.5:
            self.lines.append(
                f"add chain {self.name} dst {{ type nat hook prerouting priority {draw.choice((-100, -110, -90))} ; }}"
            )
            self.lines.append(
                f"add rule {self.name} dst {self._where('prerouting')} tcp dport {draw.choice(PORTS)} counter {draw.choice((dnat, 'redirect to :8025', 'accept'))}"
            )
        else:
            self.lines.append(
                f"add chain {self.name} src {{ type nat hook postrouting priority {draw.choice((100, 90, 110))} ; }}"
            )
            self.lines.append(f"add rule {self.name} src {self._where('postrouting')} counter {masquerade}")

    def _chain(self, name: str, hook: str, most: int) -> None:
        self.lines.append(f"add chain {self.name} {name}")
        self._rules(name, hook, most)

    def _rules(self, name: str, hook: str, most: int) -> None:
        for _ in range(most):
            self.lines.append(
                f"{self.draw.choice(('add', 'add', 'insert'))} rule {self.name} {name} {self._rule(hook, name)}"
            )

    def _where(self, hook: str) -> str:
        draw = self.draw
        found = []
        if hook in IN and draw.random() < 0.4:
            found.append(
                draw.choice(
                    (
                        'iifname "eth0"',
                        "iif eth0",
                        'iifname != "br-mailcow"',
                        'iifname { "eth0", "wg0" }',
                        'iifname "e*"',
                        'iifname "br-mailcow"',
                        "iif lo",
                        'iifname vmap { "lo" : accept, "tun0" : drop }',
                        "meta iiftype ether",
                    )
                )
            )
        if hook in OUT and draw.random() < 0.3:
            found.append(
                draw.choice(
                    ('oifname "eth0"', 'oifname "br-mailcow"', 'oifname != "eth0"', "oif eth0", 'oifname "br*"')
                )
            )
        return " ".join(found)

    def _rule(self, hook: str, chain: str) -> str:
        draw = self.draw
        parts = [self._where(hook if not chain.startswith("own") else "")]
        parts += [self._match(hook) for _ in range(draw.choice((0, 1, 1, 2, 3)))]
        if self.maps and not chain.startswith("own") and draw.random() < 0.3:
            looked, name = draw.choice(self.maps)
            parts += ["counter", f"{looked} vmap @{name}"]
        else:
            if draw.random() < self.rates:
                parts.append(draw.choice(RATES))
            parts += ["counter", self._ending(hook, chain)]
        return " ".join(part for part in parts if part)

    def _match(self, hook: str) -> str:
        draw = self.draw
        version = draw.choice(self.versions)
        word = "ip" if version == 4 else "ip6"
        ports = some(draw, 5)
        listed = ", ".join(map(str, ports))
        one = draw.choice(NETWORKS[version])
        near = draw.choice((LINK[version], mailcow(version), HOST[version]))
        found = [
            f"tcp dport {ports[0]}", f"tcp dport {{ {listed} }}", f"tcp dport != {{ {listed} }}", f"tcp dport {ports[0]}-{ports[0] + 300}",
            f"tcp sport {ports[0]}", "tcp flags syn", "tcp flags & (fin|syn|rst|ack) == syn", "tcp flags & (fin|syn|rst|ack) != syn",
            f"{word} saddr {one}", f"{word} saddr != {one}", f"{word} saddr {near}", f"{word} daddr {target(draw, version)}",
            f"{word} daddr != {target(draw, version)}", f"{word} saddr {{ {one}, {near} }}", "meta l4proto tcp", "meta l4proto { tcp, udp }",
            "meta l4proto != tcp", "udp dport 53", f"meta nfproto ipv{version}", f"th dport {ports[0]}", "meta pkttype host",
            f"{word} saddr . tcp dport {{ {HOST[version]} . 25, {near.split('/')[0]} . {ports[0]} }}",
            "meta protocol ip" if version == 4 else "meta protocol ip6", "meta length < 200", f"tcp dport {ports[0]} tcp flags syn",
            f"meta mark {draw.randint(1, 3)}", "meta mark != 0", "meta mark & 0xff == 0x1", "ether saddr 52:54:00:11:22:33",
            "ip ttl > 10" if version == 4 else "ip6 hoplimit > 10", "tcp option maxseg size 1-1500",
            "ip dscp cs0" if version == 4 else "ip6 dscp cs0", "@th,16,16 25", "meta iifgroup 0", "socket transparent 0",
        ]  # fmt: skip
        if self.family in ("ip", "ip6", "inet"):
            states = draw.choice(("new", "established,related", "invalid", "{ new, established }", "untracked"))
            found += [
                f"ct state {states}", f"ct state {states}", "ct status dnat", "ct status & dnat == dnat", "ct direction original", f"ct original proto-dst {ports[0]}",
                f"ct original {word} daddr {HOST[version]}", f"ct mark {draw.randint(0, 2)}", "ct direction reply", "fib daddr type local", "fib daddr type != local",
                f"ct original proto-dst {{ {listed} }}", "fib saddr type unicast", "ct state vmap { established : accept, related : accept, invalid : drop }", "ct l3proto ipv4", "ct helper \"ftp\"", "ct zone 0",
            ]  # fmt: skip
            found += (
                ["fib saddr . iif oif missing", "fib saddr . iif oif != 0", "fib daddr . iif type local"]
                if hook in ("prerouting", "input", "forward")
                else []
            )
            found += [f"rt nexthop != {one.split('/')[0]}"] if hook == "output" and self.family != "inet" else []
        if self.sets and draw.random() < 0.4:
            looked, name = draw.choice(self.sets)
            return f"{looked} {draw.choice(('', '!= '))}@{name}"
        return draw.choice(found)

    def _ending(self, hook: str, chain: str) -> str:
        draw = self.draw
        version = draw.choice(self.versions)
        word = "ip" if version == 4 else "ip6"
        number = draw.randint(1, 3)
        found = [
            "accept",
            "accept",
            "drop",
            "drop",
            "return",
            f"meta mark set {number}",
            'log prefix "x"',
            "continue",
            "",
        ]
        found += [f"{word} dscp set cs1"]
        if self.family in ("ip", "ip6", "inet"):
            found += [f"ct mark set {number}", "meta mark set ct mark", "ct mark set mark"]
            if hook in ("input", "forward", "output"):
                found += ["reject", "reject with tcp reset" if draw.random() < 0.5 else "reject"]
                found += ["reject with icmpx type admin-prohibited"] if self.family == "inet" else []
            found += ["notrack"] if hook in ("prerouting", "output") and draw.random() < 0.3 else []
            found += [
                f"meta mark set tcp dport map {{ 25 : 1, 443 : 2, 993 : {number} }}",
                "tcp option maxseg size set rt mtu",
            ]
        if draw.random() < self.rates:
            found += ["queue num 7", "queue num 7 bypass"]
        if self.chains and not chain.startswith("own"):
            one = draw.choice(self.chains)
            found += [
                f"jump {one}",
                f"goto {one}",
                f"tcp dport vmap {{ 25 : jump {one}, 443 : drop, 80-90 : accept }}",
                f"jump {one}",
            ]
            found += [f"meta nfproto vmap {{ ipv4 : jump {one}, ipv6 : goto {one} }}"] if self.family == "inet" else []
        return draw.choice(found)


def tables(draw: Random, rates: float, prefix: str = "t") -> list[str]:
    """Return the lines of one to three tables."""
    found = []
    for number in range(draw.choice((1, 1, 2, 3))):
        family = draw.choice(("inet", "inet", "inet", "ip", "ip6", "netdev", "ip"))
        found += Table(draw, family, f"{prefix}{number}", rates).fill()
    return found


def random(draw: Random, seed: int) -> Case:
    """Return a host with random tables, before and after the engine's."""
    rates = draw.choice((0.0, 0.0, 0.0, 0.12))
    steps: dict[str, tuple[Step, ...]] = {"before": (), "after": ()}
    when = draw.choice((("before",), ("after",), ("before", "after")))
    for one in when:
        steps[one] = (Step("nft", tuple(tables(draw, rates, f"{one[0]}t"))),)
    return case(draw, "nft", seed, legacy=draw.random() < 0.25, before=steps["before"], after=steps["after"])
