"""Rules that take packets for a port: recorded answers of a kernel, and rules of one that this test makes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import Diversion, Nat, View
from preflight.gather.access.roots import Roots
from preflight.gather.nat import legacy, matching, nat
from preflight.gather.nat.expressions import read as read_rule
from preflight.gather.nat.matching import NEVER, Base, Condition, Rule, match
from preflight.gather.nat.nft import Element, Table, _read_elements
from preflight.gather.nat.walk import PATIENCE, TOLD, Walker
from preflight.gather.network import netlink

NATIVE = Roots("/", View(container=False, root="/", live=True, network=True, privileged=None), anchor="self")
PORTS = (25, 80, 443, 4190)
little = pytest.mark.skipif(sys.byteorder != "little", reason="recorded on a little-endian machine")


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that has the kernel answer as it did when it was recorded, and what is read of that."""

    def answer(name: str) -> Nat:
        said = json.loads((Path(__file__).parent / "nat" / f"{name}.json").read_text())
        dumps = {(kind, request): rows for kind, request, rows in said["dumps"]}

        def dump(_protocol: int, kind: int, request: bytes) -> Iterator[bytes]:
            return iter([bytes.fromhex(row) for row in dumps[kind, request.hex()]])

        def fetch(version: int, _table: str) -> tuple[bytes, bytes]:
            info, entries = said["legacy"][str(version)]
            return bytes.fromhex(info), bytes.fromhex(entries)

        monkeypatch.setattr(netlink, "dump", dump)
        monkeypatch.setattr(legacy, "fetch", fetch)
        monkeypatch.setattr(nat, "_loaded", lambda _roots, _module: True)
        monkeypatch.setattr(Roots, "text", lambda _self, _path, _limit: "nat\n" if said["legacy"] else "")
        return nat.nat(NATIVE, PORTS).get()

    return answer


def short(one: Diversion) -> tuple[Any, ...]:
    more = {
        name: getattr(one, name)
        for name in ("destinations", "not_destinations", "sources", "interfaces", "not_interfaces", "conditions")
        if getattr(one, name)
    }
    return one.port, one.family[-1], f"{one.table} {one.chain}", one.to, one.owner, one.order, more


@little
def test_rules_of_iptables_in_both_of_the_kernels_interfaces(recorded: Any) -> None:
    found = recorded("iptables")
    lan = {"destinations": ("192.0.2.0/25",), "sources": ("10.0.0.0/8",), "interfaces": ("eth*",)}
    assert found.unread == ""
    assert [short(one) for one in found.diversions] == [
        (25, "4", "ip nat DOCKER", "172.17.0.2:25", "docker", "before", {"not_interfaces": ("docker0",)}),
        (80, "4", "ip nat PREROUTING", "10.1.1.1", "", "before", {"not_interfaces": ("cni0",)}),
        (80, "4", "ip nat PREROUTING", ":8080", "", "after", {"interfaces": ("cni0",)}),
        (443, "4", "ip nat CNI-HOSTPORT-DNAT", "10.42.0.8:443", "kubernetes", "before", {}),
        (4190, "4", "ip nat PREROUTING", "10.1.1.1", "", "before", {"not_interfaces": ("cni0",)}),
        (25, "6", "ip6 nat PREROUTING", "[fd00::8]:2525", "", "before", {"destinations": ("2001:db8::/33",)}),
        (25, "4", "nat PREROUTING", ":99", "", "either", lan),
        (25, "4", "nat PREROUTING", "10.1.1.1", "", "either", {}),
        (80, "4", "nat PREROUTING", ":99", "", "either", lan),
        (443, "4", "nat CNI-HOSTPORT-DNAT", "10.42.0.8:443", "kubernetes", "either", {}),
        (4190, "4", "nat PREROUTING", ":99", "", "either", lan),
        (25, "6", "nat PREROUTING", "[fd00::8]:2525", "", "before",
         {"destinations": ("2001:db8::/33",), "conditions": ("mark",)}),
    ]  # fmt: skip
    assert {(one.backend, one.native) for one in found.diversions} == {("nf_tables", False), ("ip_tables", False)}


