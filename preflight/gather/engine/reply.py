"""What the engine's replies mean: pure, and prepared for replies of any shape, for whoever answers may lie.

A field of the wrong type is as good as missing. Replies as the Docker Engine API gives them, 1.41 to 1.52, and
Podman's compatible one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeGuard

from preflight.facts import Container, Engine, EngineNetwork, PublishedPort, SwarmService
from preflight.facts.engine import RUN, build_of
from preflight.gather.machine import architecture
from preflight.net.addresses import parse_address
from preflight.net.proxies import proxies

OWN = "self"  # stands for a run's id in the very container that the program runs in
OBJECTS = 2000  # of a kind; more are cut off
TEXT = 500
_SWARM = "com.docker.swarm.service.name"
_PROJECT, _SERVICE = "com.docker.compose.project", "com.docker.compose.service"


def text(value: object, limit: int = TEXT) -> str:
    """Return a string's start, fit to be encoded; '' for anything else."""
    return value[:limit].encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""


def table(value: object) -> dict[str, Any]:
    """Return a JSON object; {} for anything else."""
    return value if isinstance(value, dict) else {}


def rows(value: object, limit: int = OBJECTS) -> list[Any]:
    """Return a JSON array's start; [] for anything else."""
    return value[:limit] if isinstance(value, list) else []


def texts(value: object, limit: int = 50) -> tuple[str, ...]:
    """Return the strings of a JSON array."""
    return tuple(filter(None, map(text, rows(value, limit))))


def tables(value: object) -> Iterator[dict[str, Any]]:
    """Give the objects of a JSON array."""
    return (row for row in rows(value) if isinstance(row, dict))


def exit_code(state: dict[str, Any]) -> int | None:
    """Return the exit code in a container's state; None where there is no number that could be one."""
    code = state.get("ExitCode")
    return code if isinstance(code, int) and not isinstance(code, bool) and -(2**31) <= code < 2**31 else None


def is_version(reply: object) -> bool:
    """Say whether a reply to /version is an engine's: it names its version and the API's."""
    return bool(text(table(reply).get("Version"))) and bool(api_version(reply))


def api_version(reply: object) -> str:
    """Return the newest API version that the engine speaks; '' where it names none."""
    named = text(table(reply).get("ApiVersion"))
    return named if re.fullmatch(r"[0-9]{1,3}\.[0-9]{1,3}", named) else ""


def components(version: object) -> tuple[str, ...]:
    """Return the names of an engine's components: "Engine", "containerd", or "Podman Engine"."""
    found = (text(row.get("Name"), 100) for row in tables(table(version).get("Components")))
    return tuple(filter(None, found))[:20]


def is_whole(listed: object) -> bool:
    """Say whether a list (of volumes: the object that holds it) is one of objects, short enough to be kept whole."""
    inner = listed
    if isinstance(listed, dict):
        inner = listed.get("Volumes", ...)
        inner = [] if inner is None else inner  # older engines without a volume
    return isinstance(inner, list) and len(inner) <= OBJECTS and all(isinstance(row, dict) for row in inner)


def parse_engine(version: object, info: object, **objects: Any) -> Engine:
    """Put together what the engine says of itself (/version, /info), and what lives on it (fields of `Engine`)."""
    said, about = table(version), table(info)
    platform = text(table(said.get("Platform")).get("Name"), 100)
    return Engine(
        version=text(said.get("Version"), 100),
        api_version=api_version(said),
        components=components(said),
        platform=platform,
        build=build_of(platform),
        operating_system=text(about.get("OperatingSystem")),
        kernel=text(about.get("KernelVersion")),
        architecture=text(about.get("Architecture")),
        built_for=architecture.named(text(said.get("Arch"), 50)),
        root_dir=text(about.get("DockerRootDir"), 4096),
        driver=text(about.get("Driver")),
        driver_status=_pairs(about.get("DriverStatus")),
        security_options=texts(about.get("SecurityOptions")),
        swarm=text(table(about.get("Swarm")).get("LocalNodeState")),
        firewall_backend=text(table(about.get("FirewallBackend")).get("Driver")),
        proxies=proxies({name: text(about.get(key)) for name, key in _PROXIES.items()}),
        warnings=texts(about.get("Warnings")),
        address_pools=tuple(filter(None, (text(row.get("Base")) for row in tables(about.get("DefaultAddressPools"))))),
        **objects,
    )


_PROXIES = {"HTTP_PROXY": "HttpProxy", "HTTPS_PROXY": "HttpsProxy"}


def _pairs(value: object) -> dict[str, str]:
    """Read DriverStatus, a list of pairs of strings."""
    pairs = [row for row in rows(value, 50) if isinstance(row, list) and len(row) == 2]
    return {text(key): text(held) for key, held in pairs if text(key)}


def identity(row: object) -> str:
    """Return a container's or network's id, '' where it is none."""
    named = text(table(row).get("Id"))
    return named if re.fullmatch(r"[0-9a-f]{12,64}", named) else ""


def parse_containers(listed: object, inspected: dict[str, object], own: str | None = None) -> tuple[Container, ...]:
    """Read /containers/json and the /containers/ID/json there are, by id; `own` is the program's own container."""
    found = (_container(row, table(inspected.get(identity(row))), own) for row in tables(listed))
    return tuple(sorted(found, key=lambda container: (container.name, container.id)))


