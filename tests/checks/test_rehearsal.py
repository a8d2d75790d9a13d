"""rehearsal.*: what the rehearsal's ends come to, each with its own words."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from msgspec.structs import replace

from preflight.facts import Asked, Fact, NetworkRun, Outgoing, Rehearsal, Reply
from preflight.facts.rehearsal import UNASKED, Answer, Trouble
from preflight.report.model import Result, Status
from tests.build import look, run
from tests.checks.rehearsals import GATEWAY, NETWORK, TARGET, TARGET6, rehearsal, with_container, with_port

IDS = ("rehearsal.network", "rehearsal.publish", "rehearsal.health", "rehearsal.egress")
OUTGOING = Outgoing(())


def judged(identity: str, played: Rehearsal | Fact[Any], **facts: Any) -> dict[str | None, Result]:
    return {row.subject: row for row in run(identity, look(rehearsal=played, **facts))}


def one(identity: str, played: Rehearsal | Fact[Any], **facts: Any) -> Result:
    (row,) = judged(identity, played, **facts).values()
    return row


def port(played: Rehearsal) -> Result:
    return judged("rehearsal.publish", played)["25/tcp"]


def refused(**changed: Any) -> Rehearsal:
    """Return what comes of a network that the engine refuses."""
    network = NetworkRun(False, "br-mailcow", NETWORK.subnets, "made", **changed)
    return Rehearsal(network=network)


# --- not played ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identity", IDS)
def test_without_the_option_it_is_skipped(identity: str) -> None:
    row = one(identity, UNASKED)
    assert (row.status, row.reason, row.remedy) == (Status.SKIP, "--rehearse was not given.", None)


@pytest.mark.parametrize("identity", IDS[1:])
def test_what_follows_from_a_network_that_is_refused_is_no_second_finding(identity: str) -> None:
    row = one(identity, refused(error="Pool overlaps", cause="overlap"))
    assert (row.status, row.subject) == (Status.UNKNOWN, None)
    assert row.reason
    assert "rehearsal.network" in row.reason


@pytest.mark.parametrize("identity", IDS[1:])
@pytest.mark.parametrize("late", [True, False])
def test_what_was_not_tried_does_not_pass(identity: str, late: bool) -> None:
    ports = tuple(replace(entry, replies=()) for entry in rehearsal().ports)
    rows = judged(identity, rehearsal(asked=False, late=late, exits=(), ports=ports, error="" if late else "no answer"))
    passed = {row.subject for row in rows.values() if row.status is Status.PASS}
    # All containers were up before anything was asked.
    assert passed == (set() if identity != "rehearsal.health" or late else {None})


def test_a_rehearsal_whose_time_was_over_at_once_passes_nothing() -> None:
    played = Rehearsal(network=NETWORK, late=True)
    for identity in IDS[1:]:
        assert {row.status for row in judged(identity, played).values()} == {Status.UNKNOWN}


# --- the network ---------------------------------------------------------------------------------------------


def test_a_network_that_is_made() -> None:
    row = one("rehearsal.network", rehearsal())
    assert row.status is Status.PASS
    assert "172.22.1.0/24, fd4d:6169:6c63:6f77::/64" in row.message


@pytest.mark.parametrize("cause", get_args(Trouble))
def test_a_network_that_is_refused(cause: Trouble) -> None:
    row = one("rehearsal.network", refused(error="the engine's own words", cause=cause))
    assert row.status is (Status.UNKNOWN if cause == "rival" else Status.FAIL)
    assert row.detail == "the engine's own words"
    assert row.remedy


@pytest.mark.parametrize("state", ["forwarding", "unknown"])
def test_ipv6_that_was_left_out_is_not_passed(state: Any) -> None:
    row = one("rehearsal.network", rehearsal(network=replace(NETWORK, ipv6=state)))
    assert row.status is Status.UNKNOWN
    assert "IPv6 was not rehearsed" in row.message


@pytest.mark.parametrize(("state", "status"), [("unwanted", Status.PASS), ("missing", Status.WARN)])
def test_ipv6_that_is_not_there(state: Any, status: Status) -> None:
    assert one("rehearsal.network", rehearsal(network=replace(NETWORK, ipv6=state))).status is status


@pytest.mark.parametrize(
    ("variable", "value"),
    [("IPV6_NETWORK", "fd4d:6169:6c63:6f77::"), ("IPV4_NETWORK", "172.22.1.0/24"), ("ENABLE_IPV6", "perhaps")],
)
def test_a_setting_that_cannot_be_used_was_not_rehearsed(variable: str, value: str) -> None:
    """What mailcow's default came to says nothing about what Compose makes of it."""
    row = one("rehearsal.network", rehearsal(), conf={variable: value})
    assert (row.status, variable in (row.reason or "")) == (Status.UNKNOWN, True)
    failed = one("rehearsal.network", refused(error="Pool overlaps", cause="overlap"), conf={variable: value})
    assert failed.status is Status.FAIL


