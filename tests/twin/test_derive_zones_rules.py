"""firewalld's rules in nf_tables as a kernel tells them: which ones get a brother, and which are none to go by."""

from __future__ import annotations

from typing import cast

import pytest

from preflight.packets.nlmsg import Message, attribute, be32, name, nested
from preflight.twin import derive_zones
from preflight.twin.derive_state import Underivable
from preflight.twin.wire import Wire

HEAD = b"\1\0\0\0"
RULES, ELEMENTS = derive_zones.RULES, derive_zones.ELEMENTS


def named(text: str) -> bytes:
    return text.encode().ljust(16, b"\0")


def compare(text: str, operation: int = 0, register: int = 1) -> bytes:
    """Write an expression that compares with an interface's name."""
    data = nested(3, attribute(1, named(text)))
    return attribute(1, name("cmp")) + nested(2, attribute(1, be32(register)), attribute(2, be32(operation)), data)


def lookup(of: str, *more: bytes) -> bytes:
    return attribute(1, name("lookup")) + nested(2, attribute(1, name(of)), attribute(2, be32(1)), *more)


def rule(*expressions: bytes, table: str = "firewalld", lacking: int = 0) -> bytes:
    parts = {
        1: attribute(1, name(table)), 2: attribute(2, name("INPUT_ZONES")), 3: attribute(3, bytes(7) + b"\5"),
        4: nested(4, *(nested(1, one) for one in expressions)),
    }  # fmt: skip
    return HEAD + b"".join(part for kind, part in parts.items() if kind != lacking)


class Firewalld:
    """A kernel with these rules, and sets that hold these names."""

    def __init__(self, *rules: bytes, sets: dict[str, tuple[str, ...]] | None = None, refused: int = 0) -> None:
        self._rules, self._sets, self._refused = rules, sets or {}, refused
        self.looked: list[str] = []
        self.made: list[Message] = []

    def dump(self, kind: int, body: bytes) -> list[Message]:
        if kind == RULES:
            return [Message(0, one) for one in self._rules]
        assert kind == ELEMENTS
        which = derive_zones.nl.text(derive_zones.nl.by_type(body[4:])[2])
        self.looked.append(which)
        keys = [nested(1, nested(1, attribute(1, named(one)))) for one in self._sets.get(which, ())]
        return [Message(0, HEAD + nested(3, key)) for key in keys]

    def batch(self, messages: list[Message]) -> dict[int, int]:
        self.made += messages
        return {0: self._refused} if self._refused else {}


def brothers(kernel: Firewalld) -> int:
    return derive_zones.in_nf_tables(cast("Wire", kernel), "br-mailcow")


@pytest.mark.parametrize(
    ("rules", "number"),
    [
        ((rule(compare("docker0")),), 1),
        ((rule(compare("docker0"), compare("docker0")),), 3),
        ((rule(compare("docker0")), rule(compare("eth0"))), 1),
        ((rule(lookup("zone")), rule(lookup("zone"))), 2),
        ((rule(compare("docker0"), table="mine"),), 0),  # old kernels tell those of all tables
        (tuple(rule(compare("docker0"), lacking=kind) for kind in (1, 2, 3, 4)), 0),
        ((b"", HEAD, rule()[:3]), 0),
        ((), 0),
    ],
)
def test_each_of_firewalld_s_rules_that_names_docker0_gets_a_brother(rules: tuple[bytes, ...], number: int) -> None:
    kernel = Firewalld(*rules, sets={"zone": ("eth0", "docker0")})
    assert brothers(kernel) == len(kernel.made) == number
    assert kernel.looked in ([], ["zone"])  # each set once


@pytest.mark.parametrize(
    "expression",
    [compare("docker0", 1), lookup("zone", attribute(3, be32(2))), lookup("zone", attribute(5, be32(1)))],
    ids=["not docker0", "a map", "not in the set"],
)
def test_what_firewalld_never_writes_is_not_known(expression: bytes) -> None:
    with pytest.raises(Underivable, match="INPUT_ZONES"):
        brothers(Firewalld(rule(expression), sets={"zone": ("docker0",)}))


@pytest.mark.parametrize("names", [(), ("eth0",), ("docker",), ("docker00",)])
def test_a_set_without_docker0_is_none_to_go_by(names: tuple[str, ...]) -> None:
    with pytest.raises(Underivable, match="docker0"):
        brothers(Firewalld(rule(lookup("zone", attribute(5, be32(1)))), sets={"zone": names}))


def test_a_brother_stands_behind_the_rule_and_looks_at_the_same() -> None:
    kernel = Firewalld(rule(compare("docker0", register=9), compare("eth0")))
    assert brothers(kernel) == 1
    (made,) = kernel.made
    said = derive_zones.nl.by_type(made.body[4:])
    assert (said[1], said[2], said[6]) == (name("firewalld"), name("INPUT_ZONES"), bytes(7) + b"\5")
    written = [value for _, value in derive_zones.nl.attributes(said[4])]
    assert written == [compare("br-mailcow", register=9), compare("eth0")]


def test_brothers_that_are_refused_are_not_there() -> None:
    with pytest.raises(Underivable, match="ENOENT"):
        brothers(Firewalld(rule(compare("docker0")), refused=2))
