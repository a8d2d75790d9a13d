"""firewalld runs: the engine has it put mailcow's bridge into the zone docker, where docker0 is already.

Each of its rules that names docker0 gets a brother beside it that names mailcow's bridge. firewalld itself would do the
same (firewalld/firewalld, src/firewall/core/{nftables,ipXtables}.py: build_zone_source_interface_rules,
build_policy_ingress_egress_rules; before 2.0 names stand in anonymous sets).
"""

from __future__ import annotations

import errno
import itertools
import re
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from preflight.packets import nlmsg as nl
from preflight.packets.nlmsg import Message
from preflight.twin.derive_state import Change, State, Underivable
from preflight.twin.wire import Wire

MODEL = "docker0"
_POLICY = "_policy_"  # in the names of policies' chains
TABLE = "firewalld"
SIZE = 16  # IFNAMSIZ: names of interfaces are compared whole, with their zeros
NFTABLES = 10 << 8
RULE, RULES, ELEMENTS = NFTABLES | 6, NFTABLES | 7, NFTABLES | 13  # NFT_MSG_NEWRULE, GETRULE, GETSETELEM
_CHAIN = re.compile(
    r"(?:INPUT|OUTPUT|FORWARD|FORWARD_IN|FORWARD_OUT|PREROUTING|POSTROUTING)_(?:ZONES|POLICIES(?:_\w+)?)"
)


class _Rule(NamedTuple):
    family: int
    table: str
    chain: bytes
    handle: bytes
    expressions: list[bytes]


def seen(chains: Iterable[str]) -> bool:
    """Say whether chains of ip_tables are firewalld's."""
    return any(_CHAIN.fullmatch(chain) for chain in chains)


def in_ip_tables(state: State, bridge: str) -> list[Change]:
    """Return the brothers of firewalld's rules in ip_tables; raise `Underivable` where it has none to go by."""
    numbers: dict[tuple[str, str], int] = {}
    found = []
    runs = False
    for table, chain, rule in state.rules:
        place = table, chain
        numbers[place] = numbers.get(place, 0) + 1
        if not _CHAIN.fullmatch(chain):
            continue
        runs = True
        words = rule.split(" ")
        for names in _choices(tuple(_named(words)), bridge):
            brother = " ".join(names.get(index, word) for index, word in enumerate(words))
            # Each brother that stands above moves the rule down.
            numbers[place] += 1
            found.append(Change("-I", table, chain, brother, numbers[place]))
    if runs and not found:
        raise Underivable(f"firewalld: {MODEL}")
    return found


def _sorted(targets: list[tuple[str, str, str]]) -> None:
    """Raise `Underivable` where rules of other policies follow that of a policy, by their tables, chains and targets.

    Before 2.0 firewalld puts a new rule behind those of all policies of the same priority; from then on it sorts them.
    """
    *place, own = targets[0]
    others = {target for *where, target in targets if where == place and _POLICY in target}
    if _POLICY in own and others - {own}:
        raise Underivable(f"firewalld: {place[1]}")


def _target(rule: _Rule) -> str:
    """Return the chain that a rule jumps to, or goes to; '' = none."""
    for data in reversed(rule.expressions):
        found = nl.by_type(data)
        if nl.text(found.get(1, b"")) == "immediate":  # its data, a verdict's, its chain
            return nl.text(nl.by_type(nl.by_type(nl.by_type(found.get(2, b"")).get(2, b"")).get(2, b"")).get(2, b""))
    return ""


def _named(words: list[str]) -> Iterator[int]:
    for index, word in enumerate(words):
        if word == MODEL and words[index - 1] in ("-i", "-o") and words[index - 2 : index - 1] != ["!"]:
            yield index


def _choices(places: tuple[int, ...], bridge: str) -> list[dict[int, str]]:
    """Return each way to name the bridge instead, at one place or at several."""
    ways = itertools.product((False, True), repeat=len(places))
    return [{place: bridge for place, way in zip(places, way, strict=True) if way} for way in ways if any(way)]


