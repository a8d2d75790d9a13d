"""network.public-address: the world's view of this host against its own addresses."""

from __future__ import annotations

import pytest

from preflight.facts import Address, AddressService, Asked, Attempt, Goal, Link, Outgoing, Sighting, Trial, Way
from preflight.facts.sightings import Seeing
from preflight.mailcow import address_services
from preflight.report.model import Result, Status
from tests import build

OWN, INNER, WORLD, OWN6 = "198.51.100.7", "10.0.0.7", "203.0.113.7", "2001:db8::7"
SERVICES = address_services.documented().services
REACHED = Outgoing((Trial(Goal("ghcr.io", 443), (Attempt("203.0.113.80", "reached"),), "NOERROR"),))
WAYS = (Way(destination="1.1.1.1", interface="eth0"),)


def result(
    *seen: str, own: tuple[str, ...] = (OWN, OWN6), given: tuple[str, ...] = (), outgoing: Outgoing = REACHED
) -> Result:
    """Judge sightings, an address for each service; '' = it did not answer."""
    by_version = {4: [one for one in seen if ":" not in one], 6: [one for one in seen if ":" in one]}
    sightings = []
    for service in SERVICES:
        address = by_version[service.version].pop(0) if by_version[service.version] else ""
        outcome: Seeing = "seen" if address else "failed"
        sightings.append(Sighting(service, outcome, address))
    links = (Link("eth0", 1500, True, tuple(Address(one, 64 if ":" in one else 24, "global") for one in own)),)
    look = build.look(
        asked=Asked(public_ips=given), sightings=tuple(sightings), links=links, outgoing=outgoing, ways=WAYS
    )
    (found,) = build.run("network.public-address", look)
    return found


@pytest.mark.parametrize(
    ("seen", "own", "given", "words"),
    [
        pytest.param((OWN, OWN), (OWN,), (), f"at its own address {OWN}.", id="own"),
        pytest.param((OWN, OWN6), (OWN, OWN6), (), f"at its own address {OWN6}.", id="both-versions"),
        pytest.param((OWN, ""), (OWN,), (), f"at its own address {OWN}.", id="one-service-of-two"),
        pytest.param((WORLD,), (INNER,), (), f"behind NAT: the Internet sees it at {WORLD}", id="nat"),
        pytest.param((WORLD,), (INNER,), (WORLD,), "as given with --public-ip", id="nat-that-was-named"),
        pytest.param((WORLD,), (INNER,), (OWN,), f"at {WORLD}, not at {OWN}.", id="another-was-named"),
        pytest.param((OWN, WORLD), (OWN,), (), f"different addresses over IPv4: {OWN}, {WORLD}.", id="several"),
    ],
)
def test_by_which_address(seen: tuple[str, ...], own: tuple[str, ...], given: tuple[str, ...], words: str) -> None:
    found = result(*seen, own=own, given=given)
    assert found.status is Status.PASS  # it is information; what hangs on it is for the checks of the DNS
    assert words in found.message
    assert build.measured(found)["ipv4"] == list(dict.fromkeys(one for one in seen if one and ":" not in one))


def test_what_is_not_as_it_should_be_has_advice() -> None:
    advice = result(WORLD, own=(INNER,)).remedy
    assert advice is not None
    assert "--public-ip" in advice.text
    assert result(OWN).remedy is None


def test_no_service_answers() -> None:
    assert result().status is Status.UNKNOWN


def test_without_a_network_outbound_tells_it() -> None:
    nothing = Outgoing((Trial(Goal("192.0.2.1", 53), (Attempt("192.0.2.1", "unsent"),)),))
    found = result(outgoing=nothing)
    assert (found.status, found.reason) == (Status.SKIP, "This host has no route to the Internet.")


def test_services_of_two_operators_over_both_versions() -> None:
    assert {one.version for one in SERVICES} == {4, 6}
    assert len({one.url.split(".")[-2] for one in SERVICES}) >= 2


def test_a_service_that_is_named_is_asked_over_both() -> None:
    url = "http://ip.example/x?y=1"
    assert address_services.services((url, url)) == (AddressService(url, 4), AddressService(url, 6))


@pytest.mark.parametrize(
    "text",
    ["", "ip.example", "ftp://ip.example/", "http://", "http://[x/", "http://a:b@c/", "http://a:0/", "http://a/\n"],
)
def test_what_is_no_service(text: str) -> None:
    with pytest.raises(ValueError, match="is not the URL of a service"):
        address_services.service(text)
