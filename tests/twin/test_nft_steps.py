"""Steps of rules one by one: what they decide, hang on, read and write, and how they are sent; without a kernel."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from preflight.packets.nlmsg import attribute, attributes, be32, by_type, nested
from preflight.twin.nft import conditions, elements, kernel, mentions, steps, worlds
from preflight.twin.nft.conditions import Known
from preflight.twin.nft.read import Expression, Ruleset, Set, Thing, expressions
from preflight.twin.nft.worlds import Given
from tests.twin.nft_parts import ACCEPT, DROP, compare, rule, step

NEW, EXISTING = 1, 0


def one(raw: bytes) -> Expression:
    return expressions(raw)[0]


def kinds(raw: bytes | None) -> list[str]:
    return [found.kind for found in expressions(raw or b"")]


# --- what decides -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(conditions._IDLE))
def test_what_only_looks_decides_nothing(kind: str) -> None:
    assert not conditions.decides(one(step(kind, a1=1, a3=1)))


@pytest.mark.parametrize(
    ("raw", "decides"),
    [
        (step("meta", a1=1, a2=3), False), (step("meta", a3=1, a2=3), True), (step("meta", a3=1, a2=12), False),
        (step("ct", a1=1, a2=3), False), (step("ct", a4=1, a2=1), True),
        (step("payload", a1=1), False), (step("payload", a5=1), True),
        (step("exthdr", a1=1), False), (step("exthdr", a7=1), True),
        (ACCEPT, True), (step("immediate", a1=9), False),
        (step("lookup", a1=b"s\0", a2=1), False), (step("lookup", a1=b"m\0", a2=1, a3=0), True),
        (step("lookup", a1=b"m\0", a2=1, a3=9), False),
        (step("objref", a1=1, a2=b"c\0"), False), (step("objref", a1=2), False), (step("objref", a1=4), False),
        (step("objref", a1=3, a2=b"ftp\0"), True), (step("objref", a3=1, a4=b"m\0"), True),
        (step("target", a1=b"LOG\0"), False), (step("target", a1=b"REJECT\0"), True),
        (step("reject"), True), (step("masq"), True), (step("nat"), True), (step("notrack"), True),
        (step("synproxy"), True), (step("dynset", a1=b"s\0"), True), (step("a new one"), True),
    ],
)  # fmt: skip
def test_what_decides(raw: bytes, decides: bool) -> None:
    assert conditions.decides(one(raw)) is decides


# --- what it hangs on -------------------------------------------------------------------------------------------------


def limited(word: bytes, *, element: bool = False) -> Set:
    named = nested(17, attribute(1, word + b"\0"))
    return Set(2, "t", "s", 0, 0, 4, b"" if element else named, (named,) if element else ())


@pytest.mark.parametrize("word", ["limit", "quota", "connlimit"])
@pytest.mark.parametrize("element", [True, False])
@pytest.mark.parametrize("raw", [step("lookup", a1=b"s\0", a2=1), step("dynset", a1=b"s\0", a4=1)],
                         ids=["lookup", "dynset"])  # fmt: skip
def test_a_set_hangs_on_what_its_elements_have(word: str, element: bool, raw: bytes) -> None:
    of = Known(sets={(2, "t", "s"): limited(word.encode(), element=element)})
    assert conditions.condition(rule(raw), one(raw), of) == word
    assert conditions.condition(rule(raw, family=10), one(raw), of) == ""  # another family's of the same name
    assert conditions.limited(limited(b"counter", element=element)) == ""


@pytest.mark.parametrize("at", [7, 10])
def test_a_packet_that_is_added_to_a_set_may_get_a_limit(at: int) -> None:
    inner = attribute(1, b"limit\0")
    counted = attribute(1, b"counter\0")
    field = {7: inner, 10: nested(1, counted) + nested(1, inner)}[at]
    raw = step("dynset", a1=b"s\0", a4=1, **{f"a{at}": field})
    assert conditions.condition(rule(raw), one(raw), Known()) == "limit"
    plain = step("dynset", a1=b"s\0", a4=1, **{f"a{at}": {7: counted, 10: nested(1, counted)}[at]})
    assert conditions.condition(rule(plain), one(plain), Known()) == ""


@pytest.mark.parametrize(("kind", "word"), [(1, ""), (2, "quota"), (3, ""), (4, "limit"), (5, "connlimit")])
def test_an_object_hangs_on_its_kind_by_its_name_or_through_a_map(kind: int, word: str) -> None:
    by_name, by_map, told = step("objref", a2=b"o\0"), step("objref", a3=1, a4=b"m\0"), step("objref", a1=kind)
    of = conditions.known(
        Ruleset(objects=(Thing(2, "t", b"", "o", kind),), sets=(Set(2, "t", "m", 0, 0, 4, b"", object=kind),))
    )
    assert [conditions.condition(rule(raw), one(raw), of) for raw in (by_name, by_map, told)] == [word] * 3
    assert conditions.condition(rule(by_name, family=10), one(by_name), of) == ""


@pytest.mark.parametrize(
    ("kind", "key", "word"),
    [
        ("meta", 20, "cpu"), ("meta", 24, "random"), ("meta", 30, "time"), ("meta", 31, "time"), ("meta", 32, "time"),
        ("ct", 14, "connbytes"), ("ct", 15, "connbytes"), ("ct", 16, "connbytes"),
        ("meta", 16, ""), ("meta", 29, ""), ("meta", 33, ""), ("ct", 13, ""), ("ct", 17, ""), ("ct", 24, ""),
    ],
)  # fmt: skip
def test_what_is_loaded_may_change_from_packet_to_packet(kind: str, key: int, word: str) -> None:
    raw = step(kind, a1=1, a2=key)
    assert conditions.condition(rule(raw), one(raw), Known()) == word


@pytest.mark.parametrize("key", [20, 24, 30, 31, 32])
def test_writing_to_a_packet_hangs_on_nothing(key: int) -> None:
    raw = step("meta", a3=1, a2=key)
    assert conditions.condition(rule(raw), one(raw), Known()) == ""


@pytest.mark.parametrize(
    ("raw", "first", "count"),
    [
        (step("queue", a1=b"\0\3", a2=b"\0\1"), 3, 1), (step("queue", a1=b"\0\3", a2=b"\0\4"), 3, 4),
        (step("queue", a1=b"\0\3"), 3, 1), (step("queue", a4=9), 0, 1 << 16), (step("queue"), 0, 1),
        (step("target", a1=b"NFQUEUE\0", a2=0, a3=struct.pack("=HH", 5, 3)), 5, 1),
        (step("target", a1=b"NFQUEUE\0", a2=1, a3=struct.pack("=HH", 5, 3)), 5, 3),
        (step("target", a1=b"NFQUEUE\0", a2=1, a3=struct.pack("=HH", 5, 0)), 5, 1),
        (step("target", a1=b"NFQUEUE\0", a2=1, a3=b"\5"), 0, 0), (step("target", a1=b"REJECT\0", a3=bytes(8)), 0, 0),
    ],
)  # fmt: skip
def test_queues_that_packets_may_go_to(raw: bytes, first: int, count: int) -> None:
    assert conditions.queues(one(raw)) == range(first, first + count)
    with_program = Known(programs=frozenset({first + count - 1}))
    assert conditions.condition(rule(raw), one(raw), with_program) == ("queue" if count else "")
    assert conditions.condition(rule(raw), one(raw), Known(programs=frozenset({1 << 17}))) == ""


# --- what becomes of it -----------------------------------------------------------------------------------------------

CHANCE = step("numgen", a1=1, a2=2, a3=0)


def met(*parts: bytes, known: Known | None = None) -> list[str]:
    return kinds(worlds.change(rule(*parts), Given("met", {}, known or Known())).steps)


def test_the_answer_of_a_condition_in_part_of_a_key_is_dropped_with_it() -> None:
    """Keys of several parts are read as far as the set's are long."""
    port = step("payload", a1=8, a2=2, a3=2, a4=2)
    chance = step("numgen", a1=9, a2=2)
    lookup = step("lookup", a1=b"s\0", a2=8)
    known = Known(sets={(2, "t", "s"): Set(2, "t", "s", 0, 0, 8, b"")})
    assert met(port, chance, lookup, DROP, known=known) == ["payload", "immediate"]
    short = Known(sets={(2, "t", "s"): Set(2, "t", "s", 0, 0, 4, b"")})
    assert met(port, chance, lookup, DROP, known=short) == ["payload", "lookup", "immediate"]


