"""network.outbound: each connection by itself, and what stops them all told once."""

from __future__ import annotations

import msgspec
import pytest

from preflight.facts import Engine, Fact, Way
from preflight.facts.outgoing import Attempt, Goal, Names, Outcome, Outgoing, Trial
from preflight.report.model import Result, Status
from tests import build

V4, V6 = "192.0.2.10", "2001:db8::10"
WAYS = (Way(destination="1.1.1.1", interface="eth0"), Way(destination="2606:4700:4700::1111", interface="eth0"))
ENGINE = Engine(version="28.5.2", api_version="1.51", proxies={"HTTPS_PROXY": "http://proxy.example:3128"})


def trial(goal: Goal, ipv4: Outcome | None = None, ipv6: Outcome | None = None, names: Names = "NOERROR") -> Trial:
    """Make a trial of a goal, each with addresses of its own."""
    number = sum(map(ord, goal.host)) % 200
    attempts = [
        Attempt(f"{prefix}{number}", outcome)
        for prefix, outcome in (("192.0.2.", ipv4), ("2001:db8::", ipv6))
        if outcome is not None
    ]
    return Trial(goal, tuple(attempts), names)


def results(*trials: Trial, servers: tuple[str, ...] = ("192.0.2.53",), **facts: object) -> dict[str | None, Result]:
    given = {"ways": WAYS, "outgoing": Outgoing(trials, servers), **facts}
    return {one.subject: one for one in build.run("network.outbound", build.look(**given))}


def goals(count: int) -> list[Goal]:
    return [Goal(f"{'abcdefgh'[n]}.example", 443, speech="tls", use="rules") for n in range(count)]


ONE = Goal("ghcr.io", 443, speech="tls", use="updates")
OTHER = Goal("b.example", 53, "udp", "dns")
SUBJECT = "ghcr.io:443/tcp"


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "status", "words"),
    [
        pytest.param("reached", "reached", "pass", "reachable over IPv4, IPv6.", id="both"),
        pytest.param("reached", None, "pass", "reachable over IPv4.", id="no-ipv6-address"),
        pytest.param("reached", "late", "pass", "reachable over IPv4.", id="one-late"),
        pytest.param("reached", "filtered", "warn", "does not answer over IPv6.", id="ipv6-dropped"),
        pytest.param("filtered", "filtered", "warn", "does not answer over IPv4, IPv6.", id="dropped"),
        pytest.param("refused", None, "warn", "over IPv4 are refused.", id="refused"),
        pytest.param("prohibited", None, "warn", "A firewall prohibits connections", id="prohibited"),
        pytest.param("unreachable", None, "warn", "is unreachable over IPv4.", id="unreachable"),
        pytest.param("foreign", "reached", "warn", "intercepted", id="intercepted"),
        pytest.param("mute", None, "unknown", "does not respond as expected", id="mute"),
        pytest.param("silent", None, "unknown", "did not answer over UDP", id="silent"),
        pytest.param("late", None, "unknown", "This run reached its deadline", id="late"),
    ],
)
def test_one_connection(ipv4: Outcome, ipv6: Outcome | None, status: str, words: str) -> None:
    found = results(trial(ONE, ipv4, ipv6), trial(OTHER, "reached", "reached"))
    assert set(found) == {SUBJECT, "b.example:53/udp"}
    assert found[SUBJECT].status.value == status
    assert words in found[SUBJECT].message
    wanted = {"IPv4": ipv4} | ({"IPv6": ipv6} if ipv6 else {})
    assert build.measured(found[SUBJECT])["families"] == wanted


@pytest.mark.parametrize(
    ("names", "status", "words"),
    [
        ("NXDOMAIN", "warn", "ghcr.io does not exist"),
        ("NODATA", "warn", "has no address for ghcr.io"),
        ("blocked", "warn", "answers 0.0.0.0 for ghcr.io"),
        ("failed", "unknown", "did not resolve ghcr.io"),
        ("timeout", "unknown", "did not resolve ghcr.io"),
    ],
)
def test_one_name(names: Names, status: str, words: str) -> None:
    found = results(trial(ONE, names=names), trial(OTHER, "reached"))
    assert found[SUBJECT].status.value == status
    assert words in found[SUBJECT].message
    assert found["b.example:53/udp"].status is Status.PASS


