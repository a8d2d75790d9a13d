"""The catalogue and one check explained, of checks that need not be ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from markdown_it import MarkdownIt

from preflight.checks import catalogue as every
from preflight.facts.parts import descriptions
from preflight.render.catalogue import catalogue, explain
from preflight.report.model import Severity


@dataclass(frozen=True)
class Row:
    id: str = "ports.free"
    section: str = "ports"
    severity: Severity = Severity.REQUIRED
    title: str = "Every port that mailcow publishes can be bound"
    why: str = "Docker refuses to start a container whose port is taken. Set `SMTP_PORT` in `mailcow.conf` to move one."
    reads: tuple[str, ...] = ("sockets", "binds")
    remedy: str = "Stop the program that holds the port, or move mailcow's."
    docs: tuple[str, ...] = ("https://docs.mailcow.email/getstarted/prerequisite-system/",)
    sources: tuple[str, ...] = (
        "https://github.com/mailcow/mailcow-dockerized/issues/63",
        "https://github.com/moby/moby/issues/30402",
    )
    subject: str = "port, as `25/tcp`"


PARTS = {"sockets": "the sockets in use, and which programs use them", "binds": "an attempt to bind each port"}
ROWS = (
    Row(
        "system.kernel-features",
        "system",
        Severity.RECOMMENDED,
        "The kernel has all that containers, bridges, NAT and mailcow's own firewall need",
        subject="",
    ),
    Row("system.limits", "system", Severity.INFO, "Limits", docs=(), sources=()),
    Row(),
)


@pytest.mark.parametrize("format", ["text", "markdown"])
def test_the_catalogue_is_as_it_was(format: str, golden: Callable[[str, str], None]) -> None:
    golden(f"catalogue.{'txt' if format == 'text' else 'md'}", catalogue(ROWS, format, PARTS))


def test_the_catalogue_in_json_has_all_that_a_check_says() -> None:
    first = json.loads(catalogue(ROWS, "json", PARTS))[0]
    assert (first["id"], first["severity"], first["section"], first["subject"]) == (
        "system.kernel-features",
        "recommended",
        "system",
        None,
    )
    assert set(first) == {"id", "title", "severity", "section", "subject", "why", "reads", "remedy", "docs", "sources"}
    assert first["docs"] == [*ROWS[0].docs, *ROWS[0].sources]  # as before evidence had a key of its own
    assert first["sources"] == [*ROWS[0].sources]


def test_every_check_has_an_anchor_that_the_table_leads_to() -> None:
    text = catalogue(ROWS, "markdown", PARTS)
    tokens = [child for token in MarkdownIt("commonmark").enable("table").parse(text) for child in token.children or ()]
    anchors = {token.content for token in tokens if token.type == "html_inline" and token.content != "</a>"}
    assert anchors == {f'<a id="{row.id}">' for row in ROWS}
    assert {str(t.attrs["href"]) for t in tokens if t.type == "link_open" and str(t.attrs["href"]).startswith("#")} == {
        f"#{row.id}" for row in ROWS
    }


def test_a_check_is_explained(golden: Callable[[str, str], None]) -> None:
    golden("explain.txt", explain(Row(), PARTS))


def test_no_line_of_text_is_too_wide() -> None:
    lines = catalogue(ROWS, "text", PARTS).splitlines() + [
        line for row in ROWS for line in explain(row, PARTS).splitlines()
    ]
    assert all(len(line) <= 80 for line in lines)


def test_every_part_that_a_check_reads_is_told_in_words() -> None:
    parts = descriptions()
    for check in every():
        told = " ".join(explain(check, parts).split())
        assert all(parts[part] in told for part in check.reads)
        assert all(len(text) <= 80 for text in explain(check, parts).splitlines() if "https://" not in text)


def test_a_part_that_nobody_describes_is_told_by_its_name() -> None:
    assert "sockets; binds" in explain(Row(), {})


def test_other_formats_do_not_exist() -> None:
    with pytest.raises(KeyError):
        catalogue(ROWS, "html", PARTS)