@pytest.mark.parametrize(
    ("step_", "kept"),
    [
        (step("range", a1=1, a2=0, a3=attribute(1, bytes(4)), a4=attribute(1, bytes(4))), ["immediate"]),
        (step("lookup", a1=b"s\0", a2=1), ["immediate"]),
        (step("lookup", a1=b"m\0", a2=1, a3=9), ["numgen", "lookup", "immediate"]),  # a map's answer is used
        (step("ct", a4=1, a2=1), ["numgen", "ct", "immediate"]),
        (step("payload", a5=1), ["numgen", "payload", "immediate"]),
        (step("dynset", a1=b"s\0", a4=1), ["numgen", "dynset", "immediate"]),
        (compare(bytes(4), register=9), ["numgen", "cmp", "immediate"][1:]),
    ],
)  # fmt: skip
def test_an_answer_that_is_used_is_needed(step_: bytes, kept: list[str]) -> None:
    chance = CHANCE if kept[0] != "cmp" else step("numgen", a1=2)
    known = Known(sets={(2, "t", name): Set(2, "t", name, 0, 0, 4, b"") for name in ("s", "m")})
    assert met(chance, step_, DROP, known=known) == kept


def test_a_packet_has_to_be_in_the_map_whose_objects_are_limits() -> None:
    known = Known(sets={(2, "t", "m"): Set(2, "t", "m", 0, 0, 4, b"", object=4)})
    change = worlds.change(rule(step("objref", a3=9, a4=b"m\0"), DROP), Given("met", {}, known))
    first = expressions(change.steps or b"")[0]
    assert (first.kind, first.fields) == ("lookup", {1: b"m\0", 2: be32(9)})


