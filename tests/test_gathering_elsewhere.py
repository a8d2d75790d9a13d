"""What is asked of others, and what that waits for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from preflight.facts import AddressService, Asked, Fact, Link, Sighting
from preflight.gather.access.crew import Crew
from preflight.gather.access.roots import Roots
from preflight.gather.names import lookups
from preflight.gathering import elsewhere
from preflight.gathering.run import Run, Wishes
from preflight.mailcow import plan
from tests.build import VIEW
from tests.checks.test_dns import link

V4 = "198.51.100.7"
SEEN = (Sighting(AddressService("http://ip.example/", 4), "seen", V4),)


class Made(Crew):
    """Parts that are there already; tells which were asked for."""

    def __init__(self, parts: dict[str, Any]) -> None:
        self.parts, self.got, self.deadline = parts, list[str](), 0.0

    def get(self, place: str, spare: float = 0.0) -> Any:
        self.got.append(place)
        return Fact.of("x", self.parts[place])

    def share(self, name: str, make: Any) -> Any:
        return plan.make(None, Asked(hostname="mail.example.org"))


def asked(
    monkeypatch: pytest.MonkeyPatch, links: tuple[Link, ...], wished: set[str]
) -> tuple[tuple[str, ...], list[str]]:
    """Return the addresses that name servers are asked about, and the parts that were waited for."""
    given: list[Any] = []
    monkeypatch.setattr(lookups, "look_up", lambda *words: given.extend(words))
    crew = Made({"links": links, "sightings": SEEN})
    wishes = Wishes(asked=Asked(hostname="mail.example.org"), parts=frozenset(wished), environ={})
    elsewhere.answers(Run(Roots("/nowhere", VIEW), wishes, cast(Crew, crew)))
    return given[3], crew.got


def test_behind_nat_names_wait_for_the_address_that_the_world_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, (link("10.0.0.2"),), {"answers", "sightings"}) == ((V4,), ["links", "sightings"])


def test_a_host_with_a_public_address_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, (link("203.0.113.9"),), {"answers", "sightings"}) == (("203.0.113.9",), ["links"])


def test_services_that_no_check_wants_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, (link("10.0.0.2"),), {"answers"}) == ((), ["links"])


def test_offline_nobody_is_asked(tmp_path: Path) -> None:
    wishes = Wishes(asked=Asked(offline=True), parts=frozenset(), environ={})
    run = Run(Roots(str(tmp_path), VIEW), wishes, cast(Crew, Made({})))
    for recipe in (elsewhere.times, elsewhere.answers, elsewhere.blocklists, elsewhere.mirrors, elsewhere.sightings,
                   elsewhere.outgoing, elsewhere.smtp):  # fmt: skip
        fact: Fact[Any] = recipe(run)
        assert fact.missing is not None
        assert (fact.missing.kind, fact.missing.cause) == ("skip", "offline")
