"""The whole rehearsal: the network, the stand-ins, the ports from this host, the ways out; then perhaps a hold."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Any, get_args

import msgspec

from preflight.facts.engine import RUN
from preflight.facts.engine_words import trouble
from preflight.facts.rehearsal import Answer, NetworkRun, Rehearsal, Reply, Visit, Way, WayOut, Whom
from preflight.gather.engine import reply
from preflight.gather.engine.client import EngineError
from preflight.net.addresses import usual
from preflight.probes.box import Box
from preflight.probes.publishing import BRIDGE
from preflight.probes.registry import REHEARSAL
from preflight.probes.rehearsal import shape
from preflight.probes.rehearsal.holding import Held, Up
from preflight.probes.rehearsal.shape import Port
from preflight.probes.rehearsal.troupe import Standing, Troupe
from preflight.text.sentences import phrase

ASKING = 5.0  # seconds in which the ports are asked again
ASK = "import json, sys; from preflight.probes.rehearsal.ask import main; print(main(json.loads(sys.argv[1])))"
# SIOCSIFFLAGS and SIOCBRDELBR of linux/sockios.h: a bridge goes once it is down.
SWEEP = """
import fcntl, os, socket, struct, sys
if os.listdir(f"/sys/class/net/{sys.argv[1]}/brif"):
    sys.exit(1)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    name = sys.argv[1].encode()
    fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", name, 0))
    fcntl.ioctl(control, 0x89A1, struct.pack("16s", name))
"""
LOOKS = 10  # for a network that is being made by somebody else
CLOSED = 1  # a port on which nothing listens: a refusal is the answer


def rehearse(box: Box, image: str) -> Rehearsal:
    """Play all of it within the box's time; about 8 s. What was seen until the time was over is kept."""
    return _Play(box, image).through()


class _Speechless(Exception):
    """A container that asks has ended, and left no answers that can be read: its image may be of another version."""


