"""Whose counter grew: the rule of ip_tables that is named, and the host's own number of it."""

from __future__ import annotations

import errno
import struct

import pytest

from preflight.twin import legacy, legacy_blame
from preflight.twin.legacy_blame import Counts, Grown, Places
from preflight.twin.legacy_blob import ACCEPT, DROP, QUEUE, RETURN, Blob
from preflight.twin.legacy_load import Loaded
from tests.twin.legacy_tables import (
    DROPS,
    REJECTS,
    TCP_,
    entry,
    little,
    part,
    queue,
    standard,
    table,
)

pytestmark = little


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
