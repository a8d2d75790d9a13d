"""The page, as a parser sees it that counts every error; how it looks and works in a browser: tests/browser."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections import Counter
from functools import cache
from xml.etree.ElementTree import Element

import html5lib
import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as limits

from preflight.render import Context, html_words, plan_words, render, words
from preflight.report.compare import compare
from preflight.report.model import Report, Severity, Status, Verdict
from tests.render import reports
from tests.render.hostile import ANY, CODE, VALUES

SVG = "{http://www.w3.org/2000/svg}svg"
REFERENCES = ("for", "aria-labelledby", "aria-describedby", "data-copies")


def parsed(text: str) -> Element:
    """Return the tree of a page; any error of HTML is one here."""
    return html5lib.HTMLParser(namespaceHTMLElements=False, strict=True).parse(text)


def page(report: Report, **more: object) -> Element:
    return parsed(render(report, "html", Context(**more)))  # type: ignore[arg-type]


def text_of(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def texts(tree: Element, path: str) -> list[str]:
    return [text_of(element) for element in tree.iterfind(path)]


def having(tree: Element, name: str, tag: str = "*") -> list[Element]:
    """Return the elements of a class."""
    return [element for element in tree.iter() if tag in ("*", element.tag) and name in classes(element)]


def classes(element: Element) -> list[str]:
    return element.get("class", "").split()


def by_id(tree: Element, name: str) -> Element:
    return next(element for element in tree.iter() if element.get("id") == name)


def card_of(tree: Element, check: str) -> Element:
    """Return the card of a check."""
    return next(card for card in tree.iter("article") if check in [text_of(name) for name in card.iter("code")])


def title_of(tree: Element, check: str) -> Element:
    return next(card_of(tree, check).iter("h4"))


# --- the document ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_a_page_is_a_sound_document(name: str) -> None:
    tree = page(reports.SAMPLES[name](), why=reports.WHY)
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert max(Counter(ids).values()) == 1
    for element in tree.iter():
        for reference in REFERENCES:
            assert set(element.get(reference, "").split()) <= set(ids), reference
        if (target := element.get("href", "")).startswith("#"):
            assert target[1:] in ids
    assert len(list(tree.iter("h1"))) == 1
    levels = [int(element.tag[1]) for element in tree.iter() if re.fullmatch("h[1-6]", str(element.tag))]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert tree.get("lang") == "en"


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_the_policy_lets_in_what_stands_in_the_file_and_nothing_else(name: str) -> None:
    tree = page(reports.SAMPLES[name]())
    [policy] = [
        meta.get("content") for meta in tree.iter("meta") if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.keys() == {"default-src", "img-src", "style-src", "script-src", "base-uri", "form-action"}
    assert rules["img-src"] == "data:"
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        [element] = tree.iter(tag)
        assert not set(element.attrib) - {"type"}
        digest = hashlib.sha256((element.text or "").encode()).digest()
        assert rules[rule] == f"'sha256-{base64.b64encode(digest).decode()}'"


def test_the_policy_stands_before_all_that_it_judges() -> None:
    head = page(reports.ready()).find("head")
    assert head is not None
    assert [child.get("http-equiv", "") for child in head][:2] == ["", "Content-Security-Policy"]
    assert head[0].get("charset") == "utf-8"


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_nothing_is_fetched_and_no_attribute_runs_or_styles(name: str) -> None:
    tree = page(reports.SAMPLES[name]())
    tags = {str(element.tag) for element in tree.iter()}
    [icon] = tree.iter("link")
    assert icon.get("rel") == "icon"
    assert icon.get("href", "").startswith("data:image/svg+xml;base64,")
    assert not tags & {"img", "iframe", "object", "embed", "audio", "video", "form", "base", "use", "image"}
    for element in tree.iter():
        assert not {key for key in element.attrib if key in ("src", "style", "srcset") or key.startswith("on")}
    style = next(tree.iter("style")).text or ""
    assert "url(" not in style
    assert "@import" not in style


# --- what it says ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_the_verdict_comes_first_then_what_to_do(name: str) -> None:
    report = reports.SAMPLES[name]()
    tree = page(report)
    [hero] = having(tree, "verdict")
    told = text_of(hero)
    parts = ["Is vm1 ready for mailcow?", words.HEADLINE[report.verdict], words.NEXT[report.verdict]]
    places = [told.index(part) for part in parts]
    assert places == sorted(places)
    assert texts(tree, "head/title") == [f"{words.HEADLINE[report.verdict]} – vm1"]
    host = text_of(having(tree, "host")[0])
    assert "6.12.48+deb13-amd64 (x86_64)" in host
    assert "current, as of 2026-08-22" in host


def test_what_nobody_knows_is_said() -> None:
    tree = page(reports.report(name=None, os=None, kernel=None, architecture=None, engine=None))
    assert text_of(having(tree, "question")[0]).endswith("Is this host ready for mailcow?")
    host = "Host unknown System not checked Kernel unknown (unknown) Docker not checked"
    assert text_of(having(tree, "host")[0]).startswith(host)


def test_the_sections_stand_in_the_order_of_reading() -> None:
    assert texts(page(reports.failing()), ".//h2") == [
        html_words.PLAN, words.MEASURED, words.PORTS, words.ALL_RESULTS,
    ]  # fmt: skip
    assert texts(page(reports.warned()), ".//h2") == [
        html_words.PLAN, words.WAIVED, words.MEASURED, words.PORTS, words.ALL_RESULTS,
    ]  # fmt: skip


def test_what_blocks_is_told_with_evidence_remedy_commands_reason_and_link() -> None:
    card = card_of(page(reports.failing(), why=reports.WHY), "ports.free")
    told = text_of(card)
    parts = [
        "25/tcp is held by exim4 (pid 812, exim4.service)",
        "Expected: free · Found: 127.0.0.1:25",
        "What to do: Stop exim4",
        "systemctl disable --now exim4.service",
        "Docker refuses to start",
        "docs.mailcow.email/getstarted/prerequisite-system",
        "ports.free",
    ]
    places = [told.index(part) for part in parts]
    assert places == sorted(places)
    assert [a.get("href") for a in card.iter("a")] == [reports.DOCS]
    assert "To ignore this finding, add: --ignore ports.free:25/tcp" in told


def test_the_hero_says_where_to_start_and_what_comes_then() -> None:
    tree = page(reports.failing())
    failed = [card for card in tree.iter("article") if "is-fail" in classes(card)]
    [start] = having(tree, "start")
    steps = having(tree, "steps", "ol")[0]
    leads = [a.get("href") for part in (start, steps) for a in part.iter("a")]
    assert sorted(leads) == [f"#{card.get('id')}" for card in failed]
    many = [
        reports.result(f"a.b{n}", "fail", f"This is wrong: {n}.", remedy=reports.Remedy(f"Mend {n}.")) for n in range(9)
    ]
    tree = page(reports.report(*many))
    assert text_of(having(tree, "start")[0]) == "Start here This is wrong: 0 Mend 0."
    assert len(having(tree, "step")) == 6
    assert texts(tree, ".//p[@class='steps-more']") == ["and 2 more"]
    assert having(page(reports.report(many[0])), "step") == []


def test_steps_stand_below_the_place_where_they_are_done() -> None:
    def step(name: str, place: str, when: str = "now", status: str = "fail") -> reports.Result:
        return reports.result(name, status, f"{name} is wrong.", remedy=reports.Remedy(name, place=place, when=when))

    tree = page(
        reports.report(
            step("dns.mx", "dns"), step("dns.reverse", "provider"), step("a.b", "host"),
            step("dns.autoconfig", "dns", "last", "warn"),
            msgspec.structs.replace(reports.result("a.c", "fail", "No remedy."), remedy=None),
        )
    )  # fmt: skip
    titles = [text_of(heading) for part in having(tree, "place") for heading in part.iter("h3")]
    places = plan_words.HEADINGS
    assert titles == [places["host"], places["provider"], places["dns"], places["last"], plan_words.NO_FIX]
    assert [text_of(number) for number in having(tree, "number") if number.get("aria-hidden") is None] == list("12345")
    assert text_of(having(tree, "next")[0]).endswith("run the check again. Do 4 last, once mailcow is tested.")


def test_what_one_reason_stopped_is_one_row() -> None:
    stopped = [
        reports.result(f"docker.a{n}", "skip", "No engine answers.", reason="No engine answers.") for n in range(8)
    ]
    tree = page(reports.report(*stopped, reports.result("docker.b")))
    rows = having(tree, "row")
    assert [row.get("data-count") for row in rows] == ["8", "1"]
    assert "No engine answers. 8 results" in text_of(rows[0])
    assert "docker.a7" in text_of(rows[0])


def test_a_long_headline_is_cut_and_told_whole_below() -> None:
    message = "The engine said: " + "word " * 100 + "end."
    tree = page(reports.report(reports.result("docker.limits", "fail", message)))
    [heading] = texts(tree, ".//article/h4")
    assert len(heading) < 200
    assert "word end." in text_of(card_of(tree, "docker.limits"))


def test_paths_options_and_json_are_code_and_known_pages_are_links() -> None:
    text = (
        'Add "ipv6": true to /etc/docker/daemon.json, add --pid=host, set SKIP_CLAMD=y in mailcow.conf, and/or read '
        "https://docs.docker.com/engine/install/. See https://evil.example/ for 25/tcp."
    )
    tree = page(reports.report(reports.result("a.b", "fail", remedy=reports.Remedy(text))))
    [remedy] = having(tree, "remedy")
    assert [text_of(part) for part in remedy.iter("code")] == [
        '"ipv6": true', "/etc/docker/daemon.json", "--pid=host", "SKIP_CLAMD=y", "mailcow.conf",
    ]  # fmt: skip
    assert [a.get("href") for a in remedy.iter("a")] == ["https://docs.docker.com/engine/install/"]


@pytest.mark.parametrize("subject", ["*", "a=b", "a@2027-01-01", "<host-1>", "[!a]?"])
def test_no_waiver_is_offered_that_would_mean_something_else(subject: str) -> None:
    tree = page(reports.report(reports.result("a.b", "fail", subject=subject)))
    assert "--ignore" not in text_of(tree)


def test_commands_are_there_as_they_are_to_be_pasted() -> None:
    tree = page(reports.warned())
    swap = next(result.remedy for result in reports.warned().results if result.check == "resources.swap")
    assert swap
    name = card_of(tree, "resources.swap").get("id")
    assert "".join(by_id(tree, f"{name}-commands").itertext()) == "\n".join(swap.commands)
    assert "autodiscover.example.net. 3600 IN CNAME" in text_of(tree)


def test_every_result_has_its_row_below_its_section() -> None:
    report = reports.failing()
    rows = having(page(report), "row")
    sections = list(dict.fromkeys(result.section for result in report.results))
    wanted = sorted(report.results, key=lambda result: sections.index(result.section))
    rest: dict[object, reports.Result] = {}  # what one reason stopped is one row
    for number, r in enumerate(wanted):
        rest.setdefault((r.section, r.message, r.reason, r.remedy) if r.status.undecided else number, r)
    wanted = list(rest.values())
    assert [text_of(having(row, "row-message")[0]) for row in rows] == [words.sentence(r.message) for r in wanted]
    assert [row.get("class") for row in rows] == [f"row is-{result.status.value}" for result in wanted]
    signs = [having(row, "sign")[0].get("aria-label") for row in rows]
    assert signs == [words.STATUSES[result.status] for result in wanted]


def test_the_filters_are_those_that_there_is_something_for() -> None:
    tree = page(reports.failing())
    labels = texts(tree, ".//label")
    assert labels == [
        "All", "5 failed", "2 warnings", "1 crashed", "20 passed", "4 skipped",
        "All", "Resources", "Docker", "System", "Date and time", "Ports", "Network", "Names",
    ]  # fmt: skip
    chosen = [element.get("id") for element in tree.iter("input") if "checked" in element.attrib]
    assert chosen == ["status-all", "section-all"]


def test_the_ports_table_is_mailcows() -> None:
    table = having(page(reports.failing()), "ports", "table")[0]
    rows = [[text_of(cell) for cell in row if cell.tag in ("td", "th")] for row in table.iter("tr")]
    assert rows[0] == ["Service", "Protocol", "Port", "Container", "Variable", "State"]
    assert rows[1] == ["Postfix SMTP", "TCP", "25", "postfix-mailcow", "${SMTP_PORT}", "✕in use by exim4"]
    assert rows[2][-1] == "✓free"
    assert rows[11][2] == "127.0.0.1:13306"
    assert len(rows) == 14


def test_pictures_stand_beside_their_numbers() -> None:
    tree = page(reports.failing())
    bars = [text_of(row) for row in having(tree, "bars")[0]]
    assert bars[0] == "Memory 1.9 GiB ✕failed mailcow needs 6.0 GiB · 32%"
    assert bars[1] == "Disk /var/lib/docker 80.2 GiB free ✓passed mailcow needs 20.0 GiB free · 4.0×"
    assert {picture.get("aria-hidden") for picture in tree.iter(SVG)} == {"true"}
    assert texts(tree, ".//ol[@class='states']/li") == [
        "starting after 0.4 s", "unhealthy after 1.1 s", "healthy after 2.1 s",
    ]  # fmt: skip
    assert having(page(reports.blind()), "pictures") == []


def test_why_is_told_once_for_a_check() -> None:
    assert text_of(page(reports.failing(), why=reports.WHY)).count("Docker refuses to start") == 1


def test_a_waived_result_tells_what_it_would_be_and_why_it_is_not() -> None:
    tree = page(reports.warned())
    waived = text_of(by_id(tree, "waived"))
    assert "eth0 has an MTU of 1400. Waived because: the provider's tunnel (through 2027-01-31)." in waived
    assert "Without the waiver: warning." in text_of(tree)


@pytest.mark.parametrize("verdict", Verdict)
def test_only_a_ready_host_is_told_how_to_go_on(verdict: Verdict) -> None:
    tree = page(msgspec.structs.replace(reports.ready(), verdict=verdict))
    leads = [a.get("href") for a in tree.iter("a") if "go" in classes(a)]
    assert leads == ([words.INSTALL] if verdict in (Verdict.READY, Verdict.READY_WITH_WARNINGS) else [])


@pytest.mark.parametrize("results", [(), tuple(reports.skips())])
def test_where_nothing_was_judged_nothing_is_called_ready(results: tuple[reports.Result, ...]) -> None:
    report = reports.report(*results)
    assert report.verdict is Verdict.READY
    tree = page(report)
    assert texts(tree, ".//h1") == [words.UNJUDGED]
    assert "is-unknown" in classes(having(tree, "hero")[0])
    assert "go" not in {name for element in tree.iter() for name in classes(element)}


def test_a_baseline_marks_what_is_new_and_known_and_lists_what_is_fixed() -> None:
    old, new = reports.failing(), reports.failing()
    rest = [result for result in old.results if result.check != "docker.compose"]
    fixed = reports.result("dns.mx", "fail", "The MX is missing.")
    before = reports.report(*rest, reports.result("docker.compose"), fixed)
    now = reports.report(*new.results, reports.result("dns.mx"))
    tree = page(now, since=compare(before, now))
    assert text_of(title_of(tree, "docker.compose")).endswith("Docker Compose is not installed (new)")
    assert text_of(title_of(tree, "resources.memory")).endswith("6 GiB (known)")
    assert "Since the report of 2026-11-23 at 01:23 UTC: 1 new, " in text_of(having(tree, "verdict")[0])
    assert "Fixed since the report of 2026-11-23 at 01:23 UTC" in texts(tree, ".//h2")
    assert "dns.mx: fail → pass" in texts(tree, ".//li")
    assert " (known)" not in text_of(page(now))
    unasked = page(now, since=compare(reports.report(*rest, fixed), now))
    assert text_of(title_of(unasked, "docker.compose")).endswith("is not installed (not checked before)")
    assert "(only in the older one: 0, only in the newer one: 1)" in text_of(having(unasked, "verdict")[0])


# --- bounds and strangers ----------------------------------------------------------------------------------------


def test_long_lists_are_cut_in_cards_and_whole_below() -> None:
    many = [
        reports.result(
            "docker.leftovers", "warn", f"The container {n} is left.", subject=str(n), found="x",
            remedy=reports.Remedy("Remove it."), severity=Severity.RECOMMENDED,
        )
        for n in range(300, 500)
    ]  # fmt: skip
    tree = page(reports.report(*many))
    assert "and 150 more" in text_of(by_id(tree, "step-1"))
    assert "and 191 more" in text_of(by_id(tree, "step-1-title"))
    assert len(having(tree, "row")) == 200


@cache
def tame() -> Element:
    return page(reports.hostile("exim"), why={"clock.service": "exim"})


def shape(tree: Element) -> list[tuple[str, tuple[str, ...]]]:
    """Return all elements with the names of their attributes, in order."""
    return [(str(element.tag), tuple(element.attrib)) for element in tree.iter()]


@pytest.mark.parametrize("value", VALUES)
def test_hostile_values_are_text_and_no_more(value: str) -> None:
    check_hostile(value)


@given(ANY)
@limits(deadline=None, max_examples=30)
def test_no_value_at_all_is_more_than_text(value: str) -> None:
    check_hostile(value)


def check_hostile(value: str) -> None:
    text = render(reports.hostile(value), "html", Context(why={"clock.service": value}))
    tree = parsed(text)
    # A pair of backticks is code in our own sentences, and a port is split at its last slash: no other difference.
    plain = [entry for entry in shape(tree) if entry not in CODE]
    assert plain == [entry for entry in shape(tame()) if entry not in CODE]
    assert next(tree.iter("script")).text == next(tame().iter("script")).text
    assert {a.get("href", "") for a in tree.iter("a")} == {a.get("href", "") for a in tame().iter("a")}
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for element in tree.iter():
        for piece in (element.text, element.tail, *(element.get(key) for key in element.attrib if key != "content")):
            assert all(line.isprintable() for line in (piece or "").splitlines()), piece
    assert len(text) < 250_000


def test_a_link_that_is_none_leads_nowhere() -> None:
    report = reports.report(reports.result("dns.mx", "fail", docs=("javascript:alert(1)", "https://x.example/a")))
    leads = [a.get("href", "") for a in page(report).iter("a")]
    assert "https://x.example/a" in leads
    assert not any(lead.startswith("javascript") for lead in leads)
    assert "javascript:alert(1)" in text_of(page(report))


def test_accents_are_not_piled_up() -> None:
    tree = page(reports.report(reports.result("dns.mx", "fail", "x" + "\u0301" * 60)))
    [heading] = texts(tree, ".//article/h4")
    assert heading.count("\u0301") == 3
    assert "left out: 57 characters" in heading
    assert "e\u0301te\u0301" in text_of(page(reports.report(reports.result("dns.mx", "fail", "e\u0301te\u0301"))))


def test_each_status_has_its_words_and_sign() -> None:
    assert set(words.STATUSES) == set(Status)
    for status in Status:
        was = Status.FAIL if status is Status.IGNORED else None
        result = reports.result("dns.mx", status.value, reason="so", was=was)
        [row] = having(page(reports.report(result)), "row")
        assert words.STATUSES[status] in text_of(row)
        assert f"is-{status.value}" in classes(row)
