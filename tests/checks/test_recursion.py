"""network.recursion and network.ping: each cause at each place, and what another check tells already."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from preflight.facts import Asking, Fact, Query, Twin
from preflight.report.model import Result, Status
from tests.build import look, measured, run
from tests.checks.recursions import SERVERS, asking, closed, ended, proxy, recursed, resolver, stripped
from tests.checks.twins import ENGINE, families, journey, rule, twin

GONE = {"a1_1_1_1": "silent", "a8_8_8_8": "silent", "a9_9_9_9": "silent"}
CAUSES: dict[str, Any] = {
    "closed": closed, "udp": ended("silent", "udp"), "tcp": ended("refused", "tcp"), "stripped": stripped,
    "intercepted": resolver, "large": ended("silent", "udp", questions=("keys",)),
    "few": lambda row: closed(row) if row.address in SERVERS[:3] else row,
    "proxied": proxy, "short": ended("silent", "udp", "tcp", questions=("keys",)),
}  # fmt: skip

STATUSES = {"tcp": Status.WARN, "proxied": Status.WARN, "few": Status.UNKNOWN}


def recursion(bridge: Asking | None = None, host: Asking | None = None, **facts: Any) -> Result:
    (row,) = run("network.recursion", look(recursion=recursed(bridge, host), **facts))
    return row


def pings(bridge: Asking | None = None, host: Asking | None = None, **facts: Any) -> dict[str | None, Result]:
    return {row.subject: row for row in run("network.ping", look(recursion=recursed(bridge, host), **facts))}


def test_all_is_well() -> None:
    assert recursion().status is Status.PASS
    assert {row.status for row in pings().values()} == {Status.PASS}
    assert list(pings()) == ["1.1.1.1", "8.8.8.8", "9.9.9.9"]


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("where", ["forwarding", "beyond"])
def test_each_cause_at_its_place(cause: str, where: str) -> None:
    side = asking(CAUSES[cause])
    row = recursion(side, side if where == "beyond" else None)
    assert row.status is STATUSES.get(cause, Status.FAIL)
    assert (measured(row)["cause"], measured(row)["where"]) == (cause, where)
    assert row.remedy is not None
    assert row.remedy.place == ("provider" if where == "beyond" else "host")


def test_rules_of_this_host_against_its_own_packets_are_its_own_firewall() -> None:
    assert measured(recursion(asking(closed), asking(ended("denied", "udp", "tcp"))))["where"] == "own"


def test_what_only_the_host_lacks_does_not_concern_mailcow() -> None:
    row = recursion(None, asking(closed))
    assert row.status is Status.PASS
    assert "does not affect mailcow" in row.message


def test_an_answer_where_nobody_is_shows_interception_however_good_it_looks() -> None:
    side = asking(lambda row: ended("answered", "udp")(row) if row.question == "canary" else row)
    assert measured(recursion(side))["cause"] == "proxied"


def test_one_name_of_all_servers_shows_interception() -> None:
    side = asking(lambda row: replace(row, text="dns1") if row.question == "who" else row)
    assert measured(recursion(side))["cause"] == "proxied"


@pytest.mark.parametrize("spoiled", [{"code": 5}, {"records": 0}, {"signed": False}], ids=str)
def test_one_answer_that_is_not_the_zones_own_spoils_a_proxy(spoiled: dict[str, Any]) -> None:
    """A refusal, a referral, or no signature."""

    def change(row: Query) -> Query:
        return replace(proxy(row), **spoiled) if row.address == SERVERS[-1] else proxy(row)

    row = recursion(asking(change))
    assert (row.status, measured(row)["cause"]) == (Status.FAIL, "intercepted")


@pytest.mark.parametrize("spoiled", [{"code": 5, "records": 0}, {"code": 0, "records": 0}], ids=str)
def test_keys_that_are_refused_are_none(spoiled: dict[str, Any]) -> None:
    """Over UDP alone TCP may have them; over both Unbound can check nothing."""

    def change(*protocols: str) -> Asking:
        def refused(row: Query) -> Query:
            if row.question == "keys" and row.protocol in protocols:
                return replace(row, signed=False, size=30, **spoiled)
            return row

        return asking(refused)

    for side, found in ((change("udp"), "large"), (change("udp", "tcp"), "short")):
        row = recursion(side)
        assert (row.status, measured(row)["cause"]) == (Status.FAIL, found)
    row = recursion(change("tcp"))
    assert (row.status, measured(row)["cause"]) == (Status.WARN, "tcp")


def test_what_the_host_fares_better_with_is_its_forwarding() -> None:
    """Though the host lacks something, too: what stops the container is not what stops the host's long answers."""
    host = asking(CAUSES["tcp"])
    row = recursion(asking(closed), host)
    assert (measured(row)["cause"], measured(row)["where"]) == ("closed", "forwarding")
    assert recursion(asking(closed), host, twin=twin()).status is Status.FAIL  # it gets no whole answers itself
    assert measured(recursion(host, host))["where"] == "beyond"


