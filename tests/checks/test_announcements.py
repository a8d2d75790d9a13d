"""SRV, TLSA and CAA: whole zones with a single mistake each, gathered by the rounds' own questions."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from preflight.checks import Look
from preflight.facts import Answer, Answers, Asked, Fact
from preflight.facts.records import Tlsa
from preflight.gather.names.questions import MailHost
from preflight.mailcow.services import ANNOUNCED
from preflight.report.model import Result, Status
from tests import build
from tests.checks.test_dns import V4, link
from tests.checks.test_policies import DOMAIN, NAME, Rows, gathered
from tests.policies.zones import lookup

LE = ("CAA", '0 issue "letsencrypt.org"')
PATH = "path=/SOGo/dav/"
# mailcow's documentation, "The advanced DNS configuration": name, port.
TABLE = {
    "_autodiscover._tcp": 443, "_caldavs._tcp": 443, "_carddavs._tcp": 443, "_imap._tcp": 143, "_imaps._tcp": 993,
    "_pop3._tcp": 110, "_pop3s._tcp": 995, "_sieve._tcp": 4190, "_smtps._tcp": 465, "_submission._tcp": 587,
    "_submissions._tcp": 465,
}  # fmt: skip


def world(**more: list[Any]) -> Rows:
    """A zone in which all is well, but for what is given, with `__` for a dot."""
    made: Rows = {
        "org": [],
        DOMAIN: [("MX", f"10 {NAME}."), LE],
        NAME: [("A", V4)],
        f"autodiscover.{DOMAIN}": [("CNAME", f"{NAME}.")],
        f"autoconfig.{DOMAIN}": [("CNAME", f"{NAME}.")],
    }
    for label, port in TABLE.items():
        paths = [("TXT", PATH)] if "dav" in label else []
        made[f"{label}.{DOMAIN}"] = [("SRV", f"0 1 {port} {NAME}."), *paths]
    return made | {name.replace("__", "."): rows for name, rows in more.items()}


def look(rows: Rows, domains: tuple[str, ...] = (DOMAIN,), conf: dict[str, str] | None = None, **facts: Any) -> Look:
    asked = Asked(hostname=NAME, domains=domains)
    answers = gathered(lookup(rows), MailHost(NAME, domains, (V4,)))
    return build.look(asked=asked, conf=conf, **({"answers": answers, "links": (link(V4),)} | facts))


def results(identity: str, given: Look) -> dict[str | None, Result]:
    return {result.subject: result for result in build.run(f"dns.{identity}", given)}


def srv(rows: Rows, label: str, **more: Any) -> Result:
    return results("srv", look(rows, **more))[f"{label}.{DOMAIN}"]


def caa(rows: Rows, **more: Any) -> Result:
    return results("caa", look(rows, **more))[NAME]


def records(result: Result) -> list[tuple[str, str, str]]:
    return [(one.name, one.type, one.value) for one in (result.remedy.records if result.remedy else ())]


def entered(rows: Rows, result: Result) -> Rows:
    """Return the zone once the records are entered: CAA beside those that are there, others in their place."""
    made = {name: list(old) for name, old in rows.items()}
    for name, kind, value in records(result):
        kept = [row for row in made.get(name, []) if row[0] != kind or kind == "CAA"]
        made[name] = [*kept, (kind, value.strip('"') if kind == "TXT" else value)]
    return made


# --- SRV


def test_the_table_is_that_of_the_documentation() -> None:
    rows = {name: old for name, old in world().items() if not name.startswith("_")}
    made = [record for result in results("srv", look(rows)).values() for record in records(result)]
    assert [record for record in made if record[1] == "SRV"] == [
        (f"{label}.{DOMAIN}", "SRV", f"0 1 {port} {NAME}.") for label, port in TABLE.items()
    ]
    assert [record for record in made if record[1] != "SRV"] == [
        (f"_{one}._tcp.{DOMAIN}", "TXT", f'"{PATH}"') for one in ("caldavs", "carddavs")
    ]


def test_services_that_lead_here_pass() -> None:
    found = results("srv", look(world()))
    assert list(found) == [one.owner(DOMAIN) for one in ANNOUNCED]
    assert {(result.status, result.remedy) for result in found.values()} == {(Status.PASS, None)}


OTHER = "other.test."


@pytest.mark.parametrize(
    ("label", "rows", "said", "when"),
    [
        ("_imaps._tcp", [], "has no SRV record", "now"),
        ("_imaps._tcp", [("SRV", f"0 1 994 {NAME}.")], f"points to port 994 of {NAME}. mailcow uses port 993.", "now"),
        ("_imaps._tcp", [("SRV", f"0 1 993 {OTHER}")], "points to other.test today", "last"),
        ("_imaps._tcp", [("SRV", f"0 1 993 {NAME}.{DOMAIN}.")], "the trailing dot is missing", "now"),
        ("_imaps._tcp", [("SRV", f"0 1 994 {NAME}."), ("SRV", f"9 1 993 {OTHER}")], "points to port 994", "last"),
        ("_caldavs._tcp", [("SRV", f"0 1 443 {NAME}.")], "no TXT record with the path /SOGo/dav/", "now"),
        ("_caldavs._tcp", [("SRV", f"0 1 443 {NAME}."), ("TXT", "path=/dav")], "no TXT record with the path", "now"),
        ("_carddavs._tcp", [], "has no SRV record", "now"),
    ],
    ids=["none", "port", "elsewhere", "dot", "port-and-elsewhere", "no-path", "wrong-path", "none-with-path"],
)  # fmt: skip
def test_srv_records_with_one_mistake(label: str, rows: list[Any], said: str, when: str) -> None:
    zone = world(**{f"{label}.{DOMAIN}": rows})
    result = srv(zone, label)
    assert result.status is Status.PASS  # information alone
    assert said in result.message
    assert result.remedy
    assert (result.remedy.when, result.remedy.place) == (when, "dns")
    healed = srv(entered(zone, result), label)
    assert (healed.status, healed.remedy) == (Status.PASS, None)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("SRV", "0 0 0 .")], "says that the service is not provided"),
        ([("SRV", f"20 7 993 {NAME.upper()}.")], f"points to {NAME}."),
        ([("SRV", f"0 1 993 {NAME}."), ("SRV", f"5 1 1993 {NAME}.")], f"points to {NAME}."),
    ],
    ids=["not-provided", "priority", "two-ports"],
)
def test_srv_records_that_are_right(rows: list[Any], said: str) -> None:
    result = srv(world(**{f"_imaps._tcp.{DOMAIN}": rows}), "_imaps._tcp")
    assert said in result.message
    assert result.remedy is None


@pytest.mark.parametrize(
    ("second", "said"),
    [(f"9 1 993 {OTHER}", "but also to other.test"), ("0 0 0 .", "also says that the service is not provided")],
)
def test_what_else_a_record_says_is_told(second: str, said: str) -> None:
    rows = [("SRV", f"0 1 993 {NAME}."), ("SRV", second)]
    result = srv(world(**{f"_imaps._tcp.{DOMAIN}": rows}), "_imaps._tcp")
    assert said in result.message
    assert records(result) == []


def test_a_service_that_is_not_provided_needs_no_path() -> None:
    zone = world(**{f"_caldavs._tcp.{DOMAIN}": [("SRV", "0 0 0 .")]})
    assert srv(zone, "_caldavs._tcp").remedy is None


def test_new_srv_records_wait_where_mail_is_elsewhere_today() -> None:
    zone = world(other__test=[("A", "192.0.2.25")], **{f"_imaps._tcp.{DOMAIN}": []})
    zone[DOMAIN] = [("MX", f"10 {OTHER}")]
    result = srv(zone, "_imaps._tcp")
    assert result.remedy
    assert result.remedy.when == "last"


def test_ports_are_those_of_mailcow_conf() -> None:
    moved = srv(world(), "_imaps._tcp", conf={"IMAPS_PORT": "1993"})
    assert records(moved) == [(f"_imaps._tcp.{DOMAIN}", "SRV", f"0 1 1993 {NAME}.")]
    behind = {"HTTPS_PORT": "8443", "HTTPS_BIND": "127.0.0.1"}  # a web server in front of mailcow keeps the usual port
    assert srv(world(), "_autodiscover._tcp", conf=behind).remedy is None
    own = world(**{f"_autodiscover._tcp.{DOMAIN}": [("SRV", f"0 1 8443 {NAME}.")]})
    assert srv(own, "_autodiscover._tcp", conf={"HTTPS_PORT": "8443"}).remedy is None


def test_without_sogo_there_are_no_calendars() -> None:
    found = results("srv", look(world(), conf={"SKIP_SOGO": "y"}))
    skipped = [subject for subject, result in found.items() if result.status is Status.SKIP]
    assert skipped == [f"_caldavs._tcp.{DOMAIN}", f"_carddavs._tcp.{DOMAIN}"]


# --- TLSA

DIGEST = "ab" * 32


def tlsa(*rows: str, authentic: bool = True, conf: dict[str, str] | None = None) -> Result:
    given = look(world(**{f"_25._tcp.{NAME}": [("TLSA", row) for row in rows]}), conf=conf)
    answers = given.host.answers.get()
    key = f"_25._tcp.{NAME}. TLSA"
    made = Answers({**answers.by_question, key: replace(answers.by_question[key], authentic=authentic)})
    (result,) = results("tlsa", replace(given, host=replace(given.host, answers=Fact.of("DNS", made)))).values()
    assert (result.subject, result.status) == (f"_25._tcp.{NAME}", Status.PASS)
    return result


RUNNING = {"MAILCOW_HOSTNAME": NAME}


def test_before_installation_no_tlsa_record_is_missed() -> None:
    assert tlsa(authentic=False).remedy is None


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (f"0 1 1 {DIGEST}", "usage must be 2 or 3"),
        (f"1 1 1 {DIGEST}", "usage must be 2 or 3"),
        (f"4 1 1 {DIGEST}", "usage must be 2 or 3"),
        (f"3 2 1 {DIGEST}", "selector is not 0 or 1"),
        (f"3 1 3 {DIGEST}", "matching type is not 0, 1 or 2"),
        ("3 1 1 abcd", "its digest has 2 bytes, not 32"),
        (f"3 1 2 {DIGEST}", "its digest has 32 bytes, not 64"),
        ("3 1 0 ", "has no data"),
        ("3 1 1 ", "has no data"),
    ],
)
def test_tlsa_records_that_no_sender_uses(row: str, said: str) -> None:
    result = tlsa(row, conf=RUNNING)
    assert said in result.message
    assert result.remedy
    assert result.remedy.when == "last"


@pytest.mark.parametrize("row", [f"3 1 1 {DIGEST}", f"2 0 1 {DIGEST}", f"3 0 2 {DIGEST * 2}", "3 1 0 3059", "2 1 0 30"])
def test_a_usable_tlsa_record_is_of_another_key_before_mailcow_runs(row: str) -> None:
    assert "will not match its certificate" in tlsa(row).message
    assert "3 1 1 and the SHA-256 digest" in str(tlsa(row).remedy)
    after = tlsa(row, conf=RUNNING)
    assert after.remedy is None
    assert "Senders can use" in after.message


def test_without_dnssec_tlsa_does_nothing() -> None:
    result = tlsa(f"3 1 1 {DIGEST}", authentic=False)
    assert "DNSSEC does not confirm them" in result.message
    assert "will not match" not in result.message
    assert result.remedy
    assert "Sign the zone with DNSSEC" in result.remedy.text


def test_every_bad_tlsa_record_is_told() -> None:
    message = tlsa(f"0 1 1 {DIGEST}", "3 1 1 ab", f"3 1 1 {DIGEST}", conf=RUNNING).message
    assert message.count("Senders ignore") == 2


def test_evidence_of_tlsa_is_the_records() -> None:
    assert build.measured(tlsa(f"3 1 1 {DIGEST}"))["found"] == [str(Tlsa(3, 1, 1, DIGEST))]


# --- CAA


def issue(*values: str) -> list[Any]:
    return [("CAA", f'0 issue "{value}"') for value in values]


ADDED = (DOMAIN, "CAA", '0 issue "letsencrypt.org"')


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (issue("digicert.com"), "allow only digicert.com to issue"),
        (issue("digicert.com", "sectigo.com"), "allow only digicert.com, sectigo.com to issue"),
        (issue(";"), "forbid all certificates"),
        (issue(""), "forbid all certificates"),
        (issue(" ; "), "forbid all certificates"),
        (issue("LetsEncrypt.org"), "exact spelling letsencrypt.org"),
        (issue("letsencrypt.org."), "exact spelling letsencrypt.org"),
        (issue("letsencrypt.org; validationmethods=dns-01"), "validation method that mailcow uses: http-01"),
        (issue("letsencrypt.org; validationmethods=http-01,b@d"), "validation method"),
        (issue("letsencrypt.org; accounturi=https://acme-v02.api.letsencrypt.org/acme/acct/1"), "only one"),
        (issue("letsencrypt.org; policy"), "cannot read the CAA record"),
        (issue("letsencrypt.org; a=b c"), "cannot read the CAA record"),
        (issue("letsencrypt.org; a=b;"), "cannot read the CAA record"),
        (issue("letsencrypt.org; accounturi=x; accounturi=x"), "cannot read the CAA record"),
        ([("CAA", '0 ISSUE "digicert.com"')], "allow only digicert.com to issue"),
        ([*issue("digicert.com"), ("CAA", '0 issuewild "letsencrypt.org"')], "allow only digicert.com to issue"),
        ([*issue("notletsencrypt.org")], "allow only notletsencrypt.org to issue"),
    ],
)  # fmt: skip
def test_caa_records_that_keep_lets_encrypt_out(rows: list[Any], said: str) -> None:
    zone = world()
    zone[DOMAIN] = [zone[DOMAIN][0], *rows]
    found = results("caa", look(zone))
    assert list(found) == [NAME]  # one cause, one finding, whatever further names it concerns
    assert found[NAME].status is Status.FAIL
    assert said in found[NAME].message
    assert records(found[NAME]) == [ADDED]
    assert caa(entered(zone, found[NAME])).status is Status.PASS


@pytest.mark.parametrize(
    "rows",
    [
        [],
        issue("letsencrypt.org"),
        issue("digicert.com", "letsencrypt.org"),
        issue(";", "letsencrypt.org"),
        issue("\t letsencrypt.org \t; \t"),
        issue("letsencrypt.org; validationmethods=dns-01,http-01"),
        issue("letsencrypt.org;validationmethods = http-01 ; future=1"),
        [("CAA", '128 issue "letsencrypt.org"')],
        [("CAA", '0 IsSuE "letsencrypt.org"')],
        [("CAA", '0 issuewild ";"')],
        [("CAA", '0 iodef "mailto:security@example.org"'), ("CAA", '128 iodef "mailto:a@example.org"')],
        [("CAA", '0 unheard "of"'), ("CAA", '64 unheard "of"')],
        issue("letsencrypt.org; accounturi=x", "letsencrypt.org"),
    ],
)
def test_caa_records_that_let_lets_encrypt_in(rows: list[Any]) -> None:
    zone = world()
    zone[DOMAIN] = [zone[DOMAIN][0], *rows]
    found = results("caa", look(zone))
    assert list(found) == [NAME]
    assert found[NAME].status is Status.PASS, found[NAME]
    assert f"{NAME}, autodiscover.{DOMAIN}, autoconfig.{DOMAIN}" in found[NAME].message


@pytest.mark.parametrize("flags", [128, 1, 129, 192])
def test_a_critical_property_that_nobody_knows_forbids(flags: int) -> None:
    zone = world()
    zone[DOMAIN].append(("CAA", f'{flags} tbs "unknown"'))
    result = caa(zone)
    assert result.status is Status.FAIL
    assert "it does not know tbs, which" in result.message
    assert records(result) == []
    zone[DOMAIN].remove(LE)
    zone[DOMAIN] += issue("digicert.com")
    assert records(caa(zone)) == [ADDED]


@pytest.mark.parametrize(
    ("more", "status", "at"),
    [
        ({NAME.replace(".", "__"): [("A", V4), *issue("letsencrypt.org")]}, Status.PASS, NAME),
        ({NAME.replace(".", "__"): [("A", V4), *issue("digicert.com")]}, Status.FAIL, NAME),
        ({NAME.replace(".", "__"): [("A", V4), ("CAA", '0 iodef "mailto:a@example.org"')]}, Status.PASS, NAME),
        ({"org": issue("digicert.com")}, Status.PASS, DOMAIN),
        ({DOMAIN.replace(".", "__"): [("MX", f"10 {NAME}.")], "org": issue("digicert.com")}, Status.FAIL, "org"),
    ],
    ids=["own", "own-forbids", "own-says-nothing", "nearer-counts", "top-level"],
)
def test_the_nearest_records_count(more: dict[str, Any], status: Status, at: str) -> None:
    result = caa(world(**more))
    assert result.status is status
    assert at in result.message
    if status is Status.FAIL:
        (where, *_), *_ = records(result)
        assert where == (NAME if at == NAME else DOMAIN)
        assert caa(entered(world(**more), result)).status is Status.PASS


def test_an_alias_has_its_targets_records_and_those_above_itself() -> None:
    zone = world(host__test=[("A", V4), *issue("digicert.com")], test=issue("digicert.com"))
    zone[NAME] = [("CNAME", "host.test.")]
    assert "of host.test allow only digicert.com" in caa(zone).message
    zone["host.test"] = [("A", V4)]  # what stands above the target does not count
    assert caa(zone).status is Status.PASS


def test_mailcow_itself_looks_one_label_up() -> None:
    """Its own records let Let's Encrypt in, but mailcow reads those of the name above, and does not ask."""
    zone = world(**{NAME: [("A", V4), *issue("letsencrypt.org")]})
    zone[DOMAIN] = [zone[DOMAIN][0], *issue("digicert.com")]
    result = caa(zone)
    assert result.status is Status.FAIL
    assert f"the CAA records of {DOMAIN} do not allow Let's Encrypt" in result.message
    assert records(result) == [ADDED]
    assert caa(entered(zone, result)).status is Status.PASS


