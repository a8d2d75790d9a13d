"""The stand-ins come up in mailcow's order, each by its conditions; what is refused is found out port by port."""

from __future__ import annotations

import time
from typing import Any

from msgspec import Struct, field

from preflight.facts.engine_words import PORTS, place, trouble
from preflight.facts.rehearsal import ContainerRun, PortRun, Reply
from preflight.gather.engine import reply
from preflight.gather.engine.client import EngineError
from preflight.net.addresses import of_version
from preflight.probes.box import Box
from preflight.probes.rehearsal import shape
from preflight.probes.rehearsal.shape import Member, Port

# Seconds in which a stand-in is healthy on an engine that runs health checks: the first is run after one.
PATIENCE = 15.0
AGAIN = 4  # attempts at a port that a stand-in of our own may still have
WORDS = 1000  # characters of what an engine says


class Standing(Struct):
    """A stand-in as far as it has come. `key`: of its container; '' = none was started."""

    member: Member
    key: str = ""
    states: list[tuple[float, str]] = field(default_factory=list)
    unmet: tuple[str, ...] = ()
    refused: dict[Port, str] = field(default_factory=dict)  # what the engine said, by port
    named: set[Port] = field(default_factory=set)  # those that it named itself
    error: str = ""
    plain: bool = False
    given: tuple[str, ...] = ()
    exit_code: int | None = None
    output: str = ""
    replies: dict[Port, tuple[Reply, ...]] = field(default_factory=dict)
    settled: bool = False  # its health is known, or was waited for long enough
    began: float = 0.0
    made: int = 0  # containers, those that were refused included

    @property
    def last(self) -> str:
        """Return the state that it was seen in last."""
        return self.states[-1][1] if self.states else ""

    @property
    def published(self) -> tuple[Port, ...]:
        """Return the ports that the engine publishes for it."""
        return tuple(port for port in self.member.ports if port not in self.refused) if self.key else ()

    def fact(self) -> ContainerRun:
        """Return what became of it."""
        return ContainerRun(
            name=self.member.name, states=tuple(self.states), health=self.member.container.healthcheck,
            address=self.member.address, given=self.given, unmet=self.unmet, error=self.error,
            cause=trouble(self.error), plain=self.plain, exit_code=self.exit_code, output=self.output,
        )  # fmt: skip

    def ports(self) -> list[PortRun]:
        """Return what became of its ports."""
        return [
            PortRun(
                address=port.address, port=port.port, service=self.member.name, published=port in self.published,
                replies=self.replies.get(port, ()), error=self.refused.get(port, ""),
                cause=trouble(self.refused.get(port, "")), named=port in self.named,
            )
            for port in self.member.ports
        ]  # fmt: skip


