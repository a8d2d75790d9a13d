"""The packet of NTP as a simple client writes and reads it (RFC 5905, section 7.3; RFC 4330). Pure."""

from __future__ import annotations

import struct

from msgspec import Struct

from preflight.facts.time import TimeFault, TimeOutcome

CLIENT, SERVER = 3, 4  # modes
VERSION = 4
VERSIONS = (3, 4)  # some servers answer with their own
ALARM = 3  # of the leap indicator: the clock is not synchronised
UNSYNCHRONIZED = 16  # the stratum that says the same
MAX_DISTANCE = 1.0  # seconds; RFC 5905, MAXDIST: a server that is further from its source is not used
# Kiss codes are four ASCII letters (RFC 5905, section 7.4). After these a client does not ask any more.
FINAL_KISSES = ("RATE", "DENY", "RSTD")
KISSES = (
    *FINAL_KISSES, "ACST", "AUTH", "AUTO", "BCST", "CRYP", "DROP", "INIT", "MCST", "NKEY", "RMOT", "STEP", "NTSN",
)  # fmt: skip

_FORM = struct.Struct("!BBbbII4sQQQQ")
_TO_1970 = 2_208_988_800  # seconds from 1900, where NTP's time begins, to 1970
_ERA = 1 << 32  # seconds


class Reply(Struct, frozen=True):
    """An answer that fits what was asked, of a server that knows the time. Times are NTP's, the distance in seconds."""

    receive: int
    transmit: int
    distance: float
    stratum: int


class Refusal(Struct, frozen=True):
    """A packet that tells no time, and why."""

    outcome: TimeOutcome
    fault: TimeFault = ""
    kiss: str = ""

    @property
    def strange(self) -> bool:
        """Say whether it is no answer to what was asked: somebody else may have sent it."""
        return self.fault in ("short", "origin")

    @property
    def final(self) -> bool:
        """Say whether the server is not to be asked again."""
        return self.kiss in FINAL_KISSES


def request(nonce: int) -> bytes:
    """Return a packet that asks for the time and tells nothing of ours: the transmit time is a random number.

    The answer has to repeat it, so that only who has seen the question can answer.
    """
    return _FORM.pack(VERSION << 3 | CLIENT, 0, 0, 0, 0, 0, bytes(4), 0, 0, 0, nonce)


def read(data: bytes, nonce: int) -> Reply | Refusal:
    """Read an answer to the request with this number; what follows the header (extensions, a MAC) is passed over."""
    if len(data) < _FORM.size:
        return Refusal("invalid", "short")
    first, stratum, _, _, delay, dispersion, identity, reference, origin, receive, transmit = _FORM.unpack_from(data)
    if origin != nonce:
        return Refusal("invalid", "origin")
    if first & 7 != SERVER:
        return Refusal("invalid", "mode")
    if first >> 3 & 7 not in VERSIONS:
        return Refusal("invalid", "version")
    if stratum == 0:
        return Refusal("kiss", kiss=_kiss(identity))
    if first >> 6 == ALARM or stratum == UNSYNCHRONIZED:
        return Refusal("unsynchronized")
    if stratum > UNSYNCHRONIZED:
        return Refusal("invalid", "stratum")
    if not receive or not transmit or _before(transmit, receive) or _before(transmit, reference):
        return Refusal("invalid", "times")
    distance = delay / 0x10000 / 2 + dispersion / 0x10000
    if distance >= MAX_DISTANCE:
        return Refusal("distant")
    return Reply(receive, transmit, distance, stratum)


def between(earlier: int, later: int) -> float:
    """Return the seconds from one of NTP's times to another, across the end of an era too."""
    units = (later - earlier) % (1 << 64)
    return (units if units < 1 << 63 else units - (1 << 64)) / _ERA


def unix(time: int) -> float:
    """Return one of NTP's times as seconds since 1970: from 1968 to 2104, as RFC 4330 (section 3) reckons."""
    seconds = time / _ERA
    return (seconds if seconds >= _ERA / 2 else seconds + _ERA) - _TO_1970


def _before(one: int, other: int) -> bool:
    return other != 0 and between(other, one) < 0


def _kiss(identity: bytes) -> str:
    code = identity.decode("ascii", "replace")
    return code if code in KISSES else ""
