"""Rules of nf_tables, read in one network namespace and put in place in another."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from collections.abc import Callable

import pytest

from preflight.facts.twin import Table, Uncopied
from preflight.packets import nlmsg as nl
from preflight.packets.nlmsg import attribute, attributes, by_type
from preflight.twin import wire as w
from preflight.twin.nft import elements as elements_of
from preflight.twin.nft import kernel, load, mentions, read
from preflight.twin.nft.load import Loaded
from preflight.twin.nft.read import Rule, Ruleset
from preflight.twin.spaces import Space
from preflight.twin.wire import Wire

pytestmark = pytest.mark.skipif(not shutil.which("nft"), reason="there is no nft")

ALL = """
table inet f {
    counter c1 { }
    quota q1 { over 25 mbytes }
    limit l1 { rate 400/hour }
    ct helper ftp { type "ftp" protocol tcp; }
    set a { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.168.1.5-192.168.1.9, 203.0.113.7 } }
    set six { type ipv6_addr; flags interval; elements = { fe80::/10, 2001:db8::1 } }
    set pairs { type ipv4_addr . inet_service; flags interval; elements = { 10.1.0.0/16 . 25-30, 1.2.3.4 . 80 } }
    set learned { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 5m; }
    map m { type inet_service : verdict; elements = { 25 : jump x, 80 : accept, 81 : drop } }
    map to { type inet_service : ipv4_addr . inet_service; elements = { 8080 : 10.0.0.1 . 80 } }
    chain x {
        ct state established,related accept comment "a } \\\\ b"
        ip saddr { 1.1.1.1, 2.2.2.0/24 } tcp dport { 25, 80-90 } drop
    }
    chain i {
        type filter hook input priority 0; policy drop;
        iif "lo" accept
        iifname "br-*" counter name "c1" accept
        ct state vmap { established : accept, related : accept, invalid : drop }
        tcp dport vmap @m
        ip saddr @a reject with icmp type admin-prohibited
        ip saddr . tcp dport @pairs accept
        tcp dport 22 add @learned { ip saddr limit rate 10/minute } accept
        tcp dport 23 limit name "l1" accept
        tcp dport 24 quota name "q1" drop
        tcp dport 26 numgen random mod 10 < 5 drop
        tcp dport 27 numgen inc mod 2 vmap { 0 : accept, 1 : drop }
        tcp dport 28 meta hour "08:00"-"17:00" accept
        tcp dport 29 limit rate over 5/second burst 3 packets drop
        fib saddr . iif oif missing drop
        meta mark set ct mark
        ip6 saddr @six drop
        icmpv6 type { nd-neighbor-solicit, nd-router-advert } accept
        tcp flags & (fin | syn) == fin | syn drop
        tcp dport 21 ct helper set "ftp"
        jump {
            tcp dport 31 drop
        }
    }
    chain pre {
        type nat hook prerouting priority dstnat; policy accept;
        dnat ip to tcp dport map @to
        tcp dport 2222 redirect to :22
        ip daddr 1.2.3.4 dnat to 10.0.0.5
    }
    chain post {
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr 10.0.0.0/8 oifname != "br0" masquerade random
    }
}
table ip sleeping {
    flags dormant;
    chain z {
        type filter hook forward priority -5; policy drop;
    }
}
table bridge b {
    chain f {
        type filter hook forward priority 0; policy accept;
        ether type arp accept
    }
}
table netdev n {
    chain ing {
        type filter hook ingress device "lo" priority 0; policy accept;
        ip saddr 5.5.5.5 drop
    }
}
table arp a {
    chain i {
        type filter hook input priority 0; policy accept;
        arp operation request accept
    }
}
"""
IPTABLES = """*filter
:INPUT DROP [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A INPUT -p tcp -m tcp --dport 25 -m conntrack --ctstate NEW -m limit --limit 3/sec -j ACCEPT
-A INPUT -p tcp -m multiport --dports 80,443,1000:2000 -j ACCEPT
-A INPUT -s 10.0.0.0/8 -p udp -m udp --sport 53 -m comment --comment "a {" -j REJECT --reject-with icmp-port-unreachable
-A INPUT -m recent --set --name SSH --mask 255.255.255.255 --rsource
-A INPUT -m recent --update --seconds 60 --name SSH --mask 255.255.255.255 --rsource -j DROP
-A INPUT ! -p tcp -m u32 --u32 "6&0xFF=1" -j DROP
-A INPUT -m iprange --src-range 1.2.3.4-1.2.3.9 -j DROP
-A INPUT -m addrtype --dst-type LOCAL -j ACCEPT
-A INPUT -m statistic --mode random --probability 0.5 -j DROP
-A INPUT -m hashlimit --hashlimit-above 10/sec --hashlimit-mode srcip --hashlimit-name foo -j DROP
-A INPUT -p tcp -m connlimit --connlimit-above 3 -j REJECT --reject-with tcp-reset
-A INPUT -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A INPUT -m time --timestart 08:00 --timestop 17:00 -j DROP
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -i eth0 -p tcp -m tcp --dport 25 -g DOCKER
COMMIT
*nat
-A PREROUTING -p tcp -m tcp --dport 25 -j DNAT --to-destination 172.22.1.253:25
-A PREROUTING -p tcp -m tcp --dport 26 -j REDIRECT --to-ports 27
COMMIT
"""


@pytest.fixture
def copied(namespaces: Callable[[], Space]) -> Callable[..., tuple[Ruleset, Ruleset, Loaded]]:
    """Return a function that has a program make rules, and gives the host's, the copy's, and what is said of it."""

    def copy(rules: str, program: str = "nft -f -", **more: object) -> tuple[Ruleset, Ruleset, Loaded]:
        with namespaces().entered():
            subprocess.run(program.split(), input=rules, text=True, check=True)
            with Wire(w.NETFILTER) as wire:
                host = read.read(wire)
        with namespaces().entered(), Wire(w.NETFILTER) as wire:
            loaded = load.load(host, wire, **more)  # type: ignore[arg-type]  # the world, as a test has it
            return host, read.read(wire), loaded

    return copy


def told(rule: Rule) -> tuple[object, ...]:
    """Return what a rule says, without its counts."""
    steps = [(step.kind, step.kind not in ("counter", "quota") and step.data) for step in rule.expressions]
    return rule.family, rule.table, rule.chain, steps


def elements(ruleset: Ruleset) -> dict[tuple[int, str, str], list[bytes]]:
    """Return the elements of all sets, without what is left of their time."""
    found = {}
    for one in ruleset.sets:
        values = [by_type(value) for chunk in one.elements for _, value in attributes(chunk)]
        plain = [{kind: part for kind, part in value.items() if kind not in (6, 8)} for value in values]
        found[one.family, one.table, one.name] = sorted(repr(value).encode() for value in plain)
    return found


def chains(one: Table) -> tuple[object, ...]:
    """Return a table in outline, without the chains that its copy has for blocks of rules."""
    return one.family, one.name, [chain for chain in one.chains if not chain.name.startswith("__chain")]


def same(host: Ruleset, twin: Ruleset) -> None:
    assert [told(rule) for rule in twin.rules] == [told(rule) for rule in host.rules]
    assert elements(twin) == elements(host)
    assert [chains(one) for one in twin.outline()] == [chains(one) for one in host.outline()]
    assert [(one.family, one.table, one.name, one.kind) for one in twin.objects] == [
        (one.family, one.table, one.name, one.kind) for one in host.objects
    ]
    assert [one.body for one in twin.tables] == [one.body for one in host.tables]
    assert [one.body for one in twin.flowtables] == [one.body for one in host.flowtables]


def test_all_that_nft_makes_is_the_same_in_the_copy(copied: Callable[..., tuple[Ruleset, Ruleset, Loaded]]) -> None:
    host, twin, loaded = copied(ALL)
    assert len(host.rules) == 30
    assert not loaded.blind
    assert not loaded.refusals
    same(host, twin)
    assert loaded.conditions == {"limit", "quota", "numgen", "time"}


@pytest.mark.skipif(not shutil.which("iptables-nft-restore"), reason="there is no iptables-nft-restore")
def test_what_iptables_makes_of_nf_tables_is_the_same_in_the_copy(
    copied: Callable[..., tuple[Ruleset, Ruleset, Loaded]],
) -> None:
    host, twin, loaded = copied(IPTABLES, "iptables-nft-restore")
    assert not loaded.blind
    assert not loaded.refusals
    same(host, twin)
    assert loaded.conditions >= {"limit", "recent", "hashlimit", "connlimit", "time"}


def test_each_rule_of_the_copy_is_known_by_the_hosts(copied: Callable[..., tuple[Ruleset, Ruleset, Loaded]]) -> None:
    host, twin, loaded = copied(ALL.replace("        iif", "        tcp dport 1 drop\n        iif"))
    block = next(rule for rule in host.rules if b"__chain" in rule.raw)
    for original, copy in zip(host.rules, twin.rules, strict=True):
        known = block if copy.chain.startswith("__chain") else original  # what is in a block is told as its rule
        assert loaded.host(kernel.FAMILIES[copy.family], copy.table, copy.chain, copy.handle) == known
    assert loaded.host("inet", "f", "i", 10_000) is None


KINDS = (
    "tcp dport {port} drop", "ip saddr {network} accept", "ip saddr {{ {network}, {address} }} drop",
    "tcp dport {{ {port}, {port}-65000 }} accept", "ip daddr {address} tcp dport vmap {{ {port} : drop }}",
    "meta mark {port} drop", "ct state new,established counter accept", "jump other", "goto other", "return",
    "ip saddr . tcp dport {{ {address} . {port} }} drop", "iifname eth{port} drop", "fib daddr type local accept",
    "ip protocol icmp accept", "ct status dnat accept", "ip ttl < {port} drop", "tcp flags syn drop",
    "ip saddr != {network} drop", "meta l4proto {{ tcp, udp }} accept", "udp length > {port} drop",
)  # fmt: skip


def generated(seed: int) -> str:
    """Return a random table."""
    chance = random.Random(seed)
    hooks = ("input", "forward", "output", "prerouting", "postrouting")

    def rule() -> str:
        network = f"{chance.randrange(1, 220)}.{chance.randrange(256)}.0.0/{chance.choice((16, 20, 24))}"
        address = ".".join(str(chance.randrange(1, 250)) for _ in range(4))
        return chance.choice(KINDS).format(port=chance.randrange(1, 255), network=network, address=address)

    chains = [
        f"chain c{number} {{\ntype filter hook {chance.choice(hooks)} priority {chance.randrange(-300, 300)};\n"
        + "\n".join(rule() for _ in range(chance.randrange(6)))
        + "\n}\n"
        for number in range(chance.randrange(1, 4))
    ]
    return "table inet t {\nchain other {\ntcp dport 1 drop\n}\n" + "".join(chains) + "}\n"


@pytest.mark.parametrize("seed", range(40))
def test_random_rules_are_the_same_in_the_copy(
    seed: int, copied: Callable[..., tuple[Ruleset, Ruleset, Loaded]]
) -> None:
    host, twin, loaded = copied(generated(seed))
    assert not loaded.blind
    assert not loaded.refusals
    same(host, twin)


def test_a_rule_that_the_kernel_refuses_counts_instead(
    namespaces: Callable[[], Space], monkeypatch: pytest.MonkeyPatch
) -> None:
    with namespaces().entered():
        subprocess.run(["nft", "-f", "-"], input=ALL, text=True, check=True)
        with Wire(w.NETFILTER) as wire:
            host = read.read(wire)
    strange = kernel.expression("nosuchthing", attribute(1, b"\0\0\0\1"))
    broken = [
        Rule(rule.family, rule.table, rule.chain, rule.handle, strange) if number in (3, 7) else rule
        for number, rule in enumerate(host.rules)
    ]
    ruleset = Ruleset(host.tables, host.chains, host.sets, host.objects, host.flowtables, tuple(broken))
    with namespaces().entered(), Wire(w.NETFILTER) as wire:
        loaded = load.load(ruleset, wire)
        assert not loaded.blind
        assert [refusal.rule for refusal in loaded.refusals] == [broken[3], broken[7]]
        first = loaded.uncopied()[0]
        where = (f"inet {broken[3].table}", broken[3].chain, broken[3].handle)
        assert first == Uncopied("nf_tables", *where, "nosuchthing", "ENOENT")
        twin = read.read(wire)
        assert [step.kind for step in twin.rules[3].expressions] == ["counter"]
        assert loaded.met(wire) == []
        monkeypatch.setattr(load, "counts", lambda _wire, places: dict.fromkeys(list(places)[:1], 2))
        assert loaded.met(wire) == loaded.refusals[:1]
        assert loaded.met(wire) == []  # as many as before


def test_what_rules_hang_on_that_is_refused_leaves_all_unknown(namespaces: Callable[[], Space]) -> None:
    with namespaces().entered():
        subprocess.run(["nft", "-f", "-"], input=ALL, text=True, check=True)
        with Wire(w.NETFILTER) as wire:
            host = read.read(wire)
    chain = host.chains[1]
    bad = read.Chain(chain.family, chain.table, chain.name, chain.body.replace(b"filter\0", b"fi1ter\0"))
    assert bad.body != chain.body
    ruleset = Ruleset(host.tables, (host.chains[0], bad, *host.chains[2:]), host.sets, rules=host.rules)
    with namespaces().entered(), Wire(w.NETFILTER) as wire:
        assert load.load(ruleset, wire).blind.startswith("chain ")
        assert read.read(wire) == Ruleset()


def steps(rules: Ruleset, number: int) -> list[str]:
    return [step.kind for step in rules.rules[number].expressions]


WORLDS = """
table inet t {
    set learned { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 5m; }
    chain c {
        type filter hook input priority 0;
        tcp dport 29 limit rate over 5/second drop
        tcp dport 26 numgen random mod 10 < 5 drop
        tcp dport 28 meta hour "08:00"-"17:00" accept
        tcp dport 22 add @learned { ip saddr limit rate 10/minute } accept
        limit rate 3/second log prefix "x"
        tcp dport 27 numgen inc mod 2 vmap { 0 : accept, 1 : drop }
        tcp dport 25 counter drop
    }
}
"""


def test_in_the_other_worlds_conditions_hold_or_their_rules_are_left_out(
    copied: Callable[..., tuple[Ruleset, Ruleset, Loaded]],
) -> None:
    plain = ["meta", "cmp", "payload", "cmp"]
    host, met, loaded = copied(WORLDS, world="met")
    assert [steps(met, number) for number in range(3)] == [[*plain, "immediate"]] * 3
    assert steps(met, 3) == [*plain, "meta", "cmp", "payload", "immediate"]  # it learns nothing, so it lets all pass
    assert steps(met, 4) == ["limit"]  # decides nothing, and what is logged is never copied
    assert steps(met, 5) == [*plain, "immediate"]  # of all choices the one that lets the fewest pass
    assert steps(met, 6) == steps(host, 6)
    _, without, _ = copied(WORLDS, world="without")
    assert [steps(without, number) for number in (0, 1, 2, 3, 5)] == [["counter"]] * 5
    assert (steps(without, 4), steps(without, 6)) == (["limit"], steps(host, 6))
    assert loaded.conditions == {"limit", "numgen", "time"}


@pytest.mark.parametrize(
    ("rule", "meant", "others"),
    [
        ("ip saddr 193.0.14.129 drop", ["193.0.14.129"], ["193.0.14.128"]),
        ("ip saddr 193.0.0.0/16 drop", ["193.0.14.129"], ["193.1.14.129"]),
        ("ip saddr 193.0.14.128/25 drop", ["193.0.14.129"], ["193.0.14.127"]),
        ("ip saddr 193.0.14.0-193.0.14.200 drop", ["193.0.14.129"], ["193.0.14.201"]),
        ("ip saddr { 193.0.14.0/24, 8.8.8.8 } drop", ["193.0.14.129", "8.8.8.8"], ["193.0.15.1"]),
        ("ip saddr . tcp dport { 193.0.14.129 . 25 } drop", ["193.0.14.129"], ["193.0.14.130"]),
        ("tcp dport . ip saddr { 25-30 . 193.0.14.0/24 } drop", ["193.0.14.129"], ["193.0.15.1"]),
        ("ip6 saddr 2001:7fd::/32 drop", ["2001:7fd::1"], ["2001:7fe::1"]),
        ("ip6 saddr { 2001:7fd::1, 2001:7fd::10-2001:7fd::20 } drop", ["2001:7fd::1", "2001:7fd::15"], ["2001:7fd::2"]),
        ("ip saddr 0.0.0.0/1 drop", [], ["8.8.8.8"]),
        ("tcp dport 25 drop", [], ["8.8.8.8", "2001:7fd::1"]),
    ],
)
def test_addresses_that_rules_single_out(
    rule: str, meant: list[str], others: list[str], copied: Callable[..., tuple[Ruleset, Ruleset, Loaded]]
) -> None:
    host, _, _ = copied(f"table inet t {{\nchain c {{\ntype filter hook input priority 0;\n{rule}\n}}\n}}\n")
    means = mentions.of(host)
    assert [address for address in (*meant, *others) if means(address)] == meant


def test_elements_of_intervals_are_sent_start_by_start() -> None:
    ends = [(b"\x0a\0\0\x10", 1), (b"\x0a\0\0\x10", 0), (b"\x0a\0\0\0", 0), (b"\x0b\0\0\0", 1)]
    items = [
        attribute(1 | nl.NESTED, attribute(1 | nl.NESTED, attribute(1, key)) + attribute(3, struct.pack(">I", flag)))
        for key, flag in ends
    ]
    chunks, size = elements_of.sendable([b"".join(items)], kernel.INTERVAL)
    sent = [by_type(value) for chunk in chunks for _, value in attributes(chunk)]
    assert size == 4
    assert [(by_type(value[1])[1], value[3][-1]) for value in sent] == [ends[2], ends[0], ends[1], ends[3]]