class Troupe:
    """All stand-ins of a rehearsal; `began`: when it did, of time.monotonic()."""

    def __init__(self, box: Box, image: str, network: str, environment: dict[str, str], began: float) -> None:
        self._box, self._image, self._network = box, image, network
        self._environment, self._began = environment, began
        self.standing = [Standing(member) for member in shape.members(box.script.plan)]

    def come_up(self) -> None:
        """Start all, each when its conditions are met, or are known not to be; raises what a box raises."""
        waiting = list(self.standing)
        while waiting:
            ready = next((one for one in waiting if self._may_start(one)), None)
            if ready is None:
                self._box.pause(0.1)
                self.look()
                continue
            waiting.remove(ready)
            self._start(ready)
        while not all(one.settled for one in self.standing):
            self._box.pause(0.1)
            self.look()

    def look(self) -> None:
        """See in which state each is whose health is waited for."""
        for one in self.standing:
            if one.key and not one.settled:
                self._see(one)

    def see_all(self) -> None:
        """See in which state everything is, once more."""
        for one in self.standing:
            if one.key:
                self._see(one)

    def _may_start(self, one: Standing) -> bool:
        """Say whether the conditions of a container are met, or never will be; the latter are noted."""
        by_name = {other.member.name: other for other in self.standing}
        container, unmet = one.member.container, []
        for name in (*container.after, *container.after_healthy):
            other = by_name[name]
            if not other.states and not other.error:
                return False  # it comes first
            if name in container.after_healthy and other.key and not other.settled:
                return False
            # A container whose port is refused does not start at all, nor does what waits for it.
            up = other.key and not (other.error or other.refused or other.unmet)
            if not up or (name in container.after_healthy and other.last != "healthy"):
                unmet.append(name)
        one.unmet = tuple(unmet)
        return True

    def _start(self, one: Standing) -> None:
        """Start a container; where the engine refuses, without the port that it names, and so on."""
        one.began = time.monotonic()
        options = shape.whole(one.member, self._network, self._box.script.plan, self._box.script.paths)
        self._try(one, options, list(one.member.ports))
        if not one.key and not one.member.container.host:
            one.plain, one.refused, one.named = True, {}, set()
            error, one.error = one.error, ""
            self._try(one, shape.plain(one.member, self._network), list(one.member.ports))
            one.error = error or one.error
        if one.key:
            self._see(one)
        else:
            one.settled = True

    def _try(self, one: Standing, options: dict[str, Any], ports: list[Port]) -> None:
        """Start it with the ports that the engine lets it have; `one.error`: it refuses it with none of them, too."""
        last = ""
        for _ in range(len(ports) + 2):
            words, key = self._made(one, options, ports)
            for _again in range(AGAIN if one.plain else 0):
                if trouble(words) not in ("in-use", "allocated"):
                    break
                self._box.pause(0.3)  # what was refused a moment ago may let go of its ports late, as Podman's do
                words, key = self._made(one, options, ports)
            if not words:
                one.key = key
                return
            last = words
            culprit = _culprit(words, ports)
            if culprit is not None:
                one.refused[culprit] = words
                one.named.add(culprit)
                ports.remove(culprit)
            elif ports:
                one.refused |= dict.fromkeys(ports, words)
                ports.clear()
            else:
                break
        # Without any port it does not start either: what was said of the ports is said of the container.
        one.refused = {port: words for port, words in one.refused.items() if port in one.named}
        one.error = last

    def _made(self, one: Standing, options: dict[str, Any], ports: list[Port]) -> tuple[str, str]:
        """Make and start a container; return what the engine said when it refused ('' = it did not), and its id."""
        box, name = self._box, f"{one.member.name}{f'-{one.made}' if one.made else ''}"
        one.made += 1
        asked = dict(options, host=dict(options["host"]), environment=self._environment)
        place = asked.pop("ipv4_address", None)
        if not one.member.container.host:
            alias = one.member.name.removesuffix("-mailcow")
            end = box.client.create_endpoint_config(ipv4_address=place, aliases=[alias])
            asked["networking_config"] = box.client.create_networking_config({self._network: end})  # type: ignore[arg-type]  # the stubs' gap
        publish = tuple(port.publication for port in ports)
        key = ""
        try:
            key = box.create(name, self._image, shape.PROGRAM, publish=publish, **asked)
            box.start(key)
        except EngineError as error:
            if error.status is None:
                raise  # it was not reached, or says nothing: that is no refusal
            box.remove(key or box.name(name))
            return str(error)[:WORDS] or "?", ""
        return "", key

    def _note(self, one: Standing, state: str) -> None:
        if one.last != state:
            one.states.append((round(time.monotonic() - self._began, 2), state))

    def _see(self, one: Standing) -> None:
        """See the state that a container is in, and whether more is to be waited for."""
        said = self._box.inspect(one.key)
        state = reply.table(said.get("State"))
        health = reply.table(state.get("Health"))
        one.given = _addresses(said)
        if state.get("Running") is False:
            one.exit_code, one.settled = reply.exit_code(state), True
            self._note(one, "exited")
            return
        now = reply.text(health.get("Status"), 20) if one.member.container.healthcheck else "running"
        self._note(one, now if now in ("starting", "healthy", "unhealthy", "running") else "running")
        failed = [entry for entry in reply.tables(health.get("Log")) if entry.get("ExitCode")]
        one.output = reply.text(failed[-1].get("Output"), 500).strip() if failed else one.output
        late = time.monotonic() - one.began > PATIENCE
        one.settled = late or not one.member.container.healthcheck or one.last in ("healthy", "unhealthy")


def _culprit(words: str, ports: list[Port]) -> Port | None:
    """Return the port that an engine names in its words, the last one where several are in the same place."""
    named = place(words)
    if named is None or trouble(words) not in PORTS:
        return None
    everywhere = ("", "0.0.0.0", "::")
    fitting = [
        one for one in ports
        if one.port == named[1] and (one.address == named[0] or one.address in everywhere or named[0] in everywhere)
    ]  # fmt: skip
    return fitting[-1] if fitting else None


def _addresses(said: dict[str, Any]) -> tuple[str, ...]:
    """Return the addresses of a container on the networks that it is in."""
    networks = reply.table(reply.table(said.get("NetworkSettings")).get("Networks"))
    found = [
        reply.text(reply.table(network).get(key), 50)
        for network in networks.values()
        for key in ("IPAddress", "GlobalIPv6Address")
    ]
    return (*of_version(found, 4), *of_version(found, 6))
