"""--redact on the command line: `check` and `facts`, recorded facts, baselines, waivers."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import msgspec
import pytest

from preflight.facts import Memory
from preflight.render import FORMATS
from preflight.report.documents import encode
from tests.line import Line
from tests.redact.hosts import SECRETS, rich

ENDINGS = {name: suffix or f".{name}" for name, suffix in FORMATS.items()}


@pytest.fixture
def facts(tmp_path: Path) -> str:
    path = tmp_path / "facts.json"
    path.write_text(encode(rich()))
    return str(path)


def leaks(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret.lower() in text.lower()]


def test_every_format_of_one_run_is_redacted(facts: str, preflight: Line, tmp_path: Path) -> None:
    files = {name: tmp_path / f"report{ending}" for name, ending in ENDINGS.items()}
    words = [word for name, path in files.items() for word in ("--format", name, "--output", str(path))]
    plain = preflight("--facts", facts, "--format", "json")
    run = preflight("--facts", facts, "--redact", *words)
    assert (run.code, run.out, len(run.err.splitlines()), leaks(run.err)) == (plain.code, "", 1, [])
    assert {name: leaks(path.read_text()) for name, path in files.items()} == {name: [] for name in files}
    assert all("<" in path.read_text() for path in files.values())


def test_the_environment_asks_for_it_too(facts: str, preflight: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFLIGHT_REDACT", "1")
    assert leaks(preflight("--facts", facts).out) == []


def test_without_it_the_names_are_there(facts: str, preflight: Line) -> None:
    assert leaks(preflight("--facts", facts).out) != []


def test_the_summary_of_a_step_is_redacted(
    facts: str, preflight: Line, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    summary = tmp_path / "summary"
    summary.touch()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    preflight("--facts", facts, "--redact", "--format", "github")
    assert "<domain-1>" in summary.read_text()
    assert leaks(summary.read_text()) == []


def test_facts_of_this_machine_are_redacted_and_can_be_judged(preflight: Line, tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    asked = ("--hostname", "mail.geheim.example", "--offline", "--no-probe")
    assert preflight("facts", "--redact", "--quiet", *asked, "--output", str(path)).code == 0
    text = path.read_text()
    assert "geheim" not in text
    assert os.uname().nodename not in json.dumps(json.loads(text)["name"])
    run = preflight("--facts", str(path), "--format", "json", "--only", "dns.mx")
    assert [result["subject"] for result in json.loads(run.out)["results"]] == ["<domain-1>"]


def test_redacted_facts_give_the_report_that_the_real_ones_give(facts: str, preflight: Line, tmp_path: Path) -> None:
    from preflight.redact import Redaction

    path = tmp_path / "redacted.json"
    path.write_text(encode(Redaction(rich()).facts()))
    first = json.loads(preflight("--facts", facts, "--redact", "--format", "json").out)
    second = json.loads(preflight("--facts", str(path), "--format", "json").out)
    for report in (first, second):
        report["seconds"] = 0
        for result in report["results"]:
            result["seconds"] = 0
    assert second == first


# --- before and after ----------------------------------------------------------------------------------------------


@pytest.fixture
def reports(facts: str, preflight: Line, tmp_path: Path) -> dict[str, str]:
    """Return a report of the host when it had more memory, and one of now, both as they are and redacted."""
    before = tmp_path / "before.json"
    richer = msgspec.structs.replace(rich().memory, value=Memory(16 << 30, 8 << 30, 0, 0))
    before.write_text(encode(msgspec.structs.replace(rich(), memory=richer)))
    made = {}
    for name, source in (("old", str(before)), ("new", facts)):
        for kind in ("real", "redacted"):
            made[f"{name} {kind}"] = str(tmp_path / f"{name}.{kind}.json")
            words = ("--redact",) if kind == "redacted" else ()
            preflight("--facts", source, *words, "--output", made[f"{name} {kind}"])
    return made


@pytest.mark.parametrize("kind", ["real", "redacted"])
def test_a_redacted_report_tells_what_is_new_since_either_kind(
    kind: str, facts: str, preflight: Line, reports: dict[str, str]
) -> None:
    run = preflight("--facts", facts, "--redact", "--baseline", reports[f"old {kind}"], "--format", "text")
    assert leaks(run.out) == []
    assert "mailcow needs 6.0 GiB. (new)\n" in run.out
    assert run.out.count("(new)") == 1
    assert re.search(r"\b1 new, [1-9][0-9] known, 0 fixed", run.out)


def test_what_is_gone_since_the_baseline_is_redacted_too(facts: str, preflight: Line, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    document = json.loads(preflight("--facts", facts, "--format", "json").out)
    row = next(one for one in document["results"] if one["check"] == "docker.leftovers")
    document["results"].append(
        row | {"subject": "container:geheim", "message": "The container geheim is left.", "title": "of geheim"}
    )
    baseline.write_text(json.dumps(document))
    for name in ("markdown", "text"):
        run = preflight("--facts", facts, "--redact", "--baseline", str(baseline), "--format", name)
        assert leaks(run.out) == []
        assert "<text-" in run.out


@pytest.mark.parametrize("day", ["2026-11-24T11:22:54Z", "2031-07-19T13:57:06Z"])
@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_the_baseline_s_time_is_told_and_that_it_is_another_host_s(
    day: str, form: str, facts: str, preflight: Line, tmp_path: Path
) -> None:
    """What `read_report` has held to be a time is no secret; names of a host and of requirements are."""
    baseline = tmp_path / "baseline.json"
    document = json.loads(preflight("--facts", facts, "--format", "json").out)
    document["started"] = day
    document["host"]["name"] = document["requirements"]["name"] = document["tool"]["version"] = "geheim-elsewhere"
    baseline.write_text(json.dumps(document))
    run = preflight("--facts", facts, "--redact", "--baseline", str(baseline), "--format", form)
    told = " ".join(run.out.replace("\\", "").split())
    assert f"Since the report of {day[:10]} at {day[11:16]} UTC: 0 new, " in told
    assert "The reports are about two hosts. " in told
    assert re.search(r"The requirements differ \((<|&lt;)text-\d+(>|&gt;), current\)\. ", told)
    assert leaks(run.out) == []


@pytest.mark.parametrize("part", ["dns.*", "system.os"])
def test_what_a_baseline_did_not_ask_is_told_of_placeholders(
    part: str, facts: str, preflight: Line, tmp_path: Path
) -> None:
    whole, partial = str(tmp_path / "whole.json"), str(tmp_path / "partial.json")
    preflight("--facts", facts, "--output", whole)
    preflight("--facts", facts, "--only", part, "--output", partial)
    for words in (("--baseline", partial), ("--baseline", whole, "--only", part)):
        for name in ("markdown", "text", "html"):
            run = preflight("--facts", facts, "--redact", *words, "--format", name)
            assert leaks(run.out) == []
            assert "do not have the same checks" in " ".join(run.out.split())
            assert "(new" not in run.out
            assert ("(not checked before" in " ".join(run.out.split())) is ("--only" not in words)


@pytest.mark.parametrize(("old", "new"), [("real", "redacted"), ("redacted", "real")])
def test_a_redacted_report_is_not_compared_with_one_that_is_not(
    old: str, new: str, preflight: Line, reports: dict[str, str]
) -> None:
    run = preflight("compare", reports[f"old {old}"], reports[f"new {new}"])
    assert (run.code, run.out) == (2, "")
    assert "redacted" in run.err


def test_two_redacted_reports_are_compared_with_a_word_of_warning(preflight: Line, reports: dict[str, str]) -> None:
    run = preflight("compare", reports["old redacted"], reports["new redacted"])
    assert run.code == 1
    assert "resources.memory" in run.out
    assert "placeholder" in run.err


def test_a_redacted_baseline_is_refused_for_a_report_that_is_not(
    facts: str, preflight: Line, reports: dict[str, str]
) -> None:
    run = preflight("--facts", facts, "--baseline", reports["old redacted"])
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith("preflight: --baseline ")


def test_a_baseline_with_names_is_refused_for_redacted_facts(
    preflight: Line, reports: dict[str, str], tmp_path: Path
) -> None:
    from preflight.redact import Redaction

    path = tmp_path / "redacted.json"
    path.write_text(encode(Redaction(rich()).facts()))
    run = preflight("--facts", str(path), "--baseline", reports["old real"])
    assert (run.code, run.out) == (2, "")
    assert "not redacted" in run.err


def test_waivers_count_and_their_reasons_are_redacted(facts: str, preflight: Line) -> None:
    run = preflight(
        "--facts", facts, "--redact", "--format", "json", "--ignore", "resources.swap=alice said so@2020-01-01",
        "--ignore", "ports.free:203.0.113.25:25/tcp=exim4 of geheim", "--ignore", "resources.memory=geheim@2099-01-01",
    )  # fmt: skip
    results = {(row["check"], row["subject"]): row for row in json.loads(run.out)["results"]}
    assert results["ports.free", "<ipv4-1>:25/tcp"]["status"] == "ignored"
    assert re.fullmatch("<text-[0-9]+>", results["ports.free", "<ipv4-1>:25/tcp"]["reason"])
    assert results["resources.swap", None]["status"] == "warn"
    over = r"The waiver \(<text-[0-9]+>\) expired on 2020-01-01\. This counts again\."
    assert re.fullmatch(over, results["resources.swap", None]["reason"])
    assert re.fullmatch(r"<text-[0-9]+> \(through 2099-01-01\)", results["resources.memory", None]["reason"])
    assert leaks(run.out) == []
