"""The zones' own name servers: who is asked, for what, and what is kept of it."""

from __future__ import annotations

import time
from collections.abc import Iterable

import dns.zone
import pytest

from preflight.facts import Answers
from preflight.facts.records import A, Mx
from preflight.gather.access.roots import Roots
from preflight.gather.names import exchange, own, resolver
from preflight.gather.names.lookups import look_up
from preflight.gather.names.nameservers import shown
from preflight.gather.names.own import Resolvers
from tests.build import VIEW
from tests.gather.authorities import ADDRESSES, authority, recursor, refused, served, silent, zone
from tests.gather.nameserver import NameServer, Script, serve

NAME, ADDRESS = "mail.example.org", "198.51.100.7"
ROOTS = Roots("/nowhere", VIEW)
WORLD = zone(".", servers=("a.root-servers.net",)), zone("org.", servers=("a.org",))
NS = tuple(f"ns{number} 600 A {address}" for number, address in enumerate(ADDRESSES[:2], 1))
GOOD = (f"mail 600 A {ADDRESS}", "@ 600 MX 10 mail", *NS)


def example(*records: str, serial: int = 1, without: Iterable[str] = ()) -> dns.zone.Zone:
    kept = [record for record in GOOD if record not in without]
    return zone("example.org.", *kept, *records, serial=serial)


def gathered(
    monkeypatch: pytest.MonkeyPatch, resolving: Script, *scripts: Script, given: bool = True
) -> tuple[Answers, list[NameServer], NameServer]:
    """Look a host up by a resolver and the zone's servers; return what is known, and what each was asked."""
    with serve(resolving) as state, served(*scripts) as states:
        monkeypatch.setattr(own, "PORT", states[0].server[1])
        found = look_up(ROOTS, NAME, ("example.org",), (), (shown(state.server),), time.monotonic() + 20)
    return found.get(), states, state


def said(answers: Answers, name: str, kind: str) -> dict[str, tuple[object, ...]]:
    return {one.server.partition(":")[0]: one.records for one in answers.own.get(Answers.key(name, kind), ())}


def test_each_server_of_the_zone_is_asked_for_the_records_that_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    both = example()
    answers, states, _ = gathered(monkeypatch, recursor(*WORLD, both), authority(both), authority(both))
    assert list(answers.zones) == ["example.org."]
    rows = answers.zones["example.org."]
    assert [(row.address, row.names) for row in rows] == [
        ("127.0.0.2", ("ns1.example.org.",)), ("127.0.0.3", ("ns2.example.org.",)),
    ]  # fmt: skip
    assert all(row.start and row.start.authoritative for row in rows)
    for state in states:
        asked = [(name, kind) for name, kind, _ in state.asked]
        assert asked[0] == ("example.org.", "SOA")
        assert {(f"{NAME}.", "A"), (f"{NAME}.", "AAAA"), ("example.org.", "MX"), ("example.org.", "TXT")} < {*asked}
        assert ("_dmarc.example.org.", "TXT") in asked
        assert len(asked) == len(set(asked))
        assert not any(kind == "NS" or name.startswith(("ns1", "ns2", "_dmarc.org")) for name, kind in asked)
    assert said(answers, NAME, "A") == dict.fromkeys(ADDRESSES[:2], (A(ADDRESS),))
    assert said(answers, "example.org", "MX") == dict.fromkeys(ADDRESSES[:2], (Mx(10, f"{NAME}."),))
    assert answers.again == {}


def test_servers_that_do_not_have_the_zone_are_asked_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    good = example()
    answers, states, _ = gathered(monkeypatch, recursor(*WORLD, good), authority(good), refused)
    start = answers.zones["example.org."][1].start
    assert start
    assert start.rcode == "REFUSED"
    assert len(states[1].asked) == 1
    assert set(said(answers, NAME, "A")) == {"127.0.0.2"}


def test_a_silent_server_costs_one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "TRY", 0.2)
    good = example()
    answers, states, _ = gathered(monkeypatch, recursor(*WORLD, good), authority(good), silent)
    start = answers.zones["example.org."][1].start
    assert start
    assert start.rcode == "timeout"
    assert states[1].asked == [("example.org.", "SOA", "udp")]
    assert set(said(answers, "example.org", "MX")) == {"127.0.0.2"}


def test_a_zone_below_is_asked_at_its_own_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    below = zone("_domainkey.example.org.", 'dkim 600 TXT "v=DKIM1; p="', servers=("ns3.example.org.",))
    above = example("_domainkey 600 NS ns3", f"ns3 600 A {ADDRESSES[2]}")
    scripts = authority(above), authority(above), authority(below)
    answers, _, _ = gathered(monkeypatch, recursor(*WORLD, above, below), *scripts)
    assert list(answers.zones) == ["example.org.", "_domainkey.example.org."]
    one = next(row for row in answers.own["dkim._domainkey.example.org. TXT"] if row.authoritative)
    assert one.server.startswith("127.0.0.4")


