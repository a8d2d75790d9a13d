"""Rule sets for nft, random but the same for the same seed: all families, with sets, maps, objects and flowtables."""

from __future__ import annotations

from random import Random

HOOKS = {
    "ip": ("prerouting", "input", "forward", "output", "postrouting"),
    "ip6": ("prerouting", "input", "forward", "output", "postrouting"),
    "inet": ("prerouting", "input", "forward", "output", "postrouting"),
    "bridge": ("prerouting", "input", "forward", "output", "postrouting"),
    "arp": ("input", "output"),
    "netdev": ("ingress",),
}
_IP4 = (
    "ip saddr {a4}", "ip daddr {n4}", "ip saddr != {n4}", "ip saddr {r4}", "ip saddr {{ {a4}, {n4}, {r4b} }}",
    "ip daddr @s4", "ip saddr @i4", "ip saddr . tcp dport @c4", "ip saddr . tcp dport @ci4", "ip ttl {byte}",
    "ip saddr {a4} ip daddr {a4}", "ip protocol {{ tcp, udp }}", "ip frag-off & 0x1fff != 0", "ip dscp cs1",
    "ip saddr & 0.0.0.255 == 0.0.0.{byte}", "ip length {low}-{high}",
)  # fmt: skip
_IP6 = (
    "ip6 saddr {a6}", "ip6 daddr {n6}", "ip6 saddr {{ {a6}, {n6} }}", "ip6 saddr @s6", "ip6 daddr @i6",
    "ip6 hoplimit {byte}", "exthdr hbh exists", "icmpv6 type {{ echo-request, nd-neighbor-solicit }}",
    "ip6 saddr {n6} ip6 daddr {n6}", "ip6 saddr != {n6}",
)  # fmt: skip
_ANY = (
    "tcp dport {port}", "tcp dport {low}-{high}", "tcp dport {{ {port}, {low}-{high} }}", "udp dport != {port}",
    "meta mark {port}", "meta mark & 0xff == {byte}", "meta length {low}-{high}", "tcp flags syn / fin,syn,rst,ack",
    "meta l4proto {{ tcp, udp, sctp }}", "tcp dport @p", "tcp option maxseg size 1-{high}", "@th,0,16 {port}",
    "tcp sport {low}-{high} tcp dport {port}", "meta pkttype unicast", "meta priority {port}",
)  # fmt: skip
_ARP = ("arp operation request", "arp htype 1", "meta mark {port}", "arp saddr ip {a4}")
_LATE = ("ct state established,related", "ct state vmap {{ established : accept, invalid : drop }}", "ct mark {port}",
         "ct direction original", "iifname \"lo\"", "iifname {{ \"lo\", \"br*\", eth0 }}", "oifname != \"x*\"",
         "iif lo", "ct status dnat", "meta skuid {port}", "ct original proto-dst {port}", "ct zone {byte}",
         "ct id {port}", "meta iifgroup {byte}", "rt classid {byte}")  # fmt: skip
_HANG = (
    "limit rate {byte}/second", "limit rate over 10 mbytes/second burst 5 mbytes", "quota over {port} bytes",
    "numgen random mod {mod} 0", "numgen inc mod {mod} < 1", "meta hour \"01:00\"-\"{hour}:00\"", "meta cpu {bit}",
    "meta day {{ \"Monday\", \"Sunday\" }}", "limit name l", "quota name q",
)  # fmt: skip
_ENDS = (
    "accept", "drop", "counter accept", "counter packets 5 bytes 6 drop", "jump one", "goto two", "return", "continue",
    "counter", "counter name c", "meta mark set {port}", "log prefix \"x{byte} \" drop", "log",
    "jump {{ tcp dport {port} accept; }}",
    "tcp dport vmap {{ {port} : accept, {low}-{high} : jump one }}", "tcp dport vmap @v",
    "meta mark set meta mark | 0x{byte}",
    "meta mark set tcp dport map @m", "add @dyn {{ tcp dport }}", "update @dynt {{ tcp dport timeout 1m }}",
    "add @dyn {{ tcp dport limit rate 3/second }}" , "meta priority set 1:{byte}",
    "tcp dport set {port}", "counter name tcp dport map {{ {port} : c }}", "queue num {byte} bypass",
    "accept comment \"it's {{ \\\\ }} {byte}\"",
)  # fmt: skip
_LATE_ENDS = ("ct mark set {port}", "ct mark set meta mark", "reject", "reject with tcp reset", "queue to 1-3",
              "tcp flags syn tcp option maxseg size set {high}", "tcp flags syn tcp option maxseg size set rt mtu",
              "reset tcp option sack-perm", "queue to numgen inc mod 4", "flow add @f", "ct helper set \"h\"",
              "tcp dport {port} dup to 10.9.8.7" , "fib daddr type {{ local, broadcast }} drop",
              "fib saddr . iif oif missing drop",
              "add @cl {{ ip saddr ct count over 5 }} drop", "notrack", "ct label set 3",
              "numgen random mod 2 vmap {{ 0 : drop, 1 : accept }}",
              "jhash ip saddr mod 4 vmap {{ 0 : drop, 1-3 : return }}",
              "synproxy mss 1460 wscale 7 timestamp sack-perm")  # fmt: skip
