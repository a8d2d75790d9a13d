"""Copies of ip_tables: blobs that a kernel gave, and the running kernel with packets of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts.twin import Chain, Uncopied
from preflight.twin import legacy, legacy_load
from preflight.twin.legacy import Blob, Counts, Loaded
from preflight.twin.legacy_blame import Places, pairs
from preflight.twin.legacy_blob import Row, apart, parsed, parts, rebuilt
from preflight.twin.legacy_worlds import World, bypasses, change
from preflight.twin.spaces import Space

RECORDED = json.loads((Path(__file__).parent / "legacy.json").read_text())
pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="recorded on a little-endian machine")
SETS = {4: {0: 7, 1: 8}, 6: {2: 7, 3: 8}}


def blob(version: int, table: str = "filter") -> Blob:
    info, entries = RECORDED[f"{version} {table}"]
    return parsed(version, table, bytes.fromhex(info), bytes.fromhex(entries))


def rule(table: Blob, chain: str, number: int) -> Row:
    return next(row for row in table.rows if (row.chain, row.number) == (chain, number))


def said(table: Blob, chain: str) -> list[tuple[Any, ...]]:
    """Return the matches and the target of each rule of a chain."""
    names = {row.end: row.chain for row in table.rows if row.target == "ERROR"}
    found = []
    for row in table.rows:
        if row.chain == chain and row.number:
            going = "next" if row.verdict == row.end else names.get(row.verdict, str(row.verdict))
            found.append((*(match.name for match in parts(table, row)[0]), row.target or going))
    return found


def made(table: Blob, world: World, programs: frozenset[int] = frozenset()) -> Blob:
    changed = {
        index: entry for index, row in enumerate(table.rows)
        if row.number and (entry := change(table, row, SETS[table.version], world, programs).entry) is not None
    }  # fmt: skip
    return rebuilt(table, changed)


# --- what a table says ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [4, 6])
def test_outlines(version: int) -> None:
    found = legacy.outline(blob(version))
    assert (found.backend, found.family, found.name) == ("ip_tables", {4: "ip", 6: "ip6"}[version], "filter")
    assert found.chains == (
        Chain("INPUT", 10, "input", 0, "drop"), Chain("FORWARD", 5, "forward", 0, "accept"),
        Chain("OUTPUT", 0, "output", 0, "accept"), Chain("empty", 0), Chain("ufw", 3), Chain("zz", 1),
    )  # fmt: skip
    assert [(one.name, one.rules, one.hook, one.priority) for one in legacy.outline(blob(version, "nat")).chains] == [
        ("PREROUTING", 1, "prerouting", -100), ("INPUT", 0, "input", 100), ("OUTPUT", 0, "output", -100),
        ("POSTROUTING", 1, "postrouting", 100), ("DOCKER", 1, "", 0),
    ]  # fmt: skip


@pytest.mark.parametrize("version", [4, 6])
def test_sets_that_rules_refer_to(version: int) -> None:
    assert legacy.sets(blob(version)) == SETS[version].keys()
    assert legacy.sets(blob(version, "nat")) == frozenset()


@pytest.mark.parametrize(
    ("address", "version", "mentioned"),
    [
        ("203.0.113.9", 4, True), ("1.2.3.4", 4, True), ("5.5.5.4", 4, False), ("5.5.5.9", 4, True),
        ("5.5.5.10", 4, False), ("8.8.8.8", 4, False), ("8.8.8.8", 6, False), ("2001:db8::77", 6, True),
        ("2001:db9::9", 6, True), ("2001:db9::a", 6, False), ("2001:db8::77", 4, False),
    ],
)  # fmt: skip
def test_addresses_that_rules_single_out(address: str, version: int, mentioned: bool) -> None:
    assert legacy.mentions(blob(version))(address) is mentioned


# --- worlds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [4, 6])
def test_as_it_is_only_indices_and_what_acts_outside_are_changed(version: int) -> None:
    table = blob(version)
    copy = made(table, "as-is")
    assert said(copy, "INPUT") == [
        ("tcp", "comment", "-2"), ("set", "-1"), ("set", "-1"), ("limit", "next"), ("limit", "-2"),
        ("hashlimit", "-1"), ("recent", "next"), ("recent", "-1"), ("statistic", "ufw"), ("zz",),
    ]  # fmt: skip
    for chain in ("FORWARD", "ufw", "zz"):
        assert said(copy, chain) == said(table, chain)
    indices = [struct.unpack_from("=H", parts(copy, rule(copy, "INPUT", number))[0][0].data)[0] for number in (2, 3)]
    assert set(indices) == {7, 8}
    assert legacy.sets(copy) == {7, 8}


@pytest.mark.parametrize("version", [4, 6])
def test_conditions_are_always_met(version: int) -> None:
    copy = made(blob(version), "met", frozenset({3}))
    assert said(copy, "INPUT")[3:] == [
        ("limit", "next"), ("-2",), ("-1",), ("recent", "next"), ("-1",), ("ufw",), ("zz",),
    ]  # fmt: skip
    assert said(copy, "FORWARD")[-1] == ("-2",)
    assert said(copy, "ufw") == [("-5",), ("next",), ("-1",)]


@pytest.mark.parametrize("version", [4, 6])
def test_rules_with_conditions_are_left_out(version: int) -> None:
    copy = made(blob(version), "without", frozenset({3}))
    assert said(copy, "INPUT")[3:] == [
        ("limit", "next"), ("next",), ("next",), ("recent", "next"), ("next",), ("next",), ("zz",),
    ]  # fmt: skip
    assert said(copy, "FORWARD")[-1] == ("next",)
    # A queue that no program reads drops packets, and hangs on nothing.
    assert said(made(blob(version), "without", frozenset({4})), "FORWARD")[-1] == ("NFQUEUE",)


def test_a_program_may_judge_otherwise_than_the_kernel_without_it() -> None:
    table = blob(4)
    row = rule(table, "FORWARD", 5)
    raw = bytearray(table.data[row.at : row.end])
    target = apart(4, bytes(raw))[1]
    assert not bypasses(target)
    raw[len(raw) - len(target.raw) + 31] = 3
    raw[len(raw) - len(target.raw) + 36] = 1
    assert bypasses(apart(4, bytes(raw))[1])
    other = rebuilt(table, {table.rows.index(row): bytes(raw)})
    assert said(made(other, "met", frozenset({3})), "FORWARD")[-1] == ("-1",)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("number", [2, 3])
def test_a_rule_whose_set_is_not_there_counts(version: int, number: int) -> None:
    table = blob(version)
    found = change(table, rule(table, "INPUT", number), {}, "as-is")
    assert (found.what, found.error) == ("set", "ENOENT")
    assert [match.name for match in apart(version, found.entry or b"")[0]] == []
    found = change(table, rule(table, "FORWARD", 4), {}, "as-is")
    assert (found.what, found.error) == ("SET", "ENOENT")
    assert [match.name for match in apart(version, found.entry or b"")[0]] == ["multiport"]


def test_what_connections_time_out_by_is_not_looked_for() -> None:
    table = blob(4, "raw")
    row = rule(table, "PREROUTING", 1)
    raw = bytearray(table.data[row.at : row.end])
    raw[-40:-8] = b"policy".ljust(32, b"\0")
    table = rebuilt(table, {table.rows.index(row): bytes(raw)})
    found = change(table, row, {}, "as-is").entry or b""
    assert found[112:] == blob(4, "raw").data[row.at + 112 : row.end]


# --- tables are changed -----------------------------------------------------------------------------------------------


@given(st.data(), st.sampled_from([4, 6]))
def test_jumps_go_where_they_went(data: st.DataObject, version: int) -> None:
    table = blob(version)
    rules = [index for index, row in enumerate(table.rows) if row.number]
    gone = data.draw(st.sets(st.sampled_from(rules)))
    copy = rebuilt(table, dict.fromkeys(gone, b""))
    for chain in ("INPUT", "FORWARD", "OUTPUT", "ufw", "zz"):
        left = [row.number for index, row in enumerate(table.rows) if row.chain == chain and index not in gone]
        before = said(table, chain)
        assert said(copy, chain) == [before[number - 1] for number in left if number]
    assert legacy.outline(copy).chains[0].policy == "drop"


@given(st.data(), st.sampled_from(["4 filter", "6 filter", "4 nat", "4 raw"]))
def test_damaged_tables_end_as_errors(data: st.DataObject, key: str) -> None:
    info, entries = (bytearray.fromhex(text) for text in RECORDED[key])
    for _ in range(data.draw(st.integers(1, 6))):
        entries[data.draw(st.integers(0, len(entries) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(OSError):
        table = parsed(int(key[0]), key[2:], bytes(info), bytes(entries))
        legacy.mentions(table)
        legacy.outline(table)
        legacy.sets(table)
        made(table, "met", frozenset({3}))


@given(st.lists(st.integers(0, 4), max_size=12), st.lists(st.integers(0, 4), max_size=12))
def test_rules_are_found_again(old: list[int], new: list[int]) -> None:
    found = list(pairs(old, new))
    assert all(old[here] == new[there] for here, there in found)
    assert found == sorted(found) or sorted(found) == sorted(set(found))
    assert len({here for here, _ in found}) == len({there for _, there in found}) == len(found)
    assert sorted(pairs(old, old)) == [(place, place) for place in range(len(old))]
    assert sorted(here for here, _ in pairs(old, [9, *old[:3], 9, *old[3:], 9])) == list(range(len(old)))


def test_chains_too_long_to_compare_have_no_pairs() -> None:
    old, new = [*range(1000)], [*range(1000, 2000)]
    assert list(pairs(old, new)) == []


# --- this kernel ------------------------------------------------------------------------------------------------------

LEGACY = {4: "iptables-legacy", 6: "ip6tables-legacy"}
live = pytest.mark.skipif(
    not shutil.which("iptables-legacy-restore") or not Path("/proc/self/net/ip_tables_names").exists(),
    reason="needs iptables-legacy and a kernel with ip_tables",
)
ADDRESSES = {4: ("198.51.100.1/24", "198.51.100.2/24"), 6: ("2001:db8::1/64", "2001:db8::2/64")}


def run(space: Space, *words: str, text: str = "") -> str:
    with space.entered():
        return subprocess.run(words, input=text, text=True, capture_output=True, check=True).stdout


def restore(space: Space, version: int, text: str, *words: str) -> None:
    run(space, f"{LEGACY[version]}-restore", *words, text=text)


def saved(space: Space, version: int) -> str:
    text = re.sub(r"^#.*\n|\[\d+:\d+\]", "", run(space, f"{LEGACY[version]}-save"), flags=re.MULTILINE)
    return "".join(sorted(text.split("*")))


def copied(host: Space, twin: Space, version: int, world: World = "as-is") -> list[Loaded]:
    with host.entered():
        blobs = [legacy.read(version, table) for table in legacy.tables(version)]
    with twin.entered():
        return [legacy.load(one, {}, world) for one in blobs]


def cable(one: Space, other: Space, version: int) -> None:
    """Join two namespaces by a cable, with an address at each end."""
    run(one, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
    run(one, "ip", "link", "set", "eth1", "netns", f"/proc/{os.getpid()}/fd/{other.descriptor}")
    for space, link, address in zip((one, other), ("eth0", "eth1"), ADDRESSES[version], strict=True):
        run(space, "ip", "address", "add", address, "dev", link, *(["nodad"] if version == 6 else []))
        run(space, "ip", "link", "set", link, "up")


def knock(space: Space, version: int, port: int) -> bool:
    """Send a packet that opens a connection to the other end of the cable; say whether it was refused at once."""
    with space.entered():
        asked = socket.socket({4: socket.AF_INET, 6: socket.AF_INET6}[version])
    with asked:
        asked.settimeout(0.2)
        try:
            asked.connect((ADDRESSES[version][0].partition("/")[0], port))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


class Played:
    """A host's rules in a twin to which packets are sent."""

    def __init__(self, namespaces: Callable[[], Space], version: int, rules: str, world: World = "as-is") -> None:
        self.version, self.host, self.twin, self.outside = version, namespaces(), namespaces(), namespaces()
        cable(self.twin, self.outside, version)
        # The neighbours know each other before there are rules.
        assert any(knock(self.outside, version, 9) for _ in range(25))
        restore(self.host, version, rules)
        self.loaded = copied(self.host, self.twin, version, world)

    def after(self, port: int) -> tuple[Counts, Counts]:
        """Return the counters before and after a packet."""
        with self.twin.entered():
            before = legacy.counters(self.version, self.loaded)
            knock(self.outside, self.version, port)
            return before, legacy.counters(self.version, self.loaded, before)


