"""What changed between two reports, told and marked."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from preflight.render import Context, render
from preflight.render.changes import changes
from preflight.report.compare import GROUPS, Comparison, compare
from preflight.report.documents import encode, read_report
from preflight.report.model import Remedy, Report, Result, Severity, Status
from tests.build import host
from tests.line import Line, Run
from tests.render import reports
from tests.render.hostile import ANY, VALUES

FORMATS = ("text", "markdown", "json")


def one(status: str | None, severity: Severity = Severity.REQUIRED) -> Report:
    """Return a report whose one result of interest has this status; without: the check ran and has no such subject."""
    if status is None:
        return reports.report(reports.result("docker.leftovers"))
    was = Status.FAIL if status == "ignored" else None
    return reports.report(reports.result("docker.leftovers", status, subject="volume:x", was=was, severity=severity))


def kinds(found: Comparison, subject: str | None = "volume:x") -> list[str]:
    return [kind for kind in GROUPS for change in getattr(found, kind) if change.subject == subject]


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
    assert kinds(compare(old, reports.report())) == ["not_in_both"]  # not asked for


@pytest.mark.parametrize("status", [status.value for status in Status])
def test_what_one_report_did_not_ask_is_neither_broken_nor_fixed(status: str) -> None:
    other = reports.result("resources.swap")
    for partial in (reports.report(), reports.report(other)):
        whole = reports.report(*one(status).results, *partial.results)
        for old, new, (before, after) in ((partial, whole, (None, status)), (whole, partial, (status, None))):
            found = compare(old, new)
            (change,) = found.not_in_both
            told = (change.before, change.after)
            assert tuple(word and word.value for word in told) == (before, after)
            assert not found.worse
            assert (kinds(found), found.unchanged) == (["not_in_both"], len(partial.results))
            assert found.apart == ((0, 1) if old is partial else (1, 0))
            assert found.empty is not bool(partial.results)


def test_subjects_that_come_and_go_are_judged_where_both_asked_their_check() -> None:
    rows = [reports.result("ports.free", "fail", subject=port) for port in ("25/tcp", "80/tcp", "443/tcp")]
    found = compare(reports.report(*rows[:2]), reports.report(*rows[1:]))
    assert [change.subject for change in found.broken] == ["443/tcp"]
    assert [change.subject for change in found.fixed] == ["25/tcp"]
    assert (found.not_in_both, found.apart, found.worse) == ((), (0, 0), True)


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
        told = [change.key for kind in GROUPS for change in getattr(one_way, kind)]
        assert len(told) == len(set(told)) == len(keys) - one_way.unchanged
    assert compare(old, old).worse is False
    assert not {change.key for change in found.broken} & {change.key for change in back.broken}


# --- how it is told ---------------------------------------------------------------------------------------------

SWAP = reports.result("resources.swap", "warn", "There is no swap.", severity=Severity.RECOMMENDED)
HELD = reports.held("SMTP_PORT", "exim4", "exim4.service", "systemctl disable --now exim4")
OLD = reports.report(reports.result("dns.mx", "fail", subject="example.org"), SWAP, *reports.ports())
NEW = reports.report(reports.result("dns.mx", subject="example.org"), SWAP, *reports.ports(SMTP_PORT=HELD))


def saved(folder: Path, name: str, report: Report) -> str:
    (folder / name).write_text(encode(report))
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
        "schema", "old", "new", "worse", "broken", "fixed", "still_failing", "other", "not_in_both", "unchanged",
    ]  # fmt: skip
    assert (document["schema"], document["worse"]) == (1, True)
    assert document["broken"][0]["subject"] == "25/tcp"
    assert (document["broken"][0]["before"], document["broken"][0]["after"]) == ("pass", "fail")
    assert msgspec.json.decode(run.out, type=Comparison) == compare(OLD, NEW)


def on(report: Report, name: str | None) -> Report:
    return msgspec.structs.replace(report, host=msgspec.structs.replace(report.host, name=name))


def by(report: Report, name: str) -> Report:
    return msgspec.structs.replace(report, requirements=msgspec.structs.replace(report.requirements, name=name))


REMARKS = {
    "The reports are about two hosts. A difference need not be a change.": on(OLD, "vm2"),
    "At least one report does not name its host. A difference need not be a change.": on(OLD, None),
    "The requirements differ (2017-07, current). A difference need not be a change on the host.": by(OLD, "2017-07"),
    "The two reports do not have the same checks (only in the older one: 1, only in the newer one: 2). Whether "
    "anything changed there is unknown.": reports.report(
        *reports.ports(), *(reports.result("dns.caa", subject=name) for name in ("a.example", "b.example"))
    ),
}


def flat(told: str) -> str:
    return " ".join(told.replace("\\", "").split())


@pytest.mark.parametrize("said", REMARKS)
@pytest.mark.parametrize("form", ["text", "markdown"])
def test_what_keeps_two_reports_from_being_compared_is_said(said: str, form: str) -> None:
    told = flat(changes(compare(REMARKS[said], NEW), form))
    assert [remark for remark in REMARKS if remark in told] == [said]
    assert not [remark for remark in REMARKS if remark in flat(changes(compare(OLD, NEW), form))]


@pytest.mark.parametrize("said", REMARKS)
@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_a_report_with_a_baseline_says_it_too(said: str, form: str) -> None:
    told = flat(render(NEW, form, Context(since=compare(REMARKS[said], NEW))))
    assert [remark for remark in REMARKS if remark in told] == [said]
    assert not [remark for remark in REMARKS if remark in flat(render(NEW, form, Context(since=compare(OLD, NEW))))]


def test_a_partial_report_is_compared_as_far_as_it_goes(tmp_path: Path, preflight: Line) -> None:
    part = saved(tmp_path, "part.json", reports.report(SWAP))
    whole = saved(tmp_path, "whole.json", NEW)
    mended = saved(tmp_path, "mended.json", reports.report(reports.result("resources.swap"), *reports.ports()))
    none = saved(tmp_path, "none.json", reports.report())
    worse = saved(tmp_path, "worse.json", reports.report(reports.result("resources.swap", "fail"), *reports.ports()))
    alike = "IN THE CHECKS THAT BOTH REPORTS HAVE,"
    for old, new, code, headline, counts in (
        (
            part,
            whole,
            0,
            f"{alike} NOTHING GOT WORSE",
            "0 broken · 1 still failing · 0 fixed",
        ),
        (
            whole,
            part,
            0,
            f"{alike} NOTHING GOT WORSE",
            "0 broken · 1 still failing · 0 fixed",
        ),
        (
            part,
            mended,
            0,
            f"{alike} SOMETHING WAS FIXED",
            "0 broken · 0 still failing · 1 fixed",
        ),
        (part, worse, 1, "SOMETHING GOT WORSE", "1 broken · 0 still failing · 0 fixed"),
        (none, whole, 0, "NOTHING WAS COMPARED", "0 broken · 0 still failing · 0 fixed"),
        (whole, none, 0, "NOTHING WAS COMPARED", "0 broken · 0 still failing · 0 fixed"),
    ):
        run = preflight("compare", old, new)
        assert (run.code, run.err) == (code, "")
        assert run.out.startswith(headline)
        assert counts in run.out
        assert "do not have the same checks" in run.out
        assert "\nNot in both reports\n" in run.out
    assert "ports.free (25/tcp): not in the report → fail" in preflight("compare", part, whole).out


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_changes_of_one_check_and_kind_are_one_line(form: str) -> None:
    told = flat(changes(compare(reports.report(), reports.report(*reports.ports())), form))
    assert re.search(r"[–-] ports\.free \([^()]*, and 5 more\): not in the report → pass", told)
    assert told.count("ports.free") == 1


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_a_long_list_says_how_much_of_it_is_left_out(form: str) -> None:
    many = reports.report(*(reports.result(f"test.{number}") for number in range(61)))
    assert "and 11 more" in changes(compare(reports.report(), many), form)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "truncated"),
        (b"[]", "object"),
        (b'{"schema": 2}', "schema 2"),
        (b'{"schema": 1}', "tool"),
        (b"[" * 100_000, "nested deeper"),
        (encode(reports.report(SWAP, SWAP)).encode(), "$.results[1]"),
        (encode(NEW).replace('"fail"', '"failed"').encode(), "$.results"),
        (encode(NEW).replace("2026-11-23T01:23:45Z", "\\u001b[2Jsoon").encode(), "time data"),
        (encode(NEW).replace('"seconds": 1.234', '"seconds": 1e999').encode(), "out of range"),
        (encode(NEW).replace("1.234", "NaN").encode(), "malformed"),
        (encode(NEW).encode("utf-16"), "malformed"),
        (b"\xef\xbb\xbf" + encode(NEW).encode(), "malformed"),
        (encode(host()).encode(), "tool"),
        (b'{"version": "2.1.0", "runs": []}', "schema"),
        (json.dumps(json.loads(encode(NEW)) | {"results": {}}).encode(), "$.results"),
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
    well = [msgspec.structs.replace(result, status=Status.PASS) for result in report.results]
    before = reports.report(*well)
    for old, new in (
        (reports.report(), report), (report, reports.report()), (before, report), (report, before), (report, report),
    ):  # fmt: skip
        found = compare(old, new)
        for form in ("text", "markdown"):
            told = changes(found, form)
            assert all(character.isprintable() or character == "\n" for character in told)
        json.loads(changes(found, "json"))
        tokens = MarkdownIt("commonmark").parse(changes(found, "markdown"))
        assert {token.type for token in tokens} & {"html_block", "hr", "table_open", "blockquote_open"} == set()
        assert [t.tag for t in tokens if t.type == "heading_open"] == ["h1"] + ["h2"] * len(
            [kind for kind in GROUPS if getattr(found, kind)]
        )
        inline = {child.type for token in tokens for child in token.children or ()}
        assert not inline & {"html_inline", "link_open", "image", "em_open"}


# --- a report with a baseline -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["markdown", "text"])
def test_a_report_marks_what_is_new_known_and_fixed(form: str) -> None:
    since = compare(OLD, NEW)
    told = " ".join(render(NEW, form, Context(since=since)).replace("\\", "").split())
    assert "Since the report of 2026-11-23 at 01:23 UTC: 1 new, 1 known, 1 fixed." in told
    assert "25/tcp is held by exim4 (pid 812, exim4.service)" in told
    assert " (new)" in told
    assert "There is no swap" in told
    assert " (known)" in told
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
    assert "(new: nginx.service)" in " ".join(render(reports.report(*rows), form, Context(since=since)).split())


@pytest.mark.parametrize("form", ["markdown", "text"])
def test_what_the_baseline_did_not_ask_is_neither_new_nor_known(form: str) -> None:
    def left(check: str, subject: str) -> Result:
        return reports.result(check, "warn", f"{subject} is left.", subject=subject, remedy=Remedy("Stop it."))

    once, again = left("services.mail", "exim4"), left("services.mail", "nginx")
    firewall = left("firewall.managers", "ufw")
    lone = reports.result("resources.memory", "fail", "There is too little.", remedy=Remedy("Add some."))
    dark = reports.result("clock.offset", "unknown", remedy=Remedy("Ask again."))
    now = reports.report(lone, once, again, firewall, dark)
    told = flat(render(now, form, Context(since=compare(reports.report(once), now))))
    assert "1 new, 1 known, 0 fixed" in told
    assert "There is too little" in told
    assert re.search(r"There is too little\.? \(not checked before\)", told)
    assert re.search(r"Ask again\.? \(not checked before\)", told)
    assert " (new: nginx; not checked before: ufw)" in told
    assert "(known)" not in told


@pytest.mark.parametrize("form", ["json", "junit", "github", "zone"])
def test_documents_for_machines_stay_as_they_are(form: str) -> None:
    assert render(NEW, form, Context(since=compare(OLD, NEW))) == render(NEW, form)


def test_a_run_with_a_baseline(tmp_path: Path, preflight: Line) -> None:
    """The report may take its baseline's place: it was read before."""
    from preflight.facts import Asked, Memory
    from tests.build import host

    last, facts = tmp_path / "last.json", tmp_path / "facts.json"
    words = ("--facts", str(facts), "--only", "resources.*", "--output", str(last))
    for swap, said in ((2 << 30, None), (0, "1 new"), (0, "0 new, 1 known"), (2 << 30, "1 fixed")):
        facts.write_text(
            encode(host(memory=Memory(8 << 30, 6 << 30, swap, swap), asked=Asked(offline=True, probe=False)))
        )
        baseline = ("--baseline", str(last)) if said else ()
        run = preflight(*words, *baseline, "--format", "json", "--format", "text")
        if said:
            assert said in run.out
            assert (run.code, run.err) == (3, "")  # the baseline weighs nothing
