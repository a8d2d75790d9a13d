"""Policies of IPsec (xfrm): they ask packets to come encrypted, or let none through. The twin has none of them."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import ip_address

from msgspec import Struct

from preflight.packets import nlmsg as nl
from preflight.twin.links import BYTES
from preflight.twin.wire import Refused, Wire

MODULE = "xfrm_user"
XFRM = 6  # NETLINK_XFRM
_GET, _ID = 0x15, 64  # XFRM_MSG_GETPOLICY, and the size of its xfrm_userpolicy_id
_INFO = 168  # bytes of an xfrm_userpolicy_info, before its attributes
_TEMPLATES, _INTERFACE = 5, 31  # XFRMA_TMPL, XFRMA_IF_ID
_FORWARDED = 2  # XFRM_POLICY_IN, …_OUT, …_FWD; those of sockets come after


class Policy(Struct, frozen=True):
    """A policy that holds packets up: from a network to another, each as its first address and the bits that count."""

    source: tuple[bytes, int]
    target: tuple[bytes, int]


def read(wire: Wire) -> tuple[Policy, ...]:
    """Return the policies of the wire's namespace that hold packets up; raise `OSError`."""
    try:
        return tuple(one for message in wire.dump(_GET, bytes(_ID)) if (one := parse(message.body)))
    except Refused:  # a kernel without
        return ()


def parse(body: bytes) -> Policy | None:
    """Read an xfrm_userpolicy_info; None: it lets packets pass as they are, or is an interface's or a socket's own."""
    if len(body) < _INFO:
        return None
    family, target, source = struct.unpack_from("=HBB", body, 40)
    direction, action = body[160], body[161]
    more = nl.by_type(body[_INFO:])
    if direction > _FORWARDED or more.get(_INTERFACE) or not (action or _TEMPLATES in more):
        return None
    size = BYTES.get(family, 16)
    return Policy((body[16 : 16 + size], source), (body[:size], target))


def meet(policies: Iterable[Policy], addresses: Iterable[str]) -> bool:
    """Say whether a policy is about packets from one of these addresses to another."""
    asked = [ip_address(one).packed for one in addresses]
    return any(
        any(_holds(policy.source, one) for one in asked) and any(_holds(policy.target, one) for one in asked)
        for policy in policies
    )


def _holds(network: tuple[bytes, int], address: bytes) -> bool:
    first, bits = network
    shift = 8 * len(address) - bits
    return (
        len(first) == len(address) and int.from_bytes(first, "big") >> shift == int.from_bytes(address, "big") >> shift
    )