FILTER = "*filter\n:INPUT {policy} [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{rules}COMMIT\n"
EVERYTHING = """*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:one - [0:0]
:two - [0:0]
-A INPUT -p tcp -m tcp --dport 22 -m comment --comment "a \\"b\\"" -j ACCEPT
-A INPUT -m limit --limit 3/min -j ACCEPT
-A INPUT -m hashlimit --hashlimit-above 3/sec --hashlimit-mode srcip --hashlimit-name x -j DROP
-A INPUT -m recent --name r --set -j one
-A INPUT -m recent --name r --update --seconds 60 --hitcount 5 -j DROP
-A INPUT -m statistic --mode nth --every 3 --packet 1 -j one
-A INPUT -m quota --quota 1000 -j RETURN
-A INPUT -p tcp -m connlimit --connlimit-above 4 -j REJECT
-A INPUT -m connbytes --connbytes 10 --connbytes-dir both --connbytes-mode packets -j ACCEPT
-A INPUT -g two
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD ! -i eth0 -o br+ -j one
-A one -m time --timestart 01:00 --timestop 02:00 -j RETURN
-A one -p tcp
-A one -p tcp -m multiport ! --dports 25,80:90 -j two
-A two -m u32 --u32 "6&0xFF=6" -j DROP
COMMIT
*nat
:PREROUTING ACCEPT
:INPUT ACCEPT
:OUTPUT ACCEPT
:POSTROUTING ACCEPT
:DOCKER -
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING ! -o docker0 -j MASQUERADE
-A DOCKER -p tcp -m tcp --dport 2525 -j DNAT --to-destination {to}
-A DOCKER -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 80
COMMIT
*mangle
:PREROUTING ACCEPT
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT ACCEPT
:POSTROUTING ACCEPT
-A PREROUTING -j MARK --set-xmark 0x1/0xff
-A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
COMMIT
*raw
:PREROUTING ACCEPT
:OUTPUT ACCEPT
-A PREROUTING -j CT --zone 0
COMMIT
"""
TO = {4: "172.22.1.253:25", 6: "[fd4d:6169:6c63:6f77::fd]:25"}


