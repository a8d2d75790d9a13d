"""Copies of nf_tables in the running kernel: nft must say the same of them as of the host's rules."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from preflight.packets.nlmsg import CREATE, Message, attribute, by_type
from preflight.twin.nft import elements, kernel, load, read
from preflight.twin.nft.load import Loaded
from preflight.twin.nft.read import Ruleset
from preflight.twin.spaces import Space
from preflight.twin.wire import NETFILTER, Wire
from tests.twin.nft_rules import Rules

Make = Callable[[], Space]
# Where modules are loaded on demand, to ask would load them.
pytestmark = [
    pytest.mark.skipif(shutil.which("nft") is None, reason="needs nft"),
    pytest.mark.skipif(not Path("/proc/self/net/netfilter").exists(), reason="this kernel has no netfilter now"),
]


@contextmanager
def wire(space: Space) -> Iterator[Wire]:
    with space.entered(), Wire(NETFILTER) as one:
        yield one


def nft(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(["nft", *words], input=text, text=True, capture_output=True, check=False)


def place(text: str) -> int:
    """Load what this nft and this kernel take of a rule set; return how many of its lines."""
    lines = text.split("\n")
    while (ran := nft("-f", "-", text="\n".join(lines))).returncode:
        bad = {int(number) for number in re.findall(r"stdin:(\d+):", ran.stderr)}
        assert bad, ran.stderr
        lines = [line for number, line in enumerate(lines, 1) if number not in bad]
    return len(lines)


def copied(host: Space, twin: Space, world: Any = "as-is", **more: Any) -> tuple[Ruleset, Loaded]:
    with wire(host) as one:
        rules = read.read(one)
    with wire(twin) as one:
        return rules, load.load(rules, one, world, **more)


def listed(space: Space) -> list[str]:
    """Return what nft says, without what a copy has otherwise: handles, names of its own for sets and chains, logs."""
    with space.entered():
        told: list[dict[str, Any]] = json.loads(nft("-j", "list", "ruleset").stdout)["nftables"]
    own: dict[tuple[str, str, str], Any] = {}
    for one in told:
        for kind in ("set", "map"):
            if kind in one and re.fullmatch(r"__(obj)?(set|map)\d+", one[kind]["name"]):
                own[one[kind]["family"], one[kind]["table"], "@" + one[kind]["name"]] = one[kind].get("elem", [])
    found = []
    for one in told:
        kind, body = next(iter(one.items()))
        where = (body.get("family", ""), body.get("table", ""))
        name = body.get("chain" if kind == "rule" else "name", "")
        if kind == "metainfo" or (*where, f"@{name}") in own or name.startswith("__chain"):
            continue
        body.setdefault("expr", [])
        found.append(json.dumps({kind: _plain(body, where, own)}))
    return found


def _harmless(step: dict[str, Any]) -> bool:
    """Say whether a step is left out of a copy, as it decides nothing."""
    told = json.dumps(step)
    return "log" in step or '"nftrace"' in told or step.get("xt", {}).get("name") in ("LOG", "NFLOG")


def _plain(value: Any, where: tuple[str, str], own: dict[tuple[str, str, str], Any]) -> Any:
    if isinstance(value, str) and (*where, value) in own:
        return _plain({"set": own[*where, value]}, where, own)
    if isinstance(value, str) and value.startswith("jump {"):
        return "jump"
    if isinstance(value, list):
        return [_plain(one, where, own) for one in value if not (isinstance(one, dict) and _harmless(one))]
    if not isinstance(value, dict):
        return value
    if str(value.get("jump", {})).startswith("{'target': '__chain"):
        return "jump"
    found = {key: _plain(one, where, own) for key, one in value.items() if key not in ("handle", "expires")}
    for key in ("set", "elem"):
        if isinstance(found.get(key), list):
            found[key] = sorted(found[key], key=json.dumps)
    return found


@pytest.mark.parametrize("seed", range(12))
def test_random_rules_are_the_same_in_the_copy(namespaces: Make, seed: int) -> None:
    host, twin = namespaces(), namespaces()
    with host.entered():
        assert place(Rules(seed).text()) > 20
    rules, loaded = copied(host, twin)
    assert (loaded.blind, loaded.uncopied(), loaded.missing) == ("", (), {})
    assert listed(twin) == listed(host)
    assert rules.count == len(loaded.hosts)
    # Copied once more, it is the same messages again.
    third = namespaces()
    again, loaded = copied(twin, third)
    assert loaded.blind == ""
    assert [(one.table, one.name, one.size) for one in again.sets] == [
        (one.table, one.name, one.size) for one in rules.sets
    ]
    assert [(one.chain, one.note, [step.kind for step in one.expressions]) for one in again.rules] == [
        (one.chain, one.note, [step.kind for step in one.expressions if step.kind != "log"]) for one in rules.rules
    ]


@pytest.mark.parametrize("seed", range(100, 104))
@pytest.mark.parametrize("world", ["met", "without"])
def test_the_kernel_takes_random_rules_in_other_worlds(namespaces: Make, seed: int, world: str) -> None:
    host = namespaces()
    with host.entered():
        place(Rules(seed).text())
    _, loaded = copied(host, namespaces(), world, programs=frozenset({3, 50}))
    assert (loaded.blind, loaded.uncopied(), loaded.missing) == ("", (), {})


# What the kernel tells otherwise than it takes it.
ODD = """table inet t {
    set learned { type ipv4_addr; flags dynamic; size 100; }
    set big { type ipv4_addr; elements = { BIG } }
    set many { type ipv4_addr; flags interval; elements = { MANY } }
    map goes { type inet_service : verdict; flags interval; elements = { 1-9 : accept, 10-19 : drop, 20-65535 : accept }
    }
    quota gone { over 1 bytes }
    chain x { }
    chain a {
        type filter hook output priority 0;
        ip daddr 127.0.0.1 quota name "gone" quota over 1 bytes counter
        tcp flags syn tcp option maxseg size set 1000
        tcp flags syn tcp option maxseg size set rt mtu
        add @learned { ip saddr }
        meter m { ip saddr limit rate 4/second } accept
        tcp dport vmap { 0-3 : drop, 4-5 : accept, 6-8 : jump x, 12 : drop }
        tcp dport != { 0-3, 9 } accept
        ip saddr { 1.0.0.0-1.0.0.9, 1.0.0.10-1.0.0.19 } accept
        jhash ip saddr mod 4 vmap { 0 : drop, 1-3 : return }
        meta nftrace set 1
        jump {
            tcp dport 7 drop
            udp dport 8 drop
        }
    }
}
add rule inet t a reset tcp option sack-perm
"""


def odd() -> str:
    big = ", ".join(f'10.{one >> 8}.{one & 255}.1 comment "{one:060}"' for one in range(2000))
    many = ", ".join(f"20.{one >> 8}.{one & 255}.0/{24 + one % 3}" for one in range(3000))
    return ODD.replace("BIG", big).replace("MANY", many)


def test_what_the_kernel_tells_otherwise_than_it_takes_it(namespaces: Make) -> None:
    host, twin = namespaces(), namespaces()
    with host.entered():
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        ran = nft("-f", "-", text=odd())
        assert ran.returncode == 0, ran.stderr
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            for _ in range(3):
                one.sendto(b"used up", ("127.0.0.1", 9))
    rules, loaded = copied(host, twin)
    assert (loaded.blind, loaded.uncopied(), loaded.missing) == ("", (), {})
    with wire(twin) as one_:
        there = {found.name: found for found in read.read(one_).sets}
    assert (there["big"].size, there["many"].size) == (2000, len(mentions_many(rules)))
    assert "meta nftrace" not in "".join(listed(twin))
    assert "maxseg" in "".join(listed(twin))


def mentions_many(rules: Ruleset) -> list[bytes]:
    found = next(one for one in rules.sets if one.name == "many")
    return [key for chunk in found.elements for key, _, _ in elements.keys(chunk)]


def test_a_rule_in_a_block_is_told_as_the_one_that_it_belongs_to(namespaces: Make) -> None:
    host, twin = namespaces(), namespaces()
    with host.entered():
        ran = nft("-f", "-", text=odd())
        assert ran.returncode == 0, ran.stderr
    rules, loaded = copied(host, twin)
    outer = next(
        rule for rule in rules.rules if b"__chain" in rule.raw and rule.chain == "a" and b"meta" not in rule.raw
    )
    inner = {place: rule for place, rule in loaded.hosts.items() if place[2].startswith("__chain")}
    assert len(inner) == 2
    assert set(inner.values()) == {outer}
    assert [chain.name for chain in rules.outline()[0].chains] == ["x", "a"]
    assert rules.outline()[0].chains[1].rules == sum(rule.chain == "a" for rule in rules.rules)


def test_a_dormant_table_stays_so_and_an_owned_one_loses_its_owner(namespaces: Make) -> None:
    host, twin = namespaces(), namespaces()
    with host.entered():
        nft(
            "-f",
            "-",
            text="table ip z {\nflags dormant;\nchain a { type filter hook input priority 0; policy drop; }\n}\n",
        )
        owner = Wire(NETFILTER)
        owned = kernel.head(2) + attribute(1, b"owned\0") + attribute(2, b"\0\0\0\2")
        assert owner.batch([Message(kernel.NEW_TABLE, owned, CREATE)]) == {}
    _, loaded = copied(host, twin)
    owner.close()
    assert loaded.blind == ""
    with wire(twin) as one:
        assert {table_.table: by_type(table_.body)[2][3] for table_ in read.read(one).tables} == {"z": 1, "owned": 0}


def test_chains_of_one_priority_keep_their_order(namespaces: Make) -> None:
    host, twin = namespaces(), namespaces()
    text = "".join(
        f"add table ip t{one % 3}\nadd chain ip t{one % 3} c{one} {{ type filter hook output priority 0; }}\n"
        f"add rule ip t{one % 3} c{one} meta mark set {one}\n"
        for one in (4, 2, 0, 5, 3, 1)
    )  # fmt: skip
    with host.entered():
        nft("-f", "-", text=text)
    rules, _ = copied(host, twin)
    with wire(twin) as one:
        assert [(chain.table, chain.name) for chain in read.read(one).chains] == [
            (chain.table, chain.name) for chain in rules.chains
        ]


# --- what iptables makes of it ----------------------------------------------------------------------------------------

XT = """-p tcp -m tcp --dport 25 --tcp-flags SYN,ACK SYN -m conntrack --ctstate NEW -j ACCEPT
-p udp -m udp --sport 1:9 -j DROP
-p tcp -m multiport --dports 1,2,3:9 -j DROP
-p sctp -m sctp --dport 9 -j DROP
! -p tcp -m length --length 3:9 -j DROP
! -i lo -m iprange --src-range FROM-TO -j U
-m conntrack --ctorigsrc FROM --ctproto tcp --ctorigdstport 9 -j U
-m recent --name x --set
-m recent --name x --update --seconds 3 -j DROP
-m limit --limit 1/s -j LOG --log-prefix "a b"
-m limit --limit 1/s -j ACCEPT
-m statistic --mode nth --every 3 --packet 0 -j ACCEPT
-m hashlimit --hashlimit-upto 3/s --hashlimit-name y --hashlimit-mode srcip -j ACCEPT
-m quota --quota 3 -j ACCEPT
-m connbytes --connbytes 3:9 --connbytes-dir both --connbytes-mode packets -j ACCEPT
-p tcp -m connlimit --connlimit-above 3 -j DROP
-m cpu --cpu 1 -j DROP
-m mark --mark 1/3 -m comment --comment "it's } {" -j NFLOG
-m string --algo bm --string abc -j DROP
-m u32 --u32 "6&0xFF=1" -j DROP
-m bpf --bytecode "1,6 0 0 65535" -j DROP
-m time --timestart 01:00 -j DROP
-m pkttype --pkt-type unicast -j NFQUEUE --queue-num 3 --queue-bypass
-p tcp -j REJECT --reject-with tcp-reset
-p esp -m esp --espspi 3 -j DROP
-m addrtype --dst-type LOCAL -j DROP
-m tcp -p tcp --dport 1 -g U
-t raw -p tcp -m tcp --dport 21 -j CT --notrack
-t mangle -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1000
-t mangle -p tcp -j MARK --set-xmark 1/2
-t nat -p tcp -m tcp --dport 9 -j REDIRECT --to-ports 8
"""
BRIDGED = """-p IPv4 --ip-src 1.2.3.4 --ip-proto tcp --ip-dport 3 -j DROP
-p IPv6 --ip6-src 2001:db8::1 --ip6-proto tcp --ip6-dport 3 -j DROP
-p ARP --arp-op 1 --arp-ip-src 1.2.3.4 -j DROP
-p 802_1Q --vlan-id 3 -j DROP
-p LENGTH --802_3-sap 3 -j DROP
-d BGA --stp-type 1 -j DROP
-i eth+ --limit 3/s -j mark --mark-set 3
-p IPv4 --log --log-prefix x -j CONTINUE
-p ARP -t nat --arp-op Request -j arpreply --arpreply-mac 02:00:00:00:00:01
"""


@pytest.mark.parametrize("program", ["iptables-nft", "ip6tables-nft", "ebtables-nft", "arptables-nft"])
def test_rules_of_iptables_in_nf_tables(namespaces: Make, program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    host, twin = namespaces(), namespaces()
    first, last = ("1.2.3.4", "1.2.3.9") if program == "iptables-nft" else ("2001:db8::1", "2001:db8::9")
    lines = {"ebtables-nft": BRIDGED, "arptables-nft": "-s 1.2.3.4 --opcode 1 -j DROP\n"}.get(program, XT)
    with host.entered():
        subprocess.run([program, "-N", "U"], check=True)
        for line in lines.replace("FROM", first).replace("TO", last).splitlines():
            chain = {"nat": "PREROUTING", "raw": "PREROUTING"}.get(line.partition("-t ")[2].split(" ")[0], "INPUT")
            subprocess.run([program, "-A", chain, *shlex.split(line)], check=False, capture_output=True)
    rules, loaded = copied(host, twin)
    assert rules.count >= 0.8 * len(lines.splitlines())
    assert (loaded.blind, loaded.uncopied(), loaded.missing) == ("", (), {})
    assert listed(twin) == listed(host) or program == "ebtables-nft"  # whose log is no step of its own to nft
    for world in ("met", "without"):
        _, loaded = copied(host, namespaces(), world, programs=frozenset({3}))
        assert (loaded.blind, loaded.uncopied(), loaded.missing) == ("", (), {})
    if program.startswith("ip"):
        assert loaded.conditions >= {
            "limit", "statistic", "hashlimit", "quota", "connbytes", "connlimit", "cpu", "time", "queue", "recent",
        }  # fmt: skip


# --- what packets meet ------------------------------------------------------------------------------------------------


def arrive(space: Space, *ports: int) -> list[int]:
    """Send a datagram to each of these ports of the namespace itself; return those at which it arrived."""
    found = []
    with space.entered():
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for port in ports:
            with (
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there,
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
            ):
                there.bind(("127.0.0.1", port))
                try:
                    here.sendto(b"x", ("127.0.0.1", port))
                    there.recv(9, socket.MSG_DONTWAIT)
                except OSError:
                    continue
                found.append(port)
    return found


HANGING = """table ip t {
    set limited { type inet_service; size 9; flags dynamic; limit rate 1/hour burst 1 packets; elements = { 10 } }
    map choice { type mark : verdict; elements = { 0 : accept, 1 : accept } }
    limit l { rate over 9/second burst 9 packets }
    chain a {
        type filter hook output priority 0;
        udp dport 1 limit rate over 1000/second drop
        udp dport 2 limit rate 1000/second drop
        udp dport 3 numgen random mod 1000000 1 drop
        udp dport 4 meta hour "00:00"-"23:59" drop
        udp dport 5 limit name "l" drop
        udp dport 6 numgen random mod 2 vmap { 0 : accept, 1 : accept }
        udp dport 6 drop
        udp dport 7 numgen random mod 1000000 vmap { 1 : drop }
        udp dport @limited drop
        udp dport 11 meta cpu . udp dport { 77 . 11 } drop
        udp dport 12 quota over 100 mbytes drop
        udp dport 13 ct count over 10 drop
        udp dport 14 limit rate 1/second counter
        udp dport 14 add @limited { udp sport } drop
        udp dport 15 drop
        udp dport 16 meta mark set numgen random mod 9
    }
}
"""


def test_packets_meet_conditions_that_hold_and_do_not_meet_what_is_left_out(namespaces: Make) -> None:
    host = namespaces()
    with host.entered():
        ran = nft("-f", "-", text=HANGING)
        assert ran.returncode == 0, ran.stderr
    ports = range(1, 18)
    passed = {}
    for world in ("as-is", "met", "without"):
        twin = namespaces()
        _, loaded = copied(host, twin, world, programs=frozenset({3}))
        assert (loaded.blind, loaded.uncopied()) == ("", ())
        passed[world] = arrive(twin, *ports)
    assert set(ports) - set(passed["met"]) == {1, 2, 3, 4, 5, 7, 10, 11, 12, 13, 14, 15}
    assert set(ports) - set(passed["without"]) == {6, 15}
    assert {1, 3, 7, 9, 11, 12, 13, 16, 17} <= set(passed["as-is"])
    assert loaded.conditions == {"limit", "numgen", "time", "cpu", "quota", "connlimit"}


def test_a_refused_rule_counts_what_it_would_have_met(namespaces: Make) -> None:
    host, twin = namespaces(), namespaces()
    with host.entered():
        nft("-f", "-", text="table ip t {\nset s { type inet_service; elements = { 3 }\n}\nchain a {\n"
            "type filter hook output priority 0;\nudp dport 1 drop\nudp dport 2 limit rate 1/hour drop\n"
            "udp dport @s drop\nudp dport 4 drop\n}\n}\n")  # fmt: skip
    with wire(host) as one:
        rules = read.read(one)
    unknown = kernel.expression("target", attribute(1, b"NOSUCH\0"), attribute(2, bytes(4)), attribute(3, bytes(8)))
    broken = [replace(rule, raw=rule.raw + unknown) for rule in rules.rules[:2]]
    bad = tuple(replace(one, body=one.body.replace(b"s\0", b"%\0")) for one in rules.sets)
    with wire(twin) as one:
        loaded = load.load(replace(rules, rules=(*broken, *rules.rules[2:]), sets=bad), one)
        assert loaded.blind == ""
        assert {told.what for told in loaded.uncopied()} == {"NOSUCH", "lookup"}
        assert arrive(twin, 5) == [5]
        met = [refusal.rule.handle for refusal in loaded.met(one)]
        assert met == [rules.rules[2].handle]  # whose set is not there: each packet may be meant
        assert arrive(twin, 1, 2, 4) == [1, 2]
        assert {refusal.rule.handle for refusal in loaded.met(one)} == {rule.handle for rule in rules.rules[:3]}
        assert loaded.met(one) == []


def test_a_set_that_is_not_whole_leaves_all_unknown(namespaces: Make) -> None:
    host, twin = namespaces(), namespaces()
    with host.entered():
        nft("-f", "-", text="table ip t {\nset s { type inet_service; elements = { 3, 4 }\n}\n}\n")
    with wire(host) as one:
        rules = read.read(one)
    short = tuple(replace(one, size=3, told=3) for one in rules.sets)
    with wire(twin) as one:
        assert load.load(replace(rules, sets=short), one).blind == "set ip t s"
