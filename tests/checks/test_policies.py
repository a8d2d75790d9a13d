"""SPF, DKIM and DMARC: whole zones with a single mistake each, gathered by the rounds' own questions."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest

from preflight.checks import Look
from preflight.facts import Answer, Answers, Asked, Fact
from preflight.gather.names.questions import MailHost, due
from preflight.report.model import DnsRecord, Result, Status
from tests import build
from tests.checks.test_dns import V4, V6, link
from tests.policies.zones import lookup

NAME, DOMAIN = "mail.example.org", "example.org"
GOOD_SPF, GOOD_DMARC = "v=spf1 mx a -all", "v=DMARC1; p=reject; rua=mailto:dmarc@example.org"
Rows = dict[str, list[Any]]


def world(
    spf: str | list[str] | None = GOOD_SPF, dmarc: str | list[str] | None = GOOD_DMARC, **more: list[Any]
) -> Rows:
    """A zone in which all is well, but for what is given; `more`: further names, with `__` for a dot."""

    def texts(given: str | list[str] | None) -> list[Any]:
        return [("TXT", text) for text in ([given] if isinstance(given, str) else given or [])]

    made: Rows = {
        "org": [],
        DOMAIN: [("MX", f"10 {NAME}."), *texts(spf)],
        NAME: [("A", V4)],
        f"_dmarc.{DOMAIN}": texts(dmarc),
        "7.100.51.198.in-addr.arpa": [("PTR", f"{NAME}.")],
    }
    return made | {name.replace("__", "."): rows for name, rows in more.items()}


def gathered(ask: Callable[[str, str], Answer], host: MailHost) -> Answers:
    """Ask round by round until nothing is left to be asked, as a run does."""
    found: dict[str, Answer] = {}
    for _ in range(20):
        fresh = {Answers.key(*one): one for one in due(host, Answers(found)) if Answers.key(*one) not in found}
        if not fresh:
            return Answers(found)
        found |= {key: ask(*one) for key, one in fresh.items()}
    raise AssertionError("the questions never end")


def look(rows: Rows, *addresses: str, public: tuple[str, ...] = (), domain: str = DOMAIN, **facts: Any) -> Look:
    own = addresses or (V4,)
    host = MailHost(NAME, (domain,), (*public, *own))
    asked = Asked(hostname=NAME, domains=(domain,), public_ips=public)
    defaults = {"answers": gathered(lookup(rows), host), "links": (link(*own),), "routes": ()}
    return build.look(asked=asked, **(defaults | facts))


def one(identity: str, given: Look) -> Result:
    (result,) = build.run(f"dns.{identity}", given)
    return result


def records(result: Result) -> tuple[DnsRecord, ...]:
    return result.remedy.records if result.remedy else ()


def text(record: DnsRecord) -> str:
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', record.value))


def entered(rows: Rows, result: Result) -> Rows:
    """Return the zone once the advice is followed: a name's record of the same sort gives way."""
    made = {name: list(old) for name, old in rows.items()}
    for record in records(result):
        sort = text(record).split(" ")[0].lower()
        kept = [row for row in made.get(record.name, []) if not str(row[1]).lower().startswith(sort.rstrip(";"))]
        meant = [] if record.name.startswith("_dmarc.") else kept
        made[record.name] = [*meant, (record.type, text(record))]
    return made


GOOGLE = {
    "_spf__google__test": [("TXT", "v=spf1 include:_a.google.test ~all")],
    "_a__google__test": [("TXT", "v=spf1 ip4:192.0.2.0/24 ~all")],
}
MANY = {f"i{n}__test": [("TXT", "v=spf1 ip4:192.0.2.1 -all")] for n in range(11)}
INCLUDES = " ".join(f"include:i{n}.test" for n in range(11))