def test_keys_that_are_truncated_need_tcp() -> None:
    def change(row: Query) -> Query:
        return replace(row, truncated=row.question == "keys" and row.protocol == "udp")

    assert recursion(asking(change)).status is Status.PASS
    row = recursion(asking(lambda row: ended("refused", "tcp")(change(row))))
    assert (row.status, measured(row)["cause"]) == (Status.FAIL, "short")


def test_one_silent_server_is_no_finding() -> None:
    side = asking(lambda row: closed(row) if row.address == "198.41.0.4" else row)
    assert recursion(side).status is Status.PASS


def test_without_a_container_on_the_bridge_the_host_can_only_prove_a_failure() -> None:
    refused = Asking(error="network bridge not found")
    assert recursion(refused).status is Status.UNKNOWN
    assert {row.status for row in pings(refused).values()} == {Status.UNKNOWN}
    assert recursion(refused, Asking(error="no")).status is Status.UNKNOWN


@pytest.mark.parametrize("spared", ["modules", "unread"])
def test_where_a_container_would_load_a_module_the_host_can_only_prove_a_failure(spared: Any) -> None:
    nobody = Asking(spared=spared)
    assert recursion(nobody).status is Status.UNKNOWN
    assert recursion(nobody, asking(closed)).status is Status.FAIL
    assert recursion(nobody, asking(ended("denied", "udp", "tcp"))).status is Status.UNKNOWN
    rows = pings(nobody).values()
    assert {row.status for row in rows} == {Status.UNKNOWN}
    assert {"module" in (row.reason or "") for row in rows} == {True}


def test_resolvers_that_are_named_are_the_only_ones_asked() -> None:
    side = Asking(pings=asking().pings)
    assert recursion(side, side).status is Status.SKIP
    assert {row.status for row in pings(side, side).values()} == {Status.PASS}


def test_one_silent_address_is_tolerated() -> None:
    found = pings(asking(a8_8_8_8="silent"))
    assert [row.status for row in found.values()] == [Status.PASS, Status.WARN, Status.PASS]


@pytest.mark.parametrize(("host", "place"), [({}, "host"), (GONE, "provider"), (dict.fromkeys(GONE, "denied"), "host")])
def test_silent_addresses_fail_at_their_place(host: dict[str, Any], place: str) -> None:
    found = pings(asking(**GONE), asking(**host))
    assert {row.status for row in found.values()} == {Status.FAIL}
    for row in found.values():
        assert row.remedy is not None
        assert row.remedy.place == place
        assert ("SKIP_UNBOUND_HEALTHCHECK=y" in row.remedy.text) is (place == "provider")


def test_switching_the_health_check_off_is_no_advice_where_names_fail_too() -> None:
    side = asking(closed, **GONE)
    for row in pings(side, side).values():
        assert row.remedy is not None
        assert "SKIP_UNBOUND_HEALTHCHECK" not in row.remedy.text


