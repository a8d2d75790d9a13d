"""Names of a host behind NAT: by what address services see it is what its records are held against."""

from __future__ import annotations

from typing import Any

import pytest

from preflight.facts import AddressService, Asked, Route, Sighting
from preflight.net.addresses import vouched_for
from preflight.report.model import Status
from tests.checks.test_dns import NAME, V4, answer, link, one, run, zone
from tests.checks.test_dns import look as judged
from tests.checks.wellhost import text

PRIVATE = (link("10.0.0.2"),)
FIRST, SECOND = "http://ip4.mailcow.email/", "https://ipv4.icanhazip.com/"


def sighting(address: str, url: str = FIRST, version: int = 4) -> Sighting:
    """A service's word; '' = it does not answer."""
    return Sighting(AddressService(url, version), "seen" if address else "failed", address)


BOTH = (sighting(V4), sighting(V4, SECOND))


def look(sightings: tuple[Sighting, ...] = BOTH, **facts: Any) -> Any:
    return judged(**({"links": PRIVATE, "sightings": sightings} | facts))


def test_a_name_that_leads_to_where_the_world_sees_the_host() -> None:
    result = one("address", look(), "A")
    assert result.status is Status.PASS
    assert result.message == f"{NAME} resolves to {V4}, the address of this host on the Internet."


def test_a_name_that_leads_elsewhere_fails_with_the_right_record() -> None:
    result = one("address", look(given=zone(A=answer(NAME, "A", "203.0.113.9"))), "A")
    assert result.status is Status.FAIL
    assert result.remedy is not None
    assert [(entry.name, entry.value) for entry in result.remedy.records] == [(NAME, V4)]


def test_a_name_without_an_address_gets_the_one_that_the_world_sees() -> None:
    result = one("address", look(given=zone(A=answer(NAME, "A"))), "A")
    assert result.remedy is not None
    assert [entry.value for entry in result.remedy.records] == [V4]


def test_the_reverse_name_is_that_of_the_address_that_the_world_sees() -> None:
    assert {subject: found.status for subject, found in run("reverse", look()).items()} == {V4: Status.PASS}


def test_spf_is_evaluated_for_the_address_that_the_world_sees() -> None:
    spf = text("example.org", "v=spf1 ip4:198.51.100.7 -all")
    assert one("spf", look(given=zone(spf=spf)), "example.org").status is Status.PASS
    other = text("example.org", "v=spf1 ip4:203.0.113.9 -all")
    assert one("spf", look(given=zone(spf=other)), "example.org").status is Status.WARN


def test_an_address_of_ones_own_counts_before_any_servicess_word() -> None:
    way = Route("0.0.0.0/0", "eth0", "198.51.100.1", 0)
    seen = (sighting("203.0.113.9"), sighting("203.0.113.9", SECOND))
    assert one("address", look(seen, links=(link(V4),), routes=(way,)), "A").status is Status.PASS


@pytest.mark.parametrize(
    ("sightings", "vouched"),
    [
        (BOTH, (V4,)),
        ((sighting(V4),), (V4,)),  # the only one that was asked: the user named it
        ((sighting(V4), sighting("", SECOND)), ()),
        ((sighting(V4), sighting("203.0.113.9", SECOND)), ()),
        ((sighting("10.1.1.1"), sighting("10.1.1.1", SECOND)), ()),
        ((sighting("", SECOND),), ()),
        ((), ()),
        ((*BOTH, sighting("2001:db8::7", version=6)), (V4, "2001:db8::7")),
    ],
)
def test_whom_is_believed(sightings: tuple[Sighting, ...], vouched: tuple[str, ...]) -> None:
    assert vouched_for(Asked(), PRIVATE, sightings) == vouched
    assert vouched_for(Asked(public_ips=("203.0.113.1",)), PRIVATE, sightings[:2]) == ("203.0.113.1",)
    assert vouched_for(Asked(), None, sightings) == ()
    if not vouched:
        assert one("address", look(sightings), "A").status is Status.UNKNOWN
