"""No loss becomes a pass: every mix of verdicts and families, for connections in either direction."""

from __future__ import annotations

from typing import Any, Literal, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from preflight.checks.firewall import verdicts
from preflight.facts import Arrival, Culprit, DaemonConfig, Exit, Family, Journey, Twin
from preflight.facts.twin import Verdict
from preflight.report.evidence.firewall import FamilyEvidence
from preflight.report.model import Result, Status
from tests.build import look, measured, run
from tests.checks.hosts import release
from tests.checks.twins import ENGINE, EXITS, State, docker_tables, families, journey, managers, rule, twin

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
STATES: tuple[State, ...] = get_args(State)
FACTS: dict[str, Any] = {"os_release": release(), "engine": ENGINE, "services": managers(), "conf": {}}
OFF = DaemonConfig("/etc/docker/daemon.json", True, {"iptables": False})


def inbound(given: Twin, **facts: Any) -> Result:
    rows = run("firewall.inbound", look(twin=given, **{**FACTS, **facts}))
    return next(row for row in rows if row.subject == "25/tcp")


def forwarding(given: Twin, **facts: Any) -> Result:
    [row] = run("firewall.forwarding", look(twin=given, **{**FACTS, **facts}))
    return row


def meant(states: dict[int, State], told: dict[int, list[Verdict]]) -> Status:
    """Say what has to come out: written from the verdicts, not as the checks go through them."""
    counted: list[str] = []
    for version, state in states.items():
        if state == "blind" or (state == "judged" and not told[version]):
            counted.append("unknown")
        elif state == "judged":
            counted += told[version]
    if {"dropped", "refused", "oneway", "elsewhere", "proxy"} & set(counted):
        return Status.FAIL
    return Status.PASS if counted and set(counted) == {"delivered"} else Status.UNKNOWN


STATE, VERDICT = st.sampled_from(STATES), st.sampled_from(VERDICTS)


@settings(max_examples=50)  # each runs the check for every port
@given(STATE, STATE, st.lists(VERDICT, max_size=1), st.lists(VERDICT, max_size=1), st.lists(VERDICT, max_size=2))
def test_connections_pass_where_all_families_that_count_deliver(
    four: State, six: State, of_four: list[Verdict], of_six: list[Verdict], near: list[Verdict]
) -> None:
    journeys = [journey(verdict) for verdict in of_four] + [journey(verdict, version=6) for verdict in of_six]
    both: tuple[tuple[Verdict, Literal[4, 6]], ...] = tuple(zip(near, (4, 6), strict=False))
    journeys += [journey(verdict, version=version, source="neighbour") for verdict, version in both]
    result = inbound(replace(twin(*journeys), families=families(four, six)) if journeys else empty(four, six))
    assert result.status is meant({4: four, 6: six}, {4: of_four, 6: of_six})
    assert (result.reason is not None) is (result.status is Status.UNKNOWN)
    assert (result.remedy is not None) is (result.status is not Status.PASS)


def empty(four: State, six: State) -> Twin:
    return replace(twin(), arrivals=(), exits=(), families=families(four, six))


@given(STATE, STATE, st.lists(VERDICT, max_size=5), st.lists(VERDICT, max_size=5))
def test_connections_get_out_where_all_of_every_family_that_counts_do(
    four: State, six: State, of_four: list[Verdict], of_six: list[Verdict]
) -> None:
    sent = [(journey(verdict), one) for verdict, one in zip(of_four, EXITS, strict=False)]
    sent += [(journey(verdict, version=6), one) for verdict, one in zip(of_six, EXITS, strict=False)]
    exits = tuple(Exit(protocol, port, one) for one, (protocol, port) in sent)
    result = forwarding(replace(empty(four, six), exits=exits))
    assert result.status is meant({4: four, 6: six}, {4: of_four, 6: of_six})
    assert (result.reason is not None) is (result.status is Status.UNKNOWN)
    assert (result.remedy is not None) is (result.status is not Status.PASS)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_verdict_is_judged_and_only_what_arrives_passes(verdict: Verdict) -> None:
    status = verdicts.status(journey(verdict))
    assert (status is Status.PASS) is (verdict == "delivered")
    assert (status is Status.UNKNOWN) is (verdict in ("depends", "unknown"))