def test_one_set_is_one_finding_whoever_reads_it() -> None:
    """The host is two labels below its domain, whose records keep mailcow from asking for other names of it."""
    zone = world(**{"mail.sub.example.org": [("A", V4)], "sub.example.org": []})
    zone[DOMAIN] = [zone[DOMAIN][0], *issue("digicert.com")]
    for label in ("autodiscover", "autoconfig"):
        zone[f"{label}.{DOMAIN}"] = [("CNAME", "mail.sub.example.org.")]
    answers = gathered(lookup(zone), MailHost("mail.sub.example.org", (DOMAIN,), (V4,)))
    given = build.look(asked=Asked(hostname="mail.sub.example.org", domains=(DOMAIN,)), answers=answers)
    found = results("caa", given)
    assert {name: result.status for name, result in found.items()} == {"mail.sub.example.org": Status.FAIL}
    assert records(found["mail.sub.example.org"]) == [ADDED]


def test_both_sets_are_healed_at_once() -> None:
    zone = world(**{NAME: [("A", V4), *issue("sectigo.com")]})
    zone[DOMAIN] = [zone[DOMAIN][0], *issue("digicert.com")]
    result = caa(zone)
    assert [name for name, *_ in records(result)] == [NAME, DOMAIN]
    assert caa(entered(zone, result)).status is Status.PASS


