"""Interfaces and their addresses: read them, and make some with given names, indices and hardware addresses."""

from __future__ import annotations

import errno
import socket
import struct

from msgspec import Struct

from preflight.packets import nlmsg as nl
from preflight.twin.wire import Refused, Wire

NEWLINK, GETLINK, NEWADDR, GETADDR, NEWNEIGH, GETNEIGH = 16, 18, 20, 22, 28, 30  # RTM_…
REPLACE = 0x100  # NLM_F_REPLACE
UP, NOARP = 0x1, 0x80  # IFF_…
LOOPBACK = 1  # the index of lo in every namespace
FAMILIES = {4: int(socket.AF_INET), 6: int(socket.AF_INET6)}
BYTES = {int(socket.AF_INET): 4, int(socket.AF_INET6): 16}
NODAD, NOPREFIXROUTE, TEMPORARY, DEPRECATED, TENTATIVE = 0x02, 0x200, 0x01, 0x20, 0x40  # IFA_F_…
# What stands on another interface of the same namespace; of a cable that number is its other end's.
_UPPER = frozenset(("vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec"))
_PARENT = 5  # IFLA_LINK
_ADDRESS, _NAME, _MTU, _MASTER, _OPERSTATE, _LINKINFO, _AF_SPEC, _GROUP, _NS_FD, _EXT_MASK, _XDP = (
    1, 3, 4, 10, 16, 18, 26, 27, 28, 29, 43,
)  # fmt: skip
_OPERATES = b"\6"  # IF_OPER_UP
_SKIP_STATS = 8  # RTEXT_FILTER_SKIP_STATS
_PERMANENT = 0x80  # NUD_PERMANENT
_KNOWN = 0x80 | 0x02 | 0x04 | 0x08 | 0x10  # NUD_PERMANENT, REACHABLE, STALE, DELAY, PROBE: somebody answered
_EVER = 0xFFFFFFFF  # INFINITY_LIFE_TIME


class Link(Struct, frozen=True, kw_only=True):
    """An interface. `conf4`, `conf6`: its sysctls as the kernel counts them (IPV4_DEVCONF_… - 1, DEVCONF_…)."""

    index: int
    name: str  # with surrogates where it is no UTF-8
    kind: str = ""  # '' = a device
    address: bytes = b""  # hardware address; of tunnels something else, or nothing
    mtu: int = 1500
    up: bool = False
    master: int = 0
    parent: int = 0  # the interface that a VLAN or the like is on
    group: int = 0
    xdp: bool = False
    conf4: tuple[int, ...] = ()
    conf6: tuple[int, ...] = ()

    @property
    def title(self) -> str:
        """Return the name as it can be told."""
        return nl.text(nl.name(self.name))


class Address(Struct, frozen=True):
    """An address of an interface: of its family as many bytes as that has."""

    family: int
    index: int
    local: bytes
    prefix: int
    scope: int = 0
    flags: int = 0
    peer: bytes = b""  # the other end, where there is one
    label: bytes = b""
    broadcast: bytes = b""


class Neighbour(Struct, frozen=True):
    """What the host knows of its neighbours: an address on an interface, and the hardware address behind it."""

    family: int
    index: int
    address: bytes
    hardware: bytes


def read(wire: Wire) -> tuple[Link, ...]:
    """Return the interfaces; raise `OSError`."""
    body = bytes(16) + nl.attribute(_EXT_MASK, nl.u32(_SKIP_STATS))
    return tuple(link for message in wire.dump(GETLINK, body) if (link := parse(message.body)))


def parse(body: bytes) -> Link | None:
    """Read an ifinfomsg; None: it is none."""
    if len(body) < 16:
        return None
    index, flags = struct.unpack_from("=iI", body, 4)
    found = nl.by_type(body[16:])
    families = nl.by_type(found.get(_AF_SPEC, b""))
    kind = nl.text(nl.by_type(found.get(_LINKINFO, b"")).get(1, b""))
    return Link(
        index=index,
        name=found.get(_NAME, b"").split(b"\0", 1)[0].decode("utf-8", "surrogateescape"),
        kind=kind,
        address=found.get(_ADDRESS, b""),
        mtu=1500 if (mtu := nl.number(found.get(_MTU))) is None else mtu,
        up=bool(flags & UP),
        master=nl.number(found.get(_MASTER)) or 0,
        parent=(nl.number(found.get(_PARENT)) or 0) if kind in _UPPER else 0,
        group=nl.number(found.get(_GROUP)) or 0,
        xdp=nl.by_type(found.get(_XDP, b"")).get(2, b"\0") != b"\0",  # IFLA_XDP_ATTACHED
        conf4=_numbers(nl.by_type(families.get(socket.AF_INET, b"")).get(1, b"")),  # IFLA_INET_CONF
        conf6=_numbers(nl.by_type(families.get(socket.AF_INET6, b"")).get(2, b"")),  # IFLA_INET6_CONF
    )


