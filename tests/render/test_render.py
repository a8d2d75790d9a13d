"""The register of formats."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

from preflight.checks import catalogue
from preflight.render import FORMATS, render, words
from tests.render import reports


def test_the_suffixes_differ() -> None:
    suffixes = dict(FORMATS)
    assert (suffixes.pop("github"), suffixes.pop("nagios")) == ("", "")  # never files of their own
    wanted = {
        "markdown": ".md", "json": ".json", "text": ".txt", "junit": ".xml", "html": ".html", "zone": ".zone",
        "sh": ".sh", "conf": ".conf", "prometheus": ".prom",
    }  # fmt: skip
    assert suffixes == {name: suffix for name, suffix in wanted.items() if name in FORMATS}
    assert len(set(suffixes.values())) == len(suffixes)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", reports.SAMPLES)
def test_a_report_ends_with_one_line_end(format: str, name: str) -> None:
    text = render(reports.SAMPLES[name](), format)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


@pytest.mark.parametrize("format", FORMATS)
def test_a_report_of_nothing_is_a_report(format: str) -> None:
    wanted = '"verdict": "ready"' if format == "json" else "nothing was judged"
    assert wanted in render(reports.report(), format).lower()


FOR_PEOPLE = ("markdown", "text", "html", "junit", "github")


REFUSED = "The engine refuses to start a privileged container."
RUNC = "runc create failed:\nerror setting rlimit type 7: operation not permitted"


@pytest.mark.parametrize("status", ["fail", "warn", "unknown"])
@pytest.mark.parametrize("format", FOR_PEOPLE)
def test_what_another_program_said_is_a_block_of_its_own_below_the_headline(format: str, status: str) -> None:
    result = reports.result("docker.privileged", status, REFUSED, reason=REFUSED, detail=RUNC)
    told = unescape(render(reports.report(result), format)).replace("%0A", "\n")
    lines = [re.sub("<[^>]*>", "", line).strip() for line in told.splitlines()]
    lines = [line for line in lines if line]
    start = lines.index("runc create failed:")
    assert lines[start + 1] == "error setting rlimit type 7: operation not permitted"
    assert any(words.DETAIL.removesuffix(":") in line for line in lines[max(0, start - 3) : start])
    assert not any("runc" in line and REFUSED.removesuffix(".") in line for line in lines)


@pytest.mark.parametrize("format", FOR_PEOPLE)
def test_of_very_many_words_the_first_are_shown(format: str) -> None:
    detail = "\n".join(f"line number {number}" for number in range(1000))
    told = render(reports.report(reports.result("docker.privileged", "fail", REFUSED, detail=detail)), format)
    assert "line number 19" in told
    assert "line number 20" not in told
    assert "and 980 more" in told


@pytest.mark.parametrize("format", FOR_PEOPLE)
def test_every_report_says_where_its_checks_are_explained(format: str) -> None:
    told = unescape(render(reports.failing(), format).replace("\\", ""))
    assert "preflight explain" in told
    assert re.search(r"docs/checks\.md#(ID|ports\.free)", told)


@pytest.mark.parametrize("format", FOR_PEOPLE)
def test_where_the_page_is_published_every_report_links_to_it(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "PAGE", "https://example.org/checks.html")
    told = render(reports.failing(), format)
    links = {
        "markdown": "[`ports.free`](<https://example.org/checks.html#ports.free>)",
        "html": 'href="https://example.org/checks.html#ports.free"',
        "text": "https://example.org/checks.html#ID",
    }
    assert links.get(format, "https://example.org/checks.html#ports.free") in told


def test_the_page_has_the_anchor_of_every_check(tree: Path) -> None:
    page = (tree / words.PAGE).read_text()
    assert [entry.id for entry in catalogue() if f'<a id="{entry.id}"></a>' not in page] == []


def test_json_needs_neither_templates_nor_rich() -> None:
    code = (
        "import sys; from tests.render import reports; from preflight.render import render;"
        "render(reports.ready(), 'json'); print([m for m in ('jinja2', 'rich') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
