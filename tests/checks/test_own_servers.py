"""What is told of a zone's own name servers, and of signatures: judged on answers, without a name server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from preflight.checks import Look
from preflight.facts import Answer, Answers, Asked, ConfFile, ZoneServer
from preflight.facts.records import Ns, Soa, Tlsa
from preflight.gather.names.questions import MailHost, records
from preflight.net.hostnames import bare
from preflight.report.model import Result, Status
from tests import build
from tests.checks.test_dns import V4, link
from tests.checks.test_policies import DOMAIN, NAME, Rows, gathered, world
from tests.policies.zones import lookup

ZONE = f"{DOMAIN}."
POINTER = "7.100.51.198.in-addr.arpa"
GOOD = world() | {
    "autodiscover.example.org": [("CNAME", f"{NAME}.")],
    "autoconfig.example.org": [("CNAME", f"{NAME}.")],
}
OTHER = "203.0.113.9"
REFUSED, SILENT, STRANGER = "REFUSED", "timeout", "not authoritative"
HOST = MailHost(NAME, (DOMAIN,), (V4,))


def start(serial: int) -> Soa:
    return Soa("ns1.example.org.", "admin.example.org.", serial, 3600, 600, 86400, 300)


def answering(rows: Rows) -> Callable[[str, str], Answer]:
    """Answer from rows as a name server does, with the name that an alias leads to."""
    ask = lookup(rows)

    def one(name: str, kind: str) -> Answer:
        target = next((row[1] for row in rows.get(bare(name), ()) if row[0] == "CNAME"), None)
        return replace(ask(name, kind), alias=target)

    return one


def of_server(index: int, rows: Rows | str, serial: int) -> tuple[ZoneServer, dict[str, Answer]]:
    """Return a server of the zone with what it answers, or with how it does not."""
    address, name = f"192.0.2.{index}", f"ns{index}.example.net."
    soa = Answer(ZONE, "SOA", "NOERROR", (start(serial),), None, address, authoritative=True)
    if isinstance(rows, str):
        rcode = "NOERROR" if rows == STRANGER else rows
        return ZoneServer(address, (name,), Answer(ZONE, "SOA", rcode, (), None, address)), {}
    ask = answering(rows)
    found = {
        Answers.key(*question): replace(ask(*question), server=address, authoritative=True, ttl=3600)
        for question in records(HOST, gathered(ask, HOST))
        if question[0].endswith(DOMAIN)
    }
    return ZoneServer(address, (name,), soa), found


def look(resolved: Rows, *servers: Rows | str, serials: tuple[int, ...] = (), **more: Any) -> Look:
    """Make what a check is given: the resolver's answers, and those of the zone's servers ns1, ns2 …"""
    answers = gathered(answering(resolved), HOST)
    made = [of_server(index, rows, (serials or (1,) * 9)[index - 1]) for index, rows in enumerate(servers, 1)]
    own: dict[str, tuple[Answer, ...]] = {}
    for _, found in made:
        for key, one in found.items():
            own[key] = (*own.get(key, ()), one)
    asked = [(answer.name, answer.type) for answer in answers.by_question.values()]
    asked += [(one.alias, one.type) for found in own.values() for one in found if one.alias and not one.records]
    resolve = answering(resolved)
    rows = {Answers.key(*one): replace(resolve(*one), server="192.0.2.53", ttl=1500) for one in asked}
    rows[f"{ZONE} NS"] = Answer(ZONE, "NS", "NOERROR", tuple(Ns(row.names[0]) for row, _ in made))
    whole = replace(answers, by_question=rows, own=own, zones={ZONE: tuple(row for row, _ in made)})
    given: dict[str, Any] = {"answers": whole, "links": (link(V4),), "routes": (), "hosts_file": ()} | more
    return build.look(asked=Asked(hostname=NAME, domains=(DOMAIN,)), **given)


def changed(given: Look, **fields: Any) -> Look:
    return build.look(replace(given.host, answers=replace(given.host.answers, value=replace(known(given), **fields))))


def known(given: Look) -> Answers:
    return given.host.answers.get()


def one(identity: str, given: Look, subject: str | None = None) -> Result:
    (result,) = (row for row in build.run(f"dns.{identity}", given) if subject in (None, row.subject))
    return result


def all_of(given: Look) -> dict[str, Result]:
    checks = ("address", "reverse", "mx", "autodiscover", "autoconfig", "spf", "dkim", "dmarc")
    return {f"{check} {row.subject}": row for check in checks for row in build.run(f"dns.{check}", given)}


def moved(**rows: list[Any]) -> Rows:
    return GOOD | {name.replace("__", "."): row for name, row in rows.items()}


OLD_ADDRESS = GOOD | {NAME: [("A", OTHER)]}
NO_SPF = GOOD | {DOMAIN: GOOD[DOMAIN][:1]}
OLD_MX = GOOD | {DOMAIN: [("MX", "10 old.example.com."), *GOOD[DOMAIN][1:]], "old.example.com": [("A", OTHER)]}
NO_DMARC = GOOD | {f"_dmarc.{DOMAIN}": []}
OLD_ALIAS = GOOD | {"autoconfig.example.org": [("CNAME", "old.example.com.")], "old.example.com": [("A", OTHER)]}
DIFFERENT = [
    ("address", OLD_ADDRESS, "A"),
    ("mx", OLD_MX, DOMAIN),
    ("spf", NO_SPF, DOMAIN),
    ("dmarc", NO_DMARC, DOMAIN),
    ("autoconfig", OLD_ALIAS, DOMAIN),
]


def test_servers_that_agree_change_nothing() -> None:
    alone = {name: (row.status, row.message) for name, row in all_of(look(GOOD)).items()}
    assert {name: (row.status, row.message) for name, row in all_of(look(GOOD, GOOD, GOOD)).items()} == alone
    assert {row.status for row in all_of(look(GOOD, GOOD, GOOD)).values()} == {Status.PASS}


@pytest.mark.parametrize("authentic", [True, False])
def test_that_dnssec_confirms_a_record_is_the_resolvers_word(authentic: bool) -> None:
    """Servers of the zone say the same, and never that they checked signatures."""
    name = f"_25._tcp.{NAME}"
    given = look(GOOD, GOOD, GOOD, mailcow_conf=ConfFile("/opt/mailcow-dockerized/mailcow.conf", True, {}))
    key, answer = Answers.key(name, "TLSA"), Answer(f"{name}.", "TLSA", "NOERROR", (Tlsa(3, 1, 1, "ab" * 32),), None)
    own = tuple(replace(answer, server=f"192.0.2.{n}", authoritative=True, ttl=3600) for n in (1, 2))
    rows = known(given).by_question | {key: replace(answer, server="192.0.2.53", authentic=authentic, ttl=1500)}
    result = one("tlsa", changed(given, by_question=rows, own=known(given).own | {key: own}))
    assert ("Senders can use" in result.message) is authentic
    assert "older answer" not in result.message


@pytest.mark.parametrize(("check", "stale", "subject"), DIFFERENT)
def test_servers_that_disagree_are_a_finding_of_the_record_alone(check: str, stale: Rows, subject: str) -> None:
    given = look(GOOD, GOOD, stale, serials=(8, 5))
    result = one(check, given, subject)
    assert result.status is Status.WARN
    assert "do not have the same" in result.message
    assert "ns2.example.net (192.0.2.2)" in result.message
    assert result.remedy
    assert result.remedy.place == "dns"
    assert "Bring ns2.example.net (192.0.2.2) up to date" in result.remedy.text
    others = [name for name, row in all_of(given).items() if row.status is not Status.PASS]
    assert others == [f"{check} {subject}"]


@pytest.mark.parametrize("resolved", [GOOD, OLD_ADDRESS])
def test_of_servers_with_the_same_serial_the_worse_answer_counts(resolved: Rows) -> None:
    result = one("address", look(resolved, GOOD, OLD_ADDRESS), "A")
    assert result.status is Status.FAIL
    assert "do not have the same A records" in result.message
    assert OTHER in result.message
    newest_is_wrong = one("address", look(resolved, GOOD, OLD_ADDRESS, serials=(5, 8)), "A")
    assert newest_is_wrong.status is Status.FAIL


@pytest.mark.parametrize(("check", "stale", "subject"), DIFFERENT)
def test_an_answer_that_has_not_spread_says_for_how_long(check: str, stale: Rows, subject: str) -> None:
    result = one(check, look(stale, GOOD, GOOD), subject)
    assert result.status is Status.WARN
    assert "25 min" in result.message
    assert result.remedy
    assert result.remedy.text == "Wait 25 min, then run the check again."
    assert result.remedy.records == ()


def test_a_record_that_is_late_spoils_no_other() -> None:
    for check, stale, subject in DIFFERENT:
        rows = all_of(look(stale, GOOD, GOOD))
        assert [name for name, row in rows.items() if row.status is not Status.PASS] == [f"{check} {subject}"]


def test_a_new_mistake_counts_before_it_has_spread() -> None:
    result = one("address", look(GOOD, OLD_ADDRESS, OLD_ADDRESS), "A")
    assert result.status is Status.FAIL
    assert f"resolves to {OTHER}" in result.message
    assert "still has an older answer" in result.message


def test_what_has_spread_meanwhile_is_good() -> None:
    given = look(OLD_ADDRESS, GOOD, GOOD)
    now = replace(known(given).own[f"{NAME}. A"][0], server="192.0.2.53")
    assert one("address", changed(given, again={f"{NAME}. A": now}), "A").status is Status.PASS


def test_a_split_view_is_told() -> None:
    given = look(OLD_ADDRESS, GOOD, GOOD)
    key = f"{NAME}. A"
    same = changed(given, again={key: known(given).of(NAME, "A")})
    authoritative = replace(known(given).of(NAME, "A"), authoritative=True)
    local = changed(given, by_question=known(given).by_question | {key: authoritative})
    for split in (same, local):
        result = one("address", split, "A")
        assert result.status is Status.WARN
        assert "192.0.2.53 gives a different answer" in result.message
        assert result.remedy
        assert result.remedy.place == "host"
    cached = changed(given, again={key: replace(known(given).of(NAME, "A"), ttl=1498)})
    assert "24 min" in one("address", cached, "A").message


@pytest.mark.parametrize(("how", "words"), [(REFUSED, "answer REFUSED"), (STRANGER, "do not have the zone")])
def test_a_lame_server_is_told_once(how: str, words: str) -> None:
    rows = all_of(look(GOOD, GOOD, how))
    assert [name for name, row in rows.items() if row.status is not Status.PASS] == [f"mx {DOMAIN}"]
    assert rows[f"mx {DOMAIN}"].status is Status.WARN
    assert words in rows[f"mx {DOMAIN}"].message
    assert "ns2.example.net (192.0.2.2)" in rows[f"mx {DOMAIN}"].message
    alone = replace(look(GOOD, GOOD, how), judged=frozenset({"dns.address"}))
    assert one("address", alone, "A").status is Status.WARN
    assert one("address", alone, "AAAA").status is Status.PASS


def test_a_server_without_an_address_is_told() -> None:
    given = look(GOOD, GOOD)
    nobody = Answer("ns9.example.net.", "A", "NXDOMAIN"), Answer("ns9.example.net.", "AAAA", "NXDOMAIN")
    rows = {Answers.key(row.name, row.type): row for row in nobody}
    rows[f"{ZONE} NS"] = Answer(ZONE, "NS", "NOERROR", (Ns("ns1.example.net."), Ns("ns9.example.net.")))
    result = one("mx", changed(given, by_question=known(given).by_question | rows))
    assert result.status is Status.WARN
    assert "have no address: ns9.example.net" in result.message


def test_a_silent_server_is_a_remark_at_most() -> None:
    rows = all_of(look(GOOD, GOOD, SILENT))
    assert {row.status for row in rows.values()} == {Status.PASS}
    assert [name for name, row in rows.items() if "ns2.example.net" in row.message] == [f"mx {DOMAIN}"]


def test_silence_over_ipv6_alone_is_the_hosts_own() -> None:
    given = look(GOOD, GOOD)
    server, _ = of_server(2, SILENT, 1)
    both = {ZONE: (*known(given).zones[ZONE], replace(server, address="2001:db8::2"))}
    assert "did not answer" not in one("mx", changed(given, zones=both)).message


@pytest.mark.parametrize("how", [SILENT, STRANGER])
def test_where_the_way_to_the_servers_is_blocked_the_resolver_decides(how: str) -> None:
    rows = all_of(look(GOOD, how, how))
    assert {row.status for row in rows.values()} == {Status.PASS}
    assert [name for name, row in rows.items() if "answer" in row.message] == [f"mx {DOMAIN}"]
    assert one("address", look(OLD_ADDRESS, how, how), "A").status is Status.FAIL


def test_answers_of_somebody_on_the_way_over_one_ip_version_make_no_server_lame() -> None:
    given = look(GOOD, GOOD)
    proxied = Answer(ZONE, "SOA", "NOERROR", (start(1),), None, "2001:db8::1")
    empty = Answer(ZONE, "SOA", "REFUSED", (), None, "2001:db8::1")
    for answer, status in ((proxied, Status.PASS), (empty, Status.WARN)):
        rows = {ZONE: (*known(given).zones[ZONE], ZoneServer("2001:db8::1", ("ns1.example.net.",), answer))}
        assert one("mx", changed(given, zones=rows)).status is status


def test_addresses_that_were_not_asked_are_a_remark() -> None:
    given = look(GOOD, GOOD)
    unasked = {ZONE: (ZoneServer("10.0.0.53", ("ns1.example.org.",)),)}
    result = one("mx", changed(given, zones=unasked, own={}))
    assert result.status is Status.PASS
    assert "10.0.0.53" in result.message


def broken(given: Look, name: str, kind: str, **fields: Any) -> Look:
    bad = replace(known(given).of(name, kind), rcode="SERVFAIL", records=(), alias=None, **fields)
    return changed(given, by_question=known(given).by_question | {Answers.key(name, kind): bad})


@pytest.mark.parametrize(
    ("check", "name", "kind", "status"),
    [
        ("address", NAME, "A", Status.FAIL),
        ("mx", DOMAIN, "MX", Status.FAIL),
        ("reverse", POINTER, "PTR", Status.FAIL),
        ("spf", DOMAIN, "TXT", Status.WARN),
        ("dmarc", f"_dmarc.{DOMAIN}", "TXT", Status.WARN),
        ("autodiscover", f"autodiscover.{DOMAIN}", "AAAA", Status.WARN),
    ],
)
def test_bogus_signatures_are_a_finding_of_the_record(check: str, name: str, kind: str, status: Status) -> None:
    for fields in ({"unchecked": "NOERROR"}, {"extended": (22, 7)}, {"unchecked": "NXDOMAIN", "extended": (12,)}):
        row = next(row for row in build.run(f"dns.{check}", broken(look(GOOD), name, kind, **fields)))
        assert row.status is status
        assert row.remedy
        assert row.remedy.place == "dns"
        assert "DNSSEC" in row.message
    assert "expired" in build.run(f"dns.{check}", broken(look(GOOD), name, kind, extended=(7,)))[0].message


def test_a_failure_of_another_kind_stays_unknown_and_says_what_the_server_says() -> None:
    reasons = (((), "SERVFAIL"), ((22,), "no name server of the zone can be reached"), ((5,), "SERVFAIL"))
    for extended, words in reasons:
        result = one("mx", broken(look(GOOD), DOMAIN, "MX", extended=extended))
        assert result.status is Status.UNKNOWN
        assert words in result.message


def test_what_hangs_on_bogus_records_is_unknown() -> None:
    result = one("hostname", broken(look(GOOD), NAME, "A", unchecked="NOERROR"))
    assert result.status is Status.UNKNOWN
    assert "DNSSEC signatures are not valid" in result.message


def test_an_answer_that_the_resolver_made_itself_settles_nothing() -> None:
    given = look(GOOD)
    blocked = replace(known(given).of(DOMAIN, "MX"), rcode="NXDOMAIN", records=(), extended=(15,))
    result = one("mx", changed(given, by_question=known(given).by_question | {f"{ZONE} MX": blocked}))
    assert result.status is Status.UNKNOWN
    assert "192.0.2.53: blocked" in result.message
