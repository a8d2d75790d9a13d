"""What another check tells already is no second finding of the firewall's."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from preflight.facts import Address, BindAttempt, Container, Link, PublishedPort, Route
from preflight.report.model import Result, Status
from tests.build import look, run
from tests.checks.twins import ENGINE, families, twin

LINKS = (Link("eth0", 1500, True, (Address("198.51.100.10", 24, "global"),)),)
CLASH = (Route("172.22.1.0/24", "eth0", "198.51.100.1", 0),)
WIDER = (Route("0.0.0.0/0", "eth0", "198.51.100.1", 0),)
BLIND = replace(twin(families=families("blind", doubt="control")), arrivals=(), exits=())


def rows(check: str = "firewall.inbound", **parts: Any) -> list[Result]:
    given = {"twin": twin(), "engine": ENGINE, "links": LINKS, "routes": WIDER, "rules": (), "conf": {}, **parts}
    return run(check, look(**given))


def other(**changed: Any) -> Container:
    made = Container(id="1", name="other", image="x", state="running", ports=(PublishedPort("", 25, 25),))
    return replace(made, **changed)


def test_a_port_of_another_container_is_left_to_ports_free() -> None:
    found = {row.subject: row for row in rows(engine=replace(ENGINE, containers=(other(),)))}
    assert found["25/tcp"].status is Status.SKIP
    assert found["25/tcp"].message is not None
    assert "ports.free" in found["25/tcp"].message
    assert found["465/tcp"].status is Status.PASS


@pytest.mark.parametrize(
    "changed",
    [{"state": "exited"}, {"run": "ours"}, {"project": "mailcowdockerized", "service": "postfix-mailcow"}],
)
def test_one_that_has_the_port_no_more_or_is_mailcows_or_ours_is_none(changed: dict[str, str]) -> None:
    found = {row.subject: row for row in rows(engine=replace(ENGINE, containers=(other(**changed),)))}
    assert found["25/tcp"].status is Status.PASS


def test_an_address_that_the_host_lacks_is_left_to_ports_free() -> None:
    binds = (BindAttempt("203.0.113.9", 80, "EADDRNOTAVAIL"), BindAttempt("0.0.0.0", 25, "free"))
    found = {row.subject: row for row in rows(binds=binds, conf={"HTTP_BIND": "203.0.113.9"})}
    assert found["203.0.113.9:80/tcp"].status is Status.SKIP
    assert found["25/tcp"].status is Status.PASS


@pytest.mark.parametrize("check", ["firewall.inbound", "firewall.forwarding"])
def test_a_network_that_meets_mailcows_is_left_to_network_subnet(check: str) -> None:
    found = rows(check, twin=BLIND, routes=CLASH)
    assert {row.status for row in found} == {Status.SKIP}
    assert all(row.message and "network.subnet" in row.message for row in found)
    assert {row.status for row in rows(check, twin=BLIND)} == {Status.UNKNOWN}
    # What carried packets is judged by them.
    assert {row.status for row in rows(check, routes=CLASH)} == {Status.PASS}
