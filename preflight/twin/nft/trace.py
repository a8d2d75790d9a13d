"""Follow packets through nf_tables: the kernel tells of each rule that a marked packet meets (nftrace)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

from msgspec import Struct

from preflight.facts.twin import Step
from preflight.packets import nlmsg as nl
from preflight.packets.nlmsg import Message, attribute, be32, nested
from preflight.twin import wire as w
from preflight.twin.wire import Wire

TABLES = 10 << 8  # NFNL_SUBSYS_NFTABLES
NEWTABLE, NEWCHAIN, GETCHAIN, NEWRULE, TRACE = (TABLES | kind for kind in (0, 3, 4, 6, 17))
GROUP = 9  # NFNLGRP_NFTRACE
OWN = "preflight-twin"  # the table that marks
INET, IPV4, IPV6, BRIDGE, NETDEV = 1, 2, 10, 7, 5  # NFPROTO_…
FAMILIES = {INET: "inet", IPV4: "ip", 3: "arp", NETDEV: "netdev", BRIDGE: "bridge", IPV6: "ip6"}
HOOKS = {
    "inet": ("prerouting", "input", "forward", "output", "postrouting", "ingress"),
    "netdev": ("ingress", "egress"),
    "arp": ("input", "output"),
}
FIRST = -(1 << 31)  # before all others
FULL = 20  # bytes of a header of TCP
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
POLICY, RULE = 1, 3  # NFT_TRACETYPE_…
DROP, ACCEPT, QUEUE = 0, 1, 3  # NF_…
Meant = Callable[[bytes], bool]  # says of a header of a transport protocol whether its packet is meant
MOST = 10_000  # events of one packet: more is a loop of ours


class Event(Struct, frozen=True):
    """What one rule, or the policy of a base chain, did with a packet. `verdict` None: it went on in this chain."""

    packet: int
    family: str
    table: str
    chain: str
    handle: int | None  # None: the policy
    verdict: int | None
    header: bytes = b""  # of the transport protocol, in the first event of a packet


class End(Struct, frozen=True):
    """Where nf_tables ended a packet: by a rule, or by the policy of a base chain (`handle` None)."""

    family: str
    table: str
    chain: str
    handle: int | None
    queue: bool = False  # handed to a program


class Base(Struct, frozen=True):
    """A chain that packets enter. `devices`: of ingress and egress, the interfaces."""

    hook: str
    priority: int
    devices: tuple[str, ...] = ()


class Trace:
    """Marks all packets of the namespace that is entered when it is made, and hears what becomes of them.

    `devices`: interfaces with chains that come before those of any family.
    """

    def __init__(self, wire: Wire, families: Iterable[str] = ("ip", "ip6"), devices: Iterable[str] = ()) -> None:
        self._events = Wire(w.NETFILTER)
        self._events.listen(GROUP)
        numbers = {name: number for number, name in FAMILIES.items()}
        for family in sorted(families):
            mark(wire, numbers[family], (("prerouting", 0, ""), ("output", 3, "")))
        devices = sorted(devices)
        if devices:
            mark(wire, NETDEV, [(f"ingress {device}", 0, device) for device in devices])

    def close(self) -> None:
        """Hear no more."""
        self._events.close()

    def forget(self) -> None:
        """Pass over what was told until now."""
        self._events.heard()

    def events(self, *meant: Meant) -> tuple[tuple[Event, ...], End | None]:
        """Return what became of the first packet since then whose transport header is meant, and what ended it.

        Where nothing did: what ended another such packet, as what docker-proxy sends on, or one that is meant next, as
        an answer.
        """
        packets: dict[int, list[Event]] = {}
        for message in self._events.heard():
            if (event := read(message)) is not None:
                packets.setdefault(event.packet, []).append(event)
        sorts = [[told for told in packets.values() if any(sort(one.header) for one in told)] for sort in meant]
        ends = (found for sort in sorts for told in sort if (found := end(told[:MOST])))
        return tuple(sorts[0][0][:MOST]) if sorts[0] else (), next(ends, None)


def mark(wire: Wire, family: int, chains: Iterable[tuple[str, int, str]]) -> None:
    """Add a table of ours whose chains come first and mark every packet; raise `OSError`.

    `chains`: their names, hooks, and interfaces, where they belong to one.
    """
    head = struct.pack("=BBH", family, 0, 0)
    changes = [Message(NEWTABLE, head + attribute(1, nl.name(OWN)), nl.CREATE)]
    expression = nested(
        1,  # NFTA_LIST_ELEM
        attribute(1, nl.name("immediate")),
        nested(2, attribute(1, be32(8)), nested(2, attribute(1, b"\1"))),  # NFT_REG32_00, the value 1
    )
    setting = nested(
        1,
        attribute(1, nl.name("meta")),
        nested(2, attribute(2, be32(12)), attribute(3, be32(8))),  # NFTA_META_KEY NFTRACE, NFTA_META_SREG
    )
    for name, number, device in chains:
        there = [attribute(3, nl.name(device))] if device else []  # NFTA_HOOK_DEV
        place = nested(4, attribute(1, be32(number)), attribute(2, struct.pack(">i", FIRST)), *there)  # NFTA_CHAIN_HOOK
        chain = attribute(1, nl.name(OWN)) + attribute(3, nl.name(name)) + place + attribute(7, nl.name("filter"))
        changes.append(Message(NEWCHAIN, head + chain, nl.CREATE))
        rule = attribute(1, nl.name(OWN)) + attribute(2, nl.name(name)) + nested(4, expression, setting)
        changes.append(Message(NEWRULE, head + rule, nl.CREATE | nl.APPEND))
    refused = wire.batch(changes)
    if refused:
        raise w.Refused(next(iter(refused.values())), "the kernel marks no packets")


def read(message: Message) -> Event | None:
    """Read what the kernel tells of a packet; None: something else, or nothing that decides."""
    if message.kind != TRACE or len(message.body) < 4:
        return None
    told = nl.by_type(message.body[4:])
    kind, packet = _number(told.get(4)), _number(told.get(6))
    if packet is None or kind not in (POLICY, RULE):
        return None
    name = nl.text(told.get(1, b""))
    if name == OWN:
        return None
    verdict = _number(told.get(16)) if kind == POLICY else _number(nl.by_type(told.get(5, b"")).get(1))
    return Event(
        packet=packet,
        family=FAMILIES.get(message.body[0], ""),
        table=name,
        chain=nl.text(told.get(2, b"")),
        handle=struct.unpack(">Q", told[3])[0] if kind == RULE and len(told.get(3, b"")) == 8 else None,
        verdict=None if verdict is None or verdict >> 31 else verdict,
        header=told.get(9, b""),
    )


def to_port(*ports: int) -> Meant:
    """Return whether a header of TCP or UDP is for one of these ports.

    Several: a packet's port, and the one that it has once something has sent it to a container.
    """
    return lambda header: _ports(header)[1] in ports


def opening(*ports: int) -> Meant:
    """Return whether a header of TCP asks for a connection to one of these ports."""
    return lambda header: _ports(header)[1] in ports and _flags(header) & (SYN | ACK) == SYN


def opened(*ports: int) -> Meant:
    """Return whether a header of TCP is of an answer from one of these ports, or of what follows it."""
    return lambda header: not set(_ports(header)).isdisjoint(ports) and _flags(header) & (ACK | RST | FIN) == ACK


def _ports(header: bytes) -> tuple[int, int]:
    return struct.unpack_from(">HH", header) if len(header) >= 4 else (0, 0)


def _flags(header: bytes) -> int:
    return header[13] if len(header) >= FULL else 0


def discovering(header: bytes) -> bool:
    """Say whether a header is that of ICMPv6's neighbour discovery: a solicitation, or its answer."""
    return header[:1] in (b"\x87", b"\x88")