def test_a_fixed_address_that_is_another_one() -> None:
    row = one("rehearsal.network", with_container("unbound-mailcow", given=("172.22.1.9",)))
    assert (row.status, "unbound-mailcow" in row.message) == (Status.FAIL, True)


# --- the ports -----------------------------------------------------------------------------------------------


def test_every_port_has_its_row_in_mailcows_order() -> None:
    rows = judged("rehearsal.publish", rehearsal())
    assert [str(subject) for subject in rows] == [binding.subject for binding in look().plan.bindings]
    assert {row.status for row in rows.values()} == {Status.PASS}


@pytest.mark.parametrize(
    ("cause", "found"),
    [
        ("in-use", "in use"), ("allocated", "in use by a container"), ("no-address", "no such address"),
        ("no-right", "refused"), ("chains", "refused"), ("", "refused"),
    ],
)  # fmt: skip
def test_a_port_that_the_engine_refuses(cause: Trouble, found: str) -> None:
    row = port(with_port(25, published=False, replies=(), error="words", cause=cause, named=True))
    assert (row.status, row.found, row.detail) == (Status.FAIL, found, "words")
    assert row.remedy


def test_ports_that_are_refused_together_are_not_blamed_alone() -> None:
    row = port(with_port(25, published=False, replies=(), error="words", cause="in-use"))
    assert (row.status, row.found) == (Status.FAIL, "refused")
    assert "postfix-mailcow, including 25/tcp" in row.message


@pytest.mark.parametrize("answer", get_args(Answer))
def test_how_a_port_answers(answer: Answer) -> None:
    """What stops the host's own packets tells nothing of others'."""
    replies = (Reply("198.51.100.7", "answered", 0.01), Reply("2001:db8::7", answer, 5.0, said="220 other"))
    row = port(with_port(25, replies=replies))
    expected = {"answered": Status.PASS, "silent": Status.UNKNOWN, "unsent": Status.UNKNOWN}
    assert row.status is expected.get(answer, Status.FAIL)
    assert "2001:db8::7" in row.message


def test_what_somebody_else_says_is_in_no_sentence() -> None:
    row = port(with_port(25, replies=(Reply("198.51.100.7", "other", said="220 evil.example"),)))
    assert (row.detail, "evil" in row.message) == ("220 evil.example", False)


def test_a_port_that_was_tried_nowhere_is_no_pass() -> None:
    assert port(with_port(25, replies=())).status is Status.UNKNOWN


def test_a_port_of_a_container_that_did_not_start() -> None:
    whole = with_container("postfix-mailcow", states=(), error="no", cause="privileges")
    ports = tuple(replace(e, published=False, replies=()) if e.port == 25 else e for e in whole.ports)
    row = port(replace(whole, ports=ports))
    assert row.status is Status.UNKNOWN
    assert "rehearsal.health" in str(row.reason)


