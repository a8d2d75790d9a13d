"""The JSON report: the contract's shape, and valid whatever a host is called."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given

from preflight.render import render
from preflight.report.documents import decode_report
from tests.render import reports
from tests.render.hostile import ANY, VALUES


def test_the_report_is_as_it_was(golden: Callable[[str, str], None]) -> None:
    golden("warnings.json", render(reports.warned(), "json"))


def test_the_shape_is_the_contracts() -> None:
    document = json.loads(render(reports.warned(), "json"))
    assert list(document) == [
        "schema", "tool", "requirements", "host", "started", "seconds", "verdict", "counts", "results",
    ]  # fmt: skip
    assert document["counts"] == {"pass": 24, "warn": 4, "fail": 0, "unknown": 0, "skip": 0, "ignored": 1, "error": 0}
    assert document["verdict"] == "ready-with-warnings"
    assert list(document["results"][0]) == [
        "check", "subject", "section", "severity", "status", "was", "title", "message", "detail", "expected", "found",
        "evidence", "remedy", "docs", "reason", "seconds",
    ]  # fmt: skip
    first, last = document["results"][0], document["results"][-1]
    assert (first["subject"], first["was"], first["remedy"], first["reason"]) == (None, None, None, None)
    assert (last["status"], last["was"]) == ("ignored", "warn")
    assert last["remedy"] == {
        "text": "Set it.", "commands": [], "place": "host", "when": "now", "files": [], "records": [],
    }  # fmt: skip


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_the_report_reads_back(name: str) -> None:
    report = reports.SAMPLES[name]()
    text = render(report, "json")
    assert text.endswith("}\n")
    assert msgspec.json.encode(decode_report(text)) == msgspec.json.encode(report)


@pytest.mark.parametrize("value", VALUES)
def test_hostile_values_come_back_whole(value: str) -> None:
    check(value)


@given(ANY)
def test_any_value_comes_back_whole(value: str) -> None:
    check(value)


def check(value: str) -> None:
    text = render(reports.hostile(value), "json")
    text.encode("utf-8")
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "\u202e" not in text
    name = json.loads(text)["host"]["name"]
    assert name == "".join(f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in value)