def test_sets_that_a_target_adds_to_have_their_indices_in_the_twin() -> None:
    data = struct.pack("=HBB", 5, 1, 1) + struct.pack("=HBB", 6, 1, 1) + bytes(24)
    raw = step("target", a1=b"SET\0", a2=2, a3=data)
    change = worlds.change(rule(raw), Given("as-is", {5: 50, 6: 60}))
    copied = conditions.xt(one(change.steps or b"")).data
    assert struct.unpack_from("=H", copied) + struct.unpack_from("=H", copied, 4) == (50, 60)
    assert len(copied) == len(data)


@pytest.mark.parametrize("world", ["as-is", "met", "without"])
def test_a_rule_that_hangs_on_nothing_is_the_same_in_every_world(world: Any) -> None:
    plain = rule(step("meta", a1=1, a2=16), compare(b"\6"), kernel.counter(), DROP)
    assert worlds.change(plain, Given(world)) == worlds.Change(plain.raw)


def test_what_is_kept_of_a_rule_whose_condition_is_gone_may_lack_a_copy() -> None:
    ipset = step("match", a1=b"set\0", a2=1, a3=struct.pack("=HBB", 5, 1, 1) + bytes(4))
    change = worlds.change(rule(step("limit"), ipset, DROP), Given("met", {}))
    assert (change.steps, change.refused, change.conditions) == (None, "set", frozenset({"limit"}))


@pytest.mark.parametrize(
    ("parts", "attempt", "counted"),
    [
        ([CHANCE, DROP], 1, []), ([step("meta", a1=1, a2=16), compare(b"\6"), DROP], 1, ["meta", "cmp"]),
        ([kernel.counter(), step("limit"), step("log"), compare(b"\6"), DROP], 1, ["cmp"]),
        ([step("match", a1=b"limit\0", a3=bytes(40)), compare(b"\6"), DROP], 1, ["cmp"]),
        ([compare(b"\6"), step("fib", a1=1), compare(b"\1"), DROP], 1, ["cmp", "fib", "cmp"]),
        ([compare(b"\6"), step("fib", a1=1), compare(b"\1"), DROP], 2, ["cmp"]),
        ([compare(b"\6"), step("match", a1=b"u32\0"), compare(b"\1"), DROP], 2, ["cmp"]),
        ([compare(b"\6"), DROP], 3, []),
    ],
)  # fmt: skip
def test_a_refused_rule_counts_what_comes_as_far_as_its_verdict(
    parts: list[bytes], attempt: int, counted: list[str]
) -> None:
    assert kinds(worlds.counting(rule(*parts), Given(), attempt)) == [*counted, "counter"]


