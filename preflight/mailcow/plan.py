"""What mailcow will want of this host: ports, addresses and networks, from mailcow.conf and mailcow's defaults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from preflight.facts import NO_SETTINGS, Asked, ConfFile, DaemonConfig, Engine, EngineStart
from preflight.facts.daemon import SNAPSHOTTER
from preflight.mailcow.certificate import Certificate, certificate
from preflight.mailcow.conf import lines, networks, places, programs
from preflight.mailcow.conf.problems import Meaning, Problem, Values
from preflight.mailcow.layout import BRIDGE, IPV4_NETWORK, IPV6_NETWORK, PROJECT, RESERVED, SHAPE, Published
from preflight.net.addresses import overlap, with_port
from preflight.net.hostnames import ascii_name, mail_domain

__all__ = [
    "BRIDGE", "DEFAULT_CONF", "IPV4_NETWORK", "IPV6_NETWORK", "PROJECT", "RESERVED", "SHAPE",
    "Binding", "Names", "Plan", "Problem", "Published", "data_paths", "make", "names", "space_paths",
]  # fmt: skip

DEFAULT_CONF = "/opt/mailcow-dockerized/mailcow.conf"
ENGINE_ROOT = "/var/lib/docker"
CONTAINERD_ROOT = "/var/lib/containerd"
CONTAINERD_STORE = "io.containerd.snapshotter"  # begins the driver type of engines that keep images in containerd


class Binding(Struct, frozen=True):
    """One port that will be published on one address ('' = every IPv4 and IPv6 address)."""

    address: str
    port: int
    published: tuple[Published, ...]  # the variables that lead here; more than one is a conflict

    @property
    def subject(self) -> str:
        """Name the binding as the report does: `25/tcp`, `198.51.100.7:25/tcp`, `[2001:db8::7]:25/tcp`."""
        return f"{with_port(self.address, self.port) if self.address else self.port}/tcp"


class Names(Struct, frozen=True, kw_only=True):
    """The names of a mail host. `hostname` as given; `fqdn` lower case, as A-labels, without a trailing dot."""

    hostname: str | None
    fqdn: str | None
    given_domains: tuple[str, ...]  # the mail domains that were given, as A-labels

    @property
    def domains(self) -> tuple[str, ...]:
        """Return the mail domains: those given, else the one that the host is for by its name."""
        return self.given_domains or ((mail_domain(self.fqdn),) if self.fqdn else ())


class Plan(Names, frozen=True, kw_only=True):
    """All that mailcow will want."""

    conf_path: str
    conf_present: bool
    bindings: tuple[Binding, ...]
    problems: tuple[Problem, ...]
    ipv4_network: str  # 172.22.1.0/24
    ipv6_network: str
    ipv6: bool  # ENABLE_IPV6
    bridge: str
    project: str
    skip_clamd: bool
    skip_fts: bool
    skip_sogo: bool
    certificate: Certificate
    sources: tuple[tuple[str, str], ...]  # SNAT_TO_SOURCE and its kin: variable, the address that mail is sent from

    @property
    def ports(self) -> tuple[int, ...]:
        """Return the host ports wanted, each once."""
        return tuple(dict.fromkeys(binding.port for binding in self.bindings))

    @property
    def places(self) -> tuple[tuple[str, int], ...]:
        """Return all that is to be bound: address ('' = every one) and port (0: any, of an address to send from)."""
        bound = [(binding.address, binding.port) for binding in self.bindings]
        return (*bound, *((address, 0) for _, address in self.sources))

    @property
    def directory(self) -> str:
        """Return where mailcow is, or will be, cloned."""
        return self.conf_path.rpartition("/")[0] or "/"


def names(conf: ConfFile | None, asked: Asked) -> Names:
    """Return the names that mailcow will have: those that were asked about, else those of mailcow.conf."""
    hostname = asked.hostname or Values(conf.settings if conf else {}).text("MAILCOW_HOSTNAME") or None
    return Names(
        hostname=hostname,
        fqdn=ascii_name(hostname) if hostname else None,
        given_domains=tuple(dict.fromkeys(filter(None, map(ascii_name, asked.domains)))),
    )


def make(conf: ConfFile | None, asked: Asked) -> Plan:
    """Work out what mailcow wants; `conf` None: mailcow.conf could not be read, its defaults are taken."""
    values, called = Values(conf.settings if conf else {}), names(conf, asked)
    published = [(one, places.place(values, one)) for one in SHAPE]
    bindings = _bindings([(one, read.value) for one, read in published])
    ipv4_network, ipv6_network = networks.ipv4_network(values), networks.ipv6_network(values)
    ipv6, project = networks.ipv6(values), programs.project(values)
    read: tuple[Meaning[Any], ...] = (ipv4_network, ipv6_network, ipv6, project)
    return Plan(
        conf_path=conf.path if conf else asked.mailcow_conf or DEFAULT_CONF,
        conf_present=bool(conf and conf.present),
        bindings=bindings,
        problems=(
            *(problem for _, place in published for problem in place.problems),
            *_duplicates(bindings, values),
            *programs.problems(values, conf.zone if conf else None),
            *(problem for one in read for problem in one.problems),
            *(lines.problems(conf) if conf else ()),
        ),
        hostname=called.hostname,
        fqdn=called.fqdn,
        given_domains=called.given_domains,
        ipv4_network=ipv4_network.value,
        ipv6_network=ipv6_network.value,
        ipv6=ipv6.value,
        bridge=BRIDGE,
        project=project.value,
        skip_clamd=values.yes("SKIP_CLAMD"),
        # Where mailcow.conf lacks it, docker-compose.yml switches full-text search off.
        skip_fts=values.yes("SKIP_FTS") or bool(conf and conf.present and not values.text("SKIP_FTS")),
        skip_sogo=values.yes("SKIP_SOGO"),
        certificate=certificate(values),
        sources=programs.sources(values),
    )


def data_paths(engine: Engine | None, daemon: DaemonConfig | None, start: EngineStart | None = None) -> tuple[str, ...]:
    """Return where the engine keeps volumes, and after that where containerd keeps the images, if it does.

    As the engine says itself, else as it is told, else as a new one does: from Docker 29 on by containerd.
    """
    told = daemon.settings.get("data-root") if daemon else None
    root = (engine.root_dir if engine else "") or (told if isinstance(told, str) else "")
    paths = [root if root.startswith("/") else ENGINE_ROOT]
    if by_containerd(engine, daemon, start):
        paths.append(_containerd_root(paths[0], start))
    return tuple(dict.fromkeys(path.rstrip("/") or "/" for path in paths))


def by_containerd(engine: Engine | None, daemon: DaemonConfig | None, start: EngineStart | None) -> bool:
    """Say whether containerd keeps the images: as the engine says, else as it is told, else as a new one does."""
    if engine:
        return CONTAINERD_STORE in engine.driver_status.get("driver-type", "")
    told = daemon or NO_SETTINGS
    settings, switched = told.settings, told.feature(SNAPSHOTTER)
    if switched is not None:
        return switched
    # A storage driver by name, images that one of them keeps, and user namespaces: all lead back to the engine's own.
    driver = str(settings.get("storage-driver") or "overlayfs")
    kept = bool(start and start.driver_images)
    return not kept and not settings.get("userns-remap") and driver in _SNAPSHOTTERS


_SNAPSHOTTERS = ("overlayfs", "native", "stargz", "nydus", "soci", "erofs")


def _containerd_root(root: str, start: EngineStart | None) -> str:
    """Return where containerd keeps what it has: one that the snap's engine starts itself does so in the engine's."""
    if root.startswith("/var/snap/"):
        return f"{root}/containerd/daemon"
    told = start.containerd_root if start else ""
    return told if told.startswith("/") else CONTAINERD_ROOT


def space_paths(
    plan: Plan, engine: Engine | None, daemon: DaemonConfig | None, start: EngineStart | None = None
) -> tuple[str, ...]:
    """Return the paths whose free space matters: the engine's data, then the place of mailcow's clone."""
    return tuple(dict.fromkeys((*data_paths(engine, daemon, start), plan.directory)))


def _bindings(published: list[tuple[Published, places.Endpoint]]) -> tuple[Binding, ...]:
    found: dict[places.Endpoint, list[Published]] = {}
    for one, place in published:
        found.setdefault(place, []).append(one)
    return tuple(Binding(address, port, tuple(wanted)) for (address, port), wanted in found.items())


def _duplicates(bindings: tuple[Binding, ...], values: Values) -> Iterator[Problem]:
    """Complain of each later variable that wants a port which an earlier one has, on an address they share."""
    rows = [(binding, published) for binding in bindings for published in binding.published]
    rows.sort(key=lambda row: SHAPE.index(row[1]))
    for number, (binding, published) in enumerate(rows):
        earlier = next((one for other, one in rows[:number] if _meet(binding, published, other, one)), None)
        if earlier is not None:
            # The one that was moved is to blame, be it the earlier one.
            moved = published if binding.port != published.port else earlier
            problem = values.problem(
                moved.variable, "port-twice", moved.default, other=earlier.variable, port=binding.port
            )
            yield replace(problem, variable=published.variable)


def _meet(binding: Binding, published: Published, other: Binding, earlier: Published) -> bool:
    """Say whether two variables want the same port of the same address."""
    # The web server listens on both of its ports inside its container as well, whatever the addresses.
    both_web = published.kind == earlier.kind == "web"
    return other.port == binding.port and (both_web or overlap(other.address, binding.address))
