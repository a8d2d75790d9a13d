"""The report for a terminal: verdict and numbered steps first, what passed in one line, the verdict again last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from preflight.render import changes, machine, text_words, words
from preflight.render.closing import COLORS, end, order
from preflight.render.context import Context
from preflight.render.digest import Digest, digest, named
from preflight.render.opening import opening
from preflight.render.page import Page
from preflight.render.passed import passed, skipped
from preflight.render.steps import steps
from preflight.render.terse import notes
from preflight.render.text_steps import Sheet, names
from preflight.report.model import Report, Result, Status, Verdict

if TYPE_CHECKING:
    from preflight.report.compare import Comparison


def text(report: Report, context: Context) -> str:
    """Return the report as lines of at most so many columns; what is to be pasted stands out where it is longer."""
    sheet, found, since = Sheet(context), digest(report), context.since
    page, begin = sheet.page, opening(report, found, context.coverage)
    page.line(begin.headline.upper(), style=COLORS[begin.state])
    if not (found.blocks and begin.state == "fail") and begin.next != words.NEXT[Verdict.READY]:
        page.line(begin.next)  # else the last line says it, where a terminal still shows it
    page.line(_host(report))
    if context.redacted:
        page.line(words.REDACTED)
    if since:
        page.line(changes.since(since))
        for remark in changes.remarks(since):
            page.line(remark, style="bold")
    made = steps(report, context)
    for place in made.places:
        sheet.place(place)
    sheet.notes(notes(found.notes))
    _waived(page, found.waived)
    _fixed(page, since)
    _passed(page, report, found, context)
    counts = made.having(Status.FAIL), made.having(Status.WARN), report.counts.unknown + report.counts.error
    end(page, report, context, begin, counts, order(page, sheet.begin(made.later), made.later))
    return page.finish()


def _host(report: Report) -> str:
    host = report.host
    return text_words.HOST.format(
        name=host.name or words.UNKNOWN,
        os=host.os or words.UNKNOWN_OS,
        architecture=host.architecture or words.UNKNOWN,
        engine=machine.engine(report),
    )


def _waived(page: Page, results: Sequence[Result]) -> None:
    if not results:
        return
    page.heading(words.WAIVED)
    for result in results:
        told = f"{result.message} {words.BECAUSE} {words.sentence(result.reason or words.UNKNOWN)}"
        page.line(f"{told} {names(named([result]))}", indent=3, mark="–")


def _fixed(page: Page, since: Comparison | None) -> None:
    if since is None or not since.fixed:
        return
    page.heading(words.FIXED_SINCE.format(when=words.when(since.old.started)))
    for who, how in changes.together(since.fixed):
        page.line(f"{who}: {how}", indent=3, mark="✓", mark_style="green")


def _passed(page: Page, report: Report, found: Digest, context: Context) -> None:
    """Write what passed and what was skipped: as a list where that was asked for, else how many there are of them."""
    if context.show_passed:
        passed(page, found, names)
        skipped(page, found, names)
        return
    rows = ((text_words.PASSED, report.counts.pass_), (text_words.SKIPPED, report.counts.skip))
    told = [text_words.some(forms, count) for forms, count in rows if count]
    if told:
        page.line("")
        page.line(" ".join([*told, text_words.LISTED]))
