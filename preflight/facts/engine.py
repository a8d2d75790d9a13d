"""The engine, its containers and networks, and Compose."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field


class Contact(Struct, frozen=True):
    """How the engine was reached. state: ok, absent, refused, timeout, denied, invalid."""

    url: str
    state: Literal["ok", "absent", "refused", "timeout", "denied", "invalid"]
    detail: str = ""
    seconds: float = 0.0


class PublishedPort(Struct, frozen=True):
    """A port of the host that a container publishes ('' = every address)."""

    address: str
    port: int
    container_port: int
    protocol: str = "tcp"


class Container(Struct, frozen=True, kw_only=True):
    """A container on the engine. `ports`: published now, or (stopped) when started again."""

    id: str
    name: str
    image: str
    state: str
    restart: str = ""
    exit_code: int | None = None  # of one that ran and ended
    error: str = ""  # what the engine said when it could not start it
    project: str = ""  # com.docker.compose.project
    service: str = ""  # com.docker.compose.service
    ports: tuple[PublishedPort, ...] = ()
    host_network: bool = False
    run: str = ""  # mailcow-preflight.run: one of our own
    swarm: str = ""  # the swarm's service that it is a task of


class SwarmService(Struct, frozen=True, kw_only=True):
    """A service of the swarm that the engine manages, with the ports it publishes.

    `mesh`: every node of the swarm takes these ports for it, and the engine itself holds them; else each node that a
    task runs on does, and the task's container has them.
    """

    name: str
    image: str
    ports: tuple[PublishedPort, ...] = ()
    mesh: bool = True


class EngineNetwork(Struct, frozen=True):
    """A network of the engine with its subnets and, for a bridge, the interface's name."""

    name: str
    id: str
    driver: str
    subnets: tuple[str, ...]
    interface: str
    ipv6: bool
    project: str = ""
    run: str = ""
    mtu: int | None = None  # that it was made with; None: the driver's own


class Engine(Struct, frozen=True, kw_only=True):
    """What the engine says of itself and what lives on it."""

    version: str
    api_version: str
    min_api_version: str = ""
    components: tuple[str, ...] = ()  # "Engine", "Podman Engine", "containerd" …
    platform: str = ""  # "Docker Engine - Community": Docker's own build
    operating_system: str = ""
    kernel: str = ""
    architecture: str = ""  # of the kernel that it runs on
    built_for: str = ""  # what its program is made for, named as `machine` is; '' = not told
    root_dir: str = ""
    driver: str = ""
    driver_status: dict[str, str] = field(default_factory=dict)
    security_options: tuple[str, ...] = ()
    cgroup_version: str = ""
    swarm: str = ""
    services: tuple[SwarmService, ...] = ()  # those that publish ports; only a manager of the swarm knows them
    firewall_backend: str = ""
    live_restore: bool = False
    warnings: tuple[str, ...] = ()
    address_pools: tuple[str, ...] = ()
    containers: tuple[Container, ...] = ()
    networks: tuple[EngineNetwork, ...] = ()
    volumes: tuple[str, ...] = ()
    truncated: bool = False  # more objects than are kept, or a list that was refused
    cut: tuple[str, ...] = ()  # which: containers, stopped (what those publish), networks, volumes, services

    def whole(self, *lists: str) -> bool:
        """Say whether these lists hold all that lives on the engine; older facts do not tell one from another."""
        return not self.truncated if not self.cut else not set(lists) & set(self.cut)


NO_ENGINE = Engine(version="", api_version="")  # what is read of one that is not known: nothing lives on it


class Compose(Struct, frozen=True):
    """Docker Compose on the host: plugin or standalone; version as it prints it ('' = it did not say)."""

    kind: Literal["plugin", "standalone"] | None  # None: neither is there
    path: str | None
    version: str
    detail: str = ""
    of_user: str = ""  # where neither is there for root: a plugin in another user's home
    inert: str = ""  # where neither is there: a plugin that may not be executed, so that docker passes it over
