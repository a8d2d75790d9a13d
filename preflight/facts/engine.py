"""The engine, its containers and networks, and Compose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct, field

from preflight.facts.kinds import (
    Argument,
    ContainerName,
    FilePath,
    ImageName,
    InterfaceName,
    Ip,
    Secret,
    Text,
    Url,
    Version,
    Word,
)

RUN = "mailcow-preflight.run"  # the label that our own objects on an engine carry: the run's id


Build = Literal["docker", "other", ""]  # whose build of the engine it is; '' = it does not say


def build_of(platform: str) -> Build:
    """Say whose build an engine is that calls its platform so."""
    if not platform:
        return ""
    return "docker" if platform.startswith("Docker Engine") else "other"


class Contact(Struct, frozen=True):
    """How the engine was reached. state: ok, absent, refused, timeout, denied, invalid."""

    url: Url
    state: Literal["ok", "absent", "refused", "timeout", "denied", "invalid"]
    detail: Secret = ""
    seconds: float = 0.0


class EngineLimits(Struct, frozen=True):
    """Limits of the engine's own process. `open_files`: the hard one; None: no engine is found, or it is not told."""

    open_files: int | None


class PublishedPort(Struct, frozen=True):
    """A port of the host that a container publishes ('' = every address)."""

    address: Ip
    port: int
    container_port: int
    protocol: Word = "tcp"


class Container(Struct, frozen=True, kw_only=True):
    """A container on the engine. `ports`: published now, or (stopped) when started again."""

    id: ContainerName
    name: ContainerName
    image: ImageName
    state: Word
    restart: Word = ""
    exit_code: int | None = None  # of one that ran and ended
    error: Secret = ""  # what the engine said when it could not start it
    project: ContainerName = ""  # com.docker.compose.project
    service: ContainerName = ""  # com.docker.compose.service
    ports: tuple[PublishedPort, ...] = ()
    run: Secret = ""  # of the label RUN: one of our own
    swarm: ContainerName = ""  # the swarm's service that it is a task of
    addresses: tuple[Ip, ...] = ()  # in the engine's networks, while it runs


class SwarmService(Struct, frozen=True, kw_only=True):
    """A service of the swarm that the engine manages, with the ports it publishes.

    `mesh`: every node of the swarm takes these ports for it, and the engine itself holds them; else each node that a
    task runs on does, and the task's container has them.
    """

    name: ContainerName
    image: ImageName
    ports: tuple[PublishedPort, ...] = ()
    mesh: bool = True


class EngineNetwork(Struct, frozen=True):
    """A network of the engine with its subnets and, for a bridge, the interface's name."""

    name: ContainerName
    id: Secret
    driver: Word
    subnets: tuple[Ip, ...]
    interface: InterfaceName
    ipv6: bool
    project: ContainerName = ""
    run: Secret = ""
    mtu: int | None = None  # that it was made with; None: the driver's own


def is_podman(components: Iterable[str]) -> bool:
    """Say whether an engine is Podman, by the names of its components."""
    return any("podman" in name.lower() for name in components)


class Engine(Struct, frozen=True, kw_only=True):
    """What the engine says of itself and what lives on it."""

    version: Version
    api_version: Version
    components: tuple[Word, ...] = ()  # "Engine", "Podman Engine", "containerd" …
    platform: Text = ""  # "Docker Engine - Community"
    build: Build = ""
    operating_system: Text = ""
    kernel: Version = ""
    architecture: Word = ""  # of the kernel that it runs on
    built_for: Word = ""  # what its program is made for, named as `machine` is; '' = not told
    root_dir: FilePath = ""
    driver: Word = ""
    driver_status: dict[Word, Text] = field(default_factory=dict)
    security_options: tuple[Argument, ...] = ()
    swarm: Word = ""
    services: tuple[SwarmService, ...] = ()  # those that publish ports; only a manager of the swarm knows them
    firewall_backend: Word = ""
    proxies: dict[Word, Url] = field(default_factory=dict)  # HTTP_PROXY, HTTPS_PROXY: that it pulls images through
    warnings: tuple[Secret, ...] = ()
    address_pools: tuple[Ip, ...] = ()
    containers: tuple[Container, ...] = ()
    networks: tuple[EngineNetwork, ...] = ()
    volumes: tuple[ContainerName, ...] = ()
    truncated: bool = False  # more objects than are kept, or a list that was refused
    cut: tuple[Word, ...] = ()  # which: containers, stopped (what those publish), networks, volumes, services

    @property
    def podman(self) -> bool:
        """Say whether it is Podman, which speaks as Docker does."""
        return is_podman(self.components)

    @property
    def options(self) -> frozenset[str]:
        """Return the names of its security options: seccomp, selinux, rootless, userns …"""
        return frozenset(option.partition(",")[0].removeprefix("name=") for option in self.security_options)

    def whole(self, *lists: str) -> bool:
        """Say whether these lists hold all that lives on the engine; older facts do not tell one from another."""
        return not self.truncated if not self.cut else not set(lists) & set(self.cut)


NO_ENGINE = Engine(version="", api_version="")  # what is read of one that is not known: nothing lives on it


class Compose(Struct, frozen=True):
    """Docker Compose on the host: plugin or standalone; version as it prints it ('' = it did not say)."""

    kind: Literal["plugin", "standalone"] | None  # None: neither is there
    path: FilePath | None
    version: Version
    detail: Secret = ""
    of_user: FilePath = ""  # where neither is there for root: a plugin in another user's home
    inert: FilePath = ""  # where neither is there: a plugin that may not be executed, so that docker passes it over
