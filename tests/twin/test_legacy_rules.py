"""What single rules of ip_tables become in a world, and which of them hang on what no packet says."""

from __future__ import annotations

import errno
import struct
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from preflight.twin import legacy, legacy_blame, legacy_blob, legacy_load, legacy_worlds
from preflight.twin.legacy_blame import Counts, Grown, Places
from preflight.twin.legacy_blob import ACCEPT, DROP, QUEUE, RETURN, Blob, Part, Row, apart, parsed
from preflight.twin.legacy_load import Loaded, load
from preflight.twin.legacy_worlds import World, change, conditions, counting, hangs_on

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="tables are written as a little-endian machine does")
HEADS = {4: 112, 6: 168}
OFFSETS = {4: 88, 6: 140}
PROTOCOL = {4: 80, 6: 128}
COUNTERS = {4: 96, 6: 152}


def part(name: str, data: bytes = b"", revision: int = 0) -> bytes:
    """Write a match or target, padded."""
    data += bytes(-len(data) % 8)
    return struct.pack("=H29sB", 32 + len(data), name.encode(), revision) + data


def standard(verdict: int) -> bytes:
    return part("", struct.pack("=i4x", verdict))


def entry(version: int, *parts: bytes, protocol: int = 0, packets: int = 0, inverted: int = 0) -> bytes:
    """Write an entry: its matches, and its target last."""
    size = HEADS[version]
    target = size + sum(map(len, parts[:-1]))
    head = bytearray(size)
    struct.pack_into("=H", head, PROTOCOL[version], protocol)
    head[PROTOCOL[version] + (3 if version == 4 else 4)] = inverted
    struct.pack_into("=HH", head, OFFSETS[version], target, target + len(parts[-1]))
    struct.pack_into("=QQ", head, COUNTERS[version], packets, 60 * packets)
    return bytes(head) + b"".join(parts)


