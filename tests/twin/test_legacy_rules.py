"""What single rules of ip_tables become in a world, and which of them hang on what no packet says."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import pytest

from preflight.twin import legacy, legacy_blob, legacy_load, legacy_worlds
from preflight.twin.legacy_blob import ACCEPT, DROP, RETURN, Part, Row, apart
from preflight.twin.legacy_load import Loaded
from preflight.twin.legacy_worlds import World, change, conditions, counting, hangs_on
from tests.twin.legacy_tables import (
    COUNTERS,
    DROPS,
    HEADS,
    LIMIT,
    PROTOCOL,
    REJECTS,
    SET,
    TCP_,
    entry,
    little,
    part,
    queue,
    standard,
    table,
)

pytestmark = little


RECENT = struct.pack("=IIBB", 60, 5, 0, 0)


@pytest.mark.parametrize(
    ("name", "data", "word"),
    [
        ("limit", b"", "limit"), ("hashlimit", b"", "hashlimit"), ("rateest", b"", "rateest"),
        ("statistic", b"", "statistic"), ("time", b"", "time"), ("quota", b"", "quota"), ("quota2", b"", "quota"),
        ("nfacct", b"", "quota"), ("connlimit", b"", "connlimit"), ("connbytes", b"", "connbytes"), ("cpu", b"", "cpu"),
        ("osf", b"", "osf"), ("socket", b"", "socket"), ("condition", b"", "condition"), ("psd", b"", "psd"),
        ("lscan", b"", "lscan"),
        ("fuzzy", b"", "fuzzy"), ("tcp", b"", ""), ("conntrack", b"", ""), ("geoip", b"", ""), ("", b"", ""),
        # --set only notes an address, and holds for every packet; turned around it holds for none.
        ("recent", struct.pack("=IIBB", 0, 0, 2, 0), ""), ("recent", struct.pack("=IIBB", 0, 0, 2, 1), "recent"),
        ("recent", struct.pack("=IIBB", 60, 5, 4, 0), "recent"), ("recent", struct.pack("=IIBB", 0, 0, 1, 0), "recent"),
        ("recent", b"\0" * 9, "recent"),
        # A program as bytes sees the packet alone; one of eBPF may remember.
        ("bpf", struct.pack("=H", 0) + bytes(600), ""), ("bpf", struct.pack("=H", 1) + bytes(600), "bpf"),
        ("bpf", struct.pack("=H", 1) + bytes(100), ""),
    ],
)  # fmt: skip
def test_what_a_match_hangs_on(name: str, data: bytes, word: str) -> None:
    assert hangs_on(Part(name, 0, part(name, data)[:32] + data)) == word


@pytest.mark.parametrize(
    ("target", "programs", "found"),
    [
        (queue(0, 3), {3}, {"queue"}), (queue(0, 3), {4}, set()), (queue(0, 3, 9), {4, 5}, set()),
        (queue(1, 3, 4), {6}, {"queue"}), (queue(1, 3, 4), {7}, set()), (queue(1, 3, 0), {3}, {"queue"}),
        (queue(3, 3, 2, 1), {4}, {"queue"}), (queue(1, 3, 4), set(), set()), (part("NFQUEUE")[:34], {0}, set()),
        (part("REJECT", bytes(8)), {0}, set()),
    ],
)  # fmt: skip
def test_a_queue_that_a_program_reads_is_a_condition(target: bytes, programs: set[int], found: set[str]) -> None:
    row = Row(0, 112, 160, "INPUT", 1, "NFQUEUE", 0)
    read = legacy_blob._part(target)
    assert conditions(row, [], read, frozenset(programs)) == found


@pytest.mark.parametrize(
    ("target", "bypasses"),
    [
        (queue(0, 3, 0, 1), False), (queue(1, 3, 1, 1), False), (queue(2, 3, 1, 1), True), (queue(3, 3, 1, 1), True),
        (queue(3, 3, 1, 0), False), (queue(3, 3, 1, 2), False), (queue(3, 3, 1, 3), True), (queue(3, 3, 1)[:36], False),
    ],
)  # fmt: skip
def test_packets_pass_a_queue_that_nobody_reads_where_it_says_so(target: bytes, bypasses: bool) -> None:
    assert legacy_worlds.bypasses(legacy_blob._part(target)) is bypasses


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ((LIMIT, standard(DROP)), {"limit"}),
        ((LIMIT, part("time", bytes(16)), standard(ACCEPT)), {"limit", "time"}),
        ((LIMIT, part("LOG", bytes(32))), set()),
        ((LIMIT, part("MARK", bytes(8), 2)), {"limit"}),  # later rules may ask for the mark
        ((TCP_, standard(DROP)), set()),
        ((standard(DROP),), set()),
    ],
)
def test_only_a_rule_that_decides_something_depends(version: int, parts: tuple[bytes, ...], found: set[str]) -> None:
    blob = table(entry(version, *parts), version=version)
    loaded = Loaded(blob, blob)
    legacy_load._changes(loaded, {}, "as-is", frozenset())
    assert loaded.conditions == ({0: found} if found else {})


def test_a_rule_that_goes_on_whatever_it_says_decides_nothing() -> None:
    size = len(entry(4, LIMIT, standard(0)))
    blob = table(entry(4, LIMIT, standard(size)))
    loaded = Loaded(blob, blob)
    legacy_load._changes(loaded, {}, "as-is", frozenset())
    assert loaded.conditions == {}


# --- what rules become ------------------------------------------------------------------------------------------------


def became(
    version: int, *parts: bytes, world: World = "as-is", sets: Mapping[int, int] | None = None,
    programs: frozenset[int] = frozenset(),
) -> tuple[list[str], Any, str]:  # fmt: skip
    """Return the matches of what a rule becomes, its target or verdict ('next': it counts), and what is missing."""
    blob = table(entry(version, *parts), version=version)
    row = blob.rows[0]
    found = change(blob, row, sets or {}, world, programs)
    raw = blob.data[row.at : row.end] if found.entry is None else found.entry
    matches, target = apart(version, raw)
    verdict = struct.unpack_from("=i", target.data)[0] if not target.name else None
    told = target.name or ("next" if verdict == row.end else verdict)
    assert (found.what == "") is (found.error == "")
    return [match.name for match in matches], told, found.what


MARK = part("MARK", bytes(8), 2)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("world", "parts", "became_"),
    [
        ("as-is", (LIMIT, standard(DROP)), (["limit"], DROP, "")),
        ("met", (LIMIT, standard(DROP)), ([], DROP, "")),
        ("without", (LIMIT, standard(DROP)), ([], "next", "")),
        ("met", (TCP_, LIMIT, standard(ACCEPT)), (["tcp"], ACCEPT, "")),
        ("without", (TCP_, standard(DROP)), (["tcp"], DROP, "")),
        ("met", (TCP_, standard(RETURN)), (["tcp"], RETURN, "")),
        ("as-is", (LIMIT, part("LOG", bytes(32))), (["limit"], "next", "")),
        ("met", (LIMIT, part("LED", bytes(40))), (["limit"], "next", "")),
        ("met", (LIMIT, MARK), ([], "MARK", "")),
        # What a quota of the host's namespace counts for is not here: it is as if it were used up.
        ("as-is", (part("nfacct", bytes(40)), standard(DROP)), ([], DROP, "")),
        ("as-is", (TCP_, SET, standard(ACCEPT)), (["tcp"], "next", "set")),
        ("as-is", (TCP_, part("SET", struct.pack("=HBBHBBHBB", 2, 1, 1, 65535, 0, 0, 65535, 0, 0) + bytes(8), 2)),
         (["tcp"], "next", "SET")),
        ("as-is", (standard(DROP),), ([], DROP, "")),
    ],
)  # fmt: skip
def test_rules_in_their_worlds(
    version: int, world: World, parts: tuple[bytes, ...], became_: tuple[list[str], Any, str]
) -> None:
    assert became(version, *parts, world=world) == became_


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("target", "world", "read", "told"),
    [
        (queue(3, 5, 1, 0), "as-is", {5}, "NFQUEUE"),
        (queue(3, 5, 1, 0), "met", {5}, ACCEPT),  # without the program it is lost
        (queue(3, 5, 1, 1), "met", {5}, DROP),  # without the program it passes
        (queue(3, 5, 1, 0), "without", {5}, "next"),
        (queue(3, 5, 1, 0), "met", {6}, "NFQUEUE"),
    ],
)
def test_a_program_judges_otherwise_than_the_kernel_alone(
    version: int, target: bytes, world: World, read: set[int], told: Any
) -> None:
    assert became(version, target, world=world, programs=frozenset(read)) == ([], told, "")


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    "name",
    ["LOG", "NFLOG", "ULOG", "AUDIT", "LED", "IDLETIMER", "TRACE", "CHECKSUM", "SECMARK", "CONNSECMARK"],
)
@pytest.mark.parametrize("world", ["as-is", "met", "without"])
def test_what_acts_outside_of_the_namespace_only_counts(version: int, name: str, world: World) -> None:
    assert became(version, TCP_, part(name, bytes(32)), world=world) == (["tcp"], "next", "")


@pytest.mark.parametrize(
    ("revision", "size", "kept"), [(0, 64, True), (1, 64, False), (2, 72, False), (2, 56, True)]
)  # fmt: skip
def test_a_policy_of_the_host_s_namespace_is_not_looked_for(revision: int, size: int, kept: bool) -> None:
    data = bytes(range(size))
    blob = table(entry(4, part("CT", data, revision)), name="raw")
    found = change(blob, blob.rows[0], {}, "as-is").entry
    assert (found is None) is kept
    if found is not None:
        assert apart(4, found)[1].data == data[:28] + bytes(32) + data[60:]


def test_which_sets_a_table_refers_to() -> None:
    target = part("SET", struct.pack("=HBBHBBHBB", 5, 1, 1, 65535, 0, 0, 7, 0, 0) + bytes(8), 3)
    none = part("set", struct.pack("=HBB4x", 65535, 1, 1), 1)
    blob = table(entry(4, SET, none, DROPS), entry(4, TCP_, target), entry(4, DROPS), entry(4, REJECTS))
    assert legacy.sets(blob) == {2, 5, 7}
    assert legacy.sets(table()) == frozenset()


@pytest.mark.parametrize("version", [4, 6])
def test_sets_have_their_own_indices_in_the_twin(version: int) -> None:
    blob = table(entry(version, SET, standard(DROP)), version=version)
    found = change(blob, blob.rows[0], {2: 9}, "as-is")
    assert found.what == ""
    (match,), _ = apart(version, found.entry or b"")
    assert match.data == struct.pack("=HBB4x", 9, 1, 1)
    assert change(blob, blob.rows[0], {2: 2}, "as-is").entry is None  # it is the same


@pytest.mark.parametrize("version", [4, 6])
def test_what_counts_has_the_rule_s_header_and_goes_on(version: int) -> None:
    blob = table(entry(version, TCP_, part("REJECT", bytes(8)), protocol=6, packets=99), version=version)
    row = blob.rows[0]
    for kept in ([], apart(version, blob.data[: row.end])[0]):
        raw = counting(blob, row, kept)
        matches, target = apart(version, raw)
        assert [match.name for match in matches] == [match.name for match in kept]
        assert struct.unpack_from("=H", raw, PROTOCOL[version]) == (6,)
        assert struct.unpack_from("=i", target.data) == (row.end,)
        assert raw[COUNTERS[version] : HEADS[version]] == bytes(HEADS[version] - COUNTERS[version])


def test_a_jump_that_was_a_goto_is_none_where_it_only_counts() -> None:
    flags = 82  # of an entry of IPv4
    raw = bytearray(entry(4, LIMIT, standard(0)))
    raw[flags] = 2  # IPT_F_GOTO
    blob = table(bytes(raw))
    assert counting(blob, blob.rows[0])[flags] == 0
    kept = legacy_blob.entry(blob, blob.rows[0], [], standard(7777))
    assert kept[flags] == 2
