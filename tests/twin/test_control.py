"""Whether a stage carries packets before there are rules: what fails is found, whatever the reason."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest

from preflight.packets import nlmsg as nl
from preflight.twin import control, routes, rules
from preflight.twin.control import Call, failing, led
from preflight.twin.routes import Way
from preflight.twin.spaces import Space
from preflight.twin.stage import Side
from preflight.twin.wire import Refused, Wire
from tests.twin import stand_in
from tests.twin.stand_in import CONTAINERS, GATE, HOST, SOURCES, Stage

SIDE = cast("Side", SimpleNamespace(version=4, sources=("84.0.0.1", "85.0.0.1")))
WAY = Way(2, socket.AF_INET, bytes((203, 0, 113, 1)), b"")


@pytest.fixture
def stage(namespaces: Callable[[], Space]) -> Stage:
    return stand_in.built(namespaces)


@pytest.mark.parametrize("version", [4, 6])
def test_connections_that_come_about_do_not_fail(stage: Stage, version: int) -> None:
    calls = [
        Call(stage.world, SOURCES[version][0], stage.twin, HOST[version]),
        Call(stage.twin, "", stage.inner, CONTAINERS[version]["postfix-mailcow"]),
        Call(stage.world, "", stage.twin, HOST[version]),
    ]
    before = len(os.listdir("/proc/self/fd"))
    assert failing(calls) == []
    assert failing([]) == []
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("version", [4, 6])
def test_each_call_that_fails_is_told_and_no_other(stage: Stage, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "SECONDS", 0.1)
    family = stand_in.NAME[version]
    dropped, refused, good = SOURCES[version]
    lines = (f"{family} saddr {dropped} drop", f"{family} saddr {refused} reject with tcp reset")
    chain = "chain c { type filter hook input priority 0; " + "\n".join(lines) + "\n}"
    stand_in.run(stage.twin, "nft -f -", f"table {family} t {{ {chain}\n}}")
    calls = [
        Call(stage.world, "192.0.2.9" if version == 4 else "2001:db8:9::9", stage.twin, HOST[version]),  # nobody's
        Call(stage.world, good, stage.twin, HOST[version]),
        Call(stage.world, dropped, stage.twin, HOST[version]),
        Call(stage.world, refused, stage.twin, HOST[version]),
        Call(stage.world, good, stage.twin, GATE[version]),  # nobody can listen there
        Call(stage.inner, "", stage.world, "192.0.2.9" if version == 4 else "2001:db8:9::9"),
    ]
    found = failing(calls)
    assert sorted(calls.index(one) for one in found) == [0, 2, 3, 4, 5]
    assert len(found) == 5


def test_a_way_that_the_kernel_denies_is_a_failure_at_once(stage: Stage) -> None:
    stand_in.run(stage.world, "ip -batch -", f"route add prohibit {HOST[4]}")
    call = Call(stage.world, "", stage.twin, HOST[4])
    assert failing([call]) == [call]


# --- led to the Internet whatever routes say --------------------------------------------------------------------------


class Kernel:
    """A kernel that takes rules and routes, or refuses one of them."""

    def __init__(self, refused: int = 0) -> None:
        self.done: list[tuple[int, bytes, int]] = []
        self._refused = refused

    def do(self, kind: int, body: bytes, flags: int = 0) -> None:
        self.done.append((kind, body, flags))
        if kind == self._refused:
            raise Refused(errno.EPERM, "")

    @property
    def kinds(self) -> list[int]:
        return [kind for kind, _, _ in self.done]


def test_the_world_s_addresses_are_led_by_a_table_of_their_own_which_is_asked_no_more_at_the_end() -> None:
    kernel = Kernel()
    with led(cast("Wire", kernel), WAY, SIDE):
        assert kernel.kinds == [rules.NEWRULE, routes.NEWROUTE, routes.NEWROUTE]
    assert kernel.kinds[3:] == [rules.DELRULE]
    rule, first, second, gone = (body for _, body, _ in kernel.done)
    assert rule == gone
    said = nl.by_type(rule[12:])
    assert (rule[0], rule[7]) == (socket.AF_INET, 1)  # FR_ACT_TO_TBL
    (table,) = struct.unpack("=I", said[15])
    assert struct.unpack("=I", said[6]) == (1,)  # before all others but that of local addresses
    for body, source in ((first, (84, 0, 0, 1)), (second, (85, 0, 0, 1))):
        told = nl.by_type(body[12:])
        assert (told[1], body[1], told[5]) == (bytes(source), 32, WAY.gateway)
        assert struct.unpack("=I", told[15]) == (table,)
        assert struct.unpack("=I", told[4]) == (WAY.index,)


@pytest.mark.parametrize(
    ("refused", "kinds"),
    [
        (rules.NEWRULE, [rules.NEWRULE]),
        (routes.NEWROUTE, [rules.NEWRULE, routes.NEWROUTE, rules.DELRULE]),
    ],
)
def test_where_it_cannot_be_led_nothing_is_left(refused: int, kinds: list[int]) -> None:
    kernel = Kernel(refused)
    with pytest.raises(Refused), led(cast("Wire", kernel), WAY, SIDE):
        raise AssertionError("it is not led")
    assert kernel.kinds == kinds


def test_it_is_led_no_more_whatever_happens_meanwhile() -> None:
    kernel = Kernel()
    with pytest.raises(ZeroDivisionError), led(cast("Wire", kernel), WAY, SIDE):
        raise ZeroDivisionError
    assert kernel.kinds[-1] == rules.DELRULE