def in_nf_tables(netlink: Wire, bridge: str) -> int:
    """Add the brothers of firewalld's rules in nf_tables, and return how many; raise `Underivable` or `OSError`."""
    rules = list(_rules(netlink))
    sets: dict[tuple[int, str, bytes], bool] = {}
    brothers = []
    targets = [(str(rule.family), nl.text(rule.chain), _target(rule)) for rule in rules]
    for at, rule in enumerate(rules):
        places = tuple(index for index, data in enumerate(rule.expressions) if _names(netlink, rule, data, sets))
        # In sets they stand before 2.0.
        if any(nl.text(nl.by_type(rule.expressions[index]).get(1, b"")) == "lookup" for index in places):
            _sorted(targets[at:])
        for names in _choices(places, bridge):
            expressions = [
                _naming(data, names[index]) if index in names else data for index, data in enumerate(rule.expressions)
            ]
            brothers.append(_brother(rule, expressions))
    if rules and not brothers:
        raise Underivable(f"firewalld: {MODEL}")
    refused = netlink.batch(brothers) if brothers else {}
    if refused:
        raise Underivable(f"firewalld: {errno.errorcode.get(min(refused.values()), '?')}")
    return len(brothers)


def _rules(netlink: Wire) -> Iterator[_Rule]:
    """Read firewalld's rules. Old kernels send those of all tables."""
    for message in netlink.dump(RULES, bytes(4) + nl.attribute(1, nl.name(TABLE))):
        if len(message.body) < 4:
            continue
        found = nl.by_type(message.body[4:])
        if {1, 2, 3, 4} - found.keys() or nl.text(found[1]) != TABLE:
            continue
        expressions = [value for _, value in nl.attributes(found[4])]
        yield _Rule(message.body[0], nl.text(found[1]), found[2], found[3], expressions)


def _names(netlink: Wire, rule: _Rule, expression: bytes, sets: dict[tuple[int, str, bytes], bool]) -> bool:
    """Say whether an expression compares with the model's name, or looks for it in a set where it is.

    Raise `Underivable` where it does something else with the name: firewalld writes no such rules.
    """
    found = nl.by_type(expression)
    kind, data = nl.text(found.get(1, b"")), nl.by_type(found.get(2, b""))
    plain = named = False
    if kind == "cmp":  # NFTA_CMP_OP: NFT_CMP_EQ; NFTA_CMP_DATA
        named = nl.by_type(data.get(3, b"")).get(1) == _name(MODEL)
        plain = data.get(2) == nl.be32(0)
    elif kind == "lookup":
        place = rule.family, rule.table, data.get(1, b"")
        if place not in sets:
            sets[place] = _holds(netlink, *place)
        named = sets[place]
        plain = 3 not in data and data.get(5, bytes(4)) == bytes(4)  # no map, not inverted
    if named and not plain:
        raise Underivable(f"firewalld: {nl.text(rule.chain)}")
    return named


def _holds(netlink: Wire, family: int, table: str, name: bytes) -> bool:
    body = struct.pack("=BBH", family, 0, 0) + nl.attribute(1, nl.name(table)) + nl.attribute(2, name)
    for message in netlink.dump(ELEMENTS, body):
        for _, element in nl.attributes(nl.by_type(message.body[4:]).get(3, b"")):
            key = nl.by_type(nl.by_type(element).get(1, b"")).get(1)
            if key == _name(MODEL):
                return True
    return False


def _naming(expression: bytes, name: str) -> bytes:
    """Write a comparison with another name, of the register that this one looks at."""
    found = nl.by_type(expression)
    data = nl.by_type(found[2])
    register = data[1] if nl.text(found[1]) == "cmp" else data[2]
    value = nl.nested(3, nl.attribute(1, _name(name)))
    return nl.attribute(1, nl.name("cmp")) + nl.nested(2, nl.attribute(1, register), nl.attribute(2, nl.be32(0)), value)


def _brother(rule: _Rule, expressions: list[bytes]) -> Message:
    body = [
        struct.pack("=BBH", rule.family, 0, 0),
        nl.attribute(1, nl.name(rule.table)),
        nl.attribute(2, rule.chain),
        nl.nested(4, *(nl.nested(1, data) for data in expressions)),
        nl.attribute(6, rule.handle),  # NFTA_RULE_POSITION: after that one
    ]
    return Message(RULE, b"".join(body), nl.CREATE | nl.APPEND)


def _name(interface: str) -> bytes:
    return interface.encode("utf-8", "surrogateescape")[: SIZE - 1].ljust(SIZE, b"\0")