@pytest.mark.parametrize(
    ("spf", "more", "said", "proposed"),
    [
        (None, {}, "has no SPF record", "v=spf1 mx a -all"),
        ("v=spf1 -all", {}, "does not let this host send", f"v=spf1 ip4:{V4} -all"),
        ("v=spf1 include:_spf.google.test ~all", GOOGLE, "result: softfail",
         f"v=spf1 ip4:{V4} include:_spf.google.test ~all"),
        ("v=spf1 redirect=_spf.google.test", GOOGLE, "does not let", f"v=spf1 ip4:{V4} redirect=_spf.google.test"),
        (["v=spf1 mx -all", "v=spf1 include:_spf.google.test ~all"], GOOGLE, "has 2 SPF records",
         "v=spf1 include:_spf.google.test mx ~all"),
        ("v=spf1 mx inlcude:_spf.google.test -all", {}, "term inlcude:_spf.google.test is not valid",
         "v=spf1 mx -all"),
        ("v=spf1 ip4:198.51.100.700 mx -all", {}, "ip4:198.51.100.700 is not valid", "v=spf1 mx -all"),
        ("v=spf1 include:gone.test mx -all", {}, "fails at include:gone.test", "v=spf1 mx -all"),
        (f"v=spf1 {INCLUDES} mx -all", MANY, "more than 10 DNS lookups", None),
        (f"v=spf1 mx {INCLUDES} -all", MANY, "more than 10 DNS lookups", None),
        ("v=spf1 include:example.org -all", {}, "more than 10 DNS lookups", None),
        ("v=spf1 include:two.test -all", {"two__test": [("TXT", "v=spf1 -all"), ("TXT", "v=spf1 mx -all")]},
         "two.test, which has several", None),
        ("v=spf1 include:bad.test -all", {"bad__test": [("TXT", "v=spf1 ip4:no -all")]},
         "ip4:no in the record of bad.test is not valid", None),
        ("v=spf1 a:x1.test a:x2.test a:x3.test mx -all", {}, "more than 2 names without records", None),
        ("v=spf1 mx +all", {}, "lets anyone send", "v=spf1 mx -all"),
        ("v=spf1 all", {}, "lets anyone send", f"v=spf1 ip4:{V4} -all"),
    ],
    ids=["none", "nobody", "other-provider", "redirect", "several", "typo", "bad-address", "include-of-none",
         "too-long-for-us", "too-long-for-others", "circle", "several-below", "faulty-below", "voids",
         "open-behind-us", "open"],
)  # fmt: skip
def test_spf_records_with_one_mistake(spf: Any, more: Any, said: str, proposed: str | None) -> None:
    rows = world(spf, **more)
    result = one("spf", look(rows))
    assert result.status is Status.WARN, result
    assert said in result.message
    assert [text(record) for record in records(result)] == ([proposed] if proposed else [])
    if proposed:
        assert one("spf", look(entered(rows, result))).status is Status.PASS


@pytest.mark.parametrize(
    ("spf", "more"),
    [
        ("v=spf1 mx a -all", {}),
        ("V=SPF1 A:mail.example.org ~all", {}),
        (f"v=spf1 ip4:{V4} -all", {}),
        ("v=spf1 ip4:198.51.100.0/24 include:_spf.google.test -all", GOOGLE),
        ("v=spf1 include:own.test -all", {"own__test": [("TXT", "v=spf1 include:two.test ?all")],
                                          "two__test": [("TXT", "v=spf1 a:mail.example.org -all")]}),
        ("v=spf1 redirect=own.test", {"own__test": [("TXT", "v=spf1 a:mail.example.org -all")]}),
        ("v=spf1 exists:%{ir}.allowed.test -all", {"7.100.51.198.allowed__test": [("A", "127.0.0.2")]}),
        ("v=spf1 include:%{d2}.spf.test -all", {"example.org.spf__test": [("TXT", "v=spf1 mx:example.org -all")]}),
        ("v=spf1 ptr -all", {}),
        ("v=spf1 unknown=mod%{c} mx -all", {}),
    ],
    ids=["mailcow", "case", "ip4", "include-behind", "includes", "redirect", "exists", "macro", "ptr", "modifier"],
)  # fmt: skip
def test_spf_records_that_let_this_host_send(spf: str, more: Any) -> None:
    result = one("spf", look(world(spf, **more)))
    assert result.status is Status.PASS, result
    assert V4 in result.message


def test_a_record_in_pieces_is_one() -> None:
    rows = world(None)
    rows[DOMAIN].append(("TXT", ("v=spf1 m", "x -all")))
    assert one("spf", look(rows)).status is Status.PASS


