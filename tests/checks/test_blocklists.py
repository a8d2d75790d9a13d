"""network.blocklists: what a list's word is worth."""

from __future__ import annotations

import pytest

from preflight.facts import Attempt, BlockListed, BlockLists, ConfFile, Goal, Listing, Mirrors, Outgoing, Trial
from preflight.facts.blocklists import Answering, Listed, ListState
from preflight.mailcow import blocklists
from preflight.report.model import Result, Status
from tests import build

OWN, OWN6 = "203.0.113.7", "2001:db8::7"
ZEN = "zen.spamhaus.org"
REACHED = Outgoing((Trial(Goal("ghcr.io", 443), (Attempt("203.0.113.80", "reached"),), "NOERROR"),))


def results(*lists: BlockListed, outgoing: Outgoing = REACHED) -> dict[str | None, Result]:
    look = build.look(blocklists=BlockLists(lists, (OWN,), ("192.0.2.53",)), outgoing=outgoing, ways=())
    return {one.subject: one for one in build.run("network.blocklists", look)}


@pytest.mark.parametrize(
    ("said", "status"),
    [("clear", "pass"), ("listed", "warn"), ("refused", "unknown"), ("wrong", "unknown"), ("failed", "unknown")],
)
def test_one_address(said: Listed, status: str) -> None:
    found = results(BlockListed(ZEN, "alive", (Listing(OWN, said, (4,) if said == "listed" else ()),)))[ZEN]
    assert found.status.value == status
    assert OWN in found.message
    assert build.measured(found) == {"state": "alive", "listed": {OWN: [4]} if said == "listed" else {}}


def test_of_two_addresses_the_listed_one_is_named() -> None:
    found = results(BlockListed(ZEN, "alive", (Listing(OWN, "clear"), Listing(OWN6, "listed", (3,)))))[ZEN]
    assert (found.status, found.message) == (Status.WARN, f"{ZEN} lists {OWN6}. Its answers end in 3.")
    assert found.remedy is not None
    assert "https://check.spamhaus.org/" in found.remedy.text


@pytest.mark.parametrize(
    ("state", "words"),
    [("refused", "refuses queries"), ("all", "dead"), ("none", "dead"), ("failed", "did not answer")],
)
def test_a_list_that_does_not_work_is_unknown(state: ListState, words: str) -> None:
    found = results(BlockListed(ZEN, state), BlockListed("other.example", "alive", (Listing(OWN, "clear"),)))
    assert found[ZEN].status is Status.UNKNOWN
    assert words in found[ZEN].message
    assert found["other.example"].status is Status.PASS


def test_a_dead_resolver_is_told_once() -> None:
    found = results(BlockListed(ZEN, "failed"), BlockListed("other.example", "failed"))
    assert found.pop(None).status is Status.UNKNOWN
    assert {one.status for one in found.values()} == {Status.SKIP}


@pytest.mark.parametrize("state", ["failed", "none"])
def test_without_a_network_outbound_tells_it(state: ListState) -> None:
    nothing = Outgoing((Trial(Goal("192.0.2.1", 53), (Attempt("192.0.2.1", "unsent"),)),))
    found = results(BlockListed(ZEN, state), BlockListed("other.example", state), outgoing=nothing)
    assert {(one.status, one.reason) for one in found.values()} == {
        (Status.SKIP, "This host has no route to the Internet.")
    }


def test_a_list_without_ipv6_on_a_host_with_nothing_else() -> None:
    assert results(BlockListed(ZEN, "alive"))[ZEN].status is Status.SKIP


def test_no_list() -> None:
    assert [one.status for one in results().values()] == [Status.SKIP]


def test_the_usual_lists() -> None:
    rows = blocklists.documented().lists
    assert ZEN in {row.zone for row in rows}
    assert all(row.page.startswith("https://") and blocklists.zone(row.zone) == row.zone for row in rows)


@pytest.mark.parametrize(
    "text", ["", "list", "a..example", "x" * 64 + ".example", "a b.example", ".".join(["x" * 60] * 4)]
)
def test_what_is_no_zone(text: str) -> None:
    with pytest.raises(ValueError, match="is not the zone of a block list"):
        blocklists.zone(text)


def test_a_zone_is_read_as_the_dns_has_it() -> None:
    assert blocklists.zone("List.Example.") == "list.example"


CLOSED = Mirrors("closed")


def beside(listed: BlockListed, mirrors: Mirrors, **settings: bool) -> Result:
    """Judge a list beside what is told of its public servers."""
    conf = ConfFile("/opt/mailcow-dockerized/mailcow.conf", True, {}, **settings)
    lists = BlockLists((listed,), (OWN,), ("192.0.2.53",))
    look = build.look(blocklists=lists, mirrors=mirrors, mailcow_conf=conf, outgoing=REACHED, ways=())
    return build.run("network.blocklists", look)[0]


@pytest.mark.parametrize("state", ["alive", "refused", "failed"])
def test_a_network_that_spamhaus_does_not_answer_needs_a_key(state: ListState) -> None:
    listings = (Listing(OWN, "clear"),) if state == "alive" else ()
    found = beside(BlockListed(ZEN, state, listings), CLOSED)
    assert found.status is Status.WARN
    assert found.remedy is not None
    assert (found.remedy.place, found.remedy.when) == ("mailcow.conf", "now")
    assert "SPAMHAUS_DQS_KEY" in found.remedy.text


def test_an_address_that_is_listed_all_the_same_is_told_with_it() -> None:
    found = beside(BlockListed(ZEN, "alive", (Listing(OWN, "listed", (3,)),)), CLOSED)
    assert found.message.startswith(f"{ZEN} lists {OWN}.")
    assert "does not answer queries from the network" in found.message
    assert found.remedy is not None
    assert "https://check.spamhaus.org/" in found.remedy.text
    assert "SPAMHAUS_DQS_KEY" in found.remedy.text


@pytest.mark.parametrize("outcome", ["open", "busy", "strange", "failed"])
def test_no_other_answer_says_that_it_is_closed(outcome: Answering) -> None:
    assert beside(BlockListed(ZEN, "alive", (Listing(OWN, "clear"),)), Mirrors(outcome)).status is Status.PASS


def test_with_a_key_or_for_another_list_it_is_of_no_matter() -> None:
    clear = (Listing(OWN, "clear"),)
    assert beside(BlockListed(ZEN, "alive", clear), CLOSED, spamhaus_key=True).status is Status.PASS
    assert beside(BlockListed("other.example", "alive", clear), CLOSED).status is Status.PASS
