"""network.smtp-out: how mail servers of several operators greet, and what stops all of them told once."""

from __future__ import annotations

import pytest

from preflight.facts import Way
from preflight.facts.outgoing import Attempt, Goal, Names, Outcome, Outgoing, Trial
from preflight.mailcow.outgoing import mail_servers
from preflight.report.model import Result, Status
from tests import build

GOALS = mail_servers(())
FIRST, *OTHERS = (f"{goal.host}:25" for goal in GOALS)
WAYS = (Way(destination="1.1.1.1", interface="eth0"), Way(destination="2606:4700:4700::1111", interface="eth0"))
FINE = Outgoing((Trial(Goal("ghcr.io", 443), (Attempt("203.0.113.80", "reached"),), "NOERROR"),))
GREETING = "220 mx.google.com ESMTP"


def trial(goal: Goal, ipv4: Outcome | None, ipv6: Outcome | None = None, said: str = "", by: str = "") -> Trial:
    number = sum(map(ord, goal.host)) % 200
    rows = (("192.0.2.", ipv4), ("2001:db8::", ipv6))
    attempts = tuple(Attempt(f"{net}{number}", one, by=by, said=said) for net, one in rows if one is not None)
    return Trial(goal, attempts, "NOERROR")


def results(*trials: Trial, outgoing: Outgoing = FINE, ways: tuple[Way, ...] = WAYS) -> dict[str | None, Result]:
    look = build.look(smtp=Outgoing(trials, ("192.0.2.53",)), outgoing=outgoing, ways=ways)
    return {one.subject: one for one in build.run("network.smtp-out", look)}


def all_of(ipv4: Outcome | None, ipv6: Outcome | None = None, **more: str) -> list[Trial]:
    return [trial(goal, ipv4, ipv6, **more) for goal in GOALS]


def told_once(found: dict[str | None, Result], cause: str | None, words: str) -> None:
    others = {subject: one.status for subject, one in found.items() if subject != cause}
    assert found[cause].status is Status.WARN
    assert words in found[cause].message
    assert set(others.values()) == {Status.SKIP}
    assert set(others) == {FIRST, *OTHERS}


def test_all_greet() -> None:
    found = results(*all_of("reached", "reached", said=GREETING))
    assert {one.status for one in found.values()} == {Status.PASS}
    assert list(found) == [FIRST, *OTHERS]
    assert build.measured(found[FIRST])["families"] == {"IPv4": "reached", "IPv6": "reached"}
    assert build.measured(found[FIRST])["greeting"] == GREETING


@pytest.mark.parametrize("outcome", ["filtered", "refused", "prohibited", "unreachable", "mute", "late"])
def test_one_that_does_not_answer_is_no_failure_of_the_host(outcome: Outcome) -> None:
    found = results(trial(GOALS[0], outcome), *all_of("reached")[1:])
    assert found[FIRST].status is Status.UNKNOWN
    assert {found[other].status for other in OTHERS} == {Status.PASS}


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("filtered", "Connections to port 25 are not answered."),
        ("refused", "Connections to port 25 are refused."),
        ("prohibited", "A firewall prohibits connections to port 25."),
        ("unreachable", "No mail server is reachable on port 25."),
        ("mute", "no mail server sends a greeting"),
    ],
)
@pytest.mark.parametrize("ipv6", [None, "unsent", "filtered"])
def test_port_25_is_blocked(outcome: Outcome, words: str, ipv6: Outcome | None) -> None:
    found = results(*all_of(outcome, ipv6))
    told_once(found, None, words)
    remedy = found[None].remedy
    assert remedy is not None
    assert "ticket" in remedy.text
    assert remedy.place == "provider"


def test_who_said_so_is_named() -> None:
    found = results(*all_of("prohibited", by="198.51.100.1"))
    assert "The message came from 198.51.100.1." in found[None].message


def test_port_25_is_blocked_over_one_ip_version() -> None:
    found = results(*all_of("reached", "filtered"))
    assert found.pop("IPv6").status is Status.WARN
    assert {one.status for one in found.values()} == {Status.PASS}


def test_a_host_without_ipv6_has_no_finding_of_it_here() -> None:
    found = results(*all_of("reached", "unsent"))
    assert {one.status for one in found.values()} == {Status.PASS}


def test_interception_of_all_is_told_once_and_quoted() -> None:
    found = results(*all_of("foreign", said="220 ********"))
    told_once(found, None, "Port 25 is intercepted")
    assert found[None].detail == "220 ********"


def test_interception_of_one() -> None:
    found = results(trial(GOALS[0], "foreign", said="220 isp.example"), *all_of("reached")[1:])
    assert (found[FIRST].status, found[FIRST].detail) == (Status.WARN, "220 isp.example")


def test_an_operator_that_takes_nothing_from_here() -> None:
    found = results(trial(GOALS[0], "unwelcome", said="554 blocked"), *all_of("filtered")[1:])
    assert (found[FIRST].status, found[FIRST].detail) == (Status.WARN, "554 blocked")
    assert {found[other].status for other in OTHERS} == {Status.UNKNOWN}


# --- what network.outbound tells -----------------------------------------------------------------------------


def test_without_a_network_outbound_tells_it() -> None:
    nothing = Outgoing((Trial(Goal("192.0.2.1", 53), (Attempt("192.0.2.1", "unsent"),)),))
    found = results(*all_of("unsent", "unsent"), outgoing=nothing)
    assert {one.status for one in found.values()} == {Status.SKIP}
    assert {one.reason for one in found.values()} == {"This host has no route to the Internet."}


def test_without_names_it_is_told_here_where_outbound_does_not() -> None:
    names: Names = "NXDOMAIN"
    told_once(results(*[Trial(goal, (), names) for goal in GOALS]), None, "know none of the names")


def test_one_name_that_is_not_known_is_the_operators_own() -> None:
    found = results(Trial(GOALS[0], (), "NXDOMAIN"), *all_of("reached")[1:])
    assert found[FIRST].status is Status.UNKNOWN


def test_nothing_to_try() -> None:
    (found,) = results().values()
    assert found.status is Status.SKIP


def test_one_of_two_addresses_is_enough() -> None:
    two = Trial(GOALS[0], (Attempt("192.0.2.1", "filtered"), Attempt("192.0.2.2", "reached")), "NOERROR")
    found = results(two, *all_of("reached")[1:])[FIRST]
    assert (found.status, found.found) == (Status.PASS, "reached")


def test_over_which_ip_versions_is_said() -> None:
    assert results(*all_of("reached", "reached"))[FIRST].message == f"{FIRST} greets this host over IPv4, IPv6."