def test_every_sending_address_is_evaluated_and_named() -> None:
    rows = world()
    result = one("spf", look(rows, V4, V6))
    assert result.status is Status.WARN
    assert V6 in result.message
    assert V4 not in result.message
    assert text(records(result)[0]) == f"v=spf1 ip6:{V6} mx a -all"
    assert one("spf", look(entered(rows, result), V4, V6)).status is Status.PASS


def test_mailcows_record_on_a_host_without_ipv6_in_the_dns_is_no_void() -> None:
    """Neither the host nor the domain has an AAAA record, and further terms find nothing either."""
    rows = world("v=spf1 mx a:mail.example.org mx:example.org a -all", **{f"{DOMAIN}": []})
    rows[DOMAIN] = [("MX", f"10 {NAME}."), ("A", "192.0.2.80"), ("TXT", "v=spf1 mx a a:mail.example.org mx ?all")]
    result = one("spf", look(rows, V6))
    assert "result: neutral" in result.message


def test_behind_nat_the_given_address_is_evaluated_and_without_one_it_is_unknown() -> None:
    assert one("spf", look(world(), "10.0.0.2", public=(V4,))).status is Status.PASS
    result = one("spf", look(world(), "10.0.0.2"))
    assert result.status is Status.UNKNOWN
    assert result.remedy
    assert "--public-ip" in result.remedy.text


def test_a_new_record_waits_where_mail_is_elsewhere_today() -> None:
    rows = world(None, other__test=[("A", "192.0.2.25")])
    rows[DOMAIN] = [("MX", "10 other.test.")]
    result = one("spf", look(rows))
    assert result.remedy
    assert (result.remedy.when, text(result.remedy.records[0])) == ("last", "v=spf1 mx a -all")


def test_a_new_record_relies_on_the_address_that_is_entered_with_it() -> None:
    rows = world(None)
    rows[NAME] = []
    assert text(records(one("spf", look(rows)))[0]) == "v=spf1 mx a -all"
    assert text(records(one("spf", look(rows, V4, V6)))[0]) == f"v=spf1 ip6:{V6} mx a -all"


@pytest.mark.parametrize(
    ("spf", "proposed"),
    [
        (["v=spf1 mx -all", "v=spf1 a ~all"], "v=spf1 a mx ~all"),
        (["v=spf1 mx ?all", "v=spf1 mx -all"], "v=spf1 mx ?all"),
        (["v=spf1 mx ALL", "v=spf1 a -all"], "v=spf1 a mx ?all"),
        (["v=spf1 mx", "v=spf1 a"], "v=spf1 a mx"),
        (["v=spf1 mx -all", "v=spf1 redirect=_spf.google.test"], None),
        (["v=spf1 mx -all", "v=spf1 bogus -all"], None),
    ],
    ids=["softer", "neutral", "open", "without-all", "redirect", "faulty"],
)
def test_several_records_are_made_one_that_takes_nothing_away(spf: list[str], proposed: str | None) -> None:
    made = records(one("spf", look(world(spf, **GOOGLE))))
    assert [text(record) for record in made] == ([proposed] if proposed else [])


def test_an_open_record_is_closed_last_where_it_serves_somebody() -> None:
    rows = world(None, other__test=[("A", "192.0.2.25")])
    rows[DOMAIN] = [("MX", "10 other.test."), ("TXT", "v=spf1 +all")]
    result = one("spf", look(rows))
    assert result.remedy
    assert (result.remedy.when, text(result.remedy.records[0])) == ("last", f"v=spf1 ip4:{V4} -all")
    rows[DOMAIN][0] = ("MX", f"10 {NAME}.")
    closed = one("spf", look(rows)).remedy
    assert closed
    assert closed.when == "now"


def test_another_providers_include_stays_and_is_a_later_step() -> None:
    result = one("spf", look(world("v=spf1 include:_spf.google.test -all", **GOOGLE)))
    assert result.remedy
    assert "Remove include:_spf.google.test once" in result.remedy.text
    assert "include:_spf.google.test" in text(result.remedy.records[0])


