"""Redacted reports and facts: nothing of the host's own in any of them, and yet they say what is the matter."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from preflight.assess import assess
from preflight.assess.waivers import Waiver
from preflight.checks import catalogue
from preflight.facts import Host
from preflight.mailcow import plan, requirements
from preflight.redact import Recorded, Redaction, redacted
from preflight.redact.retold import WITHHELD
from preflight.render import FORMATS, Context, render
from preflight.render.words import REDACTED
from preflight.report.documents import decode_report, encode, read_facts, schema
from preflight.report.model import Evidence, Report, Status
from tests.build import measured
from tests.redact.hosts import DOMAIN, NAME, SECRETS, rich
from tests.redact.plant import Plant, grown, planted

NUMBERS = requirements.load("current")
CHECKS = catalogue()
WHY = {entry.id: entry.why for entry in CHECKS}
RECORDED = Path(__file__).parent.parent / "hosts" / "debian12-nested.json"


def judge(host: Host, waivers: tuple[Waiver, ...] = ()) -> Report:
    return assess(host, plan.make(host.mailcow_conf.value, host.asked), NUMBERS, CHECKS, waivers, timer=lambda: 0.0)


def told(host: Host) -> tuple[Report, Report]:
    """Return the real report on a host, and the redacted one."""
    real = judge(host)
    return real, Redaction(host).report(real, NUMBERS, CHECKS)


def documents(host: Host) -> dict[str, str]:
    """Return every document that can be made of a host when it is redacted, by its format."""
    redaction = Redaction(host)
    report = redaction.report(judge(host), NUMBERS, CHECKS)
    made = {name: render(report, name, Context(why=WHY, redacted=True)) for name in FORMATS}
    return made | {"facts": encode(redaction.facts())}


# --- nothing shows -----------------------------------------------------------------------------------------------


def test_no_document_shows_anything_of_a_host() -> None:
    for name, text in documents(rich()).items():
        shown = [secret for secret in SECRETS if secret.lower() in text.lower()]
        assert not shown, name


def test_without_redaction_all_of_it_shows() -> None:
    """The secrets above are ones that really stand in the report or the facts."""
    text = render(judge(rich()), "json") + encode(rich())
    assert [secret for secret in SECRETS if secret not in text] == []


SHAPES: dict[str, Callable[[int], str]] = {
    "word": lambda number: f"Geheimnis{number}x",
    "name": lambda number: f"a.geheimnis{number}x.example.net",
    "capitals": lambda number: f"WWW.GEHEIMNIS{number}X.example.net.",
    "sentence": lambda number: f"failed to start container geheimnis{number}x: permission denied",
    "path": lambda number: f"/home/geheimnis{number}x/etc/docker",
    "link": lambda number: f"tcp://geheimnis{number}x:pw@host.geheimnis{number}x.net:2375/geheimnis{number}x",
    "pair": lambda number: f"--name=geheimnis{number}x",
    "version": lambda number: f"6.1.0-geheimnis{number}x",
    "unit": lambda number: f"geheimnis{number}x@a.service",
    "image": lambda number: f"registry.geheimnis{number}x.net:5000/nginx:1.27",
    "mailcow": lambda number: f"mailcowdockerized_geheimnis{number}x-1",
    "quoted": lambda number: f"'geheimnis{number}x' \"geheimnis{number}x\" `geheimnis{number}x`",
    "record": lambda number: f"10 mx.geheimnis{number}x.example.",
    "other script": lambda number: f"geheimnis{number}xß.exämple",
    "lines": lambda number: f"\x1b[31mgeheimnis{number}x\n\u202egeheimnis{number}x",
    "long": lambda number: f"geheimnis{number}x " * 3000,
}


@pytest.mark.parametrize("missing", [False, True], ids=["known", "missing"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_secret_in_any_place_of_the_facts_shows_in_no_document(shape: str, missing: bool) -> None:
    host = planted(numbered(SHAPES[shape]), missing=missing)
    for name, text in documents(host).items():
        assert "geheimnis" not in text.lower(), name


def numbered(shape: Callable[[int], str]) -> Plant:
    places: dict[str, int] = {}
    return lambda place: shape(places.setdefault(place, len(places)))


ADDRESSES: dict[str, Callable[[int], str]] = {
    "ipv4": lambda number: f"203.0.113.{number % 250}",
    "with a port": lambda number: f"203.0.113.{number % 250}:25",
    "network": lambda number: f"203.0.{113 + number % 2}.0/24",
    "ipv6": lambda number: f"2001:db8:beef::{number:x}",
    "in brackets": lambda number: f"[2001:db8:beef::{number:x}]:443",
    "in capitals": lambda number: f"2001:DB8:BEEF:0:0:0:0:{number:X}",
    "scoped": lambda number: f"fe80::beef:{number:x}%ens3",
    "mapped": lambda number: f"::ffff:203.0.113.{number % 250}",
    "in a sentence": lambda number: f"cannot bind 203.0.113.{number % 250}, nor [2001:db8:beef::{number:x}]:25.",
    "in a record": lambda number: f"v=spf1 ip4:203.0.113.{number % 250}/32 ip6:2001:db8:beef::/48 -all",
    "reversed": lambda number: f"{number % 250}.113.0.203.in-addr.arpa",
    "in a name": lambda number: f"static-203-0-113-{number % 250}.example.net",
    "of a card": lambda number: f"02:be:ef:00:00:{number % 100:02}",
    "wrong": lambda number: f"203.0.113.{number % 250}.7",
}  # fmt: skip


@pytest.mark.parametrize("shape", ADDRESSES)
def test_an_address_in_any_place_of_the_facts_shows_in_no_document(shape: str) -> None:
    host = planted(numbered(ADDRESSES[shape]))
    for name, text in documents(host).items():
        for secret in ("203.0.113", "203.0.114", "113.0.203", "203-0-113", "beef", "02:be:ef"):
            # One of the sentences of our own proposes this network.
            assert secret not in text.lower().replace("fd00:dead:beef:c0::/80", ""), name


@pytest.mark.parametrize("shape", ["word", "name", "capitals", "path", "record", "other script", "long"])
def test_what_takes_a_secret_s_part_inside_shows_in_no_document(shape: str) -> None:
    for host in (rich(), read_facts(RECORDED), planted(numbered(SHAPES[shape]))):
        for name, text in documents(host).items():
            shown = text.partition('"stand_ins"')[0] if name == "facts" else text
            assert re.search(r"zq[a-z]+[0-9]*|qz\b", shown, re.IGNORECASE) is None, name


GROWTHS: dict[str, Plant] = {
    "after": lambda value: f"{value}-geheimnisx",
    "before": lambda value: f"geheimnisx.{value}",
    "beside": lambda value: f"{value} geheimnisx",
    "below": lambda value: f"{value}/geheimnisx",
    "with an address": lambda value: f"{value},2001:db8:9e4e:1::9",
}


@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize("growth", GROWTHS)
def test_a_secret_beside_what_may_be_shown_shows_in_no_document(growth: str, part: int) -> None:
    """Here most of a host is in order, so that the checks have much to say."""
    host = grown(rich(), GROWTHS[growth], lambda number: number % 5 == part)
    for name, text in documents(host).items():
        shown = [secret for secret in (*SECRETS, "geheimnisx", "9e4e") if secret.lower() in text.lower()]
        assert not shown, name


def test_our_own_examples_do_not_show_a_host_that_is_called_so() -> None:
    asked = msgspec.structs.replace(rich().asked, hostname="mail.example.org.", domains=("example.org",))
    for name, text in documents(msgspec.structs.replace(rich(), asked=asked)).items():
        assert "example.org" not in text, name


@pytest.mark.parametrize("name", ["/home/geheim/own.toml", "current"])
def test_requirements_and_waivers_of_ones_own_are_redacted_too(name: str) -> None:
    numbers = msgspec.structs.replace(NUMBERS, name=name, source="https://wiki.geheim.example/")
    waivers = (Waiver("resources.memory", None, "see https://tickets.geheim.example/ of geheim"),)
    real = assess(rich(), plan.make(rich().mailcow_conf.value, rich().asked), numbers, CHECKS, waivers)
    shown = Redaction(rich()).report(real, numbers, CHECKS, waivers)
    text = render(shown, "json")
    assert "geheim" not in text
    assert next(r for r in shown.results if r.check == "resources.memory").status is Status.IGNORED


# --- it is true and says something -------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [rich(), read_facts(RECORDED)], ids=["rich", "recorded"])
def test_verdict_and_statuses_are_the_real_ones_and_nothing_is_withheld(host: Host) -> None:
    real, shown = told(host)
    assert [(r.check, r.status, r.was) for r in shown.results] == [(r.check, r.status, r.was) for r in real.results]
    assert (shown.verdict, shown.counts, shown.seconds) == (real.verdict, real.counts, real.seconds)
    assert not [result.check for result in shown.results if WITHHELD in result.message]


def test_what_another_program_said_is_left_out() -> None:
    real, shown = told(read_facts(RECORDED))
    assert any(result.detail for result in real.results)
    assert not any(result.detail for result in shown.results)


def test_a_redacted_report_says_what_is_the_matter() -> None:
    _, shown = told(rich())
    messages = {(r.check, r.subject): r.message for r in shown.results}
    assert messages["ports.free", "<ipv4-1>:25/tcp"] == "<ipv4-1>:25/tcp is in use by exim4 (pid 825, exim4.service)."
    assert (
        messages["ports.free", "993/tcp"] == "993/tcp is in use by <process-1> (pid 1793, <unit-1>@<unit-2>.service)."
    )
    assert messages["dns.mx", "<domain-1>"] == (
        "Mail for <domain-1> goes to mx.<domain-3> first, not only to <host-1>.<domain-1>. These name servers of "
        "<domain-1> answer REFUSED to queries for the zone: <host-6>.<domain-3> (<ipv4-17>). These name servers of the "
        "zone did not answer: <host-7>.<domain-3> (<ipv4-18>)."
    )
    assert messages["docker.leftovers", "volume:mailcowdockerized_vmail-vol-1"].startswith("The volume mailcowdocker")
    assert "configuration has ENABLED=yes." in messages["firewall.managers", "ufw"]
    summary = shown.host
    assert (summary.os, summary.kernel, summary.engine) == (
        "Debian GNU/Linux 12 (bookworm)",
        "6.1.0-28-amd64",
        "27.5.1",
    )


def test_a_free_network_is_proposed_that_is_free_on_the_real_host() -> None:
    real, shown = told(rich())
    pairs = [(r, s) for r, s in zip(real.results, shown.results, strict=True) if measured(r).get("proposal")]
    assert pairs
    for one, other in pairs:
        assert one.remedy is not None
        assert other.remedy is not None
        assert other.evidence.proposal == one.evidence.proposal
        assert other.remedy.text == one.remedy.text


def test_zone_lines_lead_back_to_placeholders() -> None:
    text = render(told(rich())[1], "zone", Context(redacted=True))
    assert "; autodiscover.<domain-1>. 3600 IN CNAME <host-1>.<domain-1>.\n" in text
    assert "; <ipv4-1-reversed>.in-addr.arpa. 3600 IN PTR <host-1>.<domain-1>.\n" in text
    assert all(line.startswith(";") for line in text.splitlines())


def test_another_host_that_differs_in_names_and_addresses_gives_the_same_documents() -> None:
    """What is told depends on nothing but the shape of the facts."""
    text = encode(rich())
    for old, new in (
        ("kundenname.example", "tiny.test"), ("kundenname", "tiny"), ("geheim-hosting.example", "isp.test"),
        ("geheim", "andere"), ("tannhaeuser", "x1"), ("alice", "bob"), ("s3cr3t", "hunter2"), ("post.", "relais."),
        ("203.0.113.", "5.6.7."), ("113.0.203", "7.6.5"), ("10.44.", "10.99."), ("192.168.77", "192.168.200"),
        ("2001:db8:77:1", "2001:db8:99:9"), ("1.0.0.0.7.7.0.0.8", "9.0.0.0.9.9.0.0.8"),
        ("Musterstadt", "Neustadt"), ("acme-corp", "other-inc"), ("9f8e7d", "1a2b3c"), ("42acff", "77beff"),
        ("0242ac110002", "0242ac990002"),
    ):  # fmt: skip
        text = text.replace(old, new)
    other = msgspec.json.decode(text, type=Host)
    assert other != rich()
    assert documents(other) == documents(rich())


def test_two_runs_give_the_same_placeholders() -> None:
    assert documents(rich()) == documents(rich())


# --- the documents -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "json"])
def test_every_format_but_json_says_that_it_was_redacted(name: str) -> None:
    report = told(rich())[1]
    said = REDACTED.partition(":")[0]
    flat = " ".join(render(report, name, Context(redacted=True)).split())
    assert said in flat
    assert said not in " ".join(render(report, name).split())


def test_a_redacted_json_report_has_the_shape_of_the_contract() -> None:
    real, shown = told(rich())
    text = render(shown, "json", Context(redacted=True))
    assert json.loads(text).keys() == json.loads(render(real, "json")).keys()
    assert decode_report(text) == shown
    assert redacted(shown)
    assert not redacted(real)


def test_check_and_subject_stay_unique() -> None:
    for shape in SHAPES.values():
        results = told(planted(numbered(shape)))[1].results
        assert len({(result.check, result.subject) for result in results}) == len(results)


def test_facts_whose_records_are_lines_are_judged_as_those_of_today(tmp_path: Path) -> None:
    """An older version wrote its redacted answers so."""
    today = Redaction(rich()).facts()
    alone = msgspec.structs.replace(today.answers.get(), zones={}, own={})  # no zone's own server was asked then
    facts = msgspec.structs.replace(today, answers=msgspec.structs.replace(today.answers, value=alone))
    document = json.loads(encode(facts))
    document["answers"]["value"] = {
        key: json.loads(msgspec.json.encode(answer)) | {"records": [str(record) for record in answer.records]}
        for key, answer in facts.answers.get().by_question.items()
    }
    (tmp_path / "facts.json").write_text(json.dumps(document))
    older = read_facts(tmp_path / "facts.json")
    assert older == facts
    assert judge(Recorded(older).host).results == judge(Recorded(facts).host).results


def test_redacted_facts_are_a_facts_document_and_give_the_same_report() -> None:
    redaction = Redaction(rich())
    document = encode(redaction.facts())
    again = Recorded(msgspec.json.decode(document, type=Host))
    real = judge(again.host)
    assert again.report(real, NUMBERS, CHECKS).results == redaction.report(judge(rich()), NUMBERS, CHECKS).results
    assert json.loads(document)["asked"] == {
        "hostname": "<host-1>.<domain-1>", "domains": ["<domain-1>"], "public_ips": [], "mailcow_conf": None,
        "offline": False, "probe": True, "rehearse": False,
    }  # fmt: skip
    assert "stand_ins" in schema("facts")["$defs"]["Host"]["properties"]
    assert "stand_ins" not in json.loads(encode(rich()))


def test_redacted_facts_that_are_redacted_again_say_the_same() -> None:
    first = Redaction(rich()).facts()
    second = Redaction(Recorded(first).host)
    results = second.report(judge(Recorded(first).host), NUMBERS, CHECKS).results
    assert [(r.check, r.status) for r in results] == [(r.check, r.status) for r in judge(rich()).results]
    assert not [secret for secret in SECRETS if secret in encode(second.facts())]


def test_where_the_pseudonyms_come_to_another_result_the_status_is_told_and_no_word_more() -> None:
    real = judge(rich())
    turned = msgspec.structs.replace(
        real,
        results=tuple(
            msgspec.structs.replace(r, status=Status.FAIL, detail="geheim said", reason="of geheim")
            if r.check == "dns.mx"
            else r
            for r in real.results
        ),
    )
    assert "geheim" not in render(Redaction(rich()).report(turned, NUMBERS, CHECKS), "json")
    shown = [r for r in Redaction(rich()).report(turned, NUMBERS, CHECKS).results if r.check == "dns.mx"]
    assert [(r.status, r.message, r.evidence, r.subject) for r in shown] == [(Status.FAIL, WITHHELD, Evidence(), "(1)")]


def test_a_huge_host_costs_seconds() -> None:
    import time

    def text(number: int) -> str:
        return f"host{number}.geheim{number % 977}.example bad 10.{number % 250}.{number // 250 % 250}.1"

    services = msgspec.structs.replace(
        rich().engine.get(), warnings=tuple(map(text, range(100_000))), volumes=tuple(f"v{n}_x" for n in range(20_000))
    )
    host = msgspec.structs.replace(rich(), engine=msgspec.structs.replace(rich().engine, value=services))
    began = time.process_time()
    Redaction(host).facts()
    assert time.process_time() - began < 30


def test_names_are_those_of_this_test() -> None:
    assert NAME.endswith(DOMAIN)