# --- further names of the certificate

NET = "example.net"


def with_net(rows: list[Any], **more: list[Any]) -> Rows:
    aliases: Rows = {f"{label}.{NET}": [("CNAME", f"{NAME}.")] for label in ("autodiscover", "autoconfig")}
    return world(net=[], **{NET: [("MX", f"10 {NAME}."), *rows]}, **aliases, **more)


def test_another_domain_that_mailcow_itself_leaves_out_is_a_warning() -> None:
    zone = with_net(issue("digicert.com"))
    found = results("caa", look(zone, domains=(DOMAIN, NET)))
    assert {name: result.status for name, result in found.items()} == {
        NAME: Status.PASS, f"autodiscover.{NET}": Status.WARN,
    }  # fmt: skip
    result = found[f"autodiscover.{NET}"]
    assert records(result) == [(NET, "CAA", '0 issue "letsencrypt.org"')]
    healed = results("caa", look(entered(zone, result), domains=(DOMAIN, NET)))
    assert {result.status for result in healed.values()} == {Status.PASS}


def test_a_name_that_is_asked_for_in_vain_takes_the_certificate_with_it() -> None:
    zone = with_net(issue("letsencrypt.org; validationmethods=dns-01"))
    result = results("caa", look(zone, domains=(DOMAIN, NET)))[f"autodiscover.{NET}"]
    assert result.status is Status.FAIL
    assert f"so {NAME} does not get one either" in result.message
    apart = results("caa", look(zone, domains=(DOMAIN, NET), conf={"ENABLE_SSL_SNI": "y"}))[f"autodiscover.{NET}"]
    assert apart.status is Status.WARN
    dns = results("caa", look(zone, domains=(DOMAIN, NET), conf={"ACME_DNS_CHALLENGE": "y"}))
    assert {one.status for one in dns.values()} == {Status.PASS}