def table(*rules: bytes, version: int = 4, policy: int = ACCEPT, packets: int = 0, name: str = "filter") -> Blob:
    """Write a table with rules in its chain INPUT alone, and take it apart."""
    last = entry(version, standard(policy), packets=packets)
    end = entry(version, part("ERROR", b"ERROR".ljust(32, b"\0")))
    places = (0xFFFFFFFF, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    ends = tuple(sum(map(len, rules)) if start == 0 else start for start in places)
    info = name.encode().ljust(32, b"\0") + struct.pack("=11I", 2, *places, *ends)
    return parsed(version, name, info, b"".join((*rules, last, end)))


# --- what rules hang on -----------------------------------------------------------------------------------------------


RECENT = struct.pack("=IIBB", 60, 5, 0, 0)


@pytest.mark.parametrize(
    ("name", "data", "word"),
    [
        ("limit", b"", "limit"), ("hashlimit", b"", "hashlimit"), ("rateest", b"", "rateest"),
        ("statistic", b"", "statistic"), ("time", b"", "time"), ("quota", b"", "quota"), ("quota2", b"", "quota"),
        ("nfacct", b"", "quota"), ("connlimit", b"", "connlimit"), ("connbytes", b"", "connbytes"), ("cpu", b"", "cpu"),
        ("osf", b"", "osf"), ("condition", b"", "condition"), ("psd", b"", "psd"), ("lscan", b"", "lscan"),
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


def queue(revision: int, *numbers: int) -> bytes:
    """Write a target NFQUEUE: its first queue, how many, and its flags."""
    return part("NFQUEUE", struct.pack(f"={len(numbers)}H", *numbers), revision)


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


DROPS, REJECTS = standard(DROP), part("REJECT", bytes(8))
LIMIT, TCP_, SET = part("limit", bytes(40)), part("tcp", bytes(12)), part("set", struct.pack("=HBB4x", 2, 1, 1), 1)


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


# --- tables that are no tables ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [b"", entry(4, standard(DROP))[:-1], entry(4, standard(DROP)) + b"\0", bytes(112)],
    ids=["nothing", "cut off", "more than an entry", "zeros"],
)
def test_what_is_no_table_is_refused(data: bytes) -> None:
    info = b"filter".ljust(32, b"\0") + struct.pack("=11I", 2, *(0,) * 10)
    with pytest.raises(OSError, match="Bad message") as failure:
        parsed(4, "filter", info, data)
    assert failure.value.errno == errno.EBADMSG


@pytest.mark.parametrize("size", [0, 31, 200, 65535])
def test_a_match_with_a_wrong_length_is_refused(size: int) -> None:
    raw = bytearray(entry(4, TCP_, standard(DROP)))
    struct.pack_into("=H", raw, HEADS[4], size)
    with pytest.raises(OSError, match="Bad message") as failure:
        apart(4, bytes(raw))
    assert failure.value.errno == errno.EBADMSG


def test_a_jump_into_the_middle_of_an_entry_is_refused() -> None:
    blob = table(entry(4, standard(16)), entry(4, TCP_, standard(DROP)))
    with pytest.raises(OSError, match="Bad message") as failure:
        legacy_blob.rebuilt(blob, {1: b""})
    assert failure.value.errno == errno.EBADMSG
    assert legacy_blob.rebuilt(blob, {}) is blob


class Kernel:
    """A kernel that gives a table, which may change while it is read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, blob: Blob, *changes: Any) -> None:
        self.info = blob.table.encode().ljust(32, b"\0") + struct.pack("=11I", blob.hooks, *blob.starts, *blob.policies)
        self._data, self._changes = blob.data, list(changes)
        monkeypatch.setattr(legacy_blob.kernel, "fetch", self.fetch)
        monkeypatch.setattr(legacy_blob, "_info", lambda version, table: self.info)

    def fetch(self, version: int, table: str) -> tuple[bytes, bytes]:
        change = self._changes.pop(0) if self._changes else self.info
        if isinstance(change, OSError):
            raise change
        return change, self._data


def test_a_table_that_changes_while_it_is_read_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    blob = table(entry(4, standard(DROP)))
    Kernel(monkeypatch, blob, BlockingIOError(), b"another one")
    assert legacy.read(4, "filter") == blob


@pytest.mark.parametrize("change", [BlockingIOError(), b"another one"])
def test_a_table_that_always_changes_is_given_up(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    Kernel(monkeypatch, table(), *[change] * 9)
    with pytest.raises(OSError, match="temporarily") as failure:
        legacy.read(4, "filter")
    assert failure.value.errno == errno.EAGAIN


def test_what_the_kernel_denies_is_no_empty_table(monkeypatch: pytest.MonkeyPatch) -> None:
    Kernel(monkeypatch, table(), PermissionError(errno.EPERM, "no"))
    with pytest.raises(PermissionError):
        legacy.read(4, "filter")


# --- whose counter grew -----------------------------------------------------------------------------------------------


def grown(*before_after: tuple[Blob, Blob]) -> tuple[Counts, Counts]:
    """Return two reads of tables, each as it was loaded from the host."""
    before = Counts(tuple((was, Loaded(was, was)) for was, _ in before_after))
    return before, Counts(tuple((now, Loaded(was, was)) for was, now in before_after))


def counted(target: bytes, protocol: int, was: int, now: int, inverted: int = 0) -> tuple[bytes, bytes]:
    """Return a rule before and after it has met packets."""
    return tuple(entry(4, target, protocol=protocol, packets=one, inverted=inverted) for one in (was, now))  # type: ignore[return-value]  # two


def tables(*rules: tuple[bytes, bytes], name: str = "filter", policy: tuple[int, int] = (0, 0)) -> tuple[Blob, Blob]:
    was, now = (
        table(*(rule[place] for rule in rules), name=name, policy=DROP, packets=policy[place]) for place in (0, 1)
    )
    return was, now


TCP, UDP, ICMP = 6, 17, 1


@pytest.mark.parametrize(
    ("pairs", "named"),
    [
        ([tables(counted(DROPS, TCP, 3, 4))], ("rule", "INPUT", 1)),
        ([tables(counted(DROPS, TCP, 3, 3), counted(DROPS, TCP, 0, 1))], ("rule", "INPUT", 2)),
        ([tables(counted(DROPS, TCP, 3, 3), policy=(7, 8))], ("policy", "INPUT", None)),
        ([tables(counted(standard(ACCEPT), TCP, 3, 4))], None),
        ([tables(counted(standard(RETURN), TCP, 3, 4))], None),
        ([tables(counted(DROPS, TCP, 4, 3))], None),
        ([tables(counted(part("MARK", bytes(8), 2), TCP, 3, 4))], None),
        ([tables(counted(REJECTS, 0, 3, 4))], ("rule", "INPUT", 1)),
        ([tables(counted(standard(QUEUE), TCP, 3, 4))], ("rule", "INPUT", 1)),
        ([tables(counted(queue(3, 5, 1, 0), TCP, 3, 4))], ("rule", "INPUT", 1)),
        ([tables(counted(queue(3, 5, 1, 1), TCP, 3, 4))], None),  # it passes where nobody reads
        # Others pass meanwhile: the rule for this protocol, then one for all, and no rule for another.
        ([tables(counted(DROPS, ICMP, 0, 9), counted(DROPS, TCP, 0, 1))], ("rule", "INPUT", 2)),
        ([tables(counted(DROPS, 0, 0, 1), counted(DROPS, TCP, 0, 1))], ("rule", "INPUT", 2)),
        ([tables(counted(DROPS, TCP, 0, 1, 0x40), counted(DROPS, 0, 0, 1))], ("rule", "INPUT", 2)),
        ([tables(counted(DROPS, UDP, 0, 1, 0x40), counted(DROPS, 0, 0, 1))], ("rule", "INPUT", 1)),
        # A drop is likelier than a refusal; the later table, as a packet meets them; more packets.
        ([tables(counted(REJECTS, TCP, 0, 1), counted(DROPS, TCP, 0, 1))], ("rule", "INPUT", 2)),
        ([tables(counted(DROPS, TCP, 0, 1), counted(DROPS, TCP, 0, 5))], ("rule", "INPUT", 2)),
    ],
)  # fmt: skip
def test_the_rule_whose_counter_grew(pairs: list[tuple[Blob, Blob]], named: tuple[str, str, int | None] | None) -> None:
    found = legacy.culprit(*grown(*pairs), TCP)
    assert (found and (found.kind, found.chain, found.number)) == named


def test_of_two_tables_the_one_that_a_packet_meets_later() -> None:
    raw, filters = (tables(counted(DROPS, TCP, 0, 1), name=name) for name in ("raw", "filter"))
    for pairs in ((raw, filters), (filters, raw)):
        found = legacy.culprit(*grown(*pairs), TCP)
        assert found
        assert (found.table, found.counter, found.predicted) == ("filter", 0, False)


def test_a_table_that_was_changed_between_two_reads_says_nothing() -> None:
    was, other = tables(counted(DROPS, TCP, 0, 1))[0], table()
    with pytest.raises(OSError, match="changed") as failure:
        legacy.culprit(Counts(((was, None),)), Counts(((other, None),)))
    assert failure.value.errno == errno.EAGAIN


def test_a_table_that_came_later_has_no_host_s_rules() -> None:
    _, now = tables(counted(DROPS, TCP, 0, 1))
    found = legacy.culprit(Counts(()), Counts(((now, None),)))
    assert found
    assert (found.predicted, found.number, found.counter) == (True, None, None)
    assert legacy.met(Counts(()), Counts(((now, None),))) == []


@pytest.mark.parametrize("more", [0, 1])
def test_a_rule_that_could_not_be_copied_was_met_where_its_counter_grew(more: int) -> None:
    was, now = tables(counted(DROPS, TCP, 5, 5 + more))
    loaded = Loaded(was, was, {0: legacy.Refusal(4, "filter", "INPUT", 1, "geoip", "ENOENT")}, {0: frozenset(("x",))})
    before, after = Counts(((was, loaded),)), Counts(((now, loaded),))
    assert len(legacy.met(before, after)) == more
    assert legacy.depends(before, after) == ({"x"} if more else frozenset())


@pytest.mark.parametrize(
    ("version", "address", "to"),
    [(4, (172, 22, 1, 253), "172.22.1.253"), (6, (0xFD, *(0,) * 14, 9), "fd00::9"), (4, None, ""), (6, None, "")],
)
def test_where_a_rule_of_nat_turns_packets_to(version: int, address: tuple[int, ...] | None, to: str) -> None:
    if version == 4:
        data = struct.pack("=II4s4sHH", 1, 3 if address else 2, bytes(address or (0,) * 4), bytes(address or (0,) * 4),
                           0x1900, 0x1900)  # fmt: skip
    else:
        one = bytes(address or (0,) * 16)
        data = struct.pack("=I16s16sHH", 3 if address else 2, one, one, 0x1900, 0x1900)
    raw = entry(version, part("DNAT" if address else "REDIRECT", data, 0 if version == 4 else 1))
    blob = table(raw, version=version, name="nat")
    assert legacy_blame._to(Grown(blob, blob.rows[0], 1, None, None)) == to


def test_rows_are_found_again_though_rules_stand_before_them() -> None:
    old = table(entry(4, TCP_, standard(DROP)), entry(4, standard(ACCEPT)))
    new = table(entry(4, REJECTS), entry(4, TCP_, standard(DROP), packets=9), entry(4, standard(ACCEPT)))
    places = Places(Loaded(old, old), new)
    assert [places.of(row) for row in new.rows] == [None, 0, 1, 2, 3]
    same = Places(Loaded(old, old), old)
    assert [same.of(row) for row in old.rows] == [0, 1, 2, 3]


# --- what a kernel refuses --------------------------------------------------------------------------------------------


class Taking:
    """A kernel that refuses tables with certain matches or targets, or at all."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refuses: set[str], code: int = errno.EINVAL) -> None:
        self._refuses, self._code = refuses, code
        self.taken: list[Blob] = []
        self.tried = 0
        monkeypatch.setattr(legacy_blob, "replace", self.replace)

    def replace(self, blob: Blob) -> None:
        self.tried += 1
        for row in blob.rows:
            if row.target == "ERROR":
                continue
            matches, target = legacy_blob.parts(blob, row)
            if self._refuses & {*(match.name for match in matches), target.name or "standard", blob.table}:
                raise OSError(self._code, "")
        self.taken.append(blob)


GEOIP, XT = part("geoip", bytes(16)), part("ECHO", bytes(8))


@pytest.mark.parametrize(
    ("rules", "refuses", "told"),
    [
        ([(TCP_, DROPS), (DROPS,)], {"geoip"}, {}),
        ([(TCP_, GEOIP, DROPS), (GEOIP, standard(ACCEPT)), (TCP_, DROPS)], {"geoip"}, {0: "geoip", 1: "geoip"}),
        ([(TCP_, XT), (DROPS,)], {"ECHO"}, {0: "ECHO"}),
        ([(TCP_, GEOIP, XT)], {"geoip", "ECHO"}, {0: "geoip"}),
        ([(TCP_, GEOIP, part("other", bytes(8)), DROPS)], {"geoip", "other"}, {0: "tcp, geoip, other"}),
        ([(GEOIP, part("tcp", bytes(12)), DROPS)] * 20, {"geoip"}, dict.fromkeys(range(20), "geoip")),
    ],
)
def test_which_rules_a_kernel_refuses_and_for_what(
    monkeypatch: pytest.MonkeyPatch, rules: list[tuple[bytes, ...]], refuses: set[str], told: dict[int, str]
) -> None:
    kernel = Taking(monkeypatch, refuses)
    loaded = load(table(*(entry(4, *rule) for rule in rules)), {})
    assert loaded.blind == ""
    assert {index: refusal.what for index, refusal in loaded.refused.items()} == told
    assert {refusal.error for refusal in loaded.refused.values()} <= {"EINVAL"}
    placed = kernel.taken[-1]
    assert placed == loaded.placed
    # Row by row the same rules: those that are refused go on to the next one, and count.
    assert len(placed.rows) == len(loaded.blob.rows)
    for index, (row, was) in enumerate(zip(placed.rows, loaded.blob.rows, strict=True)):
        if index in told:
            assert row.verdict == row.end
        else:
            assert (row.target, row.number, row.chain) == (was.target, was.number, was.chain)


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOMEM, errno.ENOPROTOOPT, errno.EAGAIN])
def test_what_is_not_for_a_rule_s_sake_is_not_searched_for(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    kernel = Taking(monkeypatch, {"geoip"}, code)
    loaded = load(table(entry(4, GEOIP, DROPS)), {})
    assert loaded.blind == errno.errorcode[code]
    assert (loaded.refused, kernel.tried) == ({}, 1)


def test_a_table_that_is_refused_whatever_is_in_it_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    Taking(monkeypatch, {"filter"}, errno.ENOENT)
    assert load(table(entry(4, TCP_, DROPS)), {}).blind == "ENOENT"


def test_a_search_that_takes_too_long_gives_up_rules_and_not_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legacy_load, "SECONDS", -1.0)
    Taking(monkeypatch, {"geoip"})
    loaded = load(table(entry(4, GEOIP, DROPS), entry(4, TCP_, DROPS), entry(4, DROPS)), {})
    assert {index: refusal.error for index, refusal in loaded.refused.items()} == {0: "ETIME", 1: "ETIME"}
    assert loaded.blind == ""


def test_a_search_has_a_number_of_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legacy_load, "TRIES", 3)
    kernel = Taking(monkeypatch, {"geoip"})
    load(table(*(entry(4, GEOIP, part(f"m{number}", bytes(8)), DROPS) for number in range(50))), {})
    assert kernel.tried < 20


def test_a_damaged_table_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    Taking(monkeypatch, set())
    blob = table(entry(4, TCP_, DROPS))
    raw = bytearray(blob.data)
    struct.pack_into("=H", raw, HEADS[4], 7)
    assert load(replace(blob, data=bytes(raw)), {}).blind == "EBADMSG"