@live
@pytest.mark.parametrize("version", [4, 6])
def test_copies_say_what_the_host_says(namespaces: Callable[[], Space], version: int) -> None:
    host, twin = namespaces(), namespaces()
    restore(host, version, EVERYTHING.replace("{to}", TO[version]))
    loaded = copied(host, twin, version)
    assert [one.blob.table for one in loaded] == ["raw", "mangle", "nat", "filter"]
    assert [(one.blind, one.refused) for one in loaded] == [("", {})] * 4
    assert saved(twin, version) == saved(host, version)
    assert sorted(word for words in loaded[3].conditions.values() for word in words) == [
        "connbytes", "connlimit", "hashlimit", "limit", "quota", "recent", "statistic", "time",
    ]  # fmt: skip
    for world in ("met", "without"):
        assert [one.refused for one in copied(host, twin, version, world)] == [{}] * 4


@live
@pytest.mark.parametrize("version", [4, 6])
def test_what_acts_outside_of_the_namespace_is_left_out(namespaces: Callable[[], Space], version: int) -> None:
    host, twin = namespaces(), namespaces()
    rules = "*raw\n:PREROUTING ACCEPT\n:OUTPUT ACCEPT\n" + "".join(
        f"-A PREROUTING -p tcp {words}\n"
        for words in ("-j TRACE", "-m limit --limit 1/s -j LOG", "-j NFLOG --nflog-group 3", "-j CT --notrack")
    )
    restore(host, version, rules + "COMMIT\n")
    (loaded,) = copied(host, twin, version)
    assert (loaded.blind, loaded.refused, loaded.conditions) == ("", {}, {})
    with twin.entered():
        assert said(legacy.read(version, "raw"), "PREROUTING") == [("next",), ("limit", "next"), ("next",), ("CT",)]


