"""Read the host's network, make its twin, send packets through it, and tell what became of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from preflight.facts.twin import Arrival, Culprit, Exit, Family, Journey, Twin, Verdict
from preflight.twin import copies, send, surroundings
from preflight.twin import wire as w
from preflight.twin.blame import Case, Court
from preflight.twin.nft.trace import Meant, discovering, opened, opening, to_port
from preflight.twin.request import Port, Request
from preflight.twin.send_aims import Transport, container_of, sender_of
from preflight.twin.send_neighbours import Discovery, discovery, discovery_inside
from preflight.twin.send_verdicts import Outcome
from preflight.twin.stage import Side
from preflight.twin.texts import Text, rule
from preflight.twin.wire import Wire
from preflight.twin.worlds import SOURCES, Host, Played, Source, play, published, sources_of

PROTOCOLS = {"tcp": 6, "udp": 17}
ICMPV6 = 58
LAST = 0.5  # seconds at the end that rules' texts leave: without one a verdict is told, without time none
SPARE = 0.25  # of the time: without that much left no further packet is followed


class Fate(Struct, frozen=True):
    """What became of a kind of packet in all worlds: a verdict, or what it depends on."""

    verdict: Verdict
    depends: frozenset[str] = frozenset()
    sources: bool = False  # ordinary addresses fare differently


def twin(request: Request) -> Twin:
    """Return what the kernel does with packets; raise `OSError`: EPERM without the privilege to make namespaces."""
    began = time.monotonic()
    until = began + request.seconds
    with Wire(w.ROUTE) as wire:
        around = surroundings.read(wire)
    host = Host(request, around, copies.read(request))
    first = play(host, "as-is")
    worlds = [first]
    if first.loaded.conditions and first.sides:
        worlds += [play(host, "met"), play(host, "without")]
    swapped = play(host, "as-is", swapped=True) if first.sides and host.rules.disputed() else None
    court = Court(first.stage.twin, first.loaded)
    table = Table(host, worlds, swapped, court, until)
    told = Twin(
        derived=not request.present,
        families=tuple(families(first, request)),
        arrivals=tuple(table.arrivals()),
        exits=tuple(table.exits()),
        uncopied=first.loaded.uncopied(),
        unseen=around.unseen,
        tables=host.rules.outline(),
        seconds=round(time.monotonic() - began, 3),
    )
    court.close()
    for world in (*worlds, *filter(None, (swapped,))):
        world.stage.close()
    return told


def families(played: Played, request: Request) -> Iterable[Family]:
    """Yield of both families whether packets were sent, and why not."""
    for version, state in played.stage.absent.items():
        yield Family(version=version, state="none", detail=state)  # type: ignore[arg-type]  # 4 or 6
    for version, side in played.stage.sides.items():
        if not any(published(request, port, version) for port in request.ports):
            yield Family(version=version, state="off", interface=side.interface, address=side.host)  # type: ignore[arg-type]  # 4 or 6
        elif version in played.doubts:
            yield played.doubts[version]
        else:
            yield Family(version=version, state="judged", interface=side.interface, address=side.host)  # type: ignore[arg-type]  # 4 or 6


class Table:
    """What is told of each port and of each way out: the verdicts of the worlds, and whose rule it was.

    `swapped`: a world in which nf_tables come before ip_tables, where it is not known which of them does.
    """

    def __init__(self, host: Host, worlds: list[Played], swapped: Played | None, court: Court, until: float) -> None:
        self._host, self._worlds, self._swapped, self._court, self._until = host, worlds, swapped, court, until
        self._first = worlds[0]
        self._texts: dict[Culprit, Culprit] = {}
        # By family and container; "": outside, which all hang on.
        self._unfound = {
            (side.version, container): case
            for side in self._first.sides
            for container, case in self._discovered(side).items()
        }

    def arrivals(self) -> Iterable[Arrival]:
        """Yield what becomes of connections to each port."""
        for port in self._host.request.ports:
            told = tuple(
                self._arrival(side, port, source)
                for side in self._first.sides
                for source in SOURCES
                if (side.version, port, source) in self._first.arrivals
            )
            if told:
                yield Arrival(port.address, port.port, told)

    def exits(self) -> Iterable[Exit]:
        """Yield what becomes of what containers send."""
        for version, protocol, number in self._first.exits:
            side = self._first.stage.sides[version]
            yield Exit(protocol, number, self._exit(side, protocol, number))

    def _arrival(self, side: Side, port: Port, source: Source) -> Journey:
        key = (side.version, port, source)
        found = fate([world.arrivals.get(key, ()) for world in self._worlds], self._first.loaded.conditions)
        found = ordered(found, self._swapped.arrivals.get(key, ()) if self._swapped else None)
        if port.address and self._first.stage.aside(port.address):
            return Journey(version=side.version, source=source, verdict="unknown", reason="interface")  # type: ignore[arg-type]  # 4 or 6
        address = side.neighbour if source == "neighbour" else self._typical(side, port)
        proxies = self._host.request.userland_proxy
        return self._journey(
            side, source, container_of(side, port), found,
            (opening(port.port, port.inside), opened(port.port, port.inside)),
            lambda: send.knock(self._first.stage, side, port, address, proxies),
        )  # fmt: skip

    def _typical(self, side: Side, port: Port) -> str:
        """Return an address of the Internet whose packets are lost, if any are; else the first."""
        sources = sources_of(self._host.request, side, port)
        outcomes = self._first.arrivals[side.version, port, "internet"]
        there = zip(sources, outcomes, strict=False)
        return next((source for source, outcome in there if outcome.verdict != "delivered"), sources[0])

    def _exit(self, side: Side, protocol: Transport, number: int) -> Journey:
        key = (side.version, protocol, number)
        outcomes = [(world.exits[key],) if key in world.exits else () for world in self._worlds]
        found = fate(outcomes, self._first.loaded.conditions)
        other = self._swapped.exits.get(key) if self._swapped else None
        found = ordered(found, None if self._swapped is None else () if other is None else (other,))
        meant = (to_port(number),) if protocol == "udp" else (opening(number), opened(number))
        return self._journey(
            side, "internet", sender_of(side, protocol, number), found, meant,
            lambda: send.call(self._first.stage, side, protocol, number), PROTOCOLS[protocol],
        )  # fmt: skip

    def _journey(
        self,
        side: Side,
        source: Source,
        container: str,
        found: Fate,
        meant: tuple[Meant, ...],
        again: Callable[[], Outcome | None],
        protocol: int = 6,
    ) -> Journey:
        unfound = [case for one in ("", container) if (case := self._unfound.get((side.version, one)))]
        if unfound:
            return self._lost(min(unfound, key=_doubt), source)
        case = self._case(side, meant, again, protocol)
        verdict, reason = found.verdict, ""
        if case.uncopied:
            verdict, reason = "unknown", "uncopied"
        elif case.outcome is None and self._first.loaded.uncopied():
            verdict, reason = "unknown", "late"  # not followed: one of these may lie on its way
        elif found.sources:
            reason = "sources"
        elif case.queue:
            reason = "queue"
        if verdict == "dropped" and case.culprit and case.culprit.kind == "nat":
            verdict = "elsewhere"  # to where the twin has nobody
        culprit = None if verdict == "delivered" or case.culprit is None else self._told(case.culprit)
        return Journey(
            version=side.version,  # type: ignore[arg-type]  # 4 or 6
            source=source,
            verdict=verdict,
            culprit=culprit,
            depends=tuple(sorted(found.depends)) if verdict == "depends" else (),
            reason=reason,  # type: ignore[arg-type]  # its words
            steps=case.steps,
        )

    def _discovered(self, side: Side) -> dict[str, Case]:
        """Follow what asks for link addresses over IPv6, outside ('') and of each container; those that are not found.

        No connection shows that, as the twin's neighbours know each other from before the rules were there.
        """
        if side.version == 4:
            return {}
        stage, twin = self._first.stage, self._first.stage.twin
        found = {"": self._asked(lambda: discovery(twin, stage.world, side.interface, side.host, stage.router(6)))}
        if 6 in stage.gateways:
            bridge, gateway = self._host.request.bridge, stage.gateways[6]
            for one in dict.fromkeys(side.containers.values()):
                found[one] = self._asked(partial(discovery_inside, twin, stage.inner, bridge, gateway, one))
        return {place: case for place, case in found.items() if case}

    def _asked(self, asking: Callable[[], Discovery | None]) -> Case | None:
        def ask() -> Outcome | None:
            found = asking()
            if found is None or (found.answers and found.hears):
                return None
            return Outcome(verdict="depends" if found.known else "dropped")

        case = self._court.try_(6, (discovering,), ask, ICMPV6)
        if case.outcome is None:
            return case if case.uncopied else None  # it is not lost here: a rule that is not here may stop it
        return case if case.culprit and case.culprit.kind in ("rule", "policy") else replace(case, culprit=None)

    def _lost(self, case: Case, source: Source) -> Journey:
        culprit = self._told(case.culprit) if case.culprit else None
        if case.uncopied:
            return Journey(version=6, source=source, verdict="unknown", reason="uncopied", culprit=culprit)
        if case.outcome and case.outcome.verdict == "depends":
            return Journey(version=6, source=source, verdict="depends", culprit=culprit, depends=("neighbours",))
        return Journey(version=6, source=source, verdict="dropped", culprit=culprit, steps=case.steps)

    def _case(self, side: Side, meant: tuple[Meant, ...], again: Callable[[], Outcome | None], protocol: int) -> Case:
        """Follow one more packet, while there is time."""
        if self._until - time.monotonic() < SPARE * self._host.request.seconds:
            return Case(None)
        return self._court.try_(side.version, meant, again, protocol)

    def _told(self, culprit: Culprit) -> Culprit:
        """Return it with its rule's text and counter, as the host has them."""
        if culprit not in self._texts:
            until = self._until - LAST
            text = rule(culprit, self._host.request.root, until) if time.monotonic() < until else Text()
            counter = culprit.counter if text.counter is None else text.counter
            self._texts[culprit] = replace(culprit, rule=text.rule, counter=counter)
        return self._texts[culprit]


