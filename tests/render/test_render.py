"""The register of formats."""

from __future__ import annotations

import subprocess
import sys

import pytest

from preflight.render import FORMATS, render
from tests.render import reports


def test_the_suffixes_differ() -> None:
    suffixes = {name: entry.suffix for name, entry in FORMATS.items()}
    assert suffixes.pop("github") == ""  # never a file of its own
    wanted = {"markdown": ".md", "json": ".json", "text": ".txt", "junit": ".xml", "html": ".html", "zone": ".zone"}
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


def test_json_needs_neither_templates_nor_rich() -> None:
    code = (
        "import sys; from tests.render import reports; from preflight.render import render;"
        "render(reports.ready(), 'json'); print([m for m in ('jinja2', 'rich') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
