"""Steps of rules, what they hang on, and what becomes of them: from bytes, without a kernel."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.packets.nlmsg import attribute, be32, nested
from preflight.twin.legacy_worlds import World
from preflight.twin.nft import conditions, elements, kernel, mentions, steps, worlds
from preflight.twin.nft.conditions import Known
from preflight.twin.nft.read import Ruleset, Set, Thing, expressions
from preflight.twin.nft.worlds import Given
from tests.twin.nft_parts import ACCEPT, DROP, compare, rule, step


def kinds(raw: bytes | None) -> list[str]:
    return [one.kind for one in expressions(raw or b"")]


TURNED = step("byteorder", a1=9, a2=10, a4=4)
MAPPED = step("lookup", a1=b"m\0", a2=1, a3=1)
L4 = step("meta", a1=1, a2=16)
LOADS = step("numgen", a1=1, a2=10, a3=1)
PORT = step("payload", a1=1, a2=2, a3=2, a4=2)


@pytest.mark.parametrize(
    ("parts", "word", "met"),
    [
        ([step("limit"), ACCEPT], "limit", ["immediate"]),
        ([step("quota"), ACCEPT], "quota", ["immediate"]),
        ([step("connlimit"), DROP], "connlimit", ["immediate"]),
        ([step("osf", a1=1), compare(b"Linux"), DROP], "osf", ["immediate"]),
        ([step("socket", a1=0, a2=1), compare(b"\0"), DROP], "socket", ["immediate"]),
        ([step("meta", a1=1, a2=20), compare(b"\1\0\0\0"), DROP], "cpu", ["immediate"]),
        ([step("meta", a1=1, a2=24), compare(b"\1\0\0\0"), DROP], "random", ["immediate"]),
        ([step("ct", a1=1, a2=15), compare(bytes(8)), DROP], "connbytes", ["immediate"]),
        ([LOADS, step("bitwise", a1=1, a2=1, a3=4), compare(b"\0\0\0\1"), DROP], "numgen", ["immediate"]),
        # Into another register, and another one's value is compared still.
        (
            [PORT, step("numgen", a1=9), TURNED, compare(b"\0\x19"), compare(b"x", 10), DROP],
            "numgen",
            ["payload", "cmp", "immediate"],
        ),
        # The register has another value by then.
        ([LOADS, PORT, compare(b"\0\x19"), DROP], "numgen", ["payload", "cmp", "immediate"]),
        # What is sent somewhere by chance is sent somewhere still.
        ([LOADS, MAPPED, step("nat", a1=1, a2=2, a3=1)], "numgen", ["numgen", "lookup", "nat"]),
        ([LOADS, step("meta", a3=1, a2=3), ACCEPT], "numgen", ["numgen", "meta", "immediate"]),
        ([step("hash", a1=1, a2=1, a3=4, a4=2), compare(b"\0\0\0\1"), DROP], "hash", ["immediate"]),
        ([step("objref", a1=4, a2=b"l\0"), DROP], "limit", ["immediate"]),
        ([step("objref", a3=1, a4=b"o\0"), DROP], "quota", ["lookup", "immediate"]),
        ([step("lookup", a1=b"hangs\0", a2=1), DROP], "limit", ["lookup", "immediate"]),
        ([step("dynset", a1=b"plain\0", a4=1, a7=attribute(1, b"limit\0")), DROP], "limit", ["immediate"]),
        ([step("match", a1=b"limit\0", a2=0, a3=bytes(40)), ACCEPT], "limit", ["immediate"]),
        ([step("queue", a1=b"\0\3", a2=b"\0\1")], "queue", ["immediate"]),
        ([step("target", a1=b"NFQUEUE\0", a2=1, a3=struct.pack("=HH", 2, 2))], "queue", ["immediate"]),
    ],
)  # fmt: skip
def test_what_rules_hang_on(parts: list[bytes], word: str, met: list[str]) -> None:
    one = rule(*parts)
    known = Known(
        sets={(2, "t", "o"): Set(2, "t", "o", 0, 0, 4, b"", object=2),
              (2, "t", "hangs"): Set(2, "t", "hangs", 0, 0, 4, nested(17, attribute(1, b"limit\0"))),
              (2, "t", "plain"): Set(2, "t", "plain", 0, 0, 4, b"")},
        programs=frozenset({3}),
    )  # fmt: skip
    told = {world: worlds.change(one, Given(world, {}, known)) for world in ("as-is", "met", "without")}
    assert {change.conditions for change in told.values()} == {frozenset({word})}
    assert kinds(told["as-is"].steps) == kinds(one.raw)
    assert kinds(told["met"].steps) == met
    assert told["without"].steps is None


@pytest.mark.parametrize(
    "parts",
    [
        [step("limit"), step("log")],
        [step("limit"), step("counter")],
        [step("limit"), step("target", a1=b"LOG\0", a2=0, a3=bytes(34))],
        [step("limit"), kernel.verdict(kernel.DROP).replace(attribute(1, be32(0)), attribute(1, be32(9)))],
        [step("objref", a1=1, a2=b"counter\0"), ACCEPT],
        [step("queue", a1=b"\0\x07", a2=b"\0\1")],  # that no program reads
        [step("match", a1=b"recent\0", a2=0, a3=bytes(8) + b"\2\0" + bytes(200)), ACCEPT],  # which only notes
        [step("meta", a3=1, a2=24), ACCEPT],
        [step("limit"), step("meta", a3=1, a2=12)],
    ],
)
def test_what_rules_do_not_hang_on(parts: list[bytes]) -> None:
    change = worlds.change(rule(*parts), Given("without", {}, Known(programs=frozenset({3}))))
    assert change.steps is not None
    assert not change.conditions


@pytest.mark.parametrize(("flags", "verdict"), [(0, ACCEPT), (1, DROP)])
def test_a_program_decides_otherwise_than_the_kernel_alone_does(flags: int, verdict: bytes) -> None:
    queue = step("queue", a1=b"\0\3", a2=b"\0\1", a3=struct.pack(">H", flags))
    known = Known(programs=frozenset({3}))
    assert worlds.change(rule(queue), Given("met", {}, known)).steps == verdict


def test_of_a_choice_of_verdicts_the_strictest_is_met() -> None:
    def item(code: int) -> bytes:
        return nested(1, nested(1, attribute(1, b"k")), nested(2, nested(2, attribute(1, struct.pack(">i", code)))))

    one = rule(LOADS, step("lookup", a1=b"m\0", a2=1, a3=0))
    for codes, strictest in (((1, 0, -3), 0), ((1, -3), -3), ((1, -5), -5), ((1,), 1), ((), None)):
        of = Set(2, "t", "m", 0, 0, 4, b"", (b"".join(map(item, codes)),))
        met = worlds.change(one, Given("met", {}, Known(sets={(2, "t", "m"): of}))).steps
        assert met == (
            b"" if strictest is None else steps.immediate(nested(2, attribute(1, struct.pack(">i", strictest))))
        )


def test_sets_of_ipset_have_their_indices_in_the_twin() -> None:
    match = step("match", a1=b"set\0", a2=1, a3=struct.pack("=HBB", 5, 1, 1) + bytes(4))
    one = rule(PORT, compare(b"\0\x19"), match, DROP)
    change = worlds.change(one, Given("as-is", {5: 9}))
    assert conditions.xt(expressions(change.steps or b"")[2]).data[:2] == struct.pack("=H", 9)
    missing = worlds.change(one, Given("as-is", {}))
    assert (missing.steps, missing.refused) == (None, "set")
    assert kinds(worlds.counting(one, Given("as-is", {}), 1)) == ["payload", "cmp", "counter"]


@pytest.mark.parametrize("name", [b"LOG\0", b"NFLOG\0", b"AUDIT\0", b"LED\0", b"IDLETIMER\0", b"log\0", b"nflog\0"])
def test_what_acts_outside_of_the_namespace_is_left_out(name: bytes) -> None:
    assert worlds.change(rule(step("target", a1=name, a2=0, a3=bytes(8))), Given()).steps == b""


def test_policies_of_the_hosts_namespace_are_not_looked_for() -> None:
    data = bytes(12) + b"ftp\0" + bytes(12) + b"policy\0".ljust(32, b"\0") + bytes(8)
    change = worlds.change(rule(step("target", a1=b"CT\0", a2=1, a3=data)), Given())
    copied = conditions.xt(expressions(change.steps or b"")[0]).data
    assert (b"policy" in copied, b"ftp" in copied, len(copied)) == (False, True, len(data))
    assert worlds.change(rule(step("match", a1=b"nfacct\0", a2=0, a3=bytes(40)), DROP), Given()).steps == DROP


def protocol(value: int, *, inverted: bool = False) -> bytes:
    return nested(5, attribute(1, be32(value)), attribute(2, be32(2 * inverted)))


MATCH = step("match", a1=b"tcp\0", a2=0, a3=bytes(16))


@pytest.mark.parametrize(
    ("family", "parts", "told"),
    [
        (2, [step("meta", a1=1, a2=16), compare(b"\6"), MATCH], protocol(6)),
        (2, [step("meta", a1=1, a2=16), compare(b"\6", operation=1), MATCH], protocol(6, inverted=True)),
        (2, [step("payload", a1=1, a2=1, a3=9, a4=1), compare(b"\x11"), MATCH], protocol(17)),
        (10, [step("payload", a1=1, a2=1, a3=6, a4=1), compare(b"\6"), MATCH], protocol(6)),
        (2, [L4, step("meta", a1=2, a2=4), compare(b"eth", 2), compare(b"\6"), MATCH], protocol(6)),
        (2, [step("meta", a1=1, a2=16), step("meta", a1=1, a2=4), compare(b"\6"), MATCH], b""),
        (2, [step("meta", a1=1, a2=4), compare(b"\6"), MATCH], b""),
        (7, [step("meta", a1=1, a2=1), compare(b"\x08\0"), MATCH], protocol(struct.unpack("=H", b"\x08\0")[0])),
        (7, [step("payload", a1=1, a2=0, a3=12, a4=2), compare(b"\x86\xdd"), MATCH],
         protocol(struct.unpack("=H", b"\x86\xdd")[0])),
    ],
)  # fmt: skip
def test_the_protocol_that_a_match_of_iptables_is_for(family: int, parts: list[bytes], told: bytes) -> None:
    assert worlds.protocol(rule(*parts, family=family)) == told


def test_registers() -> None:
    assert steps.units(be32(1)) == {8, 9, 10, 11}
    assert steps.units(be32(2), 4) == {12}
    assert steps.units(be32(10), 6) == {10, 11}
    assert steps.units(be32(0)) == steps.units(None) == steps.units(be32(5)) == frozenset()


@pytest.mark.parametrize(
    ("parts", "meant", "others"),
    [
        ([step("payload", a1=1, a2=1, a3=12, a4=8), compare(bytes([9, 1, 2, 3, 8, 1, 2, 3]))],
         ["9.1.2.3", "8.1.2.3"], ["9.1.2.4"]),
        ([step("payload", a1=9, a2=1, a3=16, a4=2), compare(bytes([9, 1]), 9)], ["9.1.2.3"], ["9.2.2.3"]),
        ([step("payload", a1=1, a2=1, a3=8, a4=16), compare(bytes([32, 1, *[0] * 14]))], ["2001::"], ["2001::1"]),
        ([step("payload", a1=1, a2=2, a3=12, a4=4), compare(bytes([9, 1, 2, 3]))], [], ["9.1.2.3"]),
        ([step("payload", a1=1, a2=1, a3=9, a4=1), compare(b"\6")], [], ["6.0.0.1"]),
        ([step("ct", a1=1, a2=8, a3=b"\0"), compare(bytes([9, 1, 2, 3]))], ["9.1.2.3"], ["9.1.2.4"]),
        ([step("ct", a1=1, a2=21, a3=b"\0"), compare(bytes([32, 1, *[0] * 14]))], ["2001::"], ["2001::1"]),
        ([step("meta", a1=1, a2=3), compare(bytes([9, 1, 2, 3]))], [], ["9.1.2.3"]),
        ([step("match", a1=b"iprange\0", a2=1, a3=bytes([9, 0, 0, 1]).ljust(16, b"\0")
               + bytes([9, 0, 0, 5]).ljust(48, b"\0") + b"\1\0\0\0")], ["9.0.0.3"], ["9.0.0.6"]),
        ([step("match", a1=b"conntrack\0", a2=3, a3=bytes([9, 0, 0, 0]).ljust(16, b"\0")
               + bytes([255, 0, 0, 0]).ljust(144, b"\0"))], ["9.9.9.9"], ["8.9.9.9", "0.0.0.1"]),
    ],
)  # fmt: skip
def test_addresses_that_rules_single_out(parts: list[bytes], meant: list[str], others: list[str]) -> None:
    single = mentions.of(Ruleset(rules=(rule(*parts),)))
    assert [address for address in (*meant, *others) if single(address)] == meant


def keyed(*keys: bytes) -> tuple[bytes, ...]:
    return tuple(elements.chunks([nested(1, attribute(1, key)) for key in keys]))


@pytest.mark.parametrize(
    ("kind", "length", "key", "meant"),
    [
        ((7 << 12) | (13 << 6) | 41, 24, bytes([9, 1, 2, 3]) + b"\0\x19\0\0" + b"eth0".ljust(16, b"\0"), ["9.1.2.3"]),
        ((41 << 6) | 7, 20, b"eth0".ljust(16, b"\0") + bytes([9, 1, 2, 3]), ["9.1.2.3"]),
        ((9 << 6) | 8, 24, bytes(8) + bytes([32, 1, *[0] * 14]), ["2001::"]),
        (0, 8, bytes([9, 1, 2, 3, 8, 1, 2, 3]), ["9.1.2.3", "8.1.2.3"]),  # of a type that nobody tells
        (13, 2, b"\0\x19", []),
        (19, 4, bytes([9, 1, 2, 3]), []),  # marks
    ],
)
def test_addresses_in_sets(kind: int, length: int, key: bytes, meant: list[str]) -> None:
    single = mentions.of(Ruleset(sets=(Set(2, "t", "s", 0, kind, length, b"", keyed(key)),)))
    candidates = ["9.1.2.3", "8.1.2.3", "0.25.0.0", "2001::", "7.7.7.7"]
    assert [address for address in candidates if single(address)] == meant


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**20)), max_size=30), st.integers(0, 2**32 - 1))
def test_ranges_that_are_merged_are_those_that_were_added(ranges: list[tuple[int, int]], address: int) -> None:
    found = mentions.Mentioned()
    for first, length in ranges:
        last = min(first + length, 2**32 - 1)
        found.span(first.to_bytes(4, "big"), last.to_bytes(4, "big"))
    for one in (address, *(first for first, _ in ranges)):
        text = ".".join(map(str, one.to_bytes(4, "big")))
        assert found.hold(text) == any(first <= one <= first + length for first, length in ranges)


@given(st.binary(max_size=300), st.sampled_from(["as-is", "met", "without"]), st.sampled_from([2, 7, 10]))
def test_damaged_rules_end_nothing(data: bytes, world: World, family: int) -> None:
    words = ("meta", "cmp", "lookup", "dynset", "match", "target", "queue", "objref", "payload", "range", "bitwise")
    fields = {f"a{number}": data[number : number + 4] for number in range(1, 8)}
    damaged = [step(word, **fields) for word in words]
    for one in (rule(data, family=family), rule(*damaged, family=family)):
        given_ = Given(world, {}, Known(programs=frozenset({3})))
        worlds.change(one, given_)
        worlds.protocol(one)
        worlds.counting(one, given_, 1)
        worlds.suspect(one, 1)
        mentions.of(Ruleset(rules=(one,)))("9.9.9.9")
    for flags in (0, kernel.INTERVAL, kernel.TIMEOUT, kernel.EVAL):
        chunks, _ = elements.sendable([data], flags)
        mentions.of(Ruleset(sets=(Set(2, "t", "s", flags, 7, 4, b"", chunks),)))("9.9.9.9")


def test_objects_are_known_by_their_kinds() -> None:
    told = conditions.known(Ruleset(objects=(Thing(2, "t", b"", "q", 2),)))
    assert (
        conditions.condition(rule(step("objref", a2=b"q\0")), expressions(step("objref", a2=b"q\0"))[0], told)
        == "quota"
    )
