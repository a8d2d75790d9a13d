"""Read all rules of nf_tables of a network namespace, as the kernel's own messages."""

from __future__ import annotations

import errno
import struct
import time
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from msgspec import Struct

from preflight.facts.twin import Chain as Outline
from preflight.facts.twin import Table
from preflight.packets.nlmsg import MASK, NESTED, Message, attribute, attributes, by_type, name, nested, text
from preflight.twin.nft import elements, kernel, steps
from preflight.twin.nft.kernel import ACCEPT, FAMILIES, head, hook
from preflight.twin.nft.steps import number
from preflight.twin.wire import Wire

TRIES = 4  # of rules that change while they are read
_PAUSES = (0.002, 0.01, 0.02)  # seconds before a set is read again
MOST = 200_000  # rules
MOST_ELEMENTS = 1_000_000  # of all sets


class Expression(Struct, frozen=True):
    """A step of a rule: its kind, and its data as attributes. Steps that are alike are one object."""

    kind: str
    data: bytes
    raw: bytes  # the whole of it, as an item of the list
    fields: dict[int, bytes]  # of its data, by their numbers


class Rule(Struct, frozen=True):
    """A rule: where it is, and its steps as the kernel writes them. `note`: its user data (comments)."""

    family: int
    table: str
    chain: str
    handle: int
    raw: bytes
    note: bytes = b""

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Return its steps."""
        return expressions(self.raw)


class Chain(Struct, frozen=True):
    """A chain. A base chain has a hook; `policy` is a verdict. `bound`: it is a block `{ … }` of one rule."""

    family: int
    table: str
    name: str
    body: bytes  # its attributes, as they are sent to make it again
    hook: str = ""
    priority: int = 0
    policy: int = ACCEPT
    bound: bool = False


class Set(Struct, frozen=True):
    """A set or map with its elements, in chunks that the kernel takes.

    `told`: how many the kernel says that there are, as far as it does. `object`: of a map, the kind of its objects.
    """

    family: int
    table: str
    name: str
    flags: int
    key_type: int
    key_length: int
    body: bytes
    elements: tuple[bytes, ...] = ()
    size: int = 0  # elements in the chunks
    told: int | None = None
    object: int = 0


class Thing(Struct, frozen=True):
    """A table, an object or a flowtable, as it is sent to make it again. `kind`: of an object."""

    family: int
    table: str
    body: bytes
    name: str = ""
    kind: int = 0


class Ruleset(Struct, frozen=True):
    """All that a namespace's nf_tables hold, in the order in which it was made."""

    tables: tuple[Thing, ...] = ()
    chains: tuple[Chain, ...] = ()
    sets: tuple[Set, ...] = ()
    objects: tuple[Thing, ...] = ()
    flowtables: tuple[Thing, ...] = ()
    rules: tuple[Rule, ...] = ()

    @property
    def count(self) -> int:
        """Return how many rules there are."""
        return len(self.rules)

    def outline(self) -> tuple[Table, ...]:
        """Return the tables in outline."""
        counts = Counter((rule.family, rule.table, rule.chain) for rule in self.rules)
        chains: dict[tuple[int, str], list[Outline]] = {(one.family, one.table): [] for one in self.tables}
        for chain in self.chains:
            if not chain.bound:
                whose = chain.family, chain.table
                chains.setdefault(whose, []).append(_outline(chain, counts[*whose, chain.name]))
        return tuple(Table("nf_tables", FAMILIES[family], one, tuple(of)) for (family, one), of in chains.items())


def _outline(chain: Chain, rules: int) -> Outline:
    policy = ("accept" if chain.policy == ACCEPT else "drop") if chain.hook else ""
    return Outline(chain.name, rules, chain.hook, chain.priority, policy)


def read(wire: Wire) -> Ruleset:
    """Read the rules of the wire's namespace; raise `OSError`. Rules that change meanwhile are read again."""
    for _ in range(TRIES):
        before = _generation(wire)
        found = Ruleset(
            tuple(_things(wire, kernel.GET_TABLE, (1, 2, 6))),
            tuple(_chains(wire)),
            tuple(_sets(wire)),
            tuple(_things(wire, kernel.GET_OBJECT, (1, 2, 3, 4, 8))),
            tuple(_flowtables(wire)),
            rules(wire),
        )
        if _generation(wire) == before:
            return found
    raise OSError(errno.EINTR, "the rules changed each time that they were read")


def _generation(wire: Wire) -> bytes:
    return by_type(wire.ask(kernel.GET_GENERATION, head(0)).body[4:]).get(1, b"")


def _dump(wire: Wire, kind: int, body: bytes = b"", family: int = 0) -> list[Message]:
    """Return what is there of a kind; nothing where this kernel does not know the kind."""
    try:
        return [one for one in wire.dump(kind, head(family) + body) if one.body[:1] and one.body[0] in FAMILIES]
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL) and kind == kernel.GET_FLOWTABLE:
            return []
        raise


def kept(data: bytes, kinds: tuple[int, ...]) -> bytes:
    """Return some of the attributes as they are; the others are for dumps alone."""
    return b"".join(attribute(kind, value) for kind, value in attributes(data) if kind & MASK in kinds)


def _things(wire: Wire, kind: int, kinds: tuple[int, ...]) -> Iterator[Thing]:
    for message in _dump(wire, kind):
        found, body = by_type(message.body[4:]), kept(message.body[4:], kinds)
        if kind == kernel.GET_TABLE:
            # Dormant stays; a table that a program owns would end with it.
            flags = number(found.get(2)) & 1
            body = kept(message.body[4:], (1, 6)) + attribute(2, struct.pack(">I", flags))
            yield Thing(message.body[0], text(found.get(1, b"")), body)
        else:
            sort = number(found.get(3))
            if sort == kernel.QUOTA and 4 in found:
                body = kept(message.body[4:], (1, 2, 3, 8)) + nested(4, steps.quota(found[4]))
            yield Thing(message.body[0], text(found.get(1, b"")), body, text(found.get(2, b"")), sort)