_NAT = {
    "prerouting": ("dnat {to} {a}", "dnat {to} {a}:{port}", "redirect to :{port}",
                   "dnat {to} numgen inc mod 2 map {{ 0 : {a}, 1 : {a} }}",
                   "dnat {to} tcp dport map {{ {port} : {a} }}"),
    "postrouting": ("masquerade", "masquerade random", "snat {to} {a}", "snat {to} {a}-{z} persistent"),
}  # fmt: skip


class Rules:
    """Writes one rule set."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.number = 0

    def text(self) -> str:
        """Return the rule set, a line each thing, so that one that nft does not know can be left out."""
        families = self.random.sample(tuple(HOOKS), self.random.randint(1, 4))
        return "\n".join(line for number, family in enumerate(families) for line in self._table(family, f"t{number}"))

    def _filled(self, template: str) -> str:
        random = self.random
        self.number += 1
        low = random.randint(1, 30000)
        first = random.randint(1, 220)
        return template.format(
            a4=f"{first}.{random.randint(0, 255)}.2.{random.randint(1, 200)}", n4=self._net4(),
            r4=f"{first}.0.0.9-{first}.3.0.77", r4b=f"223.{random.randint(0, 100)}.0.1-223.101.0.0",
            a6=f"2001:db8:{random.randint(0, 0xffff):x}::{random.randint(0, 0xffff):x}",
            n6=f"2001:db8:{random.randint(0, 0xfff):x}::/{random.choice((48, 52, 64))}", byte=random.randint(1, 99),
            port=random.randint(1, 65535), low=low, high=low + random.randint(1, 30000), mod=random.randint(2, 9),
            hour=random.randint(10, 22), bit=random.randint(0, 1), number=self.number, to="{to}", a="{a}", z="{z}",
        )  # fmt: skip

    def _net4(self) -> str:
        length = self.random.choice((8, 12, 16, 19, 24, 30, 32))
        number = self.random.getrandbits(32) >> 32 - length << 32 - length
        return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0)) + f"/{length}"

    def _table(self, family: str, name: str) -> list[str]:
        late = family in ("ip", "ip6", "inet")
        where = f"{family} {name}"
        lines = [f"add table {where}" + ""]
        lines += [f"add {line}" for line in self._things(where, late=late)]
        for number in range(self.random.randint(1, 3)):
            lines += self._base(family, where, number, late=late)
        for chain in ("two", "one"):
            lines += [self._rule(family, where, chain, late=late, ends=("one",) if chain == "two" else ())
                      for _ in range(self.random.randint(0, 4))]  # fmt: skip
        return lines

    def _things(self, where: str, *, late: bool) -> list[str]:
        random = self.random
        nets = ", ".join(dict.fromkeys(self._net4() for _ in range(random.randint(1, 30))))
        ports = random.sample(range(1, 60000), 40)
        some = ", ".join(map(str, ports[:20]))
        marks = ", ".join(f"{port} : {port}" for port in ports[:9])
        things = [
            f"chain {where} one", f"chain {where} two",
            f"counter {where} c {{ packets 7 bytes 8; }}", f"quota {where} q {{ over {ports[0]} bytes; }}",
            f"limit {where} l {{ rate {ports[1]}/minute burst 9 packets; }}",
            f"set {where} s4 {{ type ipv4_addr; elements = {{ {', '.join(f'9.8.{i}.1' for i in range(60))} }}; }}",
            f"set {where} i4 {{ type ipv4_addr; flags interval; auto-merge; elements = {{ {nets} }}; }}",
            f"set {where} c4 {{ type ipv4_addr . inet_service; elements = {{ 1.2.3.4 . {ports[2]}, 1.2.3.5 . 9 }}; }}",
            f"set {where} ci4 {{ type ipv4_addr . inet_service; flags interval; elements = {{ 1.0.0.0/8 . 20-30,"
            f" 2.0.0.1-2.0.0.9 . {ports[3]} }}; }}",
            f"set {where} s6 {{ type ipv6_addr; flags timeout; timeout 1h;"
            " elements = { 2001:db8::1, 2001:db8::2 timeout 2h }; }",
            f"set {where} i6 {{ type ipv6_addr; flags interval; elements = {{ 2001:db8::/32, fe80::/10 }}; }}",
            f"set {where} p {{ type inet_service; counter; elements = {{ {some} }}; }}",
            f"map {where} m {{ type inet_service : mark; elements = {{ {marks} }}; }}",
            f"map {where} v {{ type inet_service : verdict; flags interval; elements = {{ 1-99 : accept,"
            f" 100-200 : jump one, 201-{ports[4] + 300} : drop }}; }}",
            f"set {where} dyn {{ type inet_service; size 100; flags dynamic; }}",
            f"set {where} dynt {{ type inet_service; size 100; flags dynamic,timeout; timeout 30s; }}",
            f"set {where} cl {{ type ipv4_addr; size 100; flags dynamic; }}",
            f"set {where} e {{ type ipv4_addr; flags interval; }}",
            f"set {where} w {{ type ifname; elements = {{ \"lo\", \"eth0\" }}; }}",
            f"set {where} names {{ type ifname . ipv4_addr; flags interval; elements = {{ \"lo\" . 1.2.0.0/16 }}; }}",
        ]  # fmt: skip
        if late:
            things.append(f'ct helper {where} h {{ type "ftp" protocol tcp; }}')
            things.append(f"ct timeout {where} ct1 {{ protocol tcp; policy = {{ established : 100, close : 4 }}; }}")
            things.append(f"flowtable {where} f {{ hook ingress priority 0; devices = {{ lo }}; }}")
        return [thing for thing in things if random.random() < 0.9 or " one" in thing or " two" in thing]

    def _base(self, family: str, where: str, number: int, *, late: bool) -> list[str]:
        random = self.random
        hook = random.choice(HOOKS[family])
        device = " device lo" if family == "netdev" else ""
        nat = late and random.random() < 0.25 and hook in _NAT
        kind, name = "nat" if nat else "filter", f"b{number}"
        policy = "" if nat else f" policy {random.choice(('accept', 'drop'))};"
        priority = random.choice((-200, -100, -1, 0, 0, 5, 100))
        lines = [
            f"add chain {where} {name} {{ type {kind} hook {hook}{device} priority {max(priority, -199)};{policy} }}"
        ]
        for _ in range(random.randint(0, 8)):
            if nat:
                end = f"tcp sport > {random.randint(1, 999)} {self._translation(family, hook)}"
                lines.append(f"add rule {where} {name} {self._matches(family, late=True)} {end}")
            else:
                lines.append(self._rule(family, where, name, late=late, ends=()))
        return lines

    def _translation(self, family: str, hook: str) -> str:
        to = self.random.choice(("ip", "ip6")) if family == "inet" else family
        address = "2001:db8::{}" if to == "ip6" else "10.0.0.{}"
        end = self.random.choice(_NAT[hook]).format(
            to=f"{to} to" if family == "inet" else "to", a=address.format(7), z=address.format(9),
            port=self.random.randint(1, 65535),
        )  # fmt: skip
        return end.replace("2001:db8::7:", "[2001:db8::7]:")

    def _matches(self, family: str, *, late: bool) -> str:
        pool = (
            list(_ANY)
            if family != "arp"
            else ["arp operation request", "arp htype 1", "meta mark {port}", "arp saddr ip {a4}"]
        )
        if family in ("ip", "inet", "bridge", "netdev"):
            pool += _IP4
        if family in ("ip6", "inet", "bridge", "netdev"):
            pool += _IP6
        if family == "bridge":
            pool += ["ether saddr 02:00:00:00:00:{byte}", "vlan id {byte}", "ether type ip", 'meta ibrname "br0"']
        if late:
            pool += _LATE
        chosen = [self.random.choice(pool) for _ in range(self.random.choice((0, 1, 1, 2)))]
        if self.random.random() < 0.15:
            chosen.append(self.random.choice(_HANG))
        return " ".join(self._filled(one) for one in chosen)

    def _rule(self, family: str, where: str, chain: str, *, late: bool, ends: tuple[str, ...]) -> str:
        pool = [*_ENDS, *_LATE_ENDS] if late else list(_ENDS)
        end = self._filled(self.random.choice(pool))
        if chain in ("one", "two") and ("jump" in end or "goto" in end):
            end = "accept"
        return f"add rule {where} {chain} {self._matches(family, late=late)} {end}"
