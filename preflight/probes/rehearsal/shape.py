"""What the stand-ins are made of: mailcow's containers as docker's client takes them, and as Compose asks for them."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from msgspec import Struct

from preflight.mailcow.layout import CONTAINERS, UNBOUND, Container
from preflight.mailcow.plan import Plan
from preflight.probes.image import PYTHON
from preflight.probes.publication import Publication

# Loaded from the image: the stand-in knows what this version's says.
PROGRAM = "import sys; from preflight.probes.stand_in import main; sys.exit(main(sys.argv[1:]))"
# As in compose/stand-in.yml: mailcow's own interval is 30 s; how often changes nothing but the waiting.
INTERVAL, TIMEOUT, RETRIES = 1, 10, 3
LOG = {"type": "json-file", "config": {"max-size": "1m"}}  # the engine may keep none by default


class Port(Struct, frozen=True):
    """A port that a container publishes: where on the host, and which port inside."""

    address: str
    port: int
    inside: int

    @property
    def publication(self) -> Publication:
        """Return it as the engine is told."""
        return Publication(self.inside, self.port, self.address)


class Member(Struct, frozen=True):
    """One of mailcow's containers, and the ports that mailcow.conf has it publish."""

    container: Container
    ports: tuple[Port, ...]
    address: str  # its fixed IPv4 address, '' = the engine chooses

    @property
    def name(self) -> str:
        """Return its name, which is the service's."""
        return self.container.name

    @property
    def words(self) -> tuple[str, ...]:
        """Return the stand-in's arguments: its name, and the ports that it listens on."""
        listens = dict.fromkeys(port.inside for port in self.ports)
        if not listens and self.container.healthcheck:
            listens = {self.container.health_port: None}
        return (self.name, *map(str, listens))


def members(plan: Plan) -> tuple[Member, ...]:
    """Return mailcow's containers in the order in which they may start."""
    return tuple(
        Member(container, _ports(plan, container.name), _address(plan, container.address)) for container in CONTAINERS
    )


def _ports(plan: Plan, service: str) -> tuple[Port, ...]:
    """Return the ports of a container. Web ports are the same inside, as docker-compose.yml has them."""
    return tuple(
        Port(binding.address, binding.port, binding.port if one.kind == "web" else one.inside or one.port)
        for binding in plan.bindings
        for one in binding.published
        if one.service == service
    )


def _address(plan: Plan, last: int) -> str:
    return str(ip_network(plan.ipv4_network).network_address + last) if last else ""


def plain(member: Member, network: str) -> dict[str, Any]:
    """Return the options of a stand-in that asks for nothing but its place on the network and its health check."""
    host: dict[str, Any] = {"network_mode": "host" if member.container.host else network, "log_config": LOG}
    options: dict[str, Any] = {"packages": True, "words": member.words, "host": host}
    if member.address:
        options["ipv4_address"] = member.address
    if member.container.healthcheck:
        program = PROGRAM, "--healthy", str(member.container.health_port)
        options["healthcheck"] = {
            "test": ["CMD", PYTHON, "-I", "-c", *program],
            "interval": INTERVAL * 10**9,
            "timeout": TIMEOUT * 10**9,
            "retries": RETRIES,
        }
    return options


def whole(member: Member, network: str, plan: Plan, paths: frozenset[str]) -> dict[str, Any]:
    """Return the options of a stand-in that asks for all that mailcow's container asks for.

    `paths`: of the host, that are there. Docker would make the others, and leave them.
    """
    options, container = plain(member, network), member.container
    host = options["host"]
    if container.host:
        host["privileged"] = True
    if container.unconfined:
        host["security_opt"] = ["label=disable"]
    if container.capabilities:
        host["cap_add"] = list(container.capabilities)
    if container.sysctls:
        host["sysctls"] = dict(container.sysctls)
    if container.ulimits:
        host["ulimits"] = [{"Name": name, "Soft": soft, "Hard": hard} for name, soft, hard in container.ulimits]
    if container.dns:
        host["dns"] = [_address(plan, UNBOUND)]
    if binds := [bind for bind in container.binds if bind.partition(":")[0] in paths]:
        host["mounts"] = [_mount(bind) for bind in binds]
    return options


def _mount(bind: str) -> dict[str, Any]:
    source, target, *rest = bind.split(":")
    return {"Type": "bind", "Source": source, "Target": target, "ReadOnly": "ro" in rest}


def paths() -> frozenset[str]:
    """Return the paths of the host that mailcow's containers see."""
    return frozenset(bind.partition(":")[0] for container in CONTAINERS for bind in container.binds)
