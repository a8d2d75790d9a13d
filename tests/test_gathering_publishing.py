"""The probe with published ports in a run: when there is one, where its network lies, and what the twin is given."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from preflight.facts import (
    Address,
    Asked,
    Container,
    DaemonConfig,
    Differing,
    Engine,
    EngineNetwork,
    Fact,
    Link,
    PublishedPort,
    PublishRun,
    Route,
    View,
)
from preflight.gather.access.crew import Crew
from preflight.gather.access.roots import Roots
from preflight.gather.machine import modules
from preflight.gathering import publishing
from preflight.gathering.run import Run, Wishes
from preflight.twin import trial
from preflight.twin.derive_state import Change, Underivable
from preflight.twin.request import Given, Request
from preflight.twin.trial import Up
from tests.gather.ends import NATIVE
from tests.probes.engine import FakeEngine

ENGINE = Engine(version="28.5.2", api_version="1.51", kernel="6.12.48")
LINKS = (Link("eth0", 1500, True, (Address("198.18.0.9", 16, "global"),)),)
ROUTES = (Route("0.0.0.0/0", "eth0", "198.18.0.1", 0), Route("198.19.0.0/16", "*", "", 0))
DIFFERS = PublishRun((4,), (Differing(4, "engine", "filter", "DOCKER", "-j DROP"),))
GIVEN = (Given(4, (Change("-I", "filter", "DOCKER", "-j DROP", 1),)),)


class StandIn:
    """Stands for a trial, and for what makes one: what it was asked for, what it finds, what stands in its way."""

    def __init__(self) -> None:
        self.obstacles: dict[int, str] = {}
        self.finds: tuple[PublishRun, tuple[Given, ...]] = (PublishRun((4, 6)), ())
        self.asked: list[Request] = []
        self.ups: list[Up] = []
        self.left_out: list[int] = []

    def __call__(self, request: Request) -> StandIn:
        self.asked.append(request)
        return self

    def obstacle(self, version: int) -> str:
        return self.obstacles.get(version, "")

    def without(self, version: int) -> None:
        self.left_out.append(version)

    def result(self, up: Up, mailcow: Request) -> tuple[PublishRun, tuple[Given, ...]]:
        self.ups.append(up)
        assert mailcow.bridge == "br-mailcow"
        return self.finds


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    made = StandIn()
    monkeypatch.setattr(trial, "Trial", made)
    monkeypatch.setattr(modules, "there", lambda _roots: frozenset({"nf_tables"}))
    return made


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    fake = FakeEngine(tmp_path)
    yield fake
    fake.close()


def _made(value: Any, _crew: Crew) -> Fact[Any]:
    return Fact.of("test", value)


def run(engine: FakeEngine, *, known: Engine = ENGINE, roots: Roots = NATIVE, probe: bool = True, **parts: Any) -> Run:
    facts = {"engine": known, "links": LINKS, "routes": ROUTES, **parts}
    names = ("os_release", "daemon_config", "mailcow_conf", *publishing.BEFORE)
    recipes: dict[str, Any] = {name: lambda _: Fact.skipped("x", "Not here.") for name in names}
    recipes |= {
        name: lambda _, value=value: Fact.of("test", value) for name, value in facts.items() if value is not None
    }
    crew = Crew(recipes, 20.0, threading.Event(), lambda _part, _done: None)
    asked = Asked(probe=probe)
    return Run(roots, Wishes(asked=asked, parts=frozenset(), environ={}, docker_host=engine.url), crew)


def test_the_network_is_like_mailcows_and_nowhere_on_the_host(engine: FakeEngine, stand_in: StandIn) -> None:
    assert publishing.publishing(run(engine)).get() == PublishRun((4, 6))
    [asked], [up] = stand_in.asked, stand_in.ups
    subnet = ip_network(asked.subnet4)
    # Both halves of the first range are taken.
    assert subnet.subnet_of(ip_network("10.0.0.0/8"))  # type: ignore[arg-type]  # both are of IPv4
    assert ip_network(asked.subnet6).is_private
    assert ip_network(asked.subnet6) != ip_network("fd4d:6169:6c63:6f77::/64")
    network = engine.created[0]
    assert network["IPAM"]["Config"] == [{"Subnet": asked.subnet4}, {"Subnet": asked.subnet6}]
    assert network["Options"]["com.docker.network.bridge.name"] == asked.bridge != "br-mailcow"
    assert len(asked.bridge) <= 15
    assert (up.ports[4], up.local) == (32768, 32768)
    assert engine.left == set()


@pytest.mark.parametrize(
    ("six", "obstacles", "settings"),
    [(False, {6: "forwarding"}, {}), (False, {}, {"ip6tables": False}), (True, {}, {})],
)
def test_ipv6_is_left_out_where_it_would_change_the_host(
    engine: FakeEngine, stand_in: StandIn, six: bool, obstacles: dict[int, str], settings: dict[str, Any]
) -> None:
    stand_in.obstacles = obstacles
    config = DaemonConfig("/etc/docker/daemon.json", True, settings)
    assert publishing.publishing(run(engine, daemon_config=config)).known
    assert engine.created[0].get("EnableIPv6", False) is six
    assert stand_in.left_out == list(obstacles)


@pytest.mark.parametrize("obstacle", ["rules", "forwarding", "missing", "lasting", "modules", "raw"])
def test_no_network_is_made_where_it_would_fail_or_leave_something(
    engine: FakeEngine, stand_in: StandIn, obstacle: str
) -> None:
    stand_in.obstacles = {4: obstacle}
    given = run(engine)
    missing = publishing.publishing(given).missing
    assert missing is not None
    assert (missing.kind, engine.created) == ("skip", [])
    assert given.share(publishing.TRIED).obstacle == obstacle


UNPRIVILEGED = Roots("/r", View(container=True, root="/r", live=True, network=True, privileged=False), anchor="1")
RUNNING = Container(
    id="1", name="postfix", image="x", state="running", project="mailcowdockerized", service="postfix-mailcow",
    ports=(PublishedPort("", 25, 25),),
)  # fmt: skip
UP_NOW = replace(ENGINE, containers=(RUNNING,), networks=(EngineNetwork("m", "1", "bridge", (), "br-mailcow", False),))


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"probe": False}, "skip"),
        ({"known": UP_NOW}, "skip"),
        ({"known": replace(ENGINE, components=("Podman Engine",))}, "skip"),
        (
            {
                "roots": Roots(
                    "/r", View(container=True, root="/r", live=True, network=True, privileged=False), anchor="1"
                )
            },
            "unknown",
        ),
        ({"links": None}, "unknown"),
        ({"routes": (Route("10.0.0.0/8", "x", "", 0), Route("172.0.0.0/8", "x", "", 0), *ROUTES)}, "unknown"),
    ],
    ids=["none is wanted", "mailcow is up", "Podman", "no privileges", "no links", "nothing is free"],
)
def test_why_there_is_none(engine: FakeEngine, stand_in: StandIn, given: dict[str, Any], kind: str) -> None:
    missing = publishing.publishing(run(engine, **given)).missing
    assert missing is not None
    assert (missing.kind, engine.created, stand_in.ups) == (kind, [], [])


def test_rules_that_cannot_be_read_keep_it_from_being_made(
    engine: FakeEngine, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unread(_request: Request) -> None:
        raise Underivable("iptables-save: Permission denied")

    monkeypatch.setattr(trial, "Trial", unread)
    missing = publishing.publishing(run(engine)).missing
    assert missing is not None
    assert (missing.cause, missing.detail) == ("denied", "iptables-save: Permission denied")
    assert engine.created == []


def test_the_twin_is_given_what_was_seen_where_that_differs(engine: FakeEngine, stand_in: StandIn) -> None:
    stand_in.finds = DIFFERS, GIVEN
    made = run(engine)
    fact = publishing.publishing(made)
    assert fact.get() == DIFFERS
    assert publishing.given(made, fact) == GIVEN
    assert publishing.given(made, None) == ()
    assert publishing.given(made, Fact.of("test", PublishRun((4,)))) == ()
    assert engine.asked.count("POST /networks/create") == 1


def test_ports_are_told_apart_by_family(engine: FakeEngine) -> None:
    def bound(address: str, port: int) -> dict[str, str]:
        return {"HostIp": address, "HostPort": str(port)}

    ports = {"7325/tcp": [bound("0.0.0.0", 40001), bound("::", 40002)], "7326/tcp": [bound("127.0.0.1", 40003)]}
    network = {
        "IPAddress": "10.1.2.2", "Gateway": "10.1.2.1", "GlobalIPv6Address": "fd12::2", "IPv6Gateway": "fd12::1",
        "NetworkID": "n", "EndpointID": "e",
    }  # fmt: skip
    assert publishing.up({"Id": "c", "NetworkSettings": {"Ports": ports, "Networks": {"x": network}}}) == Up(
        containers={4: "10.1.2.2", 6: "fd12::2"}, gateways={4: "10.1.2.1", 6: "fd12::1"}, ports={4: 40001, 6: 40002},
        local=40003, ids=("c", "n", "e"),
    )  # fmt: skip
    assert publishing.up({"NetworkSettings": 5}) == Up(containers={4: "", 6: ""}, gateways={4: "", 6: ""}, ports={})


def test_the_last_seconds_of_a_run_are_the_twins(engine: FakeEngine, stand_in: StandIn) -> None:
    late = run(engine)
    late.crew.deadline = time.monotonic() + publishing.SPARE - 0.1
    assert not publishing.publishing(late).known
    assert (engine.created, engine.left) == ([], set())
    short = run(engine)
    assert publishing.spare(replace(short, wishes=replace(short.wishes, seconds=5.0))) == 0.5
    assert publishing.spare(replace(short, wishes=replace(short.wishes, seconds=600.0))) == publishing.SPARE