def test_an_alias_that_leads_out_of_the_zone_is_followed_by_the_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = zone("example.net.", "new 600 A 203.0.113.9", "old 600 A 203.0.113.8", servers=("ns.example.com.",))
    before, after = (example(f"autoconfig 600 CNAME {name}.example.net.") for name in ("old", "new"))
    resolving = recursor(*WORLD, before, elsewhere)
    answers, _, _ = gathered(monkeypatch, resolving, authority(after), authority(after))
    assert answers.of("new.example.net", "A").records == (A("203.0.113.9"),)


def test_what_the_resolver_alone_says_is_asked_again_when_a_second_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = example(without=GOOD[:1]), example()
    resolving = recursor(*WORLD, old, left={NAME: 200})
    answers, _, state = gathered(monkeypatch, resolving, authority(new), authority(new))
    before, again = answers.of(NAME, "A"), answers.again[f"{NAME}. A"]
    assert (before.rcode, again.rcode) == ("NOERROR" if before.records else "NXDOMAIN", "NXDOMAIN")
    assert before.ttl is not None
    assert again.ttl is not None
    assert again.ttl < before.ttl
    assert [row for row in state.asked if row[:2] == (f"{NAME}.", "MX")] == []
    assert set(answers.again) == {f"{NAME}. A"}


def test_a_resolver_that_has_the_zone_itself_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = example(without=GOOD[:1]), example()
    answers, _, _ = gathered(monkeypatch, recursor(*WORLD, old, local=True), authority(new), authority(new))
    assert answers.of(NAME, "A").authoritative
    assert answers.again == {}


@pytest.mark.parametrize(
    ("resolvers", "given", "asked", "left"),
    [
        (("127.0.0.53",), False, ("192.0.2.1", "2001:db8::1"), ("10.0.0.1", "127.0.0.1", "169.254.1.1", "fe80::1")),
        (("192.168.1.1",), False, ("192.0.2.1", "10.0.0.1", "fd00::1"), ("127.0.0.1", "::1", "169.254.169.254")),
        (("203.0.113.1",), False, ("192.0.2.1",), ("10.0.0.1", "100.64.0.1", "127.0.0.1", "0.0.0.0")),
        (("203.0.113.1",), True, ("192.0.2.1", "10.0.0.1"), ("127.0.0.1", "224.0.0.1", "::", "ff02::1")),
        (("203.0.113.1",), True, ("fd00::1",), ("::ffff:169.254.169.254", "::ffff:127.0.0.1", "255.255.255.255")),
        (("127.0.0.1",), True, ("192.0.2.1", "127.0.0.9", "::1"), ("169.254.169.254", "fe80::1", "0.0.0.0")),
    ],
)  # fmt: skip
def test_which_addresses_may_be_asked(
    resolvers: tuple[str, ...], given: bool, asked: tuple[str, ...], left: tuple[str, ...]
) -> None:
    ours = Resolvers(tuple((one, 53) for one in resolvers), given)
    assert [one for one in (*asked, *left) if ours.lets_ask(one)] == [*asked]


def test_a_hostile_zone_does_not_make_many_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"n{number}" for number in range(40)]
    many = [f"{name} 600 A 127.0.{index}.{host}" for index, name in enumerate(names) for host in range(2, 40)]
    crowd = zone("example.org.", *GOOD[:2], *many, servers=names)
    jobs: list[object] = []

    def note(asked: Iterable[object], deadline: float, room: int) -> dict[object, object]:
        jobs.extend(asked)
        return {}

    monkeypatch.setattr(own, "ask_own", note)
    answers, _, _ = gathered(monkeypatch, recursor(*WORLD, crowd), silent)
    assert len(jobs) == len(answers.zones["example.org."]) == 8


def test_a_server_that_was_silent_is_not_asked_for_another_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "TRY", 0.2)
    monkeypatch.setattr(resolver, "THREADS", 1)
    with serve(silent) as dead:
        jobs = [(dead.server, (f"d{number}.example.org.", "SOA")) for number in range(30)]
        answers = resolver.ask_own(jobs, time.monotonic() + 20, 1 << 20)
    assert [answer.rcode for answer in answers.values()] == ["timeout"] * 30
    assert len(dead.asked) == 1


def test_a_resolver_that_is_silent_is_asked_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is dead costs a try, not one in each round."""
    monkeypatch.setattr(exchange, "TRY", 0.3)
    good = recursor(*WORLD, example())
    with serve(silent) as dead, serve(good) as alive:
        quiet: set[tuple[str, int]] = set()
        servers = dead.server, alive.server
        for _ in range(3):
            (answer,) = resolver.ask(servers, [(NAME, "A")], time.monotonic() + 9, silent=quiet).values()
            assert answer.records == (A(ADDRESS),)
    assert len(dead.asked) == 1
