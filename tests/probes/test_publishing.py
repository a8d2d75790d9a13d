"""The probe with published ports: a network and a container as asked for, looked at while they are there, then gone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec.structs import replace

from preflight.facts import Fact, PublishRun
from preflight.probes.bench import Trial
from preflight.probes.publication import Publication
from tests.probes.engine import FakeEngine, performed

PUBLISH = (Publication(7325), Publication(7326, address="127.0.0.1"))
FOUND = PublishRun((4, 6))


def tried(engine: FakeEngine, looked: list[Any], subnet6: str = "fd12::/64") -> Fact[Any]:
    def look(said: dict[str, Any]) -> PublishRun:
        looked.append((said["Id"], len(engine.containers) + len(engine.networks)))
        return FOUND

    place = Trial("br-pf0123abcd", "198.18.7.0/28", subnet6, PUBLISH, look)
    return performed("publishing", replace(engine.bench(), trial=place))


def test_rules_are_looked_at_while_the_container_is_up(engine: FakeEngine) -> None:
    looked: list[Any] = []
    assert tried(engine, looked).get() == FOUND
    network, container = engine.created
    assert (network["Driver"], network["EnableIPv6"]) == ("bridge", True)
    assert network["IPAM"]["Config"] == [{"Subnet": "198.18.7.0/28"}, {"Subnet": "fd12::/64"}]
    assert network["Options"] == {"com.docker.network.bridge.name": "br-pf0123abcd"}
    assert container["HostConfig"]["NetworkMode"] == f"id-{network['Name']}"
    assert container["HostConfig"]["PortBindings"] == {
        "7325/tcp": [{"HostIp": "", "HostPort": ""}], "7326/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}],
    }  # fmt: skip
    [(key, there)] = looked
    assert (key, there) == (f"id-{engine.removed[0]}", 2)
    assert engine.asked.index(f"POST /containers/{key}/start") < engine.asked.index(f"GET /containers/{key}/json")
    assert [name.rpartition("-")[2] for name in engine.removed] == ["publishing"] * 2
    assert engine.left == set()


def test_without_ipv6_there_is_one_subnet(engine: FakeEngine) -> None:
    assert tried(engine, [], subnet6="").known
    assert engine.created[0].get("EnableIPv6", False) is False
    assert len(engine.created[0]["IPAM"]["Config"]) == 1


@pytest.mark.parametrize("what", ["networks/create", "containers/create", "start"])
def test_an_engine_that_does_not_want_to_is_told_and_nothing_stays(engine: FakeEngine, what: str) -> None:
    engine.faults[what] = (500, "no more addresses")
    looked: list[Any] = []
    fact = tried(engine, looked)
    assert fact.missing is not None
    assert (fact.missing.kind, fact.missing.detail) == ("unknown", "no more addresses")
    assert (looked, engine.left) == ([], set())


def test_where_nobody_said_what_to_make_nothing_is_made(engine: FakeEngine) -> None:
    fact = performed("publishing", engine.bench())
    assert fact.missing is not None
    assert (fact.missing.kind, engine.created) == ("unknown", [])


def test_on_an_engine_that_is_too_slow_nothing_is_made(engine: FakeEngine) -> None:
    """The twin waits for the probe's network to be gone, and has to have some time left."""
    engine.pace = 0.5
    looked: list[Any] = []
    place = Trial("br-pf0123abcd", "198.18.7.0/28", "", PUBLISH, lambda said: looked.append(said) or FOUND)
    fact = performed("publishing", replace(engine.bench(), trial=place), budget=3.0)
    assert fact.missing is not None
    assert fact.missing.kind == "unknown"
    assert re.fullmatch(
        r"The engine takes \d\.\d s for each request\. That is too slow for this probe\.", fact.missing.reason
    )
    assert "--timeout" not in fact.missing.help
    assert (looked, engine.created) == ([], [])


def test_on_an_engine_that_is_slow_and_not_too_slow_all_is_made(engine: FakeEngine) -> None:
    engine.pace = 0.1
    assert tried(engine, []).known
    assert engine.left == set()
