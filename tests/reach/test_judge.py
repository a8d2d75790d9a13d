"""What a client met, and what is made of it: who has to do what, and what nobody can tell."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from preflight.reach.document import Reach
from preflight.reach.facts import Outcome
from tests.reach.looks import CLIENT4, FOUR, SIX, attempt, control, found, only, row


def test_all_reached_is_reached() -> None:
    document = found(attempt(25), attempt(443), attempt(25, address=SIX), attempt(13306, "refused", local=True))
    assert (document.verdict, document.findings, document.counts.pass_) == ("reached", (), 4)


@pytest.mark.parametrize("outcome", ["refused", "filtered", "prohibited", "unreachable", "other", "mute", "closed"])
def test_some_ports_and_all_of_them_are_told_apart(outcome: Outcome) -> None:
    some = found(attempt(25), attempt(443, outcome), attempt(993, outcome))
    every = found(attempt(25, outcome), attempt(443, outcome), attempt(13306, "refused", local=True))
    assert (only(some).id, only(some).ports, some.verdict) == (f"{outcome}-some", (443, 993), "not-reached")
    assert (only(every).id, every.verdict) == (f"{outcome}-all", "not-reached")
    assert row(every, 13306).status == "pass"


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_every_outcome_is_said_whole(outcome: Outcome) -> None:
    for local in (False, True):
        document = found(attempt(25, outcome, local=local, by="192.0.2.1", error="EHOSTUNREACH", said="220 x"))
        said = [row(document).message, *(part for one in document.findings for part in (one.message, one.remedy))]
        assert all(text and "{" not in text for text in said)


def test_families_are_told_apart() -> None:
    document = found(attempt(25), attempt(443), attempt(25, "filtered", SIX), attempt(443, "filtered", SIX))
    assert (only(document).id, only(document).address) == ("filtered-all", SIX)
    assert "IPv6" in only(document).remedy


def test_a_database_that_answers_is_a_failure() -> None:
    document = found(attempt(25), attempt(13306, local=True))
    assert (only(document).id, document.verdict) == ("local-open", "not-reached")


# --- port 25 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["filtered", "refused", "prohibited", "closed"])
def test_port_25_alone_may_be_closed_here(outcome: Outcome) -> None:
    document = found(attempt(25, outcome), attempt(443), controls=(control(False),))
    assert (only(document).id, row(document).status, document.verdict) == ("port-25", "unknown", "undetermined")


def test_port_25_is_closed_there_where_others_are_reached() -> None:
    document = found(attempt(25, "filtered"), attempt(443), controls=(control(False), control(True)))
    assert (only(document).id, document.verdict) == ("filtered-some", "not-reached")


def test_without_anything_reached_port_25_is_as_the_others() -> None:
    document = found(attempt(25, "filtered"), attempt(443, "filtered"), controls=(control(False),))
    assert only(document).id == "filtered-all"


def test_a_proxy_of_this_network_says_the_same_everywhere() -> None:
    said = "220 proxy.isp.example ready"
    proxied = found(attempt(25, "other", said=said), attempt(443), controls=(control(True, said),))
    old = found(attempt(25, "other", said="220 old.example.org"), attempt(443), controls=(control(True),))
    assert (only(proxied).id, proxied.verdict) == ("port-25", "undetermined")
    assert (only(old).id, old.verdict) == ("other-some", "not-reached")


# --- what an answer does not tell ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        {"same_kernel": True},
        {"address": "192.168.1.5", "client": "192.168.1.9", "seen_as": "192.168.1.9"},
        {"address": "127.0.0.1", "client": "127.0.0.1", "seen_as": "172.22.1.1"},
        {"client": "198.51.100.99", "seen_as": "198.51.100.99"},  # the same subnet
        {"client": "192.168.1.9", "seen_as": FOUR},  # behind the same router
        {"client": "10.8.0.2", "seen_as": "10.8.0.2"},  # by a tunnel
        {"address": SIX, "client": "2001:db8:7::9", "seen_as": "2001:db8:7::9"},
    ],
)
def test_from_near_by_it_proves_little(more: dict[str, Any]) -> None:
    document = found(attempt(25, **more), attempt(443, **more))
    assert (only(document).id, document.verdict) == ("near", "undetermined")


def test_a_host_that_sees_its_own_network_would_be_an_open_relay() -> None:
    document = found(
        attempt(25, seen_as="172.22.1.1"), attempt(443, address=SIX, seen_as="172.22.1.1", own="172.22.1.9")
    )
    assert {(one.id, one.address) for one in document.findings} == {("relay", FOUR), ("relay", SIX)}
    assert document.verdict == "not-reached"


def test_a_router_that_hides_who_comes() -> None:
    hidden = found(attempt(25, seen_as="192.168.1.1"))
    perhaps = found(attempt(25, seen_as="192.168.1.1", client="172.17.0.2"))
    assert (only(hidden).id, hidden.verdict) == ("rewritten", "not-reached")
    assert (only(perhaps).id, perhaps.verdict) == ("rewritten-here", "undetermined")


def test_somebody_between_with_a_public_address_is_told() -> None:
    document = found(attempt(25, seen_as="192.0.2.80"), attempt(443))
    assert (only(document).id, only(document).ports, document.verdict) == ("between", (25,), "undetermined")
    assert "192.0.2.80" in only(document).message
    assert CLIENT4 in only(document).message


def test_nat_on_this_side_is_as_usual() -> None:
    assert found(attempt(25, client="192.168.1.9", seen_as=CLIENT4)).verdict == "reached"


def test_a_port_that_leads_to_another() -> None:
    document = found(attempt(25), attempt(465, inside=465, heard_at=587))
    assert (only(document).id, only(document).ports) == ("crossed", (465,))


def test_without_ipv6_here_nobody_knows() -> None:
    document = found(attempt(25), attempt(25, "unsent", SIX, error="ENETUNREACH"))
    assert (only(document).id, document.verdict) == ("no-way", "undetermined")


def test_what_is_over_says_nothing_of_the_ports() -> None:
    document = found(attempt(25, "refused"), attempt(443, "filtered"), now=3_000)
    assert (only(document).id, document.verdict) == ("expired", "undetermined")
    assert found(attempt(25), attempt(443, "filtered"), now=3_000).verdict == "not-reached"  # a clock that is fast


def test_a_hold_that_ends_while_ports_are_tried_leaves_the_others_open() -> None:
    attempts = attempt(25), attempt(443, "refused"), attempt(13306, "refused", local=True)
    document = found(*attempts, now=1_996, seconds=6.0)
    assert (only(document).id, only(document).ports, document.verdict) == ("expired", (443, 13306), "undetermined")
    assert found(*attempts, now=1_990, seconds=6.0).verdict == "not-reached"


def test_a_database_is_not_known_to_be_safe_when_all_is_over() -> None:
    assert row(found(attempt(13306, "refused", local=True), now=3_000), 13306).status == "unknown"


# --- names -----------------------------------------------------------------------------------------------------------


def leads(to: str, outcome: Outcome, **more: Any) -> Reach:
    return found(attempt(25), attempt(25, outcome, to), resolved=(to,), **more)


def test_a_name_that_leads_to_another_host() -> None:
    document = leads("198.51.100.66", "closed")
    assert (only(document).id, only(document).address, only(document).place) == ("elsewhere", "198.51.100.66", "dns")


def test_an_address_that_leads_there_is_the_hosts_whoever_knows_of_it() -> None:
    assert leads("198.51.100.66", "reached").verdict == "reached"


def test_a_host_that_knows_private_addresses_alone_cannot_say_so() -> None:
    assert only(leads("198.51.100.66", "filtered", told=("192.168.1.5",))).id == "filtered-some"


def test_nothing_to_try_is_nothing_found_out() -> None:
    document = found(told=(), resolved=None)
    assert (only(document).id, document.verdict) == ("no-address", "undetermined")