def _doubt(case: Case) -> tuple[bool, bool]:
    """Sort what became of neighbor discovery: certain losses, then those a router may not notice, then the open."""
    return case.uncopied, bool(case.outcome and case.outcome.verdict == "depends")


def fate(worlds: Sequence[tuple[Outcome, ...]], conditions: frozenset[str]) -> Fate:
    """Say what became of packets that should fare alike: from several sources, in several worlds."""
    verdicts = [outcome.verdict for world in worlds for outcome in world]
    own = {outcome.verdict for outcome in worlds[0]}
    # A world without an answer, as it could not be made, leaves open what the others would come to.
    if not all(worlds) or "unknown" in verdicts:
        return Fate("unknown")
    if len(own) > 1 or "depends" in own:  # the latter of several targets
        return Fate("depends", sources=True)
    if len(set(verdicts)) > 1:
        return Fate("depends", conditions)
    return Fate(verdicts[0])


def ordered(found: Fate, swapped: Sequence[Outcome] | None) -> Fate:
    """Say whether it hangs on the order of ip_tables and nf_tables what becomes of packets; None: there is no doubt."""
    lost = ("refused", "dropped")
    if swapped is None or found.verdict in ("depends", "unknown"):
        return found
    if not swapped:
        return Fate("depends", frozenset(("order",)))
    for one in swapped:
        if one.verdict != found.verdict and not (one.verdict in lost and found.verdict in lost):
            return Fate("depends", frozenset(("order",)))
    return found