@pytest.mark.parametrize("conf", [{"AUTODISCOVER_SAN": "n"}, {"ONLY_MAILCOW_HOSTNAME": "y"}])
def test_names_that_mailcow_does_not_ask_for_are_not_judged(conf: dict[str, str]) -> None:
    assert list(results("caa", look(with_net(issue(";")), domains=(DOMAIN, NET), conf=conf))) == [NAME]


def test_names_that_lead_elsewhere_are_not_asked_for_and_missing_ones_will_be() -> None:
    zone = with_net(issue(";"), other__test=[("A", "192.0.2.25")])
    for label in ("autodiscover", "autoconfig"):
        zone[f"{label}.{NET}"] = [("CNAME", "other.test.")]
    assert list(results("caa", look(zone, domains=(DOMAIN, NET)))) == [NAME]
    del zone[f"autoconfig.{NET}"]
    assert list(results("caa", look(zone, domains=(DOMAIN, NET)))) == [NAME, f"autoconfig.{NET}"]


def test_an_alias_of_the_host_has_the_hosts_own_records() -> None:
    zone = with_net([], **{NAME: [("A", V4), *issue("letsencrypt.org")]})
    zone["net"] = issue(";")  # above the alias: not looked for, as its target has records
    zone[f"autoconfig.{NET}"] = []  # to be entered as an alias
    found = results("caa", look(zone, domains=(NET,)))
    assert {name: result.status for name, result in found.items()} == {NAME: Status.PASS}
    assert f"autoconfig.{NET}" in found[NAME].message