@pytest.mark.parametrize(("value", "status"), [("y", Status.SKIP), ("Y", Status.FAIL), ("n", Status.FAIL)])
def test_a_health_check_that_is_switched_off(value: str, status: Status) -> None:
    side = asking(**GONE)
    found = pings(side, side, conf={"SKIP_UNBOUND_HEALTHCHECK": value})
    assert {row.status for row in found.values()} == {status}


def test_pings_that_may_not_be_sent_are_unknown() -> None:
    assert {row.status for row in pings(asking(**dict.fromkeys(GONE, "unable"))).values()} == {Status.UNKNOWN}


@pytest.mark.parametrize("identity", ["network.recursion", "network.ping"])
def test_what_was_not_tried_is_said(identity: str) -> None:
    (row,) = run(identity, look(recursion=Fact.skipped("probe", "--no-probe was given.", cause="no-probe")))
    assert (row.status, row.reason) == (Status.SKIP, "--no-probe was given.")


def stopped(*ports: int) -> Twin:
    """Return a twin in which what mailcow sends to these ports does not get out; without ports, nothing does."""
    given = twin()
    dropped = journey("dropped", rule())
    exits = [replace(one, journey=dropped) if not ports or one.port in ports else one for one in given.exits]
    return replace(given, exits=tuple(exits))


@pytest.mark.parametrize(
    ("ports", "names", "pinged"),
    [((), Status.SKIP, Status.SKIP), ((53,), Status.SKIP, Status.FAIL), ((25,), Status.FAIL, Status.FAIL)],
)
def test_what_the_firewalls_row_tells_is_told_once(ports: tuple[int, ...], names: Status, pinged: Status) -> None:
    side = asking(closed, **GONE)
    assert recursion(side, side, twin=stopped(*ports)).status is names
    assert {row.status for row in pings(side, side, twin=stopped(*ports)).values()} == {pinged}
    assert recursion(twin=stopped(*ports)).status is Status.PASS


def test_rules_that_stop_dockers_own_bridge_and_let_mailcows_out_are_no_finding() -> None:
    side = asking(closed, **GONE)
    row = recursion(side, twin=twin())
    assert row.status is Status.PASS
    assert "lets mailcow's network out" in row.message
    assert {one.status for one in pings(side, twin=twin()).values()} == {Status.SKIP}


@pytest.mark.parametrize("cause", ["stripped", "intercepted", "large"])
def test_what_the_firewalls_row_does_not_try_stays_a_finding(cause: str) -> None:
    assert recursion(asking(CAUSES[cause]), twin=twin()).status is Status.FAIL


@pytest.mark.parametrize("given", [{"families": families("none")}, {"exits": (journey("depends"),)}])
def test_what_is_not_known_of_mailcows_network_excuses_nothing(given: dict[str, Any]) -> None:
    assert recursion(asking(closed), twin=twin(**given)).status is Status.FAIL


def test_what_is_lost_beyond_the_host_is_excused_by_no_rules() -> None:
    assert recursion(asking(closed), asking(closed), twin=twin()).status is Status.FAIL


def test_missing_rules_of_dockers_are_one_cause() -> None:
    """Its own bridge gets nothing out without them; what the host does not get either is another cause."""
    facts: dict[str, Any] = {"twin": twin(tables=()), "engine": ENGINE}
    side = asking(closed, **GONE)
    row = recursion(side, **facts)
    assert (row.status, row.reason) == (
        Status.SKIP,
        "Docker's own rules are missing on this host (see firewall.backend).",
    )
    assert {one.status for one in pings(side, **facts).values()} == {Status.SKIP}
    assert recursion(side, side, **facts).status is Status.FAIL
    assert {one.status for one in pings(side, side, **facts).values()} == {Status.FAIL}
