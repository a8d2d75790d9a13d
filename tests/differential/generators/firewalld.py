"""Hosts with firewalld: its table of nf_tables with zones and policies, as firewalld 1 and 2 write it, with the zone docker."""

from __future__ import annotations

from random import Random

from tests.differential.cases import SERVICES, Case, Step
from tests.differential.generators.common import LINK, NETWORKS, PORTS, case, some

T = "inet firewalld"
PARTS = ("pre", "log", "deny", "allow", "post")
HEADS = {
    "IN": ("filter_INPUT", "input"), "FWD": ("filter_FORWARD", "forward"), "OUT": ("filter_OUTPUT", "output"),
    "PRE": ("nat_PREROUTING", "prerouting"), "POST": ("nat_POSTROUTING", "postrouting"),
}  # fmt: skip
REJECT = "reject with icmpx type admin-prohibited"


class Wall:
    """firewalld's table that is being made. `zones`: the default zone, and the interface of each further one."""

    def __init__(self, draw: Random, ways: tuple[str, ...]) -> None:
        self.draw = draw
        self.ways = ways  # interfaces of the zone docker
        self.lines = [f"add table {T}"]
        self.later: list[str] = []  # what firewalld adds for mailcow's bridge
        self.zone = draw.choice(("public", "public", "FedoraServer", "external", "drop", "trusted"))

    def make(self) -> list[str]:
        """Return all lines."""
        draw = self.draw
        for name, (chain, hook) in HEADS.items():
            kind = "nat" if name in ("PRE", "POST") else "filter"
            priority = {"PRE": "-90", "POST": "110"}.get(name, "10")
            self.lines.append(
                f"add chain {T} {chain} {{ type {kind} hook {hook} priority {priority} ; policy accept ; }}"
            )
            self.lines += [f"add chain {T} {chain}_{part}" for part in ("POLICIES_pre", "ZONES", "POLICIES_post")]
        self._ipv6()
        self._heads()
        for zone in dict.fromkeys((self.zone, "docker", "internal")):
            self._zone(zone)
        self._places()
        self._policies()
        if draw.random() < 0.5:
            self._ports()
        return self.lines

    def _add(self, chain: str, *rules: str) -> None:
        self.lines += [f"add rule {T} {chain} {rule}" for rule in rules]

    def _ipv6(self) -> None:
        self.lines.append(
            f"add chain {T} filter_PREROUTING {{ type filter hook prerouting priority 10 ; policy accept ; }}"
        )
        if self.draw.random() < 0.8:
            self._add(
                "filter_PREROUTING",
                "icmpv6 type { nd-router-advert, nd-neighbor-solicit } counter accept",
                "meta nfproto ipv6 fib saddr . mark . iif oif missing counter drop",
            )

    def _heads(self) -> None:
        draw = self.draw
        dnat = draw.random() < 0.8  # StrictForwardPorts=yes leaves it out
        for name in ("IN", "FWD"):
            chain = HEADS[name][0]
            self._add(chain, "ct state { established, related } counter accept")
            if dnat or name == "IN":
                self._add(chain, "ct status dnat counter accept")
            self._add(chain, 'iifname "lo" counter accept', "ct state invalid counter drop")
            if name == "FWD":
                self._add(
                    chain,
                    "ip6 daddr { ::/96, ::ffff:0.0.0.0/96, 2002:0000::/24, 2002:0a00::/24 } counter reject with icmpv6 type addr-unreachable",
                )
            self._add(
                chain,
                *(f"jump {chain}_{part}" for part in ("POLICIES_pre", "ZONES", "POLICIES_post")),
                f"counter {REJECT}",
            )
        self._add(
            "filter_OUTPUT",
            "ct state { established, related } counter accept",
            'oifname "lo" counter accept',
            "jump filter_OUTPUT_POLICIES_pre",
            "jump filter_OUTPUT_POLICIES_post",
        )
        for chain in ("nat_PREROUTING", "nat_POSTROUTING"):
            self._add(chain, *(f"jump {chain}_{part}" for part in ("POLICIES_pre", "ZONES", "POLICIES_post")))

    def _set(self, prefix: str, name: str) -> None:
        self.lines += [f"add chain {T} {prefix}_{name}_{part}" for part in PARTS]
        self.lines.append(f"add chain {T} {prefix}_{name}")
        self._add(f"{prefix}_{name}", *(f"jump {prefix}_{name}_{part}" for part in PARTS))

    def _zone(self, zone: str) -> None:
        draw = self.draw
        for prefix in ("filter_IN", "filter_FWD", "nat_PRE", "nat_POST"):
            self._set(prefix, zone)
        for prefix in ("filter_IN", "filter_FWD"):
            if zone in ("docker", "trusted"):
                self._add(f"{prefix}_{zone}", "counter accept")
            elif zone == "drop":
                self._add(f"{prefix}_{zone}", "counter drop")
            else:
                self._add(
                    f"{prefix}_{zone}",
                    *(["meta l4proto { icmp, ipv6-icmp } counter accept"] if prefix == "filter_IN" else []),
                    f"counter {REJECT}",
                )
        self._add(
            f"filter_IN_{zone}_allow",
            "tcp dport 22 ct state { new, untracked } counter accept",
            "ip6 daddr fe80::/64 udp dport 546 ct state { new, untracked } counter accept",
        )
        for port in some(draw, 4) if draw.random() < 0.5 else ():
            self._add(f"filter_IN_{zone}_allow", f"tcp dport {port} counter accept")
        for _ in range(draw.choice((0, 0, 1, 2))):
            self._rich(zone)
        if zone == "external":
            self._add("nat_POST_external_allow", 'meta nfproto ipv4 oifname != "lo" counter masquerade')
        self._within("docker" if zone == "docker" else "", zone)

    def _within(self, docker: str, zone: str) -> None:
        """Forwarding inside of a zone."""
        if docker:
            for way in self.ways:
                self._add("filter_FWD_docker_allow", f'oifname "{way}" counter accept')
            self.later.append('add rule inet firewalld filter_FWD_docker_allow oifname "br-mailcow" counter accept')
        elif zone == self.zone and self.draw.random() < 0.5:
            self._add(f"filter_FWD_{zone}_allow", 'oifname "eth0" counter accept')

    def _rich(self, zone: str) -> None:
        draw = self.draw
        version = draw.choice((4, 6))
        word = "ip" if version == 4 else "ip6"
        where = draw.choice(
            (
                f"{word} saddr {draw.choice(NETWORKS[version])}",
                f"{word} saddr {LINK[version]}",
                f"{word} saddr != {draw.choice(NETWORKS[version])}",
                f"meta nfproto ipv{version}",
                f"tcp dport {draw.choice(PORTS)}",
            )
        )
        part, end = draw.choice(
            (
                ("deny", "drop"),
                ("deny", "reject"),
                ("allow", "accept"),
                ("pre", "drop"),
                ("post", "accept"),
                ("log", 'log prefix "x"'),
            )
        )
        prefix = draw.choice(("filter_IN", "filter_FWD", "filter_FWD"))
        self._add(f"{prefix}_{zone}_{part}", f"{where} counter {end}")

    def _places(self) -> None:
        """Which interface belongs to which zone: those that are named, then the default zone."""
        draw = self.draw
        internal = draw.random() < 0.2
        for prefix, word in (
            ("filter_IN", "iifname"),
            ("filter_FWD", "iifname"),
            ("nat_PRE", "iifname"),
            ("nat_POST", "oifname"),
        ):
            chain = f"{HEADS[prefix.split('_')[1]][0]}_ZONES"
            if internal:
                self._add(chain, f"ip {'s' if word == 'iifname' else 'd'}addr 192.168.0.0/16 goto {prefix}_internal")
            self._add(chain, *(f'{word} "{way}" goto {prefix}_docker' for way in self.ways))
            self.later.append(f'insert rule {T} {chain} {word} "br-mailcow" goto {prefix}_docker')
            self._add(chain, f'{word} "eth0" goto {prefix}_{self.zone}', f"goto {prefix}_{self.zone}")

    def _policies(self) -> None:
        draw = self.draw
        self._set("filter_IN", "policy_allow-host-ipv6")
        self._add(
            "filter_IN_policy_allow-host-ipv6_allow",
            *(
                f"icmpv6 type {kind} counter accept"
                for kind in ("nd-neighbor-advert", "nd-neighbor-solicit", "nd-router-advert", "nd-redirect")
            ),
        )
        self._add("filter_INPUT_POLICIES_pre", "jump filter_IN_policy_allow-host-ipv6")
        # The user's own comes first, as at boot: Docker brings its policy once firewalld runs.
        if draw.random() < 0.35:
            self._set("filter_FWD", "policy_wan")
            self._add(
                f"filter_FWD_policy_wan_{draw.choice(('deny', 'allow'))}",
                f"tcp dport {{ {', '.join(map(str, some(draw, 5)))} }} counter {draw.choice(('drop', 'reject', 'accept'))}",
            )
            out = draw.choice(("", 'oifname != "lo" '))
            self._add(
                f"filter_FORWARD_POLICIES_{draw.choice(('pre', 'post'))}",
                f'iifname "eth0" {out}jump filter_FWD_policy_wan',
            )
        if draw.random() < 0.7:
            self._set("filter_FWD", "policy_docker-forwarding")
            self._add("filter_FWD_policy_docker-forwarding", "counter accept")
            for way in self.ways:
                self._add("filter_FORWARD_POLICIES_pre", f'oifname "{way}" jump filter_FWD_policy_docker-forwarding')
            self.later.append(
                f'add rule {T} filter_FORWARD_POLICIES_pre oifname "br-mailcow" jump filter_FWD_policy_docker-forwarding'
            )
        if draw.random() < 0.3:  # a policy of the user from anywhere to the host
            self._set("filter_IN", "policy_own")
            self._add(
                "filter_IN_policy_own_deny", f"tcp dport {draw.choice(PORTS)} counter {draw.choice(('drop', 'reject'))}"
            )
            self._add("filter_INPUT_POLICIES_pre", "jump filter_IN_policy_own")

    def _ports(self) -> None:
        """A forwarded port: by firewalld, beside the engine's."""
        draw = self.draw
        port, service = draw.choice(PORTS), draw.choice(list(SERVICES))
        self._add(
            f"nat_PRE_{self.zone}_allow",
            f"meta nfproto ipv4 tcp dport {port} counter {draw.choice((f'redirect to :{draw.choice(PORTS)}', f'dnat ip to {SERVICES[service][0]}:{port}'))}",
        )


def random(draw: Random, seed: int) -> Case:
    """Return a host with firewalld, started before the engine, or reloaded after it."""
    made = case(draw, "firewalld", seed, legacy=draw.random() < 0.1)
    late = draw.random() < 0.3
    ways = ("docker0", "br-mailcow") if made.present else ("docker0",)
    wall = Wall(draw, ways)
    step = Step("nft", tuple(wall.make()))
    from msgspec.structs import replace

    return replace(
        made, before=() if late else (step,), after=(step,) if late else (),
        beside=() if made.present else (Step("nft", tuple(wall.later)),),
    )  # fmt: skip