# --- what decides nothing


@pytest.mark.parametrize(
    ("conf", "reason"),
    [({"SKIP_LETS_ENCRYPT": "y"}, "SKIP_LETS_ENCRYPT"), ({"DIRECTORY_URL": "https://ca.test/acme"}, "DIRECTORY_URL")],
)
def test_without_lets_encrypt_caa_is_skipped(conf: dict[str, str], reason: str) -> None:
    zone = world()
    zone[DOMAIN] = issue(";")
    (result,) = results("caa", look(zone, conf=conf)).values()
    assert result.status is Status.SKIP
    assert reason in (result.reason or "")
    assert caa(zone, conf=conf | {"SKIP_LETS_ENCRYPT": "n", "LE_STAGING": "y"}).status is Status.FAIL


def test_the_account_of_a_mailcow_that_is_there_is_not_known() -> None:
    zone = world()
    zone[DOMAIN] = issue("letsencrypt.org; accounturi=https://acme-v02.api.letsencrypt.org/acme/acct/1")
    assert caa(zone, conf=RUNNING).status is Status.UNKNOWN


def with_answer(answer: Answer) -> Look:
    given = look(world())
    made = Answers({**given.host.answers.get().by_question, f"{answer.name} {answer.type}": answer})
    return replace(given, host=replace(given.host, answers=Fact.of("DNS", made)))