@live
@pytest.mark.parametrize("version", [4, 6])
def test_the_rule_that_stopped_a_packet(namespaces: Callable[[], Space], version: int) -> None:
    rules = (
        "-A INPUT -p tcp -m tcp --dport 1 -j DROP\n-A INPUT -p tcp -m tcp --dport 2 -j REJECT\n"
        "-A INPUT -p tcp -m tcp --dport 3 -j own\n-A INPUT -p tcp -m tcp --dport 4 -j NFQUEUE --queue-num 4\n"
        "-A INPUT -p tcp -m tcp --dport 5 -j ACCEPT\n-A own -m comment --comment x\n-A own -j DROP\n"
    )
    played = Played(namespaces, version, FILTER.format(policy="DROP [0:0]\n:own -", rules=rules))
    found = [legacy.culprit(*played.after(port)) for port in range(1, 7)]
    assert [(one.kind, one.table, one.chain, one.number, one.predicted) if one else None for one in found] == [
        ("rule", "filter", "INPUT", 1, False), ("rule", "filter", "INPUT", 2, False),
        ("rule", "filter", "own", 2, False), ("rule", "filter", "INPUT", 4, False), None,
        ("policy", "filter", "INPUT", None, False),
    ]  # fmt: skip
    assert {one.family for one in found if one} == {{4: "ip", 6: "ip6"}[version]}
    assert {one.counter for one in found if one} == {0}