def bases(wire: Wire) -> dict[tuple[str, str, str], Base]:
    """Return the base chains of the namespace that the wire is of, by family, table and name; raise `OSError`."""
    found = {}
    for message in wire.dump(GETCHAIN, struct.pack("=BBH", 0, 0, 0)):
        told = nl.by_type(message.body[4:])
        if 4 not in told:
            continue
        family, place = FAMILIES.get(message.body[0], ""), nl.by_type(told[4])
        names = HOOKS.get(family, HOOKS["inet"])
        number, priority = _number(place.get(1)) or 0, struct.unpack(">i", place.get(2, bytes(4)))[0]
        hook = names[number] if number < len(names) else ""
        listed = nl.attributes(place.get(4, b""))  # NFTA_HOOK_DEVS
        names_of = [place[3]] if 3 in place else [value for kind, value in listed if kind & nl.MASK == 1]
        devices = tuple(map(nl.text, names_of))
        found[family, nl.text(told.get(1, b"")), nl.text(told.get(3, b""))] = Base(hook, priority, devices)
    return found


def end(events: Iterable[Event]) -> End | None:
    """Return what ended a packet; None: nothing in nf_tables did."""
    for event in events:
        if event.verdict is not None and event.verdict & 0xFF in (DROP, QUEUE):
            return End(event.family, event.table, event.chain, event.handle, event.verdict & 0xFF == QUEUE)
    return None


def steps(events: Iterable[Event], known: dict[tuple[str, str, str], Base]) -> tuple[Step, ...]:
    """Return the base chains that a packet passed, in order, and what each made of it.

    A chain that a rule jumped to belongs to the base chain before it.
    """
    found: list[Step] = []
    within: tuple[str, str, str] | None = None
    for event in events:
        here = (event.family, event.table, event.chain)
        if within is None and here in known:
            within = here
        if event.verdict is None or within is None:
            continue
        code = event.verdict & 0xFF
        word = {DROP: "drop", ACCEPT: "accept", QUEUE: "queue"}.get(code, "")
        if word:
            found.append(Step(known[within].hook, f"{within[0]} {within[1]}", within[2], word))
            within = None
    return tuple(found)


def _number(value: bytes | None) -> int | None:
    return int(struct.unpack(">I", value)[0]) if value is not None and len(value) == 4 else None
