"""Tables of which a kernel refuses something: which rules, for what, and what stands in their place."""

from __future__ import annotations

import errno
import struct

import pytest
from msgspec.structs import replace

from preflight.twin import legacy_blob, legacy_load
from preflight.twin.legacy_blob import ACCEPT, Blob
from preflight.twin.legacy_load import load
from tests.twin.legacy_tables import (
    DROPS,
    HEADS,
    TCP_,
    entry,
    little,
    part,
    standard,
    table,
)

pytestmark = little


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