@pytest.mark.parametrize(
    ("parts", "first", "second"),
    [
        ([compare(b"\6"), step("synproxy")], "synproxy", "synproxy"),
        ([step("match", a1=b"geoip\0"), DROP], "", "geoip"),
        ([step("fib", a1=1), compare(b"\1"), step("target", a1=b"TARPIT\0")], "TARPIT", "fib"),
        ([compare(b"\6"), kernel.counter(), DROP], "", ""), ([step("lookup", a1=b"s\0"), DROP], "", "lookup"),
    ],
)  # fmt: skip
def test_the_step_that_the_kernel_did_not_take_is_named(parts: list[bytes], first: str, second: str) -> None:
    assert worlds.suspect(rule(*parts), 1) == first
    assert worlds.suspect(rule(*parts), 2) == second


def test_a_match_does_not_change_what_a_register_holds() -> None:
    match = step("match", a1=b"tcp\0", a2=0, a3=bytes(16))
    parts = [step("meta", a1=1, a2=16), match, compare(b"\6")]
    assert worlds.protocol(rule(*parts)) == nested(5, attribute(1, be32(6)), attribute(2, be32(0)))
    wide = [step("meta", a1=1, a2=16), compare(b"\6\0")]
    assert worlds.protocol(rule(*wide)) == b""
    assert worlds.protocol(rule(step("payload", a5=1, a2=1, a3=9, a4=1), compare(b"\6"))) == b""


# --- how it is sent ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (step("exthdr", a1=1, a2=2, a5=1), {1, 2, 5}),  # which loads
        (step("exthdr", a2=2, a3=3, a4=4, a5=0, a6=6, a7=7), {2, 3, 4, 6, 7}),
        (step("exthdr", a2=2, a3=3, a5=0, a6=6), {2, 6}),
        (step("dynset", a1=b"s\0", a6=bytes(8)), {1}), (step("dynset", a1=b"s\0", a6=b"\0\1"), {1, 6}),
        (step("cmp", a1=1, a9=9), {1, 9}),
    ],
)  # fmt: skip
def test_what_is_for_dumps_alone_is_not_sent(raw: bytes, kept: set[int]) -> None:
    given = one(raw)
    assert set(one(steps.sendable(given.kind, given.fields, given.raw)).fields) == kept


@pytest.mark.parametrize(
    ("kind", "fields", "key", "units"),
    [
        ("cmp", {1: be32(8), 3: attribute(1, bytes(6))}, 0, {8, 9}), ("lookup", {2: be32(8)}, 12, {8, 9, 10}),
        ("lookup", {2: be32(8)}, 0, {8}), ("bitwise", {1: be32(8), 3: be32(8)}, 0, {8, 9}),
        ("nat", {3: be32(8), 5: be32(10)}, 0, {8, 10}), ("counter", {1: be32(8)}, 0, set()),
        ("hash", {1: be32(9), 3: be32(8)}, 0, {9, 10}), ("dynset", {4: be32(8), 5: be32(12)}, 4, {8, 12}),
        ("payload", {5: be32(1), 4: be32(5)}, 0, {8, 9}), ("meta", {3: be32(2)}, 0, {12, 13, 14, 15}),
    ],
)  # fmt: skip
def test_registers_that_a_step_reads(kind: str, fields: dict[int, bytes], key: int, units: set[int]) -> None:
    assert steps.reads(kind, fields, key) == units


@pytest.mark.parametrize(
    ("kind", "fields", "units"),
    [
        ("payload", {1: be32(8), 4: be32(6)}, {8, 9}), ("meta", {1: be32(1)}, {8, 9, 10, 11}),
        ("immediate", {1: be32(0)}, set()), ("hash", {2: be32(9), 3: be32(16)}, {9}), ("lookup", {3: be32(8)}, {8}),
        ("socket", {2: be32(8)}, {8}), ("cmp", {1: be32(8)}, set()),
        ("payload", {1: be32(8), 4: be32(999)}, set(range(8, 24))),
    ],
)  # fmt: skip
def test_registers_that_a_step_writes(kind: str, fields: dict[int, bytes], units: set[int]) -> None:
    assert steps.writes(kind, fields) == units


# --- elements ---------------------------------------------------------------------------------------------------------