def _container(row: dict[str, Any], detail: dict[str, Any], own: str | None) -> Container:
    labels, config = table(row.get("Labels")), table(detail.get("HostConfig"))
    names = texts(row.get("Names"))
    # Links give a container more names, with a slash inside.
    name = next((name for name in names if name.count("/") < 2), names[0] if names else "")
    key, state = identity(row), text(row.get("State"), 50)
    mode = table(row.get("HostConfig")).get("NetworkMode") or config.get("NetworkMode")
    runs = state in ("running", "paused")
    past = table(detail.get("State"))
    published = _published(row.get("Ports")) if runs else _bindings(config.get("PortBindings"))
    return Container(
        id=key,
        name=name.removeprefix("/"),
        image=text(row.get("Image")),
        state=state,
        restart=text(table(config.get("RestartPolicy")).get("Name"), 50),
        exit_code=None if runs else exit_code(past),
        error="" if runs else text(past.get("Error"), 500),
        project=text(labels.get(_PROJECT)),
        service=text(labels.get(_SERVICE)),
        ports=() if mode == "host" else tuple(dict.fromkeys(published)),
        run=OWN if own and key and key.startswith(own) else text(labels.get(RUN)),
        swarm=text(labels.get(_SWARM)),
        addresses=tuple(_addresses(row.get("NetworkSettings"))),
    )


def _addresses(value: object) -> Iterator[str]:
    """Read the addresses that a container has in the engine's networks; a stopped one has none."""
    for network in table(table(value).get("Networks")).values():
        for key in ("IPAddress", "GlobalIPv6Address"):
            address = text(table(network).get(key), 50)
            if parse_address(address):
                yield address


def _published(value: object) -> Iterator[PublishedPort]:
    """Read the ports of a running container; those that are not published have no PublicPort."""
    for row in tables(value):
        port, inner = row.get("PublicPort"), row.get("PrivatePort")
        if _is_port(port) and _is_port(inner):
            yield PublishedPort(text(row.get("IP")), port, inner, text(row.get("Type"), 10) or "tcp")


def _bindings(value: object) -> Iterator[PublishedPort]:
    """Read what a container that is not running will publish; a port that the engine may choose is left out."""
    for key, bindings in list(table(value).items())[:OBJECTS]:
        inner, _, protocol = text(key).partition("/")
        for binding in tables(bindings):
            host = text(binding.get("HostPort"))
            if host.isascii() and host.isdigit() and inner.isascii() and inner.isdigit():
                port, target = int(host[:6]), int(inner[:6])
                if _is_port(port) and _is_port(target):
                    yield PublishedPort(text(binding.get("HostIp")), port, target, protocol or "tcp")


def _is_port(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535


def is_manager(info: object) -> bool:
    """Say whether an engine manages the swarm that it is a node of: the others do not know its services."""
    swarm = table(table(info).get("Swarm"))
    return swarm.get("LocalNodeState") == "active" and swarm.get("ControlAvailable") is True


def parse_services(listed: object) -> tuple[SwarmService, ...]:
    """Read /services, as far as they publish ports; one that publishes in both ways comes twice."""
    found = (part for row in tables(listed) for part in _service(row))
    return tuple(sorted(found, key=lambda service: (service.name, not service.mesh)))


def _service(row: dict[str, Any]) -> Iterator[SwarmService]:
    spec = table(row.get("Spec"))
    if table(table(spec.get("Mode")).get("Replicated")).get("Replicas") == 0:
        return  # scaled down to nothing, which holds no port
    image = text(table(table(spec.get("TaskTemplate")).get("ContainerSpec")).get("Image")).partition("@")[0]
    published = list(_endpoints(table(row.get("Endpoint")).get("Ports")))
    for mesh in (True, False):
        ports = tuple(dict.fromkeys(port for port, meshed in published if meshed is mesh))
        if ports:
            yield SwarmService(name=text(spec.get("Name")), image=image, ports=ports, mesh=mesh)


def _endpoints(value: object) -> Iterator[tuple[PublishedPort, bool]]:
    """Read the ports of a service, each with whether the routing mesh publishes it; on what address is not its own."""
    for row in tables(value):
        port, inner = row.get("PublishedPort"), row.get("TargetPort")
        if _is_port(port) and _is_port(inner):
            yield (
                PublishedPort("", port, inner, text(row.get("Protocol"), 10) or "tcp"),
                row.get("PublishMode") != "host",
            )


def parse_networks(listed: object, *, podman: bool = False) -> tuple[EngineNetwork, ...]:
    """Read /networks. Docker names a bridge after the network's id where it is not told a name; Podman does not."""
    found = (_network(row, podman=podman) for row in tables(listed))
    return tuple(sorted(found, key=lambda network: (network.name, network.id)))


def _network(row: dict[str, Any], *, podman: bool) -> EngineNetwork:
    labels, options = table(row.get("Labels")), table(row.get("Options"))
    key, driver = identity(row), text(row.get("Driver"), 100)
    named = text(options.get("com.docker.network.bridge.name"), 100)
    mtu = text(options.get("com.docker.network.driver.mtu"), 100)
    made = f"br-{key[:12]}" if driver == "bridge" and key and not podman else ""
    configured = tables(table(row.get("IPAM")).get("Config"))
    return EngineNetwork(
        name=text(row.get("Name")),
        id=key,
        driver=driver,
        subnets=tuple(filter(None, (text(entry.get("Subnet"), 100) for entry in configured))),
        interface=named or made,
        ipv6=row.get("EnableIPv6") is True,
        project=text(labels.get(_PROJECT)),
        run=text(labels.get(RUN)),
        mtu=int(mtu) if re.fullmatch(r"[0-9]{2,5}", mtu) else None,
    )


def parse_volumes(listed: object) -> tuple[str, ...]:
    """Read the volumes' names from /volumes."""
    return tuple(sorted(filter(None, (text(row.get("Name")) for row in tables(table(listed).get("Volumes"))))))