def test_who_refused_and_what_was_said_instead() -> None:
    refused = Trial(ONE, (Attempt(V4, "refused", error="ECONNREFUSED", by="198.51.100.1"),), "NOERROR")
    assert "The message came from 198.51.100.1." in results(refused, trial(OTHER, "reached"))[SUBJECT].message
    foreign = Trial(ONE, (Attempt(V4, "foreign", said="HTTP/1.1 511"),), "NOERROR")
    assert results(foreign, trial(OTHER, "reached"))[SUBJECT].detail == "HTTP/1.1 511"


# --- one cause, one finding ----------------------------------------------------------------------------------


def told_once(found: dict[str | None, Result], cause: str | None, status: str, words: str) -> None:
    """Hold that there is one finding, and that all others are skipped with its reason."""
    others = {subject: one for subject, one in found.items() if subject != cause}
    assert found[cause].status.value == status
    assert words in found[cause].message
    assert others
    assert {one.status for one in others.values()} == {Status.SKIP}
    assert all(one.reason and one.reason in found[cause].message for one in others.values())


@pytest.mark.parametrize("named", [False, True], ids=["addresses", "names"])
def test_no_route(named: bool) -> None:
    """Neither names nor connections get anywhere, and the kernel says so."""
    trials = [trial(goal, names="failed") if named else trial(goal, "unsent", "unsent") for goal in goals(3)]
    ways = tuple(msgspec.structs.replace(way, interface="", error="ENETUNREACH") for way in WAYS)
    told_once(results(*trials, ways=ways), None, "warn", "no route to the Internet")


@pytest.mark.parametrize(
    ("names", "servers", "status", "words"),
    [
        pytest.param("timeout", ("192.0.2.53",), "unknown", "did not resolve a single name: 192.0.2.53.", id="silent"),
        pytest.param("failed", ("192.0.2.53",), "unknown", "did not resolve a single name", id="broken"),
        pytest.param("NXDOMAIN", ("192.0.2.53",), "warn", "know none of the names", id="denies-all"),
        pytest.param("no-server", (), "unknown", "This host has no name server.", id="none"),
    ],
)
def test_no_resolver(names: Names, servers: tuple[str, ...], status: str, words: str) -> None:
    told_once(results(*[trial(goal, names=names) for goal in goals(3)], servers=servers), None, status, words)


def test_without_names_addresses_are_judged_all_the_same() -> None:
    literal = trial(Goal("192.0.2.1", 53, "udp"), "reached", names="")
    found = results(*[trial(goal, names="timeout") for goal in goals(3)], literal)
    assert found["192.0.2.1:53/udp"].status is Status.PASS
    assert [one.status.value for one in found.values()].count("skip") == 3


@pytest.mark.parametrize("outcome", ["filtered", "refused", "prohibited", "unreachable"])
def test_all_of_a_family_fails_alike(outcome: Outcome) -> None:
    """IPv6 does not get out: one row, and each connection is judged by IPv4 alone."""
    found = results(*[trial(goal, "reached", outcome) for goal in goals(4)])
    assert {one.status for subject, one in found.items() if subject != "IPv6"} == {Status.PASS}
    assert found["IPv6"].status is Status.WARN


def test_everything_is_filtered() -> None:
    told_once(results(*[trial(goal, "filtered", "unsent") for goal in goals(4)]), None, "warn", "IPv4 is answered")