def _numbers(value: bytes) -> tuple[int, ...]:
    return struct.unpack(f"={len(value) // 4}i", value[: len(value) // 4 * 4])


def addresses(wire: Wire) -> tuple[Address, ...]:
    """Return the addresses of all interfaces in the order in which they were given; raise `OSError`."""
    found = [one for message in wire.dump(GETADDR, bytes(8)) if (one := parse_address(message.body))]
    # The kernel tells those of IPv6 newest first, and prefers the newest among equals.
    return (
        *(one for one in found if one.family == socket.AF_INET),
        *(one for one in reversed(found) if one.family != socket.AF_INET),
    )


def parse_address(body: bytes) -> Address | None:
    """Read an ifaddrmsg; None: it is none of IPv4 or IPv6."""
    if len(body) < 8:
        return None
    family, prefix, flags, scope, index = struct.unpack_from("=BBBBI", body)
    found = nl.by_type(body[8:])
    other, local = found.get(1, b""), found.get(2, b"")  # IFA_ADDRESS, IFA_LOCAL
    local = local or other
    if family not in BYTES or len(local) != BYTES[family] or prefix > 8 * len(local):
        return None
    flags |= nl.number(found.get(8)) or 0  # IFA_FLAGS
    peer = other if other != local and len(other) == len(local) else b""
    return Address(family, index, local, prefix, scope, flags, peer, found.get(3, b""), found.get(4, b""))


def neighbours(wire: Wire) -> tuple[Neighbour, ...]:
    """Return the neighbours whose hardware addresses are known; raise `OSError`."""
    found = []
    for message in wire.dump(GETNEIGH, bytes(12)):
        if len(message.body) < 12:
            continue
        family, index, state = struct.unpack_from("=B3xiH", message.body)
        values = nl.by_type(message.body[12:])
        address, hardware = values.get(1, b""), values.get(2, b"")  # NDA_DST, NDA_LLADDR
        if state & _KNOWN and len(address) == BYTES.get(family, 0):
            found.append(Neighbour(family, index, address, hardware))
    return tuple(found)


def usable(hardware: bytes) -> bool:
    """Say whether an Ethernet interface can have this hardware address."""
    return len(hardware) == 6 and any(hardware) and not hardware[0] & 1


def cable(wire: Wire, near: Link, far: Link, space: int, flags: int = UP) -> None:
    """Make an interface with its other end in the namespace that a descriptor holds; raise `Refused`.

    `flags`: of the interface, IFF_…. Its other end is down.
    """
    end = _head(far.index) + _shape(far) + nl.attribute(_NS_FD, nl.u32(space))
    data = nl.nested(2, nl.nested(1, end))  # IFLA_INFO_DATA, VETH_INFO_PEER
    info = nl.nested(_LINKINFO, nl.attribute(1, nl.name("veth")), data)
    wire.do(NEWLINK, _head(near.index, flags) + _shape(near) + info, nl.CREATE | nl.EXCL)


def _shape(link: Link) -> bytes:
    found = nl.attribute(_NAME, nl.name(link.name)) + nl.attribute(_MTU, nl.u32(min(link.mtu, 65535) or 1500))
    if usable(link.address):
        found += nl.attribute(_ADDRESS, link.address)
    return found + (nl.attribute(_GROUP, nl.u32(link.group)) if link.group else b"")


def _head(index: int, flags: int = 0) -> bytes:
    return struct.pack("=BxHiII", 0, 0, index, flags, flags)


def up(wire: Wire, index: int, flags: int = 0) -> None:
    """Set an interface up; raise `Refused`."""
    wire.do(NEWLINK, _head(index, flags | UP))


def ready(wire: Wire, index: int) -> bool:
    """Say whether an interface sends: its other end is up, and the kernel's worker has come round to that.

    From Linux 6.8 on, who asks has it done.
    """
    return nl.by_type(wire.ask(GETLINK, _head(index)).body[16:]).get(_OPERSTATE) == _OPERATES


def hardware(wire: Wire, index: int) -> bytes:
    """Return the hardware address of an interface; raise `Refused`."""
    found = parse(wire.ask(GETLINK, _head(index)).body)
    return found.address if found else b""


def configure(wire: Wire, index: int, values: dict[int, int]) -> None:
    """Set sysctls of IPv4 of an interface, by IPV4_DEVCONF_…; raise `Refused`."""
    conf = nl.nested(1, *(nl.attribute(key, struct.pack("=i", value)) for key, value in values.items()))
    wire.do(NEWLINK, _head(index) + nl.nested(_AF_SPEC, nl.nested(socket.AF_INET, conf)))


def give(wire: Wire, address: Address) -> None:
    """Give an interface an address, without asking whether somebody else has it; that it has it is no error."""
    # The routes of the host's networks are copied with all others. Only lo has one that the kernel alone can make.
    flags = NODAD | (0 if address.index == LOOPBACK else NOPREFIXROUTE)
    body = struct.pack("=BBBBI", address.family, address.prefix, flags & 0xFF, address.scope, address.index)
    body += (
        nl.attribute(2, address.local) + nl.attribute(1, address.peer or address.local) + nl.attribute(8, nl.u32(flags))
    )
    for key, value in ((3, address.label), (4, address.broadcast)):  # IFA_LABEL, IFA_BROADCAST
        body += nl.attribute(key, value) if value else b""
    if address.flags & DEPRECATED:
        body += nl.attribute(6, struct.pack("=IIII", 0, _EVER, 0, 0))  # IFA_CACHEINFO: preferred for no time
    tolerant(wire, NEWADDR, body, nl.CREATE | nl.EXCL)


def introduce(wire: Wire, neighbour: Neighbour) -> None:
    """Tell which hardware address a neighbour has, so that nobody has to ask; raise `Refused`."""
    body = struct.pack("=B3xiHBB", neighbour.family, neighbour.index, _PERMANENT, 0, 0)
    body += nl.attribute(1, neighbour.address) + nl.attribute(2, neighbour.hardware)
    wire.do(NEWNEIGH, body, nl.CREATE | REPLACE)


def tolerant(wire: Wire, kind: int, body: bytes, flags: int) -> None:
    """Have the kernel make something that may be there already; raise `Refused`."""
    try:
        wire.do(kind, body, flags)
    except Refused as refused:
        if refused.errno != errno.EEXIST:
            raise
