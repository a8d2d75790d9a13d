"""What rules of nf_tables refer to, as messages that make it again: tables, chains, objects, flowtables, sets."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from msgspec import Struct

from preflight.packets import nlmsg as nl
from preflight.packets.nlmsg import MASK, Message, attribute, attributes, name
from preflight.twin.nft import elements, kernel
from preflight.twin.nft.conditions import limited
from preflight.twin.nft.kernel import head
from preflight.twin.nft.read import Ruleset, Set
from preflight.twin.nft.worlds import Given

_EXPRESSIONS = (17, 18)  # of a set, that its elements have


class Thing(Struct, frozen=True):
    """What a message makes."""

    kind: str  # table, chain, set, object, flowtable
    family: str
    table: str
    name: str

    @property
    def needed(self) -> bool:
        """Say whether nothing is right without it: rules that refer to one of the others are refused for that."""
        return self.kind in ("table", "chain")

    def text(self) -> str:
        """Name it."""
        return " ".join(part for part in (self.kind, self.family, self.table, self.name) if part)


def messages(ruleset: Ruleset, given: Given) -> Iterator[tuple[Thing, Message]]:
    """Yield all that rules refer to, in the order in which the kernel takes it; chains in that of their making."""
    for one in ruleset.tables:
        yield _thing("table", one.family, one.table, ""), _made(kernel.NEW_TABLE, one.family, one.body)
    for chain in ruleset.chains:
        what = _thing("chain", chain.family, chain.table, chain.name)
        yield what, _made(kernel.NEW_CHAIN, chain.family, chain.body)
    for one in ruleset.flowtables:
        what = _thing("flowtable", one.family, one.table, one.name)
        yield what, _made(kernel.NEW_FLOWTABLE, one.family, one.body)
    for one in ruleset.objects:
        what = _thing("object", one.family, one.table, one.name)
        yield what, _made(kernel.NEW_OBJECT, one.family, one.body)
    sets = [_plain(one) if given.world == "met" and limited(one) else one for one in ruleset.sets]
    for number, made in enumerate(sets, 1):
        identity = attribute(10, struct.pack(">I", number))
        what = _thing("set", made.family, made.table, made.name)
        yield what, _made(kernel.NEW_SET, made.family, made.body + identity)
    for made in sets:
        what = _thing("set", made.family, made.table, made.name)
        whose = attribute(1, name(made.table)) + attribute(2, name(made.name))
        for chunk in made.elements:
            yield what, _made(kernel.NEW_ELEMENTS, made.family, whose + attribute(3 | nl.NESTED, chunk))


def _thing(kind: str, family: int, table: str, called: str) -> Thing:
    return Thing(kind, kernel.FAMILIES[family], table, called)


def _made(kind: int, family: int, body: bytes) -> Message:
    return Message(kind, head(family) + body, nl.CREATE)


def _plain(one: Set) -> Set:
    """Return a set without what its elements hang on."""
    body = b"".join(attribute(kind, value) for kind, value in attributes(one.body) if kind & MASK not in _EXPRESSIONS)
    return Set(
        one.family, one.table, one.name, one.flags, one.key_type, one.key_length, body,
        tuple(elements.bare(chunk) for chunk in one.elements), one.size, one.told, one.object,
    )  # fmt: skip