@live
@pytest.mark.parametrize("version", [4, 6])
def test_rules_are_known_though_the_engine_added_others(namespaces: Callable[[], Space], version: int) -> None:
    played = Played(namespaces, version, EVERYTHING.replace("{to}", TO[version]))
    more = (
        "*filter\n:DOCKER -\n:aa -\n-I INPUT -p tcp -m tcp --dport 999 -j DROP\n-I INPUT 4 -j aa\n"
        "-A two -j DROP\n-I one 2 -j RETURN\n-D FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
        "-I FORWARD -j DOCKER\n-A aa -j RETURN\nCOMMIT\n*nat\n-A DOCKER -p tcp -m tcp --dport 26 -j RETURN\nCOMMIT\n"
    )
    restore(played.twin, version, more, "--noflush")
    stopped = legacy.culprit(*played.after(999))
    assert stopped
    assert (stopped.chain, stopped.predicted, stopped.number, stopped.counter) == ("INPUT", True, None, None)
    with played.twin.entered():
        now = legacy.counters(version, played.loaded)
    known: dict[tuple[str, str], list[int | None]] = {}
    for table, loaded in now.tables:
        assert loaded
        places = Places(loaded, table)
        for row in table.rows:
            if row.number:
                index = places.of(row)
                number = None if index is None else loaded.blob.rows[index].number
                known.setdefault((table.table, row.chain), []).append(number)
    assert known["filter", "INPUT"] == [None, 1, 2, None, 3, 4, 5, 6, 7, 8, 9, 10]
    assert known["filter", "FORWARD"] == [None, 2]
    assert known["filter", "one"] == [1, None, 2, 3]
    assert known["filter", "two"] == [1, None]
    assert known["filter", "aa"] == [None]
    assert known["nat", "DOCKER"] == [1, 2, None]
    assert known["mangle", "PREROUTING"] == known["raw", "PREROUTING"] == [1]


@live
@pytest.mark.parametrize("version", [4, 6])
def test_where_packets_were_turned_to(namespaces: Callable[[], Space], version: int) -> None:
    played = Played(namespaces, version, EVERYTHING.replace("{to}", TO[version]))
    for port, number, to in ((2525, 1, TO[version].rpartition(":")[0].strip("[]")), (8080, 2, "")):
        before, after = played.after(port)
        found = legacy.diverted(before, after)
        assert [(one.kind, one.table, one.chain, one.number, one.to) for one in found] == [
            ("nat", "nat", "DOCKER", number, to),
        ]


@live
@pytest.mark.parametrize(("world", "stopped"), [("as-is", None), ("met", 1), ("without", None)])
def test_what_a_verdict_hangs_on(namespaces: Callable[[], Space], world: World, stopped: int | None) -> None:
    rules = (
        "-A INPUT -p tcp -m connlimit --connlimit-above 5 -j DROP\n-A INPUT -m limit --limit 1/sec -j LOG\n"
        "-A INPUT -p udp -m quota --quota 5 -j DROP\n"
    )
    played = Played(namespaces, 4, FILTER.format(policy="ACCEPT", rules=rules), world)
    before, after = played.after(5)
    found = legacy.culprit(before, after)
    assert (found and found.number) == stopped
    assert legacy.depends(before, after) == ({"connlimit"} if world != "as-is" else frozenset())