@pytest.mark.parametrize("rcode", ["timeout", "SERVFAIL", "REFUSED", "error"])
@pytest.mark.parametrize("name", [NAME, DOMAIN])
def test_silence_is_no_permission(name: str, rcode: str) -> None:
    result = results("caa", with_answer(Answer(f"{name}.", "CAA", rcode, server="192.0.2.53")))[NAME]
    assert result.status is Status.UNKNOWN
    assert name in (result.reason or "")


def test_a_server_of_ones_own_zones_need_not_know_the_top_level_domain() -> None:
    zone = {**world(), DOMAIN: [("MX", f"10 {NAME}.")]}
    for rcode, status in (("REFUSED", Status.PASS), ("SERVFAIL", Status.UNKNOWN), ("timeout", Status.UNKNOWN)):
        given = look(zone)
        made = Answers({**given.host.answers.get().by_question, "org. CAA": Answer("org.", "CAA", rcode)})
        given = replace(given, host=replace(given.host, answers=Fact.of("DNS", made)))
        assert results("caa", given)[NAME].status is status


def test_aliases_in_a_circle_say_nothing() -> None:
    broken = Answer(f"{NAME}.", "CAA", "NOERROR", alias=f"{NAME}.", broken="circle")
    assert results("caa", with_answer(broken))[NAME].status is Status.UNKNOWN


