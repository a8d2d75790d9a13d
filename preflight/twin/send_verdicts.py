"""What was seen of one packet that opens a connection, and what that means."""

from __future__ import annotations

from msgspec import Struct

from preflight.facts.twin import Verdict
from preflight.twin.servers import Answer, Place

_FAR: dict[Verdict, int] = {
    "delivered": 6, "proxy": 5, "elsewhere": 4, "oneway": 3, "refused": 2, "dropped": 1, "unknown": 0, "depends": 0,
}  # fmt: skip

# What a route or a rule of policy routing says to a sender of its own namespace. EINVAL: a blackhole.
ROUTES: dict[str, Verdict] = {
    "EACCES": "refused", "EHOSTUNREACH": "refused", "ENETUNREACH": "refused", "EINVAL": "dropped",
}  # fmt: skip


class Spot(Struct, frozen=True):
    """Where a server stands: namespace, address, port."""

    place: Place
    address: str
    port: int


class Outcome(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a packet, and of the connection that it opens. Never `depends`, save where targets disagree.

    seen: it was seen where it belongs, whatever became of the answer.
    masked: the server saw another address than the sender's (source NAT on the way in; always so behind a proxy).
    to, to_port: it was seen, or answered, at another place: which.
    left: it left the sender's namespace; not where the twin's side does not answer ARP or neighbour discovery.
    closed: of knock and call: the twin itself refused it, nobody listens at the port to which it was sent.
    error: what refused it: an error's name, or type/code of ICMP. With `unknown`: what failed where it was sent.
    """

    verdict: Verdict
    seen: bool = False
    masked: bool = False
    to: str = ""
    to_port: int = 0
    left: bool = True
    closed: bool = False
    error: str = ""


class Observed(Struct):
    """All that was seen of a packet so far. `failed`: it could not be sent, for a reason of the sender's namespace."""

    source: str
    failed: str = ""
    answer: Answer | None = None
    error: str = ""
    left: bool = False
    spots: tuple[Spot, ...] = ()  # where it was seen to arrive, in order


def judge(observed: Observed, wanted: Spot, port: int) -> Outcome:
    """Say what became of a packet to a port that should reach a server.

    proxy: that port of the twin itself answered. An answer counts more than an error, and that it arrived more than
    how its answer was lost.
    """
    if observed.failed:
        return Outcome(verdict="unknown", left=False, error=observed.failed)
    if observed.answer:
        return _answered(observed.answer, observed.source, wanted, port)
    if wanted in observed.spots:
        return Outcome(verdict="oneway", seen=True, error=observed.error)
    if observed.spots:
        return _strayed(observed, wanted)
    verdict: Verdict = "refused" if observed.error else "dropped"
    return Outcome(verdict=verdict, left=observed.left or bool(observed.error), error=observed.error)


def _answered(answer: Answer, source: str, wanted: Spot, port: int) -> Outcome:
    spot = Spot(answer.place, answer.address, answer.port)
    masked = answer.peer != source
    if spot == wanted:
        return Outcome(verdict="delivered", seen=True, masked=masked)
    if answer.place == "twin" and answer.port == port:
        return Outcome(verdict="proxy", masked=True, to=answer.address, to_port=answer.port)
    return Outcome(verdict="elsewhere", masked=masked, to=answer.address, to_port=answer.port)


def _strayed(observed: Observed, wanted: Spot) -> Outcome:
    """Tell of a packet that was seen at the wrong place, where nobody answered.

    Out of a container and back to one: whether that one's answer would find its way cannot be seen here, where all
    containers are one.
    """
    spot = observed.spots[-1]
    verdict: Verdict = "unknown" if wanted.place == "world" and spot.place == "inner" else "elsewhere"
    return Outcome(verdict=verdict, to=spot.address, to_port=spot.port, error=observed.error)


def best(outcomes: list[Outcome]) -> Outcome:
    """Of several tries of the same packet, return the one that came farthest."""
    return max(outcomes, key=lambda one: _FAR[one.verdict])


def joined(outcomes: list[Outcome]) -> Outcome:
    """Join what became of packets to several targets that ought to fare alike; `depends` where they do not."""
    if len({one.verdict for one in outcomes}) == 1:
        return outcomes[0]
    return Outcome(verdict="depends", error=next((one.error for one in outcomes if one.error), ""))


def local(outcome: Outcome) -> Outcome:
    """Say what became of a packet of the twin itself: where it cannot be sent, that is its routes' verdict."""
    if outcome.verdict != "unknown" or outcome.error not in ROUTES:
        return outcome
    return Outcome(verdict=ROUTES[outcome.error], left=False, error=outcome.error)


def behind(proxy: Outcome, onward: Outcome) -> Outcome:
    """Say what a connection comes to that docker-proxy takes, by what became of its own one to the container."""
    if onward.verdict == "delivered":
        return proxy
    verdict: Verdict = "dropped" if onward.verdict == "oneway" else onward.verdict
    return Outcome(verdict=verdict, masked=True, to=onward.to, to_port=onward.to_port, error=onward.error)
