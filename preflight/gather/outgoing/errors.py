"""What the kernel says of a connection that came to nothing, and who told it so: ip(7), IP_RECVERR. Linux."""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct

from msgspec import Struct

from preflight.facts.outgoing import Outcome

_IP_RECVERR, _IPV6_RECVERR = 11, 25  # Python has no names for them yet
_ICMP, _ICMP6 = 2, 3  # who a report is from (sock_extended_err); 1 is this host itself
_UNREACHABLE = {_ICMP: 3, _ICMP6: 1}  # the type of such messages
# Codes by which a firewall says that it is one (RFC 1812 5.2.7.1, RFC 4443 3.1).
_PROHIBITED = {_ICMP: (9, 10, 13), _ICMP6: (1, 5, 6)}
_BY_ERROR: dict[int, Outcome] = {
    errno.ECONNREFUSED: "refused",
    errno.ETIMEDOUT: "filtered",
    errno.EACCES: "prohibited",
    errno.EPERM: "prohibited",
    errno.EINVAL: "prohibited",  # a route of the kind `blackhole`
    errno.ENETUNREACH: "unsent",
    errno.EADDRNOTAVAIL: "unsent",
    errno.EAFNOSUPPORT: "unsent",
}


class Report(Struct, frozen=True):
    """A message that came back in place of an answer: its error, who sent it, and whether it is a firewall's."""

    error: int
    by: str
    prohibited: bool


def ask_for_reports(sock: socket.socket) -> None:
    """Have the kernel keep what comes back in place of an answer."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)


def report(sock: socket.socket) -> Report | None:
    """Return what came back; None: nothing did."""
    try:
        _, kept, _, _ = sock.recvmsg(0, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
    except OSError:
        return None
    for level, kind, raw in kept:
        if (level, kind) in ((socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)):
            return read_report(raw)
    return None


def read_report(raw: bytes) -> Report | None:
    """Read a sock_extended_err and the address behind it; None: it is this host's own word."""
    if len(raw) < 16:
        return None
    code, origin, kind, what = struct.unpack_from("=IBBB", raw)
    if origin not in _UNREACHABLE:
        return None
    prohibited = kind == _UNREACHABLE[origin] and what in _PROHIBITED[origin]
    return Report(code, _offender(raw[16:]), prohibited)


def _offender(raw: bytes) -> str:
    """Read a sockaddr; '' where it has no address."""
    family = struct.unpack_from("=H", raw)[0] if len(raw) >= 2 else 0
    if family == socket.AF_INET and len(raw) >= 8:
        return str(ipaddress.IPv4Address(raw[4:8]))
    if family == socket.AF_INET6 and len(raw) >= 24:
        return str(ipaddress.IPv6Address(raw[8:24]))
    return ""


def outcome(error: int, told: Report | None) -> Outcome:
    """Say what an error means; `told`: the message that it came from, if one came."""
    if told is not None:
        if told.prohibited:
            return "prohibited"
        return "refused" if told.error == errno.ECONNREFUSED else "unreachable"
    return _BY_ERROR.get(error, "unreachable")


def name(error: int) -> str:
    """Return the name of an error."""
    return errno.errorcode.get(error, "EIO")
