"""The Markdown report, as a parser of CommonMark and GitHub's tables sees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as limits
from markdown_it import MarkdownIt
from markdown_it.token import Token

from preflight.render import Context, render
from preflight.render.limits import ROWS
from preflight.render.words import INSTALL
from preflight.report.model import Remedy, Status, Verdict
from tests.render import reports
from tests.render.hostile import ANY, VALUES

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def blocks(text: str) -> list[str]:
    """Return the shape of a document: all blocks in order."""
    return [token.type for token in PARSER.parse(text)]


def inlines(text: str) -> list[Token]:
    return [child for token in PARSER.parse(text) for child in token.children or ()]


def headings(text: str) -> list[str]:
    tokens = PARSER.parse(text)
    return [f"{token.markup} {tokens[n + 1].content}" for n, token in enumerate(tokens) if token.type == "heading_open"]


def text_of(found: Verdict, **changes: object) -> str:
    return render(msgspec.structs.replace(reports.ready(), verdict=found, **changes), "markdown")


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_the_report_is_as_it_was(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{name}.md", render(reports.SAMPLES[name](), "markdown", Context(why=reports.WHY)))


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_the_verdict_comes_first_and_then_what_to_do(name: str) -> None:
    report = reports.SAMPLES[name]()
    lines = [line for line in render(report, "markdown").splitlines() if line]
    assert lines[0].startswith("# ")
    for part in ("vm1", "6.12.48", "2026-08-22", "`current`"):
        assert part in lines[1]
    assert lines[2].startswith("**")


def test_what_blocks_is_told_with_evidence_remedy_commands_reason_and_link() -> None:
    text = render(reports.failing(), "markdown", Context(why=reports.WHY))
    entry = text[text.index("### 3.") : text.index("### 4.")]
    parts = [
        "25/tcp is held by exim4 (pid 812, exim4.service)",
        "Expected: `free` · Found: `127.0.0.1:25`",
        "Stop exim4",
        "```sh\nsystemctl disable --now exim4.service\n```",
        "Docker refuses to start",
        f"<{reports.DOCS}>",
        "`ports.free`",
    ]
    places = [entry.index(part) for part in parts]
    assert places == sorted(places)


def test_the_sections_stand_in_the_order_of_reading() -> None:
    second = [line for line in headings(render(reports.failing(), "markdown")) if line.startswith("## ")]
    assert [line[3:] for line in second] == [
        "On this server",
        "Unknown",
        "Ports",
        "Passed",
        "Skipped",
    ]


def test_one_remedy_for_several_subjects_is_told_once() -> None:
    text = render(reports.failing(), "markdown")
    assert text.count("systemctl disable --now nginx.service") == 1
    assert "80/tcp is held by nginx (pid 812, nginx.service). This also applies to 443/tcp." in text
    text = render(reports.warned(), "markdown")
    assert text.count("Add this to the zone.") == 1
    assert text.count("IN CNAME") == 3


def test_a_reason_that_stops_several_checks_is_told_once() -> None:
    text = render(reports.blind(), "markdown")
    assert text.count("### 1. 16 results are unknown because") == text.count("--pid=host --network=host") == 1
    assert "`services.mail`, `firewall.managers`: the processes of the host are out of sight" in text


def test_required_unknowns_come_before_those_that_do_not_decide() -> None:
    light = reports.result(
        "system.os",
        "unknown",
        reason="a",
        severity=reports.Severity.INFO,
        remedy=Remedy("Light."),
    )
    heavy = reports.result("docker.engine", "unknown", reason="b", remedy=Remedy("Heavy."))
    text = render(reports.report(light, heavy), "markdown")
    assert text.index("Heavy.") < text.index("Light.")


def test_the_ports_table_is_mailcows_whatever_became_of_each_port() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in render(reports.failing(), "markdown").splitlines()
        if "-mailcow " in line
    ]
    assert len(rows) == 13
    assert rows[0] == ["Postfix SMTP", "TCP", "25", "postfix-mailcow", "`${SMTP_PORT}`", "❌ in use by exim4"]
    assert rows[1][-1] == "✅ free"
    assert rows[10][2] == "127.0.0.1:13306"
    states = {render(reports.report(reports.port("SMTP_PORT", status.value)), "markdown") for status in Status}
    assert len(states) == len(Status)


def test_a_port_of_which_nothing_is_known_has_its_row() -> None:
    unseen = reports.result("ports.free", "error", subject="127.0.0.1:7654/tcp", reason="no")
    text = render(reports.report(unseen), "markdown")
    (row,) = (line for line in text.splitlines() if "| TCP" in line)
    assert [cell.strip() for cell in row.strip("|").split("|")][:5] == ["–", "TCP", "127.0.0.1:7654", "–", "`–`"]


def test_why_is_told_once_for_a_check() -> None:
    assert render(reports.failing(), "markdown", Context(why=reports.WHY)).count("Docker refuses to start") == 1


def test_a_remark_stands_apart_from_what_passed_with_what_can_be_done() -> None:
    remedy = Remedy("Add it.", ("add it",))
    remark = reports.result("dns.srv", message="The record is missing.", subject="a", remedy=remedy)
    rest = [reports.result("dns.srv", message=f"{name} is there.", subject=name) for name in "bcd"]
    text = render(reports.report(remark, *rest), "markdown")
    told = text[text.index("## Optional") : text.index("## Passed")]
    assert "### ℹ️ The record is missing" in told
    assert "Add it.\n\n```sh\nadd it\n```\n" in told
    assert "record is missing" not in text[text.index("## Passed") :]
    assert "| b, c, d " in text


def test_remarks_in_great_number_say_how_many_more_there_are_and_what_others_said() -> None:
    rows = [
        reports.result("a.b", message=f"It is {n * n}.", subject="x", detail="own words", remedy=Remedy("Mind it."))
        for n in range(ROWS + 3)
    ]
    text = render(reports.report(*rows), "markdown")
    told = text[text.index("## Optional") :]
    assert "\n- and 3 more" in told
    assert "own words" in told


def test_a_ready_host_is_told_how_to_go_on_and_others_are_not() -> None:
    assert INSTALL in text_of(Verdict.READY)
    assert INSTALL in text_of(Verdict.READY_WITH_WARNINGS)
    assert INSTALL not in text_of(Verdict.NOT_READY) + text_of(Verdict.UNDETERMINED)


def test_warnings_that_count_as_failures_are_said_to_do_so() -> None:
    assert "Warnings count as failures in this run" in text_of(Verdict.NOT_READY)


def test_a_good_host_gets_no_wall_of_text() -> None:
    text = render(reports.ready(), "markdown")
    assert len(text.splitlines()) < 60
    assert blocks(text).count("html_block") == 2  # what passed is folded away


def test_the_first_lines_say_which_entries_have_to_wait() -> None:
    rows = [
        reports.result(f"dns.n{when}", "fail", remedy=Remedy(f"Do it {when}.", when=when))  # type: ignore[arg-type]
        for when in ("last", "now", "cloned")
    ]
    text = render(reports.report(*rows), "markdown")
    assert text.index("Do 3 last, once mailcow is tested.") < text.index("### 1.")
    assert "### 3. ❌" in text[text.index("once mailcow runs and you have tested it") :]
    assert "last, once" not in render(reports.report(*rows[1:]), "markdown")


def test_what_nobody_knows_is_said() -> None:
    text = render(reports.report(name=None, os=None, kernel=None, architecture=None, engine=None), "markdown")
    assert "**unknown** · system unknown · kernel unknown (unknown) · Docker not checked" in text


@pytest.mark.parametrize("value", VALUES)
def test_hostile_values_change_nothing_in_the_document(value: str) -> None:
    check_hostile(value)


@given(ANY)
@limits(deadline=None, max_examples=50)
def test_no_value_at_all_changes_anything_in_the_document(value: str) -> None:
    check_hostile(value)


def check_hostile(value: str) -> None:
    tame = render(reports.hostile("exim"), "markdown", Context(why={"clock.service": "exim"}))
    text = render(reports.hostile(value), "markdown", Context(why={"clock.service": value}))
    assert blocks(text) == blocks(tame)
    assert [h.split()[0] for h in headings(text)] == [h.split()[0] for h in headings(tame)]
    found, wanted = inlines(text), inlines(tame)
    kinds = ("strong_open", "em_open", "s_open", "html_inline", "image", "hardbreak", "softbreak")
    assert {kind: n for kind, n in Counter(token.type for token in found).items() if kind in kinds} == {
        kind: n for kind, n in Counter(token.type for token in wanted).items() if kind in kinds
    }
    links = [str(token.attrs["href"]) for token in found if token.type == "link_open"]
    assert set(links) == {reports.DOCS}
    for token in (token for n, token in enumerate(found) if token.type == "text" and found[n - 1].type != "link_open"):
        assert not any(mark in token.content.lower() for mark in ("www.", "@", "://")), token.content
    assert all(line.isprintable() for line in text.splitlines())
    assert len(text) < 60_000


def test_long_lists_are_cut_and_say_so() -> None:
    many = [
        reports.result(
            "docker.leftovers",
            "warn",
            f"The container {n} is left.",
            subject=str(n),
            found="x",
            remedy=Remedy("Remove it."),
        )
        for n in range(300, 500)
    ]
    text = render(reports.report(*many), "markdown")
    assert "and 150 more" in text
    assert "and 191 more" in text
    assert len(text.splitlines()) < 90