def _chains(wire: Wire) -> Iterator[Chain]:
    for message in _dump(wire, kernel.GET_CHAIN):
        family, found = message.body[0], by_type(message.body[4:])
        place = by_type(found.get(4, b""))
        yield Chain(
            family,
            text(found.get(1, b"")),
            text(found.get(3, b"")),
            kept(
                message.body[4:], (1, 3, 4, 5, 7, 12)
            ),  # neither its flags (offload, bound to a rule) nor its counters
            hook(FAMILIES[family], number(place.get(1))) if 4 in found else "",
            int.from_bytes(place.get(2, b""), "big", signed=True),
            number(found[5]) if 5 in found else ACCEPT,
            bool(number(found.get(10)) & kernel.BOUND),
        )


def _flowtables(wire: Wire) -> Iterator[Thing]:
    for message in _dump(wire, kernel.GET_FLOWTABLE):
        found = by_type(message.body[4:])
        flags = number(found.get(7)) & ~1  # no offload to hardware
        body = kept(message.body[4:], (1, 2, 3)) + attribute(7, struct.pack(">I", flags))
        yield Thing(message.body[0], text(found.get(1, b"")), body, text(found.get(2, b"")))


def _sets(wire: Wire) -> Iterator[Set]:
    room = MOST_ELEMENTS
    for message in _dump(wire, kernel.GET_SET):
        family, found = message.body[0], by_type(message.body[4:])
        whose, called = text(found.get(1, b"")), text(found.get(2, b""))
        flags, key_type, key_length, kind = (number(found.get(place)) for place in (3, 4, 5, 15))
        told = number(found[20]) if 20 in found else None
        copied, size = _elements(wire, (family, whose, called), flags, told)
        room -= size
        if room < 0:
            raise OSError(errno.EFBIG, "too many elements of sets")
        yield Set(
            family, whose, called, flags, key_type, key_length, _description(message.body[4:], flags), copied, size,
            told, kind,
        )  # fmt: skip


def _elements(wire: Wire, of: tuple[int, str, str], flags: int, told: int | None) -> tuple[tuple[bytes, ...], int]:
    """Return a set's elements in chunks, and how many: read again while they are fewer than the kernel says it has.

    A hash table that has just grown is still being moved, and then told in part. Intervals it counts another way.
    """
    found = elements.sendable(elements_of(wire, *of), flags)
    for pause in _PAUSES:
        if told is None or found[1] >= told or flags & kernel.INTERVAL:
            break
        time.sleep(pause)
        found = elements.sendable(elements_of(wire, *of), flags)
    return found


def elements_of(wire: Wire, family: int, whose: str, called: str) -> Iterator[bytes]:
    """Yield the elements of a set in chunks as the kernel tells them; raise `OSError`."""
    asked = attribute(1, name(whose)) + attribute(2, name(called))
    for part in _dump(wire, kernel.GET_ELEMENTS, asked, family):
        yield from (value for kind, value in attributes(part.body[4:]) if kind & MASK == 3)


def sizes(wire: Wire) -> dict[tuple[int, str, str], int | None]:
    """Return how many elements the kernel says that each set has, as far as it does; raise `OSError`."""
    found = {}
    for message in _dump(wire, kernel.GET_SET):
        told = by_type(message.body[4:])
        whose = message.body[0], text(told.get(1, b"")), text(told.get(2, b""))
        found[whose] = number(told[20]) if 20 in told else None
    return found


def _description(data: bytes, flags: int) -> bytes:
    """Write what makes a set again: under its own name, also where that was made for one rule."""
    parts = [attribute(3, struct.pack(">I", flags & ~kernel.ANONYMOUS))]
    for kind, value in attributes(data):
        match kind & MASK:
            case 1 | 2 | 4 | 5 | 6 | 7 | 8 | 11 | 12 | 13 | 15 | 17 | 18:
                parts.append(attribute(kind, value))
            case 9:
                # How many elements there may be counts where packets add some; elsewhere it was counted another way.
                rest = [pair for pair in attributes(value) if pair[0] & MASK == 2 or flags & kernel.EVAL]
                if rest:
                    parts.append(attribute(kind, b"".join(attribute(*pair) for pair in rest)))
    return b"".join(parts)


def rules(wire: Wire) -> tuple[Rule, ...]:
    """Read the rules of the wire's namespace, chain by chain in their order; raise `OSError`."""
    told = _dump(wire, kernel.GET_RULE)
    if len(told) > MOST:
        raise OSError(errno.EFBIG, "too many rules")
    found = []
    for message in told:
        data = by_type(message.body[4:])
        whose, chain = text(data.get(1, b"")), text(data.get(2, b""))
        handle = int.from_bytes(data.get(3, b""), "big")
        found.append(Rule(message.body[0], whose, chain, handle, data.get(4, b""), data.get(7, b"")))
    return tuple(found)


@lru_cache(MOST)
def expressions(raw: bytes) -> tuple[Expression, ...]:
    """Return the steps of a rule."""
    return tuple(_expression(value) for kind, value in attributes(raw) if kind & MASK == kernel.ITEM)


@lru_cache(MOST)
def _expression(value: bytes) -> Expression:
    parts = by_type(value)
    data = parts.get(2, b"")
    return Expression(text(parts.get(1, b"")), data, attribute(kernel.ITEM | NESTED, value), by_type(data))
