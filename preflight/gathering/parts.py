"""All that is known of each part of a host, a line for each: how it is made, what it waits for, how progress tells it.

What it is stands beside its type, in facts/; its order is that of `Host`.
"""

from __future__ import annotations

from enum import Enum
from importlib import import_module

from msgspec import Struct

from preflight.facts import Fact
from preflight.facts.parts import descriptions
from preflight.gathering import elsewhere, engine, probes, publishing, recipes, recursion, rehearsal, twin
from preflight.gathering.run import Recipe, Run
from preflight.gathering.stages import (
    COMPOSE,
    CONNECTIONS,
    ENGINE,
    FILES,
    NAME_SERVERS,
    PACKETS,
    REHEARSAL,
    SPACES,
    TIME_SERVERS,
)
from preflight.probes.registry import PROBES, Probe


class Kind(Enum):
    """What a part takes to be made."""

    FILES = "files"  # of the host or its kernel's: one thread reads them, one after another
    PROGRAM = "program"  # another program answers; begun before all others
    ELSEWHERE = "elsewhere"  # others answer across the network: name servers, time servers, whom mailcow connects to
    PROCESS = "process"  # of ours; it waits for other parts
    PROBE = "probe"  # has something to remove when the run is ended


class Part(Struct, frozen=True):
    """A part of a host. `after`: one that it builds on and that takes long; until then nothing is begun of it.

    `last`: it is begun when all others are there.
    `rest`: seconds, at least, between two looks at it in one run: others are asked, who are not there for us alone.
    """

    place: str
    recipe: Recipe
    kind: Kind = Kind.FILES
    stage: str = FILES
    after: str = ""
    last: bool = False
    rest: float = 0.0

    @property
    def description(self) -> str:
        """Return what it is, in words."""
        return descriptions()[self.place]


class Read(Struct, frozen=True):
    """The recipe of a part that is read below the root, with nothing else: a function of a module in gather/.

    The module is loaded when the part is made: most of a look at the ports alone is imports.
    """

    module: str
    function: str

    def __call__(self, run: Run) -> Fact[object]:
        """Read it."""
        made: Fact[object] = getattr(import_module(f"preflight.gather.{self.module}"), self.function)(run.roots)
        return made


def _read(place: str, module: str) -> Part:
    return Part(place, Read(module, place))


def _tried(probe: Probe) -> Recipe:
    """Return how the fact of a probe is made: one is shown to the twin, and has to know the host; one asks others."""
    known: dict[str, Recipe] = {publishing.NAME: publishing.publishing, recursion.NAME: recursion.recursion}
    return known.get(probe.name) or probes.recipe(probe)


# Seconds. Time servers: what NTP clients ask at most once a minute by default (minpoll 6, that is 64 s), and never more
# often than every 15 s (RFC 4330, 10). Name servers: resolvers keep a failure for some seconds, too (RFC 9520). Free
# public services: once a minute.
_CLOCKS, _NAMES, _SERVICES = 64.0, 5.0, 60.0

PARTS = (
    _read("name", "machine.hostname"),
    _read("os_release", "machine.distribution"),
    _read("kernel", "machine.kernel"),
    _read("machine", "machine.kernel"),
    _read("userland", "machine.userland"),
    _read("virtualization", "machine.virtualization"),
    Part("commands", recipes.commands),
    _read("kernel_features", "machine.kernel_features"),
    _read("security", "machine.security"),
    _read("sysctls", "machine.security"),
    _read("cpu_speed", "machine.processor"),
    _read("cpu_features", "machine.processor"),
    _read("memory", "machine.memory"),
    Part("spaces", recipes.spaces, stage=SPACES, after="engine"),
    _read("services", "services.services"),
    _read("mail_traces", "services.mail_traces"),
    _read("timezone", "machine.clock"),
    _read("clock", "machine.clock"),
    _read("timesyncd", "machine.timesyncd"),
    Part("times", elsewhere.times, Kind.ELSEWHERE, TIME_SERVERS, rest=_CLOCKS),
    Part("contact", engine.contact, Kind.PROGRAM, ENGINE),
    Part("engine", engine.engine, Kind.PROGRAM, ENGINE),
    Part("daemon_config", engine.daemon_config, stage=ENGINE, after="engine"),
    Part("engine_start", engine.engine_start, stage=ENGINE, after="engine"),
    _read("engine_limits", "engine.engine_limits"),
    Part("compose", Read("engine.compose", "compose"), Kind.PROGRAM, COMPOSE),
    Part("override", recipes.override),
    *(Part(f"probes.{probe.name}", _tried(probe), Kind.PROBE, probe.stage, after="engine") for probe in PROBES),
    _read("links", "network.network"),
    _read("routes", "network.network"),
    _read("rules", "network.rules"),
    _read("handed", "names.nameservers"),
    _read("ways", "network.ways"),
    _read("ipv6", "network.network"),
    Part("sockets", recipes.sockets),
    Part("binds", recipes.binds),
    Part("nat", recipes.nat),
    Part("twin", twin.twin, Kind.PROCESS, PACKETS, after="engine"),
    Part("mailcow_conf", recipes.mailcow_conf),
    Part("hosts_file", recipes.hosts_file),
    Part("answers", elsewhere.answers, Kind.ELSEWHERE, NAME_SERVERS, rest=_NAMES),
    Part("outgoing", elsewhere.outgoing, Kind.ELSEWHERE, CONNECTIONS, rest=_SERVICES),
    Part("smtp", elsewhere.smtp, Kind.ELSEWHERE, CONNECTIONS, rest=_SERVICES),
    Part("blocklists", elsewhere.blocklists, Kind.ELSEWHERE, CONNECTIONS, rest=_SERVICES),
    Part("mirrors", elsewhere.mirrors, Kind.ELSEWHERE, CONNECTIONS, rest=_SERVICES),
    Part("sightings", elsewhere.sightings, Kind.ELSEWHERE, CONNECTIONS, rest=_SERVICES),
    Part("rehearsal", rehearsal.rehearsal, Kind.PROBE, REHEARSAL, after="engine", last=True),
)
