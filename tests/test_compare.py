"""What changed between two reports, told and marked."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from preflight.compare import Comparison, compare
from preflight.documents import read_report, write_json
from preflight.model import Remedy, Report, Severity, Status
from preflight.render import render
from preflight.render.changes import changes
from tests.build import host
from tests.line import Line, Run, line
from tests.render import reports
from tests.render.hostile import ANY, VALUES

FORMATS = ("text", "markdown", "json")
KINDS = ("broken", "fixed", "still_failing", "other")


def one(status: str | None, severity: Severity = Severity.REQUIRED) -> Report:
    """Return a report whose one result of interest has this status; without: the check ran and has no such subject."""
    if status is None:
        return reports.report(reports.result("docker.leftovers"))
    was = Status.FAIL if status == "ignored" else None
    return reports.report(reports.result("docker.leftovers", status, subject="volume:x", was=was, severity=severity))


def kinds(found: Comparison, subject: str | None = "volume:x") -> list[str]:
    return [kind for kind in KINDS for change in getattr(found, kind) if change.subject == subject]


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("pass", "pass", None), ("pass", "warn", "broken"), ("pass", "fail", "broken"), ("pass", "unknown", "broken"),
        ("pass", "error", "broken"), ("pass", "skip", "other"), ("pass", "ignored", "other"), ("pass", None, "other"),
        ("warn", "pass", "fixed"), ("warn", "warn", "still_failing"), ("warn", "fail", "broken"),
        ("warn", "unknown", "broken"), ("warn", "skip", "other"), ("warn", "ignored", "other"), ("warn", None, "fixed"),
        ("fail", "pass", "fixed"), ("fail", "warn", "other"), ("fail", "fail", "still_failing"),
        ("fail", "unknown", "other"), ("fail", "error", "other"), ("fail", "skip", "other"),
        ("fail", "ignored", "other"), ("fail", None, "fixed"),
        ("unknown", "pass", "fixed"), ("unknown", "warn", "other"), ("unknown", "fail", "broken"),
        ("unknown", "unknown", None), ("unknown", "error", "other"), ("unknown", None, "fixed"),
        ("error", "pass", "fixed"), ("skip", "pass", "other"), ("skip", "fail", "broken"), ("skip", "skip", None),
        ("skip", "unknown", "broken"), ("ignored", "pass", "fixed"), ("ignored", "fail", "broken"),
        ("ignored", "warn", "broken"), ("ignored", "ignored", None), ("ignored", "skip", "other"),
        (None, "pass", "other"), (None, "warn", "broken"), (None, "fail", "broken"), (None, "unknown", "broken"),
        (None, "skip", "other"), (None, "ignored", "other"),
    ],
)  # fmt: skip
def test_what_a_required_result_became(before: str | None, after: str | None, kind: str | None) -> None:
    found = compare(one(before), one(after))
    assert kinds(found) == ([kind] if kind else [])
    assert found.worse is (kind == "broken")
    if kind is None:
        assert found.unchanged == 1


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("pass", "unknown", "other"),
        ("warn", "unknown", "other"),
        ("unknown", "warn", "broken"),
        ("pass", "warn", "broken"),
    ],
)
def test_what_is_not_required_and_not_known_is_no_worse(before: str, after: str, kind: str) -> None:
    found = compare(one(before, Severity.RECOMMENDED), one(after, Severity.RECOMMENDED))
    assert kinds(found) == [kind]


def test_what_is_gone_is_fixed_only_where_its_check_could_look() -> None:
    old = one("fail")
    blind = reports.report(reports.result("docker.leftovers", "unknown", reason="no engine"))
    assert kinds(compare(old, blind)) == ["other"]
    assert kinds(compare(old, blind), None) == ["broken"]
    assert kinds(compare(old, reports.report())) == ["other"]  # not asked for
    assert not compare(old, reports.report()).worse


def test_a_measured_value_that_differs_is_no_change() -> None:
    old, new = (reports.report(reports.result("resources.disk", found=value, message=value)) for value in ("80", "79"))
    assert compare(old, new).unchanged == 1


statuses = st.lists(st.sampled_from([None, *(status.value for status in Status)]), min_size=4, max_size=4)


@given(statuses, statuses)
def test_every_result_is_counted_once_and_back_again_undoes_it(
    before: list[str | None], after: list[str | None]
) -> None:
    def made(row: list[str | None]) -> Report:
        return reports.report(*(reports.result(f"test.{n}", word) for n, word in enumerate(row) if word))

    old, new = made(before), made(after)
    found, back = compare(old, new), compare(new, old)
    keys = {(result.check, result.subject) for result in (*old.results, *new.results)}
    for one_way in (found, back):
        told = [change.key for kind in KINDS for change in getattr(one_way, kind)]
        assert len(told) == len(set(told)) == len(keys) - one_way.unchanged
    assert compare(old, old).worse is False
    assert not {change.key for change in found.broken} & {change.key for change in back.broken}


# --- how it is told ---------------------------------------------------------------------------------------------

SWAP = reports.result("resources.swap", "warn", "There is no swap.", severity=Severity.RECOMMENDED)
HELD = reports.held("SMTP_PORT", "exim4", "exim4.service", "systemctl disable --now exim4")
OLD = reports.report(reports.result("dns.mx", "fail", subject="example.org"), SWAP, *reports.ports())
NEW = reports.report(reports.result("dns.mx", subject="example.org"), SWAP, *reports.ports(SMTP_PORT=HELD))


@pytest.fixture
def preflight(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Line:
    return line(monkeypatch, capsys)


def saved(folder: Path, name: str, report: Report) -> str:
    (folder / name).write_text(write_json(report))
    return str(folder / name)


@pytest.mark.parametrize("form", FORMATS)
def test_worse_is_exit_1_and_better_exit_0(form: str, tmp_path: Path, preflight: Line) -> None:
    old, new = saved(tmp_path, "old.json", OLD), saved(tmp_path, "new.json", NEW)
    broken = preflight("compare", old, new, "--format", form)
    assert (broken.code, broken.err) == (1, "")
    assert "25/tcp is held by exim4" in " ".join(broken.out.split())
    mended = preflight(
        "compare", new, saved(tmp_path, "later.json", reports.report(SWAP, *reports.ports())), "--format", form
    )
    assert mended.code == 0
    assert preflight("compare", old, old).code == 0


def test_the_text_tells_what_to_do_next(tmp_path: Path, preflight: Line) -> None:
    run = preflight("compare", saved(tmp_path, "old.json", OLD), saved(tmp_path, "new.json", NEW))
    lines = run.out.splitlines()
    assert lines[0] == "SOMETHING GOT WORSE"
    assert lines[1] == "Before: vm1, 2026-11-23 at 01:23 UTC: Not ready for mailcow"
    assert "1 broken · 1 still failing · 1 fixed" in run.out
    assert "systemctl disable --now exim4" in run.out
    assert [text for text in lines if text in ("Broken", "Still failing", "Fixed", "Other changes")] == [
        "Broken", "Still failing", "Fixed",
    ]  # fmt: skip
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in run.out


def test_the_json_is_the_whole(tmp_path: Path, preflight: Line) -> None:
    run = preflight("compare", saved(tmp_path, "o", OLD), saved(tmp_path, "n", NEW), "--format", "json")
    document = json.loads(run.out)
    assert list(document) == [
        "schema", "old", "new", "worse", "broken", "fixed", "still_failing", "other", "unchanged",
    ]  # fmt: skip
    assert (document["schema"], document["worse"]) == (1, True)
    assert document["broken"][0]["subject"] == "25/tcp"
    assert (document["broken"][0]["before"], document["broken"][0]["after"]) == ("pass", "fail")
    assert msgspec.json.decode(run.out, type=Comparison) == compare(OLD, NEW)


def test_two_hosts_are_compared_with_a_remark() -> None:
    other = msgspec.structs.replace(NEW, host=msgspec.structs.replace(NEW.host, name="vm2"))
    for form in ("text", "markdown"):
        assert "These are two hosts" in changes(compare(OLD, other), form)
        assert "These are two hosts" not in changes(compare(OLD, NEW), form)


def test_changes_of_one_check_and_kind_are_one_line() -> None:
    told = changes(compare(reports.report(), reports.report(*reports.ports())), "markdown")
    (row,) = [text for text in told.splitlines() if text.startswith("- ports")]
    assert "and 5 more" in row
    assert row.endswith("not in the report → pass")


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "truncated"),
        (b"[]", "object"),
        (b'{"schema": 2}', "schema 2"),
        (b'{"schema": 1}', "tool"),
        (b"[" * 100_000, "nested deeper"),
        (write_json(reports.report(SWAP, SWAP)).encode(), "$.results[1]"),
        (write_json(NEW).replace('"fail"', '"failed"').encode(), "$.results"),
        (write_json(NEW).replace("2026-11-23T01:23:45Z", "\\u001b[2Jsoon").encode(), "time data"),
        (write_json(NEW).replace('"seconds": 1.234', '"seconds": 1e999').encode(), "out of range"),
        (write_json(NEW).replace("1.234", "NaN").encode(), "malformed"),
        (write_json(NEW).encode("utf-16"), "malformed"),
        (b"\xef\xbb\xbf" + write_json(NEW).encode(), "malformed"),
        (write_json(host()).encode(), "tool"),
        (b'{"version": "2.1.0", "runs": []}', "schema"),
        (json.dumps(json.loads(write_json(NEW)) | {"results": {}}).encode(), "$.results"),
    ],
)
def test_a_broken_report_is_refused_with_its_name_and_the_place(
    data: bytes, word: str, tmp_path: Path, preflight: Line
) -> None:
    bad, good = tmp_path / "bad.json", saved(tmp_path, "good.json", OLD)
    bad.write_bytes(data)
    for arguments in (("compare", str(bad), good), ("compare", good, str(bad)), ("--baseline", str(bad))):
        run: Run = preflight(*arguments)
        assert (run.code, run.out) == (2, "")
        (told,) = run.err.splitlines()
        assert str(bad) in told
        assert word in told
        assert len(told) <= 500


@pytest.mark.parametrize("arguments", [(), ("a",), ("/nowhere.json", "/dev/zero"), ("/dev", "/dev"), ("a", "b", "c")])
def test_inputs_that_are_none_are_refused(arguments: tuple[str, ...], preflight: Line) -> None:
    run = preflight("compare", *arguments)
    assert (run.code, run.out) == (2, "")
    assert len(run.err.splitlines()) == 1


def test_reports_come_back_as_they_were(tmp_path: Path) -> None:
    for name, make in reports.SAMPLES.items():
        assert msgspec.json.encode(read_report(Path(saved(tmp_path, name, make())))) == msgspec.json.encode(make())


@pytest.mark.parametrize("value", VALUES)
def test_hostile_values_stay_text(value: str) -> None:
    hostile(value)


@given(ANY)
def test_any_value_stays_text(value: str) -> None:
    hostile(value)


def hostile(value: str) -> None:
    report = reports.hostile(value)
    for old, new in ((reports.report(), report), (report, reports.report()), (report, report)):
        found = compare(old, new)
        for form in ("text", "markdown"):
            told = changes(found, form)
            assert all(character.isprintable() or character == "\n" for character in told)
        json.loads(changes(found, "json"))
        tokens = MarkdownIt("commonmark").parse(changes(found, "markdown"))
        assert {token.type for token in tokens} & {"html_block", "hr", "table_open", "blockquote_open"} == set()
        assert [t.tag for t in tokens if t.type == "heading_open"] == ["h1"] + ["h2"] * len(
            [kind for kind in KINDS if getattr(found, kind)]
        )
        inline = {child.type for token in tokens for child in token.children or ()}
        assert not inline & {"html_inline", "link_open", "image", "em_open"}


# --- a report with a baseline -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["markdown", "text"])
def test_a_report_marks_what_is_new_known_and_fixed(form: str) -> None:
    since = compare(OLD, NEW)
    told = " ".join(render(NEW, form, since=since).replace("\\", "").split())
    assert "Since the report of 2026-11-23 at 01:23 UTC: 1 new, 1 known, 1 fixed." in told
    assert "25/tcp is held by exim4 (pid 812, exim4.service)" in told
    assert "(new)" in told
    assert "There is no swap" in told
    assert "(known)" in told
    assert "Fixed since the report of 2026-11-23 at 01:23 UTC" in told
    assert "dns.mx (example.org): fail → pass" in told
    plain = render(NEW, form)
    assert "Since" not in plain
    assert "(new)" not in plain


@pytest.mark.parametrize("form", ["markdown", "text"])
def test_of_several_findings_with_one_remedy_the_new_ones_are_named(form: str) -> None:
    rows = [
        reports.result("services.mail", "warn", f"{name} starts.", subject=name, remedy=Remedy("Stop it."))
        for name in ("exim4.service", "nginx.service")
    ]
    since = compare(reports.report(rows[0]), reports.report(*rows))
    assert "(new: nginx.service)" in render(reports.report(*rows), form, since=since)


@pytest.mark.parametrize("form", ["json", "junit", "github", "zone"])
def test_documents_for_machines_stay_as_they_are(form: str) -> None:
    assert render(NEW, form, since=compare(OLD, NEW)) == render(NEW, form)


def test_a_run_with_a_baseline(tmp_path: Path, preflight: Line) -> None:
    """The report may take its baseline's place: it was read before."""
    from preflight.facts import Asked, Memory
    from tests.build import host

    last, facts = tmp_path / "last.json", tmp_path / "facts.json"
    words = ("--facts", str(facts), "--only", "resources.*", "--output", str(last))
    for swap, said in ((2 << 30, None), (0, "1 new"), (0, "0 new, 1 known"), (2 << 30, "1 fixed")):
        facts.write_text(
            write_json(host(memory=Memory(8 << 30, 6 << 30, swap, swap), asked=Asked(offline=True, probe=False)))
        )
        baseline = ("--baseline", str(last)) if said else ()
        run = preflight(*words, *baseline, "--format", "json", "--format", "text")
        if said:
            assert said in run.out
            assert (run.code, run.err) == (3, "")  # the baseline weighs nothing