def test_a_host_without_ipv6_has_no_finding_of_it_here() -> None:
    """It is for network.ipv6 to judge; what has no other address is skipped."""
    only = Goal("ip6.example", 80, use="addresses")
    found = results(*[trial(goal, "reached", "unsent") for goal in goals(3)], trial(only, None, "unsent"))
    assert found.pop("ip6.example:80/tcp").reason == "This host has no IPv6 route to the Internet."
    assert {one.status for one in found.values()} == {Status.PASS}


def test_a_few_that_fail_alike_are_told_one_by_one() -> None:
    found = results(*[trial(goal, "filtered") for goal in goals(2)])
    assert [one.status for one in found.values()] == [Status.WARN, Status.WARN]


# --- proxies and what is missing -----------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "status"), [("filtered", "skip"), ("reached", "pass")])
def test_the_proxy_of_the_engine(outcome: Outcome, status: str) -> None:
    goal = Goal("ghcr.io", 443, speech="tls", use="images")
    found = results(trial(goal, outcome), trial(OTHER, "reached"), engine=ENGINE)[SUBJECT]
    assert found.status.value == status
    assert ("http://proxy.example:3128" in (found.reason or "")) is (status == "skip")


def test_the_proxy_of_the_shell() -> None:
    trials = (trial(ONE, "filtered"), trial(OTHER, "reached"))
    found = results(outgoing=Outgoing(trials, (), {"HTTPS_PROXY": "http://proxy.example:3128"}), engine=ENGINE)
    assert found[SUBJECT].status is Status.SKIP


@pytest.mark.parametrize("kind", ["unknown", "skip"])
def test_what_was_not_tried_is_one_row(kind: str) -> None:
    fact: Fact[Outgoing] = Fact.unknown("x", "It was late.") if kind == "unknown" else Fact.skipped("x", "It was late.")
    (found,) = results(outgoing=fact).values()
    assert (found.subject, found.status.value, found.reason) == (None, kind, "It was late.")


def test_nothing_to_try() -> None:
    (found,) = results().values()
    assert found.status is Status.SKIP


def test_a_firewall_of_the_hosts_own_has_two_words_for_one_cause() -> None:
    """What it drops is silence for TCP, and an error for whoever sends a datagram."""
    datagrams = [Goal(f"{name}.example", 53, "udp") for name in "xy"]
    trials = [*(trial(goal, "filtered") for goal in goals(3)), *(trial(goal, "prohibited") for goal in datagrams)]
    found = results(*trials)
    assert found.pop("IPv4").status is Status.WARN
    assert {one.status for one in found.values()} == {Status.SKIP}


def test_failures_of_several_kinds_are_told_one_by_one() -> None:
    outcomes: tuple[Outcome, ...] = ("filtered", "refused", "prohibited", "unreachable")
    found = results(*[trial(goal, outcome) for goal, outcome in zip(goals(4), outcomes, strict=True)])
    assert [one.status for one in found.values()] == [Status.WARN] * 4
    assert len({one.message.split(" ", 1)[0] for one in found.values()}) > 1


@pytest.mark.parametrize(
    ("senders", "named"), [(("198.51.100.1",) * 3, True), (("198.51.100.1", "198.51.100.2", ""), False)]
)
def test_who_stops_a_whole_family_is_named_where_it_is_one(senders: tuple[str, ...], named: bool) -> None:
    trials = [
        Trial(goal, (Attempt(f"192.0.2.{number}", "prohibited", by=sender),), "NOERROR")
        for number, (goal, sender) in enumerate(zip(goals(3), senders, strict=True))
    ]
    assert ("The message came from 198.51.100.1." in results(*trials)["IPv4"].message) is named


def test_everything_is_silent() -> None:
    """Neither name servers nor the servers whose addresses are known answer: an uplink that is dead, or filtered."""
    literal = [
        trial(Goal("192.0.2.1", 53), "filtered", names=""),
        trial(Goal("192.0.2.1", 53, "udp"), "silent", names=""),
    ]
    told_once(results(*[trial(goal, names="timeout") for goal in goals(3)], *literal), None, "warn", "Nothing on the")