class _Play:
    """A rehearsal under way."""

    def __init__(self, box: Box, image: str) -> None:
        self._box, self._image = box, image
        self._script = box.script
        self._began = time.monotonic()
        self._token = os.urandom(16).hex()
        self._network = self._subnets()
        self._troupe: Troupe | None = None
        self._exits: tuple[WayOut, ...] = ()
        self._asked = False
        self._held = 0.0
        self._arrivals: tuple[Visit, ...] = ()
        self._error = ""

    def through(self) -> Rehearsal:
        """Play it to its end, or to that of its time."""
        late = False
        try:
            self._acts()
        except TimeoutError:
            late = True
        standing = self._troupe.standing if self._troupe else []
        return Rehearsal(
            network=self._network,
            containers=tuple(one.fact() for one in standing if one.states or one.error),
            ports=tuple(port for one in standing for port in one.ports() if one.states or one.error),
            exits=self._exits,
            asked=self._asked,
            error=self._error,
            late=late,
            held=round(self._held, 1),
            arrivals=self._arrivals,
            seconds=round(time.monotonic() - self._began - self._held, 2),
        )

    def _acts(self) -> None:
        if not self._made():
            return
        holder = self._script.holder
        alive = REHEARSAL + (holder.seconds if holder else 0.0)
        told = {"PREFLIGHT_TOKEN": self._token, "PREFLIGHT_ASKED": "1", "PREFLIGHT_SECONDS": str(round(alive) + 30)}
        told |= holder.environment if holder else {}
        self._troupe = Troupe(self._box, self._image, self._box.name(_NETWORK), told, self._began)
        self._troupe.come_up()
        try:
            self._ask()
        except _Speechless:
            self._error = phrase("the container that tests connections did not answer")
        except EngineError as error:
            if error.status is None:
                raise
            self._error = str(error)[:1000]
        self._troupe.see_all()
        if holder is not None:
            self._hold()

    def _subnets(self) -> NetworkRun:
        plan = self._script.plan
        # Compose tells the engine of both, with ENABLE_IPV6=false as well.
        return NetworkRun(False, plan.bridge, (plan.ipv4_network, plan.ipv6_network), self._script.ipv6)

    def _made(self) -> bool:
        """Make mailcow's network, as Compose would; say whether it is there."""
        subnets = [{"Subnet": subnet} for subnet in self._network.subnets]
        try:
            key = self._box.network(
                _NETWORK,
                driver="bridge",
                ipam={"Driver": "default", "Config": subnets},
                enable_ipv6=self._script.ipv6 == "made",
                options={BRIDGE: self._network.bridge},
            )
        except EngineError as error:
            if error.status is None:
                raise
            words, cause = str(error), trouble(str(error))
            owners = self._owners()
            for _ in range(LOOKS if cause in ("overlap", "bridge") else 0):
                if owners:
                    break
                self._box.pause(0.2)  # a subnet is taken a moment before its network can be seen
                owners = self._owners()
            cause = "rival" if any(owners) else cause
            self._network = msgspec.structs.replace(self._network, error=words, cause=cause)
            if not owners and self._script.no_bridge:
                self._sweep()
            return False
        said = reply.table(self._box.call(lambda: self._box.client.inspect_network(key)))
        six = self._network.ipv6
        if six == "made" and said.get("EnableIPv6") is not True:
            six = "missing"
        self._network = msgspec.structs.replace(self._network, made=True, ipv6=six)
        return True

    def _owners(self) -> list[bool]:
        """Say of each network with mailcow's bridge whether another run of ours has made it."""
        rows = reply.tables(self._box.call(lambda: self._box.client.networks()))
        own = [row for row in rows if reply.table(row.get("Options")).get(BRIDGE) == self._network.bridge]
        return [RUN in reply.table(row.get("Labels")) for row in own]

    def _sweep(self) -> None:
        """Remove the bridge, which 26.1 leaves where it makes it and fails then: nothing else is on it."""
        host = {"network_mode": "host", "cap_add": ["NET_ADMIN"], "log_config": shape.LOG}
        with suppress(EngineError):
            key = self._box.create("sweeps", self._image, SWEEP, words=(self._network.bridge,), host=host)
            self._box.start(key)
            while self._box.state(key).get("Running") is not False:
                self._box.pause()

    # --- who answers ---------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        """Ask the ports from the host's network, and for ways out from mailcow's, side by side."""
        assert self._troupe is not None, "the stand-ins come first"
        places = [(one, port, at) for one in self._troupe.standing for port in one.published for at in self._at(port)]
        ports = [(at, port.port) for _, port, at in places]
        exits = [(whom, address, number) for whom, address, number in self._ways_out()]
        at_ports = self._asker("asks", ports, [], {"network_mode": "host"})
        going_out = self._asker("leaves", [], [row[1:] for row in exits], {"network_mode": self._box.name(_NETWORK)})
        found = self._said(at_ports, len(ports))
        for (one, port, at), row in zip(places, found, strict=False):
            one.replies[port] = (*one.replies.get(port, ()), _reply(at, row, one, port))
        ways = self._said(going_out, len(exits))
        self._exits = tuple(_exit(*asked, row) for asked, row in zip(exits, ways, strict=False))
        self._asked = True

    def _at(self, port: Port) -> list[str]:
        """Return the addresses of this host at which a port is tried: its own, or those that it is bound to."""
        if port.address and not ip_address(port.address).is_unspecified:
            return [port.address]
        own = [one for one in self._script.addresses if self._served(one, port.address)]
        loopback = [] if port.address == "::" else ["127.0.0.1"]
        return own or loopback

    def _served(self, address: str, bound: str) -> bool:
        """Say whether a port that is bound to every address is to answer at this one."""
        six = ":" in address
        return (bound in ("", "::") and self._network.ipv6 == "made") if six else bound in ("", "0.0.0.0")

    def _ways_out(self) -> list[tuple[Whom, str, int]]:
        first = str(ip_network(self._script.plan.ipv4_network).network_address + 1)
        rows: list[tuple[Whom, str, int]] = [("bridge", first, CLOSED)]
        rows += [("host", address, CLOSED) for address in self._script.addresses if ":" not in address][:1]
        six = self._network.ipv6 == "made"
        rows += [("target", address, port) for address, port in self._script.targets if six or ":" not in address]
        return rows

    def _asker(self, name: str, ports: list[Any], exits: list[Any], host: dict[str, Any]) -> str:
        """Start a container that asks; return its id."""
        asked = json.dumps({"token": self._token, "seconds": ASKING, "ports": ports, "exits": exits})
        key = self._box.create(
            name, self._image, ASK, packages=True, words=(asked,), host={**host, "log_config": shape.LOG}
        )
        self._box.start(key)
        return key

    def _said(self, key: str, count: int) -> list[dict[str, Any]]:
        """Return what a container that asks came to, once it has ended; raise `_Speechless` where it says nothing."""
        while self._box.state(key).get("Running") is not False:
            self._box.pause()
        try:
            rows = reply.rows(msgspec.json.decode(self._box.logs(key)))
        except msgspec.DecodeError:
            rows = []
        if len(rows) != count:
            raise _Speechless
        return [reply.table(row) for row in rows]

    def _hold(self) -> None:
        """Keep all of it up."""
        holder, troupe = self._script.holder, self._troupe
        assert holder is not None
        assert troupe is not None
        places = tuple(
            Held(
                port.address, port.port, one.member.name, port.inside, one.key,
                all(reply.answer == "answered" for reply in one.replies.get(port, ())),
            )
            for one in troupe.standing
            for port in one.published
        )  # fmt: skip
        self._box.extend(holder.seconds)
        began = time.monotonic()
        up = Up(places, self._box.logs, self._box.stop, self._script.plan.fqdn or "", self._script.public)
        self._arrivals = holder.hold(up)
        self._held = time.monotonic() - began


_NETWORK = "mailcow-network"


def _reply(at: str, row: dict[str, Any], one: Standing, port: Port) -> Reply:
    """Read what a container that asks says of a port."""
    answer = row.get("answer")
    kinds: tuple[Answer, ...] = get_args(Answer)
    known: Answer = answer if answer in kinds else "silent"
    if known == "answered" and (row.get("name"), row.get("inside")) != (one.member.name, str(port.inside)):
        known = "crossed"
    said = reply.text(row.get("said"), 200).encode("unicode_escape").decode()
    return Reply(
        address=at, answer=known, seconds=_seconds(row), peer=usual(reply.text(row.get("peer"), 60)) or "",
        error=reply.text(row.get("error"), 20), said=said[:300],
    )  # fmt: skip


def _exit(whom: Whom, address: str, port: int, row: dict[str, Any]) -> WayOut:
    way = row.get("way")
    kinds: tuple[Way, ...] = get_args(Way)
    return WayOut(
        whom, address, port, way if way in kinds else "silent", _seconds(row), reply.text(row.get("error"), 20)
    )


def _seconds(row: dict[str, Any]) -> float:
    seconds = row.get("seconds")
    return float(seconds) if isinstance(seconds, int | float) and 0 <= seconds < 1000 else 0.0