def test_the_worst_of_some_statuses() -> None:
    assert verdicts.worst([Status.PASS, Status.UNKNOWN, Status.FAIL]) is Status.FAIL
    assert verdicts.worst([Status.PASS, Status.UNKNOWN]) is Status.UNKNOWN
    assert verdicts.worst([Status.PASS]) is Status.PASS


# --- whose journey it is ----------------------------------------------------------------------------------------------


def arriving(*journeys: Journey, address: str = "", port: int = 25, six: State = "off") -> Twin:
    return replace(twin(families=families(six=six)), arrivals=(Arrival(address, port, journeys),))


@pytest.mark.parametrize(
    ("made", "status"),
    [
        (arriving(journey()), Status.PASS),
        (arriving(journey(source="neighbour")), Status.UNKNOWN),
        (arriving(journey(version=6)), Status.UNKNOWN),
        (arriving(journey(), port=26), Status.UNKNOWN),
        (arriving(journey(), address="198.51.100.7"), Status.UNKNOWN),
        (arriving(journey(), six="judged"), Status.UNKNOWN),
        (arriving(), Status.UNKNOWN),
    ],
    ids=["its own", "a neighbour's", "the other family's", "another port's", "another address's", "one of two", "none"],
)
def test_a_journey_counts_for_its_own_port_family_and_source(made: Twin, status: Status) -> None:
    assert inbound(made).status is status


def test_a_bound_address_leaves_the_other_family_out() -> None:
    near = journey("dropped", rule(family="ip6"), version=6)
    made = replace(twin(families=families(six="judged")), arrivals=(Arrival("2001:db8::7", 25, (journey(), near)),))
    rows = run("firewall.inbound", look(twin=made, **{**FACTS, "conf": {"SMTP_PORT": "[2001:db8::7]:25"}}))
    row = next(row for row in rows if "2001:db8::7" in row.subject)
    assert row.status is Status.FAIL
    assert measured(row)["families"]["ipv4"] is None


# --- what is said -----------------------------------------------------------------------------------------------------


def test_each_way_to_lose_packets_has_its_own_sentence_and_families() -> None:
    six = journey("refused", rule("ufw6-reject-forward", family="ip6", rule="-j REJECT"), version=6)
    result = inbound(arriving(journey("dropped", rule()), six, six="judged"))
    assert "they are dropped (IPv4)." in result.message
    assert "they are refused (IPv6)." in result.message
    assert result.found == "dropped"
    assert result.detail == "-A FORWARD -j DROP\n-j REJECT"
    assert result.message.index("(IPv4)") < result.message.index("FORWARD chain") < result.message.index("(IPv6)")


@pytest.mark.parametrize(
    ("six", "words"),
    [("none", "This host has no address with a default route for IPv6."), ("off", "mailcow does not use IPv6.")],
)
def test_a_family_that_does_not_count_is_said_to_those_who_pass(six: State, words: str) -> None:
    result = inbound(arriving(journey(), six=six))
    assert words in result.message
    assert "IP versions tested: IPv4." in result.message
    assert measured(result)["families"]["ipv6"]["verdict"] == six
    assert measured(forwarding(twin(families=families(six=six))))["families"]["ipv6"]["verdict"] == six


def test_a_family_that_is_blind_is_unknown_in_the_evidence() -> None:
    result = inbound(replace(arriving(journey("dropped", rule())), families=families(six="blind", doubt="rules")))
    assert result.status is Status.FAIL
    assert measured(result)["families"]["ipv6"]["verdict"] == "unknown"


@pytest.mark.parametrize("verdict", ["dropped", "refused", "oneway", "elsewhere"])
def test_without_a_culprit_the_rules_are_shown_and_nothing_is_changed(verdict: Verdict) -> None:
    for result in (inbound(arriving(journey(verdict))), forwarding(twin(exits=(journey(verdict),)))):
        assert result.remedy is not None
        assert result.remedy.commands == ("nft list ruleset", "iptables-save")
        assert "mailcow's bridge." in result.remedy.text
        assert result.detail is None


