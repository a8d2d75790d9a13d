"""Ports of a container that the host publishes, as docker's client takes them and as the engine tells them."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from preflight.gather.engine import reply


class Publication(Struct, frozen=True):
    """A port of a container, and where the host publishes it: '' is every address, port 0 one that is free."""

    container_port: int
    port: int = 0
    address: str = ""
    protocol: Literal["tcp", "udp"] = "tcp"


def bindings(wanted: tuple[Publication, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options of docker's create_container, and of its host configuration, that publish ports."""
    if not wanted:
        return {}, {}
    places: dict[str, list[tuple[str, int | None]]] = {}
    for entry in wanted:
        key = f"{entry.container_port}/{entry.protocol}"
        places.setdefault(key, []).append((entry.address, entry.port or None))
    exposed = list(dict.fromkeys((entry.container_port, entry.protocol) for entry in wanted))
    return {"ports": exposed}, {"port_bindings": places}


def published(container: dict[str, Any]) -> tuple[Publication, ...]:
    """Return what is published of a container, from what the engine says of it; what makes no sense is left out."""
    told = reply.table(reply.table(container.get("NetworkSettings")).get("Ports"))
    found = []
    for key, places in told.items():
        inner, _, protocol = key.partition("/")
        for place in reply.tables(places):
            outer = reply.text(place.get("HostPort"), 5)
            if protocol in ("tcp", "udp") and _is_port(inner) and _is_port(outer):
                address = reply.text(place.get("HostIp"), 50)
                found.append(Publication(int(inner), int(outer), address, protocol))  # type: ignore[arg-type]  # above
    return tuple(found)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536