@little
def test_rules_with_sets_maps_and_comparisons(recorded: Any) -> None:
    found = recorded("sets")
    early, own = "ip early p", "inet mine pre"
    assert [short(one) for one in found.diversions] == [
        (25, "4", early, ":25", "", "before", {"interfaces": ("eth1",)}),
        (80, "4", early, "10.2.2.2", "", "before", {"interfaces": ("lo",)}),
        (80, "4", early, ":81", "", "before", {"not_interfaces": ("lo",), "conditions": ("mark",)}),
        (80, "4", early, ":82", "", "before", {"not_interfaces": ("lo",), "conditions": ("limit",)}),
        (443, "4", early, ":3129", "", "before", {"sources": ("10.0.0.0/8", "192.168.0.0/16")}),
        (
            443,
            "4",
            early,
            "10.7.7.7",
            "",
            "before",
            {"not_destinations": ("10.0.0.0/8", "127.0.0.0/8"), "interfaces": ("eth0", "eth9")},
        ),
        (4190, "4", early, "10.5.5.5", "", "before", {"destinations": ("203.0.113.5/32",)}),
        (
            4190,
            "4",
            early,
            "10.6.6.6",
            "",
            "before",
            {"not_destinations": ("203.0.113.5/32", "10.0.0.0/8", "127.0.0.0/8")},
        ),
        (25, "4", own, "10.0.0.9:2525", "", "either", {}),
        (80, "4", own, "10.0.0.5:8080", "", "either", {"destinations": ("198.51.100.7/32",)}),
        (80, "6", own, "[fd00::1]:80", "", "either", {"destinations": ("2001:db8::/32",)}),
        (443, "4", own, "10.0.0.9:2525", "", "either", {}),
        (4190, "4", "inet mine sieve", ":14190", "", "either", {}),
        (4190, "6", "inet mine sieve", ":14190", "", "either", {}),
    ]
    assert all(one.native for one in found.diversions)


@little
def test_rules_of_kube_proxy_podman_and_firewalld(recorded: Any) -> None:
    kube = ("10.42.0.5:8443", "kubernetes", "either")
    assert [short(one) for one in recorded("services").diversions] == [
        (25, "4", "ip kube-proxy e1", *kube, {"destinations": ("198.51.100.7/32",)}),
        (443, "4", "ip kube-proxy e1", *kube, {"destinations": ("10.43.0.1/32",)}),
        (
            443,
            "4",
            "ip kube-proxy e1",
            *kube,
            {"destinations": ("198.51.100.7/32",), "not_destinations": ("10.43.0.1/32",)},
        ),
        (80, "4", "inet netavark nv_1_dnat", "10.88.0.2:8080", "podman", "either", {}),
        (80, "6", "inet netavark nv_1_dnat", "10.88.0.2:8080", "podman", "either", {}),
        (4190, "4", "inet firewalld pub", "10.0.0.1:4190", "firewalld", "after", {"interfaces": ("eth0",)}),
        (4190, "4", "inet firewalld pub", "10.0.0.1:4190", "firewalld", "after", {"not_interfaces": ("eth0",)}),
    ]


# --- whether anything is asked at all ---------------------------------------------------------------------------------


def never(*_: object) -> Iterator[bytes]:
    raise AssertionError("the kernel was asked")


@pytest.mark.parametrize("network", [False, None])
def test_only_the_hosts_own_network_is_asked(network: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlink, "dump", never)
    view = View(container=True, root="/", live=True, network=network, privileged=None)
    fact = nat.nat(Roots("/", view), PORTS)
    assert fact.missing is not None
    assert fact.missing.kind == "skip"