@pytest.mark.parametrize("identity", ["srv", "tlsa", "caa"])
def test_of_a_domain_that_nobody_has_nothing_is_judged(identity: str) -> None:
    gone = "gone.net"  # no domain of the documentation's examples, which are another finding
    denied = {
        f"{name}. {kind}": Answer(f"{name}.", kind, "NXDOMAIN", denied="domain", above=f"{gone}.")
        for name, kind in ((gone, "MX"), (f"mail.{gone}", "A"))
    }
    given = build.look(asked=Asked(hostname=f"mail.{gone}"), answers=Answers(denied))
    for result in build.run(f"dns.{identity}", given):
        assert result.status is Status.SKIP
        assert "is not registered" in (result.reason or "")


@pytest.mark.parametrize("identity", ["srv", "tlsa", "caa"])
def test_offline_and_old_facts(identity: str) -> None:
    for result in build.run(f"dns.{identity}", look(world(), answers=Fact.skipped("DNS", "--offline was given."))):
        assert (result.status, result.reason) == (Status.SKIP, "--offline was given.")
    old = Answers({f"{NAME}. A": lookup(world())(NAME, "A")})
    for result in build.run(f"dns.{identity}", look(world(), answers=old)):
        assert result.status is Status.UNKNOWN
        assert "was not queried for" in (result.reason or "")
