"""Ask the kernel which way it would send packets to the Internet: rtnetlink(7). None is sent.

It goes by all rules and tables of the policy routing. Only worth something where our network is the host's.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct

from preflight.facts import Fact, Way
from preflight.gather.access.advice import the_hosts_network
from preflight.gather.access.roots import Roots
from preflight.gather.network import netlink
from preflight.packets.nlmsg import by_type, number
from preflight.packets.routing import INTERNET
from preflight.text.sentences import say

_LOOKUP_TABLE = 0x1000  # RTM_F_LOOKUP_TABLE: name the table that was taken
_DST, _OIF, _GATEWAY, _PREFSRC, _METRICS, _TABLE, _VIA = 1, 4, 5, 7, 8, 15, 18
_MTU = 2  # RTAX_MTU
_REFUSALS = {6: "EINVAL", 7: "EHOSTUNREACH", 8: "EACCES"}  # blackhole, unreachable, prohibit


def ways(roots: Roots) -> Fact[tuple[Way, ...]]:
    """Return the way to each of some addresses on the Internet."""
    source = "rtnetlink"
    if not roots.view.network:
        reason = say("The route of a packet is visible only in the host's own network.")
        help = the_hosts_network(roots.view)
        return Fact.unknown(source, reason, help.text, cause="network", place=help.place)
    try:
        names = netlink.interfaces()
        return Fact.of(source, tuple(_way(address, names) for address in INTERNET))
    except OSError as error:
        reason = say("The kernel did not report which route a packet would take.")
        return Fact.unknown(source, reason, detail=error.strerror or "EIO")


def _way(address: str, names: dict[int, str]) -> Way:
    try:
        payload = netlink.ask(netlink.ROUTE, netlink.GETROUTE, question(address))
    except TimeoutError:
        raise
    except OSError as error:
        # What the kernel says to whoever sends such a packet is an answer, too.
        return Way(destination=address, error=errno.errorcode.get(error.errno or 0, "EIO"))
    return read_way(payload, address, names)


def question(address: str) -> bytes:
    """Make the rtmsg that asks for the route to an address."""
    raw = ipaddress.ip_address(address).packed
    family = socket.AF_INET if len(raw) == 4 else socket.AF_INET6
    head = struct.pack("=BBBBBBBBI", family, 8 * len(raw), 0, 0, 0, 0, 0, 0, _LOOKUP_TABLE)
    return head + struct.pack("=HH", 4 + len(raw), _DST) + raw


def read_way(payload: bytes, address: str, names: dict[int, str]) -> Way:
    """Read the rtmsg that answers; what makes no sense is an error of its own (EBADMSG)."""
    if len(payload) < 12:
        return Way(destination=address, error="EBADMSG")
    table, _, _, kind = struct.unpack_from("=BBBB", payload, 4)
    found = by_type(payload[12:])
    if kind != 1:
        return Way(destination=address, error=_REFUSALS.get(kind, "EBADMSG"))
    return Way(
        destination=address,
        interface=names.get(number(found.get(_OIF, b"")) or 0, ""),
        gateway=_address(found.get(_GATEWAY) or found.get(_VIA, b"")[2:]),
        source=_address(found.get(_PREFSRC, b"")),
        mtu=number(by_type(found.get(_METRICS, b"")).get(_MTU, b"")),
        table=number(found.get(_TABLE, b"")) or table,
    )


def _address(raw: bytes) -> str:
    return str(ipaddress.ip_address(raw)) if len(raw) in (4, 16) else ""