def element(key: bytes, *more: bytes) -> bytes:
    return nested(1, nested(1, attribute(1, key)), *more)


def test_an_element_has_all_of_its_time_again_and_is_sent_once() -> None:
    timed = element(b"a", attribute(4, b"t"), attribute(5, b"left"), attribute(8, b""))
    chunks, size = elements.sendable([timed + element(b"b"), element(b"a", attribute(4, b"t"))], kernel.TIMEOUT)
    sent = [by_type(value) for chunk in chunks for _, value in attributes(chunk)]
    assert size == 2
    assert [sorted(value) for value in sent] == [[1, 4], [1]]
    assert elements.sendable([timed], 0)[0] == (timed,)


def test_lists_of_elements_fit_their_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elements, "CHUNK", 40)
    sent = list(elements.chunks([nested(1, attribute(1, bytes([65 + number]) * 4)) for number in range(5)]))
    assert [len(attributes(chunk)) for chunk in sent] == [2, 2, 1]
    assert all(len(chunk) <= 40 for chunk in sent)
    assert list(elements.chunks([bytes(100)])) == [attribute(1 | 0x8000, bytes(100))]  # alone, though it is too long


def test_an_interval_that_ends_by_the_next_ones_start_gets_an_end_of_its_own() -> None:
    ends = [element(b"\1"), element(b"\5"), element(b"\7", attribute(3, be32(kernel.END)))]
    chunks, _ = elements.sendable([b"".join(ends)], kernel.INTERVAL)
    told = [elements.key_and_flags(value) for chunk in chunks for _, value in attributes(chunk)]
    assert told == [(b"\1", 0), (b"\5", kernel.END), (b"\5", 0), (b"\7", kernel.END)]


def test_what_stands_for_all_others_is_no_interval() -> None:
    rest = nested(1, attribute(3, be32(kernel.CATCH_ALL)))
    chunks, size = elements.sendable([rest + element(b"\1") + element(b"\5")], kernel.INTERVAL)
    told = [elements.key_and_flags(value) for chunk in chunks for _, value in attributes(chunk)]
    assert told == [(b"\1", 0), (b"\5", kernel.END), (b"\5", 0), (None, kernel.CATCH_ALL)]
    assert size == 4


def test_elements_without_what_runs_where_they_are_found() -> None:
    bare = elements.bare(element(b"a", attribute(7, b"limit"), attribute(11, b"x"), attribute(6, b"note")))
    [(_, value)] = attributes(bare)
    assert sorted(by_type(value)) == [1, 6]


def test_verdicts_of_a_map_are_told_from_its_other_data() -> None:
    verdict = nested(2, attribute(1, struct.pack(">i", 0)))
    chunk = element(b"a", nested(2, verdict)) + element(b"b", nested(2, attribute(1, b"\0\1")))
    assert list(elements.verdicts(chunk)) == [verdict]


# --- who is singled out -----------------------------------------------------------------------------------------------


def singled(*parts: bytes, family: int = 2) -> list[str]:
    means = mentions.of(Ruleset(rules=(rule(*parts, family=family),)))
    candidates = ("9.1.0.0", "9.1.2.3", "9.1.2.4", "9.1.2.5", "9.1.9.9", "9.9.9.9", "2001::1", "2001::2", "2001:0:1::")
    return [address for address in candidates if means(address)]


SOURCE = step("payload", a1=1, a2=1, a3=12, a4=4)
SOURCE6 = step("payload", a1=1, a2=1, a3=8, a4=16)
V4 = bytes([9, 1, 2, 3])