@pytest.mark.parametrize(
    ("modules", "builtin", "config", "asked"),
    [
        ("nf_nat 1 0\nnf_tables 1 0\n", None, None, True),
        ("ext4 1 0\n", "kernel/net/netfilter/nf_nat.ko\nkernel/net/netfilter/nf_tables.ko\n", None, True),
        ("ext4 1 0\n", None, "CONFIG_NF_NAT=y\nCONFIG_NF_TABLES=y\n", True),
        ("ext4 1 0\n", None, None, False),
        ("nf_nat 1 0\n", "kernel/fs/ext4.ko\n", None, False),
        ("nf_tables 1 0\n", None, "CONFIG_NF_TABLES=m\nCONFIG_NF_NAT=m\n", False),
        (None, None, None, True),
    ],
)
def test_a_module_that_is_not_there_is_not_asked(
    modules: str | None, builtin: str | None, config: str | None, asked: bool, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/osrelease").write_text("6.1.0\n")
    for path, text in (
        ("proc/modules", modules), ("lib/modules/6.1.0/modules.builtin", builtin), ("boot/config-6.1.0", config),
    ):  # fmt: skip
        if text is not None:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
    seen = []

    def dump(_protocol: int, kind: int, _request: bytes) -> Iterator[bytes]:
        seen.append(kind)
        return iter(())

    monkeypatch.setattr(netlink, "dump", dump)
    place = Roots(str(tmp_path), NATIVE.view, anchor="1")
    assert nat.nat(place, PORTS).get() == Nat()
    assert bool(seen) is asked


@pytest.mark.parametrize(
    ("error", "unread"),
    [(PermissionError(1, "no"), "denied"), (TimeoutError("late"), "late"), (OSError(95, "no"), "refused")],
)
def test_why_rules_are_not_known(error: OSError, unread: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def dump(*_: object) -> Iterator[bytes]:
        raise error

    monkeypatch.setattr(netlink, "dump", dump)
    monkeypatch.setattr(nat, "_loaded", lambda _roots, _module: True)
    assert nat.nat(NATIVE, PORTS).get() == Nat(unread=unread)  # type: ignore[arg-type]  # one of its words


# --- how rules are followed -------------------------------------------------------------------------------------------


def base(**chains: list[Rule]) -> Base:
    return Base("nf_tables", "ip", "nat", "PREROUTING", -100, lambda name: chains.get(name, []))


def taken(port: int = 25, **chains: list[Rule]) -> list[str]:
    return [one.rule.target for one in Walker().follow(base(**chains), port, 4)]


def to(target: str, *conditions: Condition) -> Rule:
    return Rule(conditions, "divert", target)


HERE = Condition("destination", ("192.0.2.1/32",))
LAN = Condition("source", ("10.0.0.0/8",))
MARK = Condition("other", ("mark",))
PORT = Condition("ports", ((20, 30),))


@pytest.mark.parametrize(
    ("rules", "targets"),
    [
        ([to("a"), to("b")], ["a"]),
        ([to("a", LAN), to("b")], ["a", "b"]),
        ([to("a", PORT), to("b")], ["a"]),
        ([to("a", PORT._replace(negated=True)), to("b")], ["b"]),
        ([to("a", NEVER), to("b", MARK), to("c")], ["b", "c"]),
        ([Rule((), "accept"), to("a")], []),
        ([Rule((LAN,), "accept"), to("a")], ["a"]),
        ([Rule((), "next"), to("a")], ["a"]),
        ([Rule((), "jump", "own"), to("z")], ["x"]),
        ([Rule((LAN,), "jump", "own"), to("z")], ["x", "z"]),
        ([Rule((PORT,), "goto", "back"), to("z")], []),
        ([Rule((MARK,), "goto", "back"), to("z")], ["z"]),
        ([Rule((), "jump", "back"), to("z")], ["z"]),
        ([Rule((), "jump", "nowhere"), to("z")], ["z"]),
        ([to("a", Condition("family", (6,))), to("b", Condition("source", ("fd00::/8",))), to("z")], ["z"]),
        ([to("a", Condition("source", ("fd00::/8",), negated=True))], ["a"]),
    ],
)
def test_a_packet_goes_from_rule_to_rule(rules: list[Rule], targets: list[str]) -> None:
    own = [to("x"), to("y")]
    back = [Rule((), "return"), to("w")]
    assert taken(PREROUTING=rules, own=own, back=back) == targets


def test_what_narrows_a_rule_is_told_from_all_that_leads_to_it() -> None:
    way_in = (Condition("interface", ("eth1",)), Condition("interface", ("lo",), negated=True))
    place = (Condition("destination", ("192.0.2.0/24",)), Condition("destination", ("192.0.2.1/32",), negated=True))
    chains = {"PREROUTING": [Rule(way_in, "jump", "a")], "a": [to("x", LAN, *place)]}
    (one,) = Walker().follow(base(**chains), 25, 4)
    assert one.chains == ("PREROUTING", "a")
    found = one.narrowed
    assert (found.interfaces, found.not_interfaces, found.sources) == (("eth1",), (), ("10.0.0.0/8",))
    assert (found.destinations, found.not_destinations) == (("192.0.2.0/24",), ("192.0.2.1/32",))


@pytest.mark.parametrize(
    ("rules", "targets"),
    [
        # What comes back from a chain, or does not, is left out of what follows.
        ([Rule((HERE,), "jump", "all"), to("z", HERE)], ["w"]),
        ([Rule((), "jump", "some"), to("z", HERE)], []),
        ([Rule((), "jump", "back"), to("z", HERE)], ["z"]),
        ([Rule((HERE,), "goto", "back"), to("z", HERE), to("y")], ["y"]),
        # One address within another network, and one that is not.
        ([Rule((Condition("destination", ("192.0.2.0/24",)),), "jump", "here")], ["h"]),
        ([Rule((Condition("destination", ("10.0.0.0/8",)),), "jump", "here")], []),
    ],
)
def test_what_ends_in_another_chain(rules: list[Rule], targets: list[str]) -> None:
    chains = {
        "all": [to("w")],
        "some": [Rule((HERE,), "accept")],
        "back": [Rule((HERE,), "return")],
        "here": [to("h", HERE)],
    }
    found = [
        one for one in Walker().follow(base(PREROUTING=rules, **chains), 25, 4)
        if not set(one.narrowed.destinations) & set(one.narrowed.not_destinations)
    ]  # fmt: skip
    assert [one.rule.target for one in found] == targets


def test_a_rule_that_holds_for_all_that_is_left_ends_the_chain() -> None:
    rules = [
        Rule((Condition("interface", ("lo",), negated=True),), "return"),
        to("z", Condition("interface", ("eth0",))),
    ]
    chains = {"PREROUTING": [Rule((Condition("interface", ("eth0",)),), "jump", "a"), to("w")], "a": rules}
    assert [one.rule.target for one in Walker().follow(base(**chains), 25, 4)] == ["w"]


def test_a_clusters_thousands_of_services_are_not_all_told() -> None:
    services = [to("a", Condition("destination", (f"10.0.{n // 250}.{n % 250}/32",))) for n in range(5000)]
    *_, last = Walker().follow(base(PREROUTING=[*services, to("z")]), 25, 4)
    assert len(last.narrowed.not_destinations) == TOLD
    bases = [base(PREROUTING=[*services, to("z")])]
    assert nat.taken(bases, (25,)).unread == "late"
    found = nat.taken(bases, (25,), ("192.0.2.1", "10.0.0.7", "2001:db8::1"))
    assert [(one.to, one.destinations) for one in found.diversions] == [("a", ("10.0.0.7/32",)), ("z", ())]
    assert found.unread == ""


ETH = Condition("interface", ("eth0",))


@pytest.mark.parametrize(
    ("first", "left"),
    [
        (Rule((HERE,), "accept"), {"not_destinations": ("192.0.2.1/32",)}),
        (Rule((HERE,), "return"), {"not_destinations": ("192.0.2.1/32",)}),
        (to("a", HERE), {"not_destinations": ("192.0.2.1/32",)}),
        (Rule((ETH,), "drop"), {"not_interfaces": ("eth0",)}),
        (Rule((HERE._replace(negated=True),), "accept"), {"destinations": ("192.0.2.1/32",)}),
        (Rule((ETH._replace(negated=True),), "accept"), {"interfaces": ("eth0",)}),
        (Rule((LAN,), "accept"), {}),
        (Rule((MARK,), "accept"), {}),
        (Rule((HERE, ETH), "accept"), {}),
        (Rule((HERE,), "next"), {}),
    ],
)
def test_what_ends_for_some_is_left_out_of_what_follows(first: Rule, left: dict[str, tuple[str, ...]]) -> None:
    *_, last = Walker().follow(base(PREROUTING=[first, to("z")]), 25, 4)
    found = {name: getattr(last.narrowed, name) for name in last.narrowed.__struct_fields__}
    assert {name: values for name, values in found.items() if values} == left


def test_chains_that_call_each_other_and_too_many_rules_are_given_up() -> None:
    endless = base(PREROUTING=[Rule((), "jump", "a")], a=[Rule((), "jump", "a")])
    assert nat.taken([endless], (25,)).unread == "late"
    many = base(PREROUTING=[to("a", LAN)] * (PATIENCE // 2))
    assert nat.taken([many], (25, 26, 27)).unread == "late"


def test_priorities_decide_who_comes_first() -> None:
    def order(priority: int, table: str = "own") -> str:
        one = Base("nf_tables", "ip", table, "PREROUTING", priority, lambda _: [to("a")])
        return nat.taken([one], (25,)).diversions[0].order

    assert [order(-101), order(-100), order(-99), order(-100, "nat")] == ["before", "either", "after", "before"]


# --- single conditions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "revision", "data", "condition"),
    [
        ("tcp", 0, struct.pack("=HHHHBBBB", 0, 65535, 25, 30, 0, 0, 0, 0), Condition("ports", ((25, 30),))),
        ("tcp", 0, struct.pack("=HHHHBBBB", 0, 65535, 25, 25, 0, 0, 0, 2), Condition("ports", ((25, 25),), True)),
        ("tcp", 0, struct.pack("=HHHHBBBB", 0, 65535, 0, 65535, 0, 0, 0, 0), None),
        ("tcp", 0, struct.pack("=HHHHBBBB", 7, 7, 25, 25, 0, 0, 0, 0), Condition("other", ("tcp",))),
        ("tcp", 0, struct.pack("=HHHHBBBB", 0, 65535, 25, 25, 0, 2, 2, 0), Condition("other", ("flags",))),
        ("tcp", 0, b"short", Condition("other", ("tcp",))),
        ("udp", 0, b"", NEVER),
        ("addrtype", 1, struct.pack("=HHI", 0, 4, 0), None),
        ("addrtype", 1, struct.pack("=HHI", 0, 4, 2), NEVER),
        ("addrtype", 1, struct.pack("=HHI", 0, 8, 0), NEVER),
        ("addrtype", 1, struct.pack("=HHI", 4, 4, 0), Condition("other", ("addrtype",))),
        ("addrtype", 0, struct.pack("=HHII", 0, 4, 0, 1), NEVER),
        ("state", 0, struct.pack("=I", 8), None),
        ("state", 0, struct.pack("=I", 2), NEVER),
        ("comment", 0, b"anything", None),
        ("quota", 0, b"", Condition("other", ("quota",))),
        ("multiport", 1, bytes(48), Condition("other", ("sport",))),
    ],
)
def test_extensions_of_iptables(name: str, revision: int, data: bytes, condition: Condition | None) -> None:
    assert match(name, revision, data) == condition


def test_intervals_of_sets_are_put_together() -> None:
    def row(key: int, flags: int = 0) -> dict[int, bytes]:
        value = struct.pack("=HH2s2x", 6, 1, key.to_bytes(2, "big"))
        return {1: value, 3: flags.to_bytes(4, "big")}

    rows = [row(0, 1), row(443), row(444, 1), row(31, 1), row(20), row(60000)]
    found = [
        (int.from_bytes(one.first, "big"), int.from_bytes(one.last, "big"))
        for one in _read_elements(rows, interval=True)
    ]
    assert found == [(20, 30), (443, 443), (60000, 65535)]


@pytest.mark.parametrize(
    ("address", "mask", "text"),
    [
        (bytes([10, 1, 2, 3]), bytes([255, 0, 0, 0]), "10.0.0.0/8"),
        (bytes([10, 1, 2, 3]), 32, "10.1.2.3/32"),
        (bytes([10, 1, 2, 3]), bytes([255, 0, 255, 0]), ""),
        (b"\x20\x01\x0d\xb8" + bytes(12), b"\xff" * 4 + bytes(12), "2001:db8::/32"),
    ],
)
def test_networks(address: bytes, mask: bytes | int, text: str) -> None:
    assert matching.network(address, mask) == text


@given(st.binary(max_size=300), st.sampled_from([1, 2, 10]))
def test_whatever_the_kernel_tells_of_a_rule_is_read(raw: bytes, family: int) -> None:
    table = Table(family, "t")
    table.elements = lambda _name: (Element(b"\0\x19", b"\0\x19", b""),)  # type: ignore[method-assign]  # no kernel
    assert all(isinstance(rule, Rule) for rule in read_rule(raw, table))


@given(st.data())
def test_a_damaged_rule_is_read(data: st.DataObject) -> None:
    said = json.loads((Path(__file__).parent / "nat" / "sets.json").read_text())
    rows = [row for kind, _, rows in said["dumps"] if kind & 0xFF == 7 for row in rows]
    raw = bytearray(bytes.fromhex(data.draw(st.sampled_from(rows)))[4:])
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    table = Table(1, "t")
    table.elements = lambda _name: (Element(b"\0\x19", b"\0\x19", b""),)  # type: ignore[method-assign]  # no kernel
    assert all(isinstance(rule, Rule) for rule in read_rule(bytes(raw), table))


@given(st.data())
def test_a_damaged_table_is_read(data: st.DataObject) -> None:
    said = json.loads((Path(__file__).parent / "nat" / "iptables.json").read_text())
    version = data.draw(st.sampled_from([4, 6]))
    raw = bytearray(bytes.fromhex(said["legacy"][str(version)][1]))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    chains: dict[str, list[Rule]] = {}
    with contextlib.suppress(OSError):
        chains = legacy.read(bytes(raw), 0, version)
    assert all(isinstance(rule, Rule) for rules in chains.values() for rule in rules)


def test_a_target_may_have_no_data() -> None:
    trace = bytes(88) + struct.pack("=HH20x", 112, 144) + struct.pack("=H29sB", 32, b"TRACE", 0)
    assert legacy.read(trace, 0, 4) == {"PREROUTING": [Rule((), "next", handle=1)]}
    with pytest.raises(OSError, match="Bad message"):
        legacy.read(bytes(88) + struct.pack("=HH20x", 112, 144) + struct.pack("=H29sB", 32, b"", 0), 0, 4)


# --- this kernel ------------------------------------------------------------------------------------------------------

LIVE = """
import sys
from preflight.facts import View
from preflight.gather.access.roots import Roots
from preflight.gather.nat import nat
view = View(container=False, root="/", live=True, network=True, privileged=None)
for one in nat.nat(Roots("/", view, anchor="self"), (25, 443)).get().diversions:
    print(one.port, one.family, one.backend, one.to)
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare")
@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("iptables-nft", "443 ipv4 nf_tables 10.42.0.8:443"),
        ("iptables-legacy", "443 ipv4 ip_tables 10.42.0.8:443"),
        ("nft", "443 ipv4 nf_tables 10.42.0.8:443"),
    ],
)
def test_rules_of_this_kernel(program: str, said: str) -> None:
    if not shutil.which(program):
        pytest.skip(f"needs {program}")
    commands = f"{program} -t nat -A PREROUTING -p tcp --dport 443 -j DNAT --to-destination 10.42.0.8:443"
    if program == "nft":
        chain = "type nat hook prerouting priority dstnat; tcp dport 443 dnat to 10.42.0.8:443"
        commands = f"nft 'table ip own {{ chain pre {{ {chain}\n}}\n}}'"
    script = f'set -e; {commands}; exec "$0" -c "$1"'
    run = subprocess.run(["unshare", "-n", "sh", "-c", script, sys.executable, LIVE], capture_output=True, text=True)
    if run.returncode and "preflight" not in run.stderr:
        pytest.skip(f"rules cannot be made here: {run.stderr[:100]}")
    assert (run.stdout.splitlines(), run.stderr) == ([said], "")
