"""Hosts with ports that are free, or held."""

from __future__ import annotations

from typing import Any

from preflight.checks import Look
from preflight.facts import (
    BindAttempt,
    Container,
    Engine,
    Holder,
    Ipv6,
    PublishedPort,
    Sockets,
)
from preflight.report.model import Result
from tests.build import look, run

ON = Ipv6(True, False, True)


def attempts(given: Look, port: int, ipv4: str, ipv6: str = "free") -> tuple[BindAttempt, ...]:
    """Make every attempt of the plan end free, but for one port."""
    found = []
    for binding in given.plan.bindings:
        for place in (binding.address,) if binding.address else ("0.0.0.0", "::"):
            said = (ipv6 if ":" in place else ipv4) if binding.port == port else "free"
            found.append(BindAttempt(place, binding.port, said))
    return tuple(found)


def listener(address: str, port: int = 25, *, pid: int | None = 812, state: str = "listening", **more: Any) -> Holder:
    known = {"process": "exim4", "user": "Debian-exim", "unit": "exim4.service", "container": None} if pid else {}
    values = {"process": None, "user": None, "unit": None, "container": None, "image": None, **known, **more}
    return Holder(pid=pid, address=address, port=port, state=state, **values)


def proxy(address: str, port: int = 25) -> Holder:
    return listener(address, port, process="docker-proxy", user="root", unit="docker.service")


def engine(*containers: Container) -> Engine:
    return Engine(version="28.5.2", api_version="1.51", containers=containers)


def container(name: str, *ports: tuple[str, int], **more: Any) -> Container:
    published = tuple(PublishedPort(address, port, port) for address, port in ports)
    return Container(**{"id": "a" * 64, "name": name, "image": "web:1", "state": "running", "ports": published} | more)


def free(
    outcomes: tuple[str, str] | None = ("free", "free"),
    *holders: Holder,
    port: int = 25,
    conf: dict[str, str] | None = None,
    owners: bool = True,
    **facts: Any,
) -> Result:
    """Judge one port: what a bind said to IPv4 and IPv6 (None: not tried), and the sockets that are seen."""
    facts = {"ipv6": ON, "sockets": Sockets(holders, owners, "" if owners else "denied"), **facts}
    given = look(conf=conf or {}, **facts)
    if outcomes:
        given = look(conf=conf or {}, binds=attempts(given, port, *outcomes), **facts)
    (row,) = (row for row in run("ports.free", given) if (row.subject or "").endswith(f"{port}/tcp"))
    return row