def broken(table: Blob, rules: Sequence[tuple[str, int]]) -> Blob:
    """Return a table in which the match `multiport` of some rules is one that the kernel refuses."""
    data = bytearray(table.data)
    for chain, number in rules:
        row = rule(table, chain, number)
        at = row.at + {4: 112, 6: 168}[table.version]
        while not data[at + 2 : at + 31].startswith(b"multiport"):
            at += struct.unpack_from("=H", data, at)[0]
        data[at + 33] = 99  # ports, of 15
    return msgspec.structs.replace(table, data=bytes(data))


@live
@pytest.mark.parametrize("version", [4, 6])
def test_a_refused_rule_counts_what_would_have_met_it(namespaces: Callable[[], Space], version: int) -> None:
    rules = (
        "-A INPUT -p tcp -m tcp --dport 1:5 -m multiport --dports 1,2 -j DROP\n"
        "-A INPUT -p tcp -m multiport --dports 3,4 -j DROP\n-A INPUT -p tcp -m tcp --dport 5 -j DROP\n"
        "-A INPUT -p udp -m multiport --dports 3,4 -j own\n-A own -j REJECT\n"
    )
    played = Played(namespaces, version, FILTER.format(policy="ACCEPT [0:0]\n:own -", rules=rules))
    table = broken(played.loaded[0].blob, [("INPUT", 1), ("INPUT", 4)])
    with played.twin.entered():
        played.loaded = [legacy.load(table, {})]
    refused = list(played.loaded[0].refused.values())
    assert played.loaded[0].blind == ""
    assert [(one.chain, one.number, one.what, one.error) for one in refused] == [
        ("INPUT", 1, "multiport", "EINVAL"), ("INPUT", 4, "multiport", "EINVAL"),
    ]  # fmt: skip
    assert refused[0].told() == Uncopied("ip_tables", "filter", "INPUT", what="multiport", error="EINVAL")
    for port, met, stopped in ((1, [1], None), (4, [1], 2), (5, [1], 3), (6, [], None)):
        before, after = played.after(port)
        assert [one.number for one in legacy.met(before, after)] == met
        found = legacy.culprit(before, after)
        assert (found and found.number) == stopped
    with played.twin.entered():
        assert [one.number for one in legacy.met(None, legacy.counters(version, played.loaded))] == [1]


@live
def test_a_table_that_is_refused_without_its_rules_is_not_copied(namespaces: Callable[[], Space]) -> None:
    twin = namespaces()
    with twin.entered():
        assert legacy.load(msgspec.structs.replace(blob(4), hooks=1), SETS[4]).blind == "EINVAL"
        assert legacy.load(msgspec.structs.replace(blob(4), table="none"), SETS[4]).blind == "ENOENT"


@live
def test_ten_thousand_rules_of_which_some_are_refused(
    namespaces: Callable[[], Space], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(legacy_load, "SECONDS", 60.0)  # a search that a busy machine cuts short names all of a kind
    rules = "".join(
        f"-A INPUT -s 10.{one >> 8}.{one & 255}.0/24 -p tcp -m multiport --dports {one % 999 + 1},2 -j ACCEPT\n"
        for one in range(10_000)
    )
    host, twin = namespaces(), namespaces()
    restore(host, 4, FILTER.format(policy="DROP", rules=rules))
    started = time.monotonic()
    loaded = copied(host, twin, 4)
    assert time.monotonic() - started < 30  # tenths of a second where nothing else runs
    assert loaded[0].refused == {}
    assert saved(twin, 4) == saved(host, 4)
    with twin.entered():
        some = legacy.load(broken(loaded[0].blob, [("INPUT", 77), ("INPUT", 9000)]), {})
        assert [(one.number, one.error) for one in some.refused.values()] == [(77, "EINVAL"), (9000, "EINVAL")]
        many = legacy.load(broken(loaded[0].blob, [("INPUT", number) for number in range(1, 10_001)]), {})
        assert len(many.refused) == 10_000


@live
def test_a_namespace_without_tables(namespaces: Callable[[], Space]) -> None:
    with namespaces().entered():
        assert legacy.tables(4) == legacy.tables(6) == ()
        assert legacy.queues() == frozenset()
        assert legacy.counters(4, []).tables == ()
