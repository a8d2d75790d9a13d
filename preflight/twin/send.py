"""Send packets through the twin: connections to the ports that mailcow publishes, and from its containers outwards.

All functions raise `OSError` where a namespace does not let them (no CAP_NET_RAW, an address that is taken): then
nothing is known. What is said of a single packet is in `Outcome`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import Protocol, TypeVar

from preflight.twin.connections import sent_on
from preflight.twin.request import Port
from preflight.twin.send_aims import EXITS, Aim, Side, Transport, address_of, arriving, leaving, through
from preflight.twin.send_round import PROTOCOLS, Round, Shot
from preflight.twin.send_settled import pinned
from preflight.twin.send_verdicts import Observed, Outcome, behind, best, joined, judge, local
from preflight.twin.servers import ANY, Place
from preflight.twin.spaces import Space

# Seconds without news: after all at once; after each port of the second time; before what is missing counts as lost,
# where it is sure that the kernel has dealt with all packets (2,000 rounds on a busy machine lacked nothing after 0 s),
# and where it is not.
FIRST, PAUSE, SILENCE, UNSURE = 0.003, 0.001, 0.010, 0.045
# The twin tells every sender of every refusal, as a host does whose senders come one by one.
_UNLIMITED = (("ipv4/icmp_ratemask", "0"), ("ipv6/icmp/ratelimit", "0"))
# The others take in whatever arrives, be it from themselves, so that it is seen.
_OPEN = (("ipv4/conf/all/rp_filter", "0"), ("ipv4/conf/all/accept_local", "1"))
_COUNTS = {4: ("/proc/self/net/snmp",), 6: ("/proc/self/net/snmp", "/proc/self/net/snmp6")}
K = TypeVar("K")


class Stage(Protocol):
    """What is needed of the stage: its namespaces."""

    @property
    def twin(self) -> Space: ...
    @property
    def world(self) -> Space: ...
    @property
    def inner(self) -> Space: ...
    @property
    def tracked(self) -> bool: ...  # the kernel can tell of the connections that it follows


def arrivals(
    stage: Stage,
    side: Side,
    ports: Sequence[Port],
    sources: Sequence[str] | Callable[[Port], Sequence[str]],
    proxies: bool,
) -> dict[tuple[Port, str], Outcome]:
    """Say what becomes of connections from addresses of the world to ports of the host: the same for all, or own ones.

    A port bound to an address of the other family, or to a loopback address, is left out. `proxies`: the engine runs a
    docker-proxy for each; where one answers, it must also reach the container from the twin itself.
    """
    reached = [port for port in ports if address_of(side, port)]
    own = sources if callable(sources) else lambda _: sources
    with _round(stage, "world", side.version) as going:
        _serve(going, stage, side, reached, proxies=proxies)
        aims = [{(port, source): arriving(side, port, source) for source in own(port)} for port in reached]
        found = _played(going, aims)
    taken = {port for (port, _), outcome in found.items() if outcome.verdict == "proxy"}
    if not taken:
        return found
    onward = _onward(stage, side, [port for port in reached if port in taken])
    return {
        (port, source): behind(outcome, onward[port]) if outcome.verdict == "proxy" else outcome
        for (port, source), outcome in found.items()
    }


def exits(stage: Stage, side: Side) -> dict[tuple[Transport, int], Outcome]:
    """Say what becomes of what mailcow's containers send to each of the side's targets; empty without a container."""
    if not side.containers or not side.targets:
        return {}
    with _round(stage, "inner", side.version) as going:
        _serve_world(going, stage, side)
        groups = [{(what, target): leaving(side, *what, target) for target in side.targets} for what in EXITS]
        found = _played(going, groups)
    return {what: joined([found[what, target] for target in side.targets]) for what in EXITS}


def knock(stage: Stage, side: Side, port: Port, source: str, proxies: bool = False) -> Outcome | None:
    """Send one packet to a port, and return when it has been dealt with; None for one that `arrivals` leaves out.

    Where docker-proxy takes it, one more is sent from there to the container.
    """
    if not address_of(side, port):
        return None
    with _round(stage, "world", side.version) as going:
        _serve(going, stage, side, [port], proxies=proxies)
        found = _single(going, stage, side, arriving(side, port, source))
    return behind(found, onward(stage, side, port)) if found.verdict == "proxy" else found


def onward(stage: Stage, side: Side, port: Port) -> Outcome:
    """Send one packet as docker-proxy would, from the twin to the container, and return when it has been dealt with."""
    aim = through(side, port)
    with _round(stage, "twin", _version(aim.target)) as going:
        going.servers.tcp(stage.inner, "inner", [(ANY[_version(aim.target)], port.inside)])
        return local(_single(going, stage, side, aim))


def call(stage: Stage, side: Side, protocol: Transport, port: int) -> Outcome | None:
    """Send one packet out of a container, and return when it has been dealt with; None without a container."""
    if not side.containers or not side.targets:
        return None
    with _round(stage, "inner", side.version) as going:
        _serve_world(going, stage, side)
        return _single(going, stage, side, leaving(side, protocol, port, side.targets[0]))


@contextmanager
def _round(stage: Stage, sender: Place, version: int) -> Iterator[Round]:
    spaces: dict[Place, Space] = {"world": stage.world, "twin": stage.twin, "inner": stage.inner}
    with stage.twin.entered():
        _write(_UNLIMITED)
    for place in (stage.world, stage.inner) if version == 4 else ():
        with place.entered():
            _write(_OPEN + tuple((f"ipv4/conf/{name}/rp_filter", "0") for _, name in socket.if_nameindex()))
    with pinned() as sure, Round(spaces, sender, version, sure=sure) as going:
        yield going


def _write(settings: Iterable[tuple[str, str]]) -> None:
    """Set what there is of the network's settings; where they are read-only, some losses tell less of themselves."""
    for name, value in settings:
        with suppress(OSError):
            Path("/proc/sys/net", name).write_text(value, "ascii")


