"""Where the kernel sends a connection on: it notes of each that has passed all rules where its answers come from."""

from __future__ import annotations

import struct
from ipaddress import ip_address

from preflight.packets.nlmsg import by_type
from preflight.twin import wire as w
from preflight.twin.links import FAMILIES
from preflight.twin.spaces import Space
from preflight.twin.wire import Refused, Wire

MODULE = "nf_conntrack_netlink"
_GET = 1 << 8 | 1  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET
_ORIGINAL, _REPLY = 1, 2  # CTA_TUPLE_…
_ADDRESSES, _PORTS = 1, 2  # CTA_TUPLE_IP, CTA_TUPLE_PROTO
_SOURCE = {4: 1, 6: 3}  # CTA_IP_V4_SRC, …_V6_SRC
_NUMBER, _SOURCE_PORT = 1, 2  # CTA_PROTO_NUM, …_SRC_PORT


def sent_on(space: Space, version: int, protocol: int, port: int) -> str:
    """Return the address to which a packet with this source port was sent; '' where the kernel does not know it.

    Asks what loads `MODULE` where it is not there yet. Raises `OSError`.
    """
    with space.entered(), Wire(w.NETFILTER) as wire:
        try:
            found = wire.dump(_GET, struct.pack("=BBH", FAMILIES[version], 0, 0))
        except Refused:  # a kernel without
            return ""
    for message in found:
        told = by_type(message.body[4:])
        original, reply = by_type(told.get(_ORIGINAL, b"")), by_type(told.get(_REPLY, b""))
        ends = by_type(original.get(_PORTS, b""))
        if ends.get(_NUMBER) == bytes((protocol,)) and ends.get(_SOURCE_PORT) == port.to_bytes(2, "big"):
            return _written(by_type(reply.get(_ADDRESSES, b"")).get(_SOURCE[version], b""))
    return ""


def _written(address: bytes) -> str:
    return str(ip_address(address)) if len(address) in (4, 16) else ""
