"""Tables of ip_tables that are none, that change while they are read, or that look as before."""

from __future__ import annotations

import errno
import struct
from typing import Any

import pytest
from msgspec.structs import replace

from preflight.twin import legacy, legacy_blob
from preflight.twin.legacy_blob import ACCEPT, DROP, Blob, apart, parsed
from tests.twin.legacy_tables import (
    COUNTERS,
    DROPS,
    HEADS,
    OFFSETS,
    PROTOCOL,
    REJECTS,
    TCP_,
    entry,
    little,
    standard,
    table,
)

pytestmark = little


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


# --- a table that looks as before -------------------------------------------------------------------------------------


def again(like: Blob, data: bytes, **changed: Any) -> Blob:
    """Take a table apart that may look like another one."""
    of = replace(like, **changed)
    info = like.table.encode().ljust(32, b"\0") + struct.pack("=11I", of.hooks, *of.starts, *of.policies)
    return parsed(like.version, like.table, info, data, like)


@pytest.mark.parametrize("version", [4, 6])
def test_entries_that_only_count_further_are_not_taken_apart_again(version: int) -> None:
    rules = [[entry(version, TCP_, DROPS, packets=more), entry(version, REJECTS)] for more in (3, 4)]
    was, now = (table(*one, version=version, packets=one[0][COUNTERS[version]]) for one in rules)
    found = again(was, now.data)
    assert found.rows is was.rows
    assert found.data == now.data


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("place", "value"),
    [(0, 9), ("protocol", 17), ("offsets", 152), (-8, 0xFE), ("matches", 40)],
    ids=["address", "protocol", "offsets", "verdict", "match"],
)
def test_entries_that_say_something_else_are(version: int, place: int | str, value: int) -> None:
    was = table(entry(version, TCP_, DROPS), entry(version, TCP_, DROPS), version=version)
    first = was.rows[0]
    at = {"protocol": PROTOCOL[version], "offsets": OFFSETS[version], "matches": HEADS[version] + 40}.get(
        str(place), first.end + place if isinstance(place, int) and place < 0 else 0
    )
    data = bytearray(was.data)
    data[at] = value
    assert legacy_blob._alike(was, was.data)
    assert not legacy_blob._alike(was, bytes(data))
    assert not legacy_blob._alike(was, was.data + was.data[-8:])


def test_a_jump_to_elsewhere_is_told_as_the_new_one() -> None:
    was = table(entry(4, TCP_, DROPS), entry(4, DROPS))
    now = table(entry(4, TCP_, standard(ACCEPT)), entry(4, DROPS))
    assert again(was, now.data).rows[0].verdict == ACCEPT
    more = table(entry(4, TCP_, DROPS), entry(4, DROPS), entry(4, DROPS))
    assert len(again(was, more.data, policies=more.policies).rows) == len(was.rows) + 1
    assert again(was, was.data, policies=(0,) * 5).rows[0].number == 0  # the policy stands elsewhere