def _serve(going: Round, stage: Stage, side: Side, ports: Sequence[Port], *, proxies: bool) -> None:
    """Let containers listen at the ports inside, and docker-proxies at those that are published."""
    going.servers.tcp(stage.inner, "inner", {(ANY[side.version], port.inside): None for port in ports})
    if proxies:
        everywhere = {port.port for port in ports if not port.address or ip_address(port.address).is_unspecified}
        where = {(ANY[side.version], port): None for port in everywhere}
        where |= {(address_of(side, port), port.port): None for port in ports if port.port not in everywhere}
        going.servers.tcp(stage.twin, "twin", where)


def _serve_world(going: Round, stage: Stage, side: Side) -> None:
    """Let the world answer as servers do, and the containers too: a packet may be turned around."""
    streams = [(ANY[side.version], port) for protocol, port in EXITS if protocol == "tcp"]
    datagrams = [port for protocol, port in EXITS if protocol == "udp"]
    world = dict.fromkeys((*side.targets, *side.sources, *filter(None, (side.neighbour,))))
    places: tuple[tuple[Place, Space, Sequence[str]], ...] = (
        ("world", stage.world, tuple(world)), ("inner", stage.inner, tuple(dict.fromkeys(side.containers.values()))),
    )  # fmt: skip
    for place, space, addresses in places:
        going.servers.tcp(space, place, streams)
        going.servers.udp(space, place, [(address, port) for address in addresses for port in datagrams])


def _onward(stage: Stage, side: Side, ports: Sequence[Port]) -> dict[Port, Outcome]:
    """Say what becomes of docker-proxy's own connections, from the twin to the containers."""
    aims = {port: through(side, port) for port in ports}
    found: dict[Port, Outcome] = {}
    for version in sorted({_version(aim.target) for aim in aims.values()}):
        these = {port: aim for port, aim in aims.items() if _version(aim.target) == version}
        with _round(stage, "twin", version) as going:
            going.servers.tcp(stage.inner, "inner", {(ANY[version], aim.port): None for aim in these.values()})
            found |= _played(going, [{port: aim} for port, aim in these.items()])
    return {port: local(outcome) for port, outcome in found.items()}


def _played(going: Round, groups: Sequence[Mapping[K, Aim]]) -> dict[K, Outcome]:
    """Send all packets at once, then those that did not arrive once more, group by group."""
    aims = {key: aim for group in groups for key, aim in group.items()}
    tries = {key: [_shot(aim)] for key, aim in aims.items()}
    going.send(shots[0] for shots in tries.values())
    going.wait(FIRST)
    lost = {key for key, shots in tries.items() if not shots[0].done}
    for group in groups:
        again = [key for key in group if key in lost]
        for key in again:
            tries[key].append(_shot(aims[key]))
        if again:
            going.send(tries[key][1] for key in again)
            going.wait(PAUSE)
    if lost:
        going.wait(SILENCE if going.sure else UNSURE)
    going.settle()
    return {key: best([_judged(shot, aims[key]) for shot in shots]) for key, shots in tries.items()}


def _single(going: Round, stage: Stage, side: Side, aim: Aim) -> Outcome:
    """Send one packet, and end what it opened before anything is compared."""
    before = _refusals(stage, side.version)
    shot = _shot(aim)
    going.send([shot])
    going.wait(FIRST if going.sure else UNSURE)
    going.settle()
    outcome = _sent_on(stage, shot, aim, _judged(shot, aim))
    closed = outcome.verdict == "refused" and _refusals(stage, side.version) > before
    going.end()
    going.settle()
    return Outcome(
        verdict=outcome.verdict, seen=outcome.seen, masked=outcome.masked, to=outcome.to, to_port=outcome.to_port,
        left=outcome.left, closed=closed, error=outcome.error,
    )  # fmt: skip


def _sent_on(stage: Stage, shot: Shot, aim: Aim, outcome: Outcome) -> Outcome:
    """Tell of a packet that all rules let pass, and one of them sent elsewhere, whether or not that is in the twin."""
    if outcome.verdict != "dropped" or not stage.tracked or not shot.own:
        return outcome
    to = sent_on(stage.twin, _version(aim.target), PROTOCOLS[aim.protocol], shot.own)
    if to in ("", aim.target, aim.wanted.address):
        return outcome
    return Outcome(verdict="elsewhere", to=to, left=outcome.left)


def _refusals(stage: Stage, version: int) -> int:
    """Count what the twin has refused because nobody listens: TCP of both families, and UDP of one."""
    with stage.twin.entered():
        try:
            lines = [line.split() for path in _COUNTS[version] for line in Path(path).read_text("ascii").splitlines()]
        except OSError:
            return 0
    found = {words[0]: words[1] for words in lines if len(words) == 2}
    for names, values in pairwise(lines):
        if names[0] == values[0] and len(names) == len(values):
            found |= {names[0] + name: value for name, value in zip(names[1:], values[1:], strict=True)}
    return sum(int(found.get(name, 0)) for name in ("Tcp:OutRsts", "Udp:NoPorts", "Udp6NoPorts"))


def _judged(shot: Shot, aim: Aim) -> Outcome:
    return judge(shot.observed, aim.wanted, aim.port)


def _shot(aim: Aim) -> Shot:
    return Shot(aim.protocol, aim.target, aim.port, Observed(aim.source))


def _version(address: str) -> int:
    return 6 if ":" in address else 4