def masked(value: bytes, register: int = 1, to: int = 1) -> bytes:
    return step(
        "bitwise", a1=register, a2=to, a3=len(value), a4=attribute(1, value), a5=attribute(1, bytes(len(value)))
    )


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ([SOURCE, compare(V4, operation=1)], ["9.1.2.3"]),
        ([SOURCE, masked(bytes([255, 255, 0, 0])), compare(bytes([9, 1, 0, 0]))],
         ["9.1.0.0", "9.1.2.3", "9.1.2.4", "9.1.2.5", "9.1.9.9"]),
        # Masked into another register: what is compared then is another value.
        ([SOURCE, masked(bytes([255, 255, 0, 0]), to=2), compare(V4)], ["9.1.2.3"]),
        # From one to another, as two comparisons and as one.
        ([SOURCE, compare(V4, operation=5), compare(bytes([9, 1, 2, 4]), operation=3)], ["9.1.2.3", "9.1.2.4"]),
        ([SOURCE, step("range", a1=1, a2=0, a3=attribute(1, V4), a4=attribute(1, bytes([9, 1, 2, 4])))],
         ["9.1.2.3", "9.1.2.4"]),
        ([SOURCE, step("range", a1=1, a2=0, a3=attribute(1, V4), a4=attribute(1, b"\x09"))], []),
        ([SOURCE, compare(bytes([9, 1, 2, 4]), operation=3)], []),  # up to one: half of the world
        ([SOURCE, compare(V4[:2])], []),  # shorter than what was loaded
        ([SOURCE6, compare(bytes([32, 1, *[0] * 13, 1]))], ["2001::1"]),
        ([SOURCE, step("meta", a1=1, a2=16), compare(V4)], ["9.1.2.3"]),
        ([step("ct", a1=1, a2=19), compare(V4)], ["9.1.2.3"]), ([step("ct", a1=1, a2=3), compare(V4)], []),
    ],
)  # fmt: skip
def test_whom_a_rule_singles_out(parts: list[bytes], found: list[str]) -> None:
    assert singled(*parts) == found


@pytest.mark.parametrize(
    ("kind", "key", "family", "found"),
    [(8, V4, 2, ["9.1.2.3"]), (8, bytes([32, 1, *[0] * 13, 1]), 10, ["2001::1"]), (8, V4, 10, [])],
)
def test_addresses_of_connections_are_of_the_tables_family(
    kind: int, key: bytes, family: int, found: list[str]
) -> None:
    assert singled(step("ct", a1=1, a2=kind), compare(key), family=family) == found


@pytest.mark.parametrize(("flags", "found"), [(1, ["9.1.2.3"]), (2, ["9.9.9.9"]), (3, ["9.1.2.3", "9.9.9.9"]), (0, [])])
def test_ranges_of_iptables_count_as_far_as_they_are_asked_for(flags: int, found: list[str]) -> None:
    data = b"".join(part.ljust(16, b"\0") for part in (V4, V4, bytes([9] * 4), bytes([9] * 4))) + bytes([flags])
    assert singled(step("match", a1=b"iprange\0", a2=1, a3=data)) == found
    assert singled(step("match", a1=b"iprange\0", a2=0, a3=data)) == []
    assert singled(step("match", a1=b"iprange\0", a2=1, a3=data[:-1])) == []


def interval(*ends: tuple[bytes, int]) -> Set:
    chunk = b"".join(element(key, attribute(3, be32(flags))) for key, flags in ends)
    return Set(2, "t", "s", kernel.INTERVAL, 7, 4, b"", (chunk,))


@pytest.mark.parametrize(
    ("one_", "found"),
    [
        (interval((V4, 0), (bytes([9, 1, 2, 5]), 1)), ["9.1.2.3", "9.1.2.4"]),
        (interval((bytes([250, 1, 2, 4]), 0)), ["251.0.0.1"]),  # to the last address there is
        (interval((V4, 0), (bytes([9, 1, 2, 4]), 0), (bytes([9, 1, 2, 5]), 1)), ["9.1.2.3", "9.1.2.4"]),
        (interval((bytes(4), 1), (V4, 0), (bytes([9, 1, 2, 4]), 1)), ["9.1.2.3"]),
    ],
)  # fmt: skip
def test_whom_the_intervals_of_a_set_single_out(one_: Set, found: list[str]) -> None:
    means = mentions.of(Ruleset(sets=(one_,)))
    assert [address for address in ("9.1.2.2", "9.1.2.3", "9.1.2.4", "9.1.2.5", "251.0.0.1") if means(address)] == found


def test_half_of_the_internet_is_nobody_in_particular() -> None:
    found = mentions.Mentioned()
    found.network(bytes([128, 0, 0, 0]), 1)
    found.span(bytes([64, 0, 0, 0]), bytes([63, 0, 0, 0]))
    assert not found.hold("200.1.1.1")
    found = mentions.Mentioned()
    found.network(bytes([128, 0, 0, 0]), 2)
    assert (found.hold("191.255.255.255"), found.hold("192.0.0.0")) == (True, False)