def test_docker_proxy_alone_is_docker_s_to_put_right() -> None:
    result = inbound(arriving(journey("proxy")))
    assert result.remedy is not None
    assert result.remedy.commands == ("systemctl restart docker",)
    assert "which may make it an open relay." in result.message
    assert "open relay" not in inbound(arriving(journey("dropped"))).message


def test_docker_that_may_not_write_rules_is_the_cause_of_what_does_not_get_out() -> None:
    result = forwarding(twin(exits=(journey("dropped", rule()),)), daemon_config=OFF)
    assert result.remedy is not None
    assert result.remedy.text == "Let Docker manage the firewall (see docker.daemon-config)."


def test_ports_are_named_where_others_get_out() -> None:
    lost = {25: journey("dropped", rule()), 443: journey("dropped", rule())}
    given = twin()
    exits = tuple(replace(one, journey=lost.get(one.port, one.journey)) for one in given.exits)
    result = forwarding(replace(given, exits=exits))
    assert "Affected ports: 25/tcp, 443/tcp." in result.message
    assert measured(result)["families"]["ipv4"]["ports"] == ["25/tcp", "443/tcp"]
    assert "concerned" not in forwarding(twin(exits=(journey("dropped", rule()),))).message


@pytest.mark.parametrize("check", [inbound, forwarding])
def test_what_a_program_said_is_no_sentence_of_ours(check: Any) -> None:
    blind = twin(families=families("blind", doubt="rules", detail="nft: No such file"))
    result = check(replace(blind, arrivals=(), exits=()))
    assert (result.status, result.detail) == (Status.UNKNOWN, "nft: No such file")
    assert "nft:" not in result.message
    quiet = check(replace(blind, families=families("blind", doubt="rules")))
    assert quiet.detail is None
    depends = twin(journey("depends", depends=("limit",)), exits=(journey("depends", depends=("limit",)),))
    assert check(replace(depends, families=families(detail="x"))).detail is None


# --- the evidence -----------------------------------------------------------------------------------------------------

ENDS = ("eth0", "br-mailcow")


def evidence(one: Journey) -> FamilyEvidence:
    return verdicts.evidence(one, None, None, ENDS)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_way_ends_where_the_packet_did(verdict: Verdict) -> None:
    arrived = verdict in ("delivered", "oneway")
    assert evidence(journey(verdict)).way == (ENDS if arrived else ENDS[:1])


@pytest.mark.parametrize(
    ("culprit", "table", "chain", "number", "text"),
    [
        (rule(), "ip filter", "FORWARD", 12, "-A FORWARD -j DROP"),
        (rule(handle=0, number=4), "ip filter", "FORWARD", 0, "-A FORWARD -j DROP"),
        (rule(handle=None, number=4, family=""), "filter", "FORWARD", 4, "-A FORWARD -j DROP"),
        (Culprit(kind="rule", backend="ip_tables", family="ip", table="raw", chain="x", number=3), "raw", "x", 3, None),
        (Culprit(kind="route"), None, None, None, None),
        (None, None, None, None, None),
    ],
)  # fmt: skip
def test_what_is_not_known_of_a_culprit_is_null(
    culprit: Culprit | None, table: str | None, chain: str | None, number: int | None, text: str | None
) -> None:
    lost = journey("dropped", culprit)
    found = verdicts.evidence(lost, replace(lost, source="neighbour"), None, ENDS)
    assert found.lan is not None
    for one in (found, found.lan):
        assert (one.table, one.chain, one.handle, one.rule) == (table, chain, number, text)
    assert found.owner is None


@pytest.mark.parametrize("lost", [journey("dropped", rule()), journey("proxy")])
def test_rules_of_docker_that_are_gone_are_the_only_cause(lost: Journey) -> None:
    gone = replace(twin(lost, exits=(lost,)), tables=docker_tables()[:1])
    for result in (inbound(gone), forwarding(gone)):
        assert result.remedy is not None
        assert result.remedy.text.startswith("Docker's own rules are missing on this host (see firewall.backend).")


def test_facts_with_no_family_at_all_are_unknown() -> None:
    bare: tuple[Family, ...] = ()
    made = replace(twin(), families=bare)
    assert inbound(made).status is Status.UNKNOWN
    assert forwarding(made).status is Status.UNKNOWN