# --- containers and their conditions -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "changed", "words"),
    [
        ("dovecot-mailcow", {"error": "rlimit", "cause": "limits"}, "dovecot-mailcow"),
        ("netfilter-mailcow", {"error": "no", "cause": "privileges", "states": ()}, "netfilter-mailcow"),
        ("unbound-mailcow", {"states": ((0.3, "starting"),)}, "never finish: unbound-mailcow"),
        ("unbound-mailcow", {"states": ((0.3, "starting"), (4.0, "unhealthy"))}, "not healthy: unbound-mailcow"),
        ("unbound-mailcow", {"states": ((0.3, "starting"), (4.0, "exited")), "exit_code": 1}, "unbound-mailcow"),
        ("nginx-mailcow", {"states": ((0.3, "running"), (4.0, "exited")), "exit_code": 1}, "exited by themselves"),
    ],
)
def test_what_keeps_mailcow_from_starting(name: str, changed: dict[str, Any], words: str) -> None:
    row = one("rehearsal.health", with_container(name, **changed))
    assert (row.status, words in row.message) == (Status.FAIL, True)


def test_who_waits_for_it_is_named() -> None:
    sick = with_container("unbound-mailcow", states=((0.3, "starting"), (4.0, "unhealthy")), output="no answer")
    unmet = tuple(replace(e, unmet=("unbound-mailcow",)) if e.name == "acme-mailcow" else e for e in sick.containers)
    row = one("rehearsal.health", replace(sick, containers=unmet))
    assert "These containers are still waiting for others: acme-mailcow." in row.message
    assert row.detail == "no answer"


def test_a_port_that_is_refused_is_told_once() -> None:
    """Its container does not start, and what waits for that: this is the port's finding, and no pass."""
    row = one("rehearsal.health", with_port(13306, published=False, replies=(), error="x", cause="in-use", named=True))
    assert row.status is Status.UNKNOWN
    assert "mysql-mailcow" in str(row.reason)
    assert row.evidence.containers["mysql-mailcow"].started is False  # type: ignore[attr-defined]


# --- ways out ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["refused", "silent", "unsent"])
def test_servers_that_the_host_reaches_and_its_containers_do_not(way: Any) -> None:
    row = one("rehearsal.egress", rehearsal(exits=(GATEWAY, replace(TARGET, way=way))), outgoing=OUTGOING)
    assert (row.status, "203.0.113.80:443" in row.message) == (Status.FAIL, True)


def test_one_server_that_is_reached_is_enough() -> None:
    other = replace(TARGET, address="203.0.113.81", way="silent")
    assert one("rehearsal.egress", rehearsal(exits=(GATEWAY, other, TARGET)), outgoing=OUTGOING).status is Status.PASS


def test_ipv6_alone_that_does_not_get_out_is_a_warning() -> None:
    row = one("rehearsal.egress", rehearsal(exits=(TARGET, replace(TARGET6, way="silent"))), outgoing=OUTGOING)
    assert row.status is Status.WARN


def test_offline_nothing_is_promised() -> None:
    row = one("rehearsal.egress", rehearsal(exits=(GATEWAY,)), outgoing=OUTGOING, asked=Asked(offline=True))
    assert row.status is Status.SKIP
    assert "gateway" in str(row.reason)


def test_a_host_that_reaches_nobody_proves_nothing() -> None:
    row = one("rehearsal.egress", rehearsal(exits=(GATEWAY,)), outgoing=OUTGOING)
    assert row.status is Status.UNKNOWN
    assert "network.outbound" in str(row.remedy and row.remedy.text)


def test_a_gateway_to_which_there_is_no_route_is_a_failure() -> None:
    dead = replace(GATEWAY, way="unsent", error="ENETUNREACH")
    assert one("rehearsal.egress", rehearsal(exits=(dead,)), outgoing=OUTGOING).status is Status.FAIL
