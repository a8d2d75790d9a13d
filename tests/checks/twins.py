"""Twins of hosts for tests: what became of packets, as the program writes it."""

from __future__ import annotations

from typing import Any, Literal

from preflight.facts import (
    Arrival,
    Chain,
    Culprit,
    Engine,
    EngineNetwork,
    Exit,
    Family,
    Journey,
    Service,
    Services,
    Step,
    Table,
    Twin,
)
from preflight.mailcow.plan import SHAPE

PORTS = tuple(one.port for one in SHAPE if one.kind != "local")
EXITS: tuple[tuple[Literal["tcp", "udp"], int], ...] = (
    ("tcp", 25), ("tcp", 80), ("tcp", 443), ("tcp", 53), ("udp", 53),
)  # fmt: skip
STEPS = (Step("prerouting", "ip nat", "PREROUTING", "accept"), Step("forward", "ip filter", "FORWARD", "drop"))
NETWORKS = (EngineNetwork("bridge", "id", "bridge", ("172.17.0.0/16",), "docker0", False),)
ENGINE = Engine(version="28.5.2", api_version="1.51", networks=NETWORKS)


def rule(chain: str = "FORWARD", **more: Any) -> Culprit:
    """Make a rule of iptables-nft that stops packets."""
    given = {
        "kind": "rule", "backend": "nf_tables", "family": "ip", "table": "filter", "chain": chain, "handle": 12,
        "rule": "-A FORWARD -j DROP", "counter": 3,
    }  # fmt: skip
    return Culprit(**{**given, **more})


def legacy(chain: str = "FORWARD", **more: Any) -> Culprit:
    """Make a rule of iptables-legacy that stops packets."""
    given = {"kind": "rule", "backend": "ip_tables", "family": "ip", "table": "filter", "chain": chain, "number": 2}
    return Culprit(**{**given, **more})


def journey(verdict: str = "delivered", culprit: Culprit | None = None, **more: Any) -> Journey:
    """Make a packet's journey from the Internet."""
    given = {"version": 4, "source": "internet", "steps": STEPS if culprit else ()}
    return Journey(verdict=verdict, culprit=culprit, **{**given, **more})  # type: ignore[arg-type]  # a word of a test


State = Literal["judged", "none", "off", "blind"]


def families(four: State = "judged", six: State = "off", doubt: Any = "", **more: Any) -> tuple[Family, ...]:
    """Make both families; `doubt` is that of each which is blind."""

    def made(version: Literal[4, 6], state: State) -> Family:
        given = {"interface": "eth0", "doubt": doubt if state == "blind" else "", **more}
        return Family(version=version, state=state, **given)

    return made(4, four), made(6, six)


def docker_tables(backend: Literal["nf_tables", "ip_tables"] = "nf_tables") -> tuple[Table, ...]:
    """Return what an engine keeps in its tables, in outline."""
    return (
        Table(backend, "ip", "filter", (
            Chain("FORWARD", 3, "forward", 0, "drop"), Chain("DOCKER", 2), Chain("DOCKER-USER", 1),
            *(Chain(f"DOCKER-{name}", 1) for name in ("FORWARD", "BRIDGE", "CT")),
            *(Chain(f"DOCKER-ISOLATION-STAGE-{number}", 1) for number in (1, 2)),
        )),
        Table(backend, "ip", "nat", (
            Chain("PREROUTING", 1, "prerouting", -100, "accept"), Chain("DOCKER", 2),
            Chain("POSTROUTING", 2, "postrouting", 100, "accept"),
        )),
    )  # fmt: skip


def twin(*journeys: Journey, exits: tuple[Journey, ...] = (), **more: Any) -> Twin:
    """Make a twin in which the connections to every port fare alike, and all that leaves does."""
    arrivals = tuple(Arrival("", port, journeys or (journey(),)) for port in PORTS)
    out = tuple(Exit(kind, port, one) for one in exits or (journey(),) for kind, port in EXITS)
    given = {"derived": True, "families": families(), "tables": docker_tables()}
    return Twin(arrivals=arrivals, exits=out, **{**given, **more})


def managers(*names: str, **more: Any) -> Services:
    """Make services: firewall managers that run."""
    return Services(
        "systemd",
        tuple(
            Service(name=name, kind="firewall", unit=f"{name}.service", enabled=True, active=True, **more)
            for name in names
        ),
    )