def test_a_long_record_to_enter_is_cut_into_texts() -> None:
    long = " ".join(f"ip4:192.0.2.{n}" for n in range(40))
    (made,) = records(one("spf", look(world(f"v=spf1 {long} -all"))))
    assert text(made) == f"v=spf1 ip4:{V4} {long} -all"
    assert build.measured(one("spf", look(world(f"v=spf1 {long} -all"))))["expected"] == [text(made)]
    assert max(map(len, re.findall('"(.*?)"', made.value))) == 255


@pytest.mark.parametrize("spf", [["v=spf1 mx -all", "v=spf1 a -all"], "v=spf1 include:gone.test mx -all"])
def test_nothing_is_proposed_that_could_not_be_evaluated(spf: Any) -> None:
    result = one("spf", look(world(spf), "10.0.0.2"))
    assert result.status in (Status.WARN, Status.UNKNOWN)
    assert records(result) == ()


def test_silence_below_is_unknown_not_missing() -> None:
    result = one("spf", look(world("v=spf1 include:slow.test -all", slow__test=["TIMEOUT"])))
    assert result.status is Status.UNKNOWN
    assert "slow.test" in (result.reason or "")


def key(bits: int, *, algorithm: str = "06092a864886f70d0101010500", bare: bool = False) -> str:
    """An RSA public key as SubjectPublicKeyInfo (or bare), of a modulus that nobody can use."""

    def element(tag: int, data: bytes) -> bytes:
        size = len(data)
        length = bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2)
        return bytes([tag]) + length + data

    modulus = element(2, b"\0" + ((1 << bits) - 1).to_bytes(bits // 8))
    inner = element(0x30, modulus + element(2, b"\x01\0\x01"))
    wrapped = element(0x30, element(0x30, bytes.fromhex(algorithm)) + element(3, b"\0" + inner))
    return base64.b64encode(inner if bare else wrapped).decode()


EDWARDS = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="  # RFC 8463, A.2


@pytest.mark.parametrize(
    ("record", "said", "wrong"),
    [
        (None, "has no DKIM key yet", False),
        (f"v=DKIM1; k=rsa; p={key(2048)}", "RSA, 2048 bits", False),
        (f"v=DKIM1;k=rsa;t=s;s=email;p={key(4096)}", "RSA, 4096 bits", False),
        (f"p={key(1024)}", "key size is 2048 bits", False),
        (f"v=DKIM1; p={key(8192)}", "more than 4096", False),
        (f"v=DKIM1; k=ed25519; p={EDWARDS}", "Ed25519", False),
        (f"v=DKIM1; t=y:s; p={key(2048)}", "marked as a test", False),
        ("v=DKIM1; p=", "is revoked", True),
        ("v=DKIM1; k=rsa", "p= is missing", True),
        (f"v=DKIM1; p={key(2048)[:-40]}", "is damaged", True),
        ("v=DKIM1; p=MIIB!IjAN", "is damaged", True),
        (f"v=DKIM1; k=ed25519; p={EDWARDS[:-4]}", "is damaged", True),
        (f"v=DKIM1; p={key(512)}", "only 512 bits", True),
        (f"v=DKIM2; p={key(2048)}", "v=DKIM1", True),
        (f"v=DKIM1; k=dsa; p={key(2048)}", "type dsa", True),
        (f"v=DKIM1; h=sha1; p={key(2048)}", "sha256", True),
        (f"v=DKIM1; s=other; p={key(2048)}", "not for mail", True),
        (f"v=DKIM1; s=other:email; h=sha1:sha256; p={key(2048)}", "RSA, 2048 bits", False),
        (f"v=DKIM1; p={key(2048, bare=True)}", "RSA, 2048 bits", False),
        (f"v=DKIM1; p={key(2048, algorithm='06092a864886f70d01010a0500')}", "is damaged", True),  # RSASSA-PSS
        (f"k=rsa; v=DKIM1; p={key(2048)}", "does not begin with v=DKIM1", True),
        ("google-site-verification=abc", "has no DKIM key yet", False),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else None,
)
def test_dkim_keys(record: str | None, said: str, wrong: bool) -> None:
    rows = world()
    if record:
        rows["dkim._domainkey.example.org"] = [("TXT", tuple(re.findall(".{1,255}", record)))]
    result = one("dkim", look(rows))
    assert result.status is Status.PASS  # information alone
    assert said in result.message
    assert (result.remedy is not None and "replace" in result.remedy.text) == wrong


def test_two_dkim_keys_are_told() -> None:
    rows = world(**{"dkim._domainkey__example__org": [("TXT", f"v=DKIM1; p={key(n)}") for n in (1024, 2048)]})
    assert "several DKIM records" in one("dkim", look(rows)).message


def test_another_selector_is_asked_for_and_judged() -> None:
    ask = lookup(world(**{"s1._domainkey__example__org": [("TXT", f"v=DKIM1; p={key(2048)}")]}))
    answers = gathered(ask, MailHost(NAME, (DOMAIN,), (V4,), "s1"))
    given = build.look(asked=Asked(hostname=NAME, dkim_selector="s1"), answers=answers)
    assert "s1._domainkey.example.org has a DKIM key" in one("dkim", given).message


@pytest.mark.parametrize(
    ("dmarc", "said", "proposed"),
    [
        (None, "has no DMARC record", "v=DMARC1; p=none"),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], "several DMARC records", None),
        ("v=DMARC1 p=reject", "is not a DMARC record", "v=DMARC1; p=reject"),
        ("v=dmarc1; p=reject", "is not a DMARC record", "v=DMARC1; p=reject"),
        ("p=reject; v=DMARC1", "is not a DMARC record", "v=DMARC1; p=reject"),
        ("v=DMARC1", "has no policy", "v=DMARC1; p=none"),
        ("v=DMARC1; p=quarentine", "has no policy", "v=DMARC1; p=none"),
        ("v=DMARC1; p=rejekt; rua=mailto:a@example.org", "counts as p=none, because it has no valid value for p",
         "v=DMARC1; p=none; rua=mailto:a@example.org"),
        ("v=DMARC1; p=reject; sp=no; rua=mailto:a@example.org", "no valid value for sp",
         "v=DMARC1; p=reject; rua=mailto:a@example.org"),
        ("v=DMARC1; p=reject; rua=mailto:a@stranger.test", "stranger.test will not get reports", None),
    ],
    ids=["none", "several", "no-semicolon", "lower-case", "v-not-first", "no-p", "wrong-p", "wrong-p-reported",
         "wrong-sp", "no-consent"],
)  # fmt: skip
def test_dmarc_records_with_one_mistake(dmarc: Any, said: str, proposed: str | None) -> None:
    rows = world(dmarc=dmarc)
    result = one("dmarc", look(rows))
    assert result.status is Status.WARN, result
    assert said in result.message
    assert [text(record) for record in records(result)] == ([proposed] if proposed else [])
    if proposed:
        assert one("dmarc", look(entered(rows, result))).status is Status.PASS


def test_a_dmarc_record_at_the_domain_itself_is_moved() -> None:
    rows = world(dmarc=None)
    rows[DOMAIN].append(("TXT", "v=DMARC1; p=quarantine"))
    result = one("dmarc", look(rows))
    assert "at example.org itself, where receivers do not look" in result.message
    assert text(records(result)[0]) == "v=DMARC1; p=quarantine"
    assert "itself" not in one("dmarc", look(world(dmarc=None))).message


CONSENT = {"example.org._report._dmarc.stranger__test": [("TXT", "v=DMARC1")]}


@pytest.mark.parametrize(
    ("dmarc", "more", "said"),
    [
        ("v=DMARC1; p=none", {}, "(p=none)"),
        ("v = DMARC1 ; P = Reject ;", {}, "(p=reject)"),
        ("v=DMARC1;p=quarantine;sp=none;np=reject;psd=n;t=n;adkim=s;aspf=r;fo=1:d:s", {}, "(p=quarantine)"),
        ("v=DMARC1; rua=mailto:a@example.org; p=reject; pct=50; rf=afrf; ri=86400", {}, "pct, rf, ri"),
        ("v=DMARC1; p=reject; t=y", {}, "marked as a test"),
        ("v=DMARC1; p=reject; colour=blue; other", {}, "(p=reject)"),
        ("v=DMARC1; rua=mailto:a@example.org", {}, "(p=none)"),
        ("v=DMARC1; p=none; rua=mailto:a@stranger.test!10m", CONSENT, "(p=none)"),
        ("v=DMARC1; p=none; rua=mailto:a@sub.example.org,https://example.net/x", {}, "(p=none)"),
        ("v=DMARC1; p=reject; adkim=strict", {}, "ignore these tags"),
    ],
    ids=["none", "spaces", "all-tags", "rfc7489", "testing", "unknown-tags", "no-p-reported", "consent",
         "below", "odd"],
)  # fmt: skip
def test_dmarc_records_that_count(dmarc: str, more: Any, said: str) -> None:
    result = one("dmarc", look(world(dmarc=dmarc, **more)))
    assert result.status is Status.PASS, result
    assert said in result.message


@pytest.mark.parametrize(
    ("above", "status", "said"),
    [
        ({"_dmarc__example__org": ["v=DMARC1; p=reject; sp=none"]}, Status.PASS,
         "also applies to mail.a.example.org (p=none)"),
        ({"_dmarc__org": ["v=DMARC1; p=reject; psd=y"]}, Status.PASS, "_dmarc.org also applies"),
        ({"_dmarc__org": ["v=DMARC1; p=none; psd=y"], "_dmarc__example__org": ["v=DMARC1; p=reject"]},
         Status.PASS, "_dmarc.example.org also applies to mail.a.example.org (p=reject)"),
        ({"_dmarc__a__example__org": ["v=DMARC1; p=quarantine; psd=n"], "_dmarc__example__org": ["v=DMARC1; p=reject"]},
         Status.PASS, "_dmarc.a.example.org also applies"),
        ({"_dmarc__a__example__org": ["v=DMARC1; p=quarantine"], "_dmarc__example__org": ["v=DMARC1; p=reject"]},
         Status.PASS, "_dmarc.example.org also applies"),
        ({}, Status.WARN, "has no DMARC record"),
    ],
    ids=["organization", "suffix", "below-a-suffix", "psd=n-ends-it", "fewest-labels", "nobody"],
)  # fmt: skip
def test_the_walk_up_the_tree(above: dict[str, list[str]], status: Status, said: str) -> None:
    rows = world(dmarc=None, **{name: [("TXT", one) for one in texts] for name, texts in above.items()})
    rows["mail.a.example.org"] = [("MX", f"10 {NAME}.")]
    result = one("dmarc", look(rows, domain="mail.a.example.org"))
    assert result.status is status
    assert said in result.message


def test_silence_above_a_name_is_not_the_absence_of_a_record() -> None:
    rows = world(dmarc=None, _dmarc__example__org=["TIMEOUT"])
    rows["a.example.org"] = [("MX", f"10 {NAME}.")]
    assert one("dmarc", look(rows, domain="a.example.org")).status is Status.UNKNOWN


def test_transport_security_is_a_remark_on_delivery() -> None:
    rows = world(**{
        "_mta-sts__example__org": [("TXT", "v=STSv1; id=20261128")],
        "_smtp._tls__example__org": [("TXT", "v=TLSRPTv1; rua=mailto:tls@example.org")],
    })  # fmt: skip
    result = one("mx", look(rows))
    assert result.status is Status.PASS
    assert "MTA-STS policy" in result.message
    assert "TLS reports go to mailto:tls@example.org." in result.message
    assert "MTA-STS" not in one("mx", look(world())).message


@pytest.mark.parametrize("identity", ["spf", "dkim", "dmarc"])
def test_of_a_domain_that_nobody_has_nothing_is_judged(identity: str) -> None:
    denied = Answer(f"{DOMAIN}.", "TXT", "NXDOMAIN", denied="domain", above=f"{DOMAIN}.")
    result = one(identity, look(world(), answers=Answers({f"{DOMAIN}. TXT": denied})))
    assert result.status is Status.SKIP
    assert "is not registered" in (result.reason or "")


@pytest.mark.parametrize("identity", ["spf", "dkim", "dmarc"])
def test_offline_and_old_facts(identity: str) -> None:
    offline = one(identity, look(world(), answers=Fact.skipped("DNS", "--offline was given.")))
    assert (offline.status, offline.reason) == (Status.SKIP, "--offline was given.")
    old = one(identity, look(world(), answers=Answers({f"{NAME}. A": lookup(world())(NAME, "A")})))
    assert old.status is Status.UNKNOWN
    assert "was not queried for" in (old.reason or "")
