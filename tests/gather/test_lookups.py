"""What is asked for one mail host, in which rounds, and within which bounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import Answer, Answers, Fact
from preflight.facts.records import A, Mx, Ptr, Record, Txt
from preflight.gather.access.roots import Roots
from preflight.gather.names import exchange, questions, resolver
from preflight.gather.names.budget import DOMAINS, TARGETS, Budget
from preflight.gather.names.lookups import in_rounds, look_up
from preflight.gather.names.nameservers import shown
from preflight.gather.names.questions import MailHost, Question, due
from preflight.mailcow.services import ANNOUNCED
from tests.build import VIEW
from tests.gather.nameserver import Script, reply, serve, zone

NAME = "mail.example.org"
ADDRESS = "198.51.100.7"
POINTER = "7.100.51.198.in-addr.arpa"
ROOTS = Roots("/nowhere", VIEW)


def ask_all(script: Script, *domains: str) -> Fact[Answers]:
    with serve(script) as state:
        deadline = time.monotonic() + 8
        return look_up(ROOTS, NAME, domains or ("example.org",), (ADDRESS,), (shown(state.server),), deadline)


def test_answers_lead_to_further_questions() -> None:
    records = (
        f"{NAME}. A {ADDRESS}",
        f"{POINTER}. PTR {NAME}.",
        f"{POINTER}. PTR web.example.org.",
        f"example.org. MX 10 {NAME}.",
        "example.org. MX 20 backup.example.net.",
        "backup.example.net. CNAME host.example.net.",
        "host.example.net. A 203.0.113.9",
        "web.example.org. A 203.0.113.10",
        f"autodiscover.example.org. CNAME {NAME}.",
    )
    answers = ask_all(zone(*records)).get()
    assert set(answers.by_question) == {
        f"{NAME}. A", f"{NAME}. AAAA", f"{POINTER}. PTR", "example.org. MX",
        "autodiscover.example.org. A", "autodiscover.example.org. AAAA",
        "autoconfig.example.org. A", "autoconfig.example.org. AAAA",
        "backup.example.net. A", "backup.example.net. AAAA", "web.example.org. A", "web.example.org. AAAA",
        "example.org. TXT", "dkim._domainkey.example.org. TXT", "_dmarc.example.org. TXT", "_dmarc.org. TXT",
        "_mta-sts.example.org. TXT", "_smtp._tls.example.org. TXT",
        f"{NAME}. CAA", "example.org. CAA", "org. CAA", "autodiscover.example.org. CAA", "autoconfig.example.org. CAA",
        f"_25._tcp.{NAME}. TLSA", *(f"{one.owner('example.org')}. SRV" for one in ANNOUNCED),
        "_caldavs._tcp.example.org. TXT", "_carddavs._tcp.example.org. TXT",
        f"{NAME}. SOA", "example.org. SOA", f"{POINTER}. SOA",
        "100.51.198.in-addr.arpa. SOA", "51.198.in-addr.arpa. SOA", "198.in-addr.arpa. SOA",
    }  # fmt: skip
    assert answers.of("backup.example.net", "A").alias == "host.example.net."
    assert answers.of("autodiscover.example.org", "A").alias == f"{NAME}."
    assert answers.of("autoconfig.example.org", "A").rcode == "NXDOMAIN"
    assert answers.of("web.example.org", "A").records == (A("203.0.113.10"),)


def test_nothing_is_asked_without_a_name() -> None:
    fact = look_up(ROOTS, None, (), (), ("192.0.2.1",), 0.0)
    assert fact.missing
    assert (fact.missing.kind, fact.missing.reason) == ("skip", "No --hostname was given.")
    for name in ("a..b", "x" * 64 + ".org", "ä.example.org"):
        missing = look_up(ROOTS, name, (), (), ("192.0.2.1",), time.monotonic() + 5).missing
        assert missing
        assert missing.kind == "unknown"


def test_no_name_server_is_said(tmp_path: Path) -> None:
    missing = look_up(Roots(str(tmp_path), VIEW), NAME, (), (), (), time.monotonic() + 5).missing
    assert missing
    assert "resolv.conf" in missing.reason


def test_silence_everywhere_is_one_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "TRY", 0.1)
    monkeypatch.setattr(resolver, "LIFETIME", 0.3)
    missing = ask_all(lambda query, transport: []).missing
    assert missing
    assert missing.kind == "unknown"
    assert "did not answer any query" in missing.reason
    assert "127.0.0.1" in missing.reason


def test_a_refusal_is_an_answer() -> None:
    answers = ask_all(lambda query, transport: [reply(query, rcode="REFUSED").to_wire()]).get()
    assert {answer.rcode for answer in answers.by_question.values()} == {"REFUSED"}


def test_the_budget_ends_the_questions_and_what_was_not_asked_says_so() -> None:
    domains = tuple(f"d{n}.example.org" for n in range(12))
    records = [f"{domain}. MX {n} t{n}.{domain}." for domain in domains for n in range(20)]
    with serve(zone(*records)) as state:
        host = MailHost(NAME, domains, (ADDRESS,))
        answers = in_rounds((state.server,), host, Budget(questions=70), time.monotonic() + 8)
        assert len(state.asked) == 70
    assert len(answers.by_question) == 70
    assert answers.get(NAME, "A")
    assert set(answers.unasked.values()) == {"budget"}
    assert len(answers.unasked) == len(due(host, answers)) - 70


def test_what_the_records_leave_no_room_for_is_not_asked() -> None:
    domains = tuple(f"d{n}.example.org" for n in range(12))
    records = [f"{domain}. MX {n} t{n}.{domain}." for domain in domains for n in range(20)]
    with serve(zone(*records)) as state:
        answers = in_rounds((state.server,), MailHost(NAME, domains), Budget(weight=5000), time.monotonic() + 8)
    assert 0 < sum(len(answer.records) for answer in answers.by_question.values()) < 80
    assert set(answers.unasked.values()) == {"budget"}


def test_sixteen_domains_are_asked_about_to_the_end() -> None:
    """All that is asked where domains publish nothing, and 55 questions a domain for what they may publish.

    The last ones are _dmarc.example, the host's TLSA and three CAA, and that of the domains' top-level domain.
    """
    domains = tuple(f"d{n}.example" for n in range(DOMAINS))
    records = [f"{domain}. MX {n} t{n}.{domain}." for domain in domains for n in range(20)]
    with serve(zone(*records)) as state:
        host = MailHost(NAME, domains, (ADDRESS,))
        answers = in_rounds((state.server,), host, Budget(), time.monotonic() + 30)
    assert answers.unasked == {}
    assert len(answers.by_question) == 3 + 6 + DOMAINS * (2 + 4 + 2 * TARGETS + 5 + 3 + 13) + 6
    assert Budget().questions >= len(answers.by_question) + DOMAINS * 55


def test_more_domains_than_the_budget_is_made_for_are_asked_about_as_far_as_it_goes() -> None:
    host = MailHost(NAME, tuple(f"d{n}.example" for n in range(3 * DOMAINS)))
    with serve(zone()) as state:
        answers = in_rounds((state.server,), host, Budget(), time.monotonic() + 30)
        assert answers.get(host.domains[-1], "MX")
        answers = in_rounds((state.server,), host, Budget(questions=2 + DOMAINS), time.monotonic() + 30)
    assert answers.unasked[Answers.key(host.domains[-1], "MX")] == "budget"


def test_what_the_time_is_too_short_for_says_so() -> None:
    def slow(query: object, transport: str) -> list[bytes]:
        time.sleep(0.1)
        return []

    with serve(slow) as state:
        answers = in_rounds((state.server,), MailHost(NAME, tuple(f"d{n}.example" for n in range(16))), Budget(),
                            time.monotonic() + 0.7)  # fmt: skip
    assert set(answers.unasked.values()) == {"deadline"}
    assert {answer.rcode for answer in answers.by_question.values()} == {"timeout"}


def test_no_time_at_all_is_one_cause() -> None:
    with serve(zone()) as state:
        missing = look_up(ROOTS, NAME, (), (), (shown(state.server),), time.monotonic() - 1).missing
    assert missing
    assert (missing.kind, state.asked) == ("unknown", [])
    assert "--timeout" in missing.help


def test_a_chain_is_followed_round_by_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """As SPF's includes are: each names the next one."""

    def includes(_: MailHost, known: Answers) -> Iterator[Question]:
        yield "s0.example.org", "TXT"
        for answer in known.by_question.values():
            yield from ((txt.text, "TXT") for txt in answer.of(Txt))

    monkeypatch.setattr(questions, "SOURCES", (includes,))
    monkeypatch.setattr(questions, "ABOVE", ())
    with serve(zone(*(f"s{n}.example.org. TXT s{n + 1}.example.org" for n in range(12)))) as state:
        answers = in_rounds((state.server,), MailHost(NAME), Budget(), time.monotonic() + 8)
    assert list(answers.by_question) == [f"s{n}.example.org. TXT" for n in range(13)]


def known(kind: str, *records: Record) -> Answers:
    return Answers({f"x. {kind}": Answer("x.", kind, "NOERROR", records)})


@given(st.lists(st.text(max_size=20), max_size=20), st.sampled_from([Ptr, lambda name: Mx(10, name)]))
def test_hostile_records_make_no_harm(names: list[str], kind: Callable[[str], Record]) -> None:
    found = list(questions.targets(MailHost(NAME), known("MX", *map(kind, names))))
    assert len(found) <= 16
    assert all(name.strip(".") for name, _ in found)


def test_a_null_mx_leads_nowhere() -> None:
    assert list(questions.targets(MailHost(NAME), known("MX", Mx(0, ".")))) == []


def test_what_is_no_address_has_no_reverse_name() -> None:
    host = MailHost(NAME, addresses=("nonsense", "", "2001:db8::7%eth0", ADDRESS))
    assert [one for one in due(host, Answers()) if one[1] == "PTR"] == [
        ("7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "PTR"),
        (POINTER, "PTR"),
    ]
