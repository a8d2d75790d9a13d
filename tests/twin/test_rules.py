"""`ip rule`s as the kernel tells them, and those of a namespace made the same."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from typing import cast

import pytest

from preflight.packets import nlmsg as nl
from preflight.packets.nlmsg import Message
from preflight.twin import rules
from preflight.twin import wire as w
from preflight.twin.rules import DELRULE, GETRULE, NEWRULE
from preflight.twin.spaces import Space
from preflight.twin.wire import Refused, Wire
from tests.twin import hosts

IP4, IP6 = int(socket.AF_INET), int(socket.AF_INET6)


def rule(family: int, number: int, flags: int = 0) -> bytes:
    """Write a fib_rule_hdr with a priority."""
    return struct.pack("=BBBBBxxBI", family, 0, 0, 0, 254, 1, flags) + nl.attribute(6, nl.u32(number))


class Kernel:
    """A kernel with rules, that takes changes of them but for some."""

    def __init__(self, *there: bytes, refused: dict[tuple[int, bytes], int] | None = None) -> None:
        self.there = list(there)
        self._refused = refused or {}
        self.done: list[tuple[int, bytes, int]] = []

    def dump(self, kind: int, body: bytes) -> list[Message]:
        assert (kind, body[1:]) == (GETRULE, bytes(11))
        return [Message(NEWRULE, one) for one in self.there if not one or one[0] == body[0]]

    def do(self, kind: int, body: bytes, flags: int = 0) -> None:
        self.done.append((kind, body, flags))
        if code := self._refused.get((kind, body)):
            raise Refused(code, "")


def made(kernel: Kernel, *wanted: tuple[int, bytes]) -> set[int]:
    return rules.make(cast("Wire", kernel), wanted)


def test_rules_are_read_as_the_kernel_takes_them_again() -> None:
    """Of its flags only the one that inverts a rule is anybody's: others tell of interfaces that are not there."""
    kernel = Kernel(rule(IP4, 5, 0x10 | 0x2), b"", rule(IP4, 9, 0x8)[:11], rule(IP6, 7), rule(IP4, 3, 0x10))
    assert rules.read(cast("Wire", kernel), IP4) == [(IP4, rule(IP4, 5, 2)), (IP4, rule(IP4, 3))]
    assert rules.read(cast("Wire", kernel), IP6) == [(IP6, rule(IP6, 7))]


def test_what_is_missing_is_made_and_what_is_too_much_goes() -> None:
    kernel = Kernel(rule(IP4, 0), rule(IP4, 32766), rule(IP6, 0))
    assert made(kernel, (IP4, rule(IP4, 5)), (IP4, rule(IP4, 32766)), (IP6, rule(IP6, 0))) == set()
    # The new ones first: meanwhile, nothing would say which table is asked.
    assert kernel.done == [(NEWRULE, rule(IP4, 5), nl.CREATE), (DELRULE, rule(IP4, 0), 0)]


def test_a_family_of_which_nothing_is_known_keeps_its_rules() -> None:
    kernel = Kernel(rule(IP4, 0), rule(IP6, 0))
    assert made(kernel, (IP4, rule(IP4, 0))) == set()
    assert kernel.done == []


@pytest.mark.parametrize(
    ("kind", "body", "code", "failed"),
    [
        (NEWRULE, rule(IP4, 5), errno.EINVAL, {IP4}),
        (NEWRULE, rule(IP4, 5), errno.EEXIST, set()),
        (DELRULE, rule(IP6, 0), errno.ENOENT, {IP6}),
    ],
)
def test_a_rule_that_is_refused_fails_its_family_and_holds_up_nothing(
    kind: int, body: bytes, code: int, failed: set[int]
) -> None:
    kernel = Kernel(rule(IP4, 0), rule(IP6, 0), refused={(kind, body): code})
    assert made(kernel, (IP4, rule(IP4, 5)), (IP6, rule(IP6, 5))) == failed
    assert sorted((kind, body[0]) for kind, body, _ in kernel.done) == [
        (NEWRULE, IP4), (NEWRULE, IP6), (DELRULE, IP4), (DELRULE, IP6),
    ]  # fmt: skip


def test_this_kernel_s_rules_are_made_the_same_in_another_namespace(namespaces: Callable[[], Space]) -> None:
    host, twin = namespaces(), namespaces()
    lines = (
        "rule add from 192.0.2.0/24 lookup 7 pref 5", "rule add not fwmark 0x1/0xff prohibit pref 9", "rule del pref 0",
        "rule add pref 20 lookup local", "-6 rule add iif lo to 2001:db8::/32 blackhole pref 6",
    )  # fmt: skip
    hosts.run(host, *(line for line in lines if not line.startswith("-6")))
    with host.entered():
        hosts.subprocess.run(["ip", *lines[-1].split()], check=True)
        with Wire(w.ROUTE) as wire:
            wanted = [*rules.read(wire, IP4), *rules.read(wire, IP6)]
    with twin.entered(), Wire(w.ROUTE) as wire:
        assert rules.make(wire, wanted) == set()
        assert [*rules.read(wire, IP4), *rules.read(wire, IP6)] == wanted
    assert hosts.told(twin, "rule") == hosts.told(host, "rule")
