"""The report for a terminal: at most 80 columns, in the order of the Markdown report, coloured only where asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from preflight.render import changes, ways, words
from preflight.render.context import Context
from preflight.render.digest import CheckSubjects, Digest, Entry, Passed, Reason, Unclear, digest, named, with_reasons
from preflight.render.escape import quoted, terminal
from preflight.render.limits import ROWS, SUBJECTS
from preflight.render.opening import Opening, opening
from preflight.render.page import Page
from preflight.render.ports import Port
from preflight.report.model import Remedy, Report, Result, Status

if TYPE_CHECKING:
    from preflight.report.compare import Comparison


_COLORS = {
    "pass": "bold green",
    "warn": "bold yellow",
    "fail": "bold red",
    "unknown": "bold magenta",
}
_MARKS = {
    Status.FAIL: ("✗", "red"),
    Status.WARN: ("!", "yellow"),
    Status.UNKNOWN: ("?", "magenta"),
    Status.PASS: ("✓", "green"),
    Status.IGNORED: ("–", "dim"),
    Status.SKIP: ("–", "dim"),
}


def text(report: Report, context: Context) -> str:
    """Return the report as lines of at most 80 columns (a long word of a command may stand out)."""
    page = Page(context.color)
    found, since = digest(report), context.since
    _head(page, report, opening(report, found, context.coverage))
    if context.redacted:
        page.line(words.REDACTED)
    if since:
        page.line(changes.since(since))
        for remark in changes.remarks(since):
            page.line(remark, style="bold")
    entries = with_reasons([*found.blocks, *found.warnings], context.why)
    _entries(page, words.BLOCKS, entries[: len(found.blocks)], Status.FAIL, since)
    _entries(page, words.WARNINGS, entries[len(found.blocks) :], Status.WARN, since)
    _unclear(page, found.unclear, since)
    _waived(page, found.waived)
    _fixed(page, since)
    _ports(page, found.ports)
    _passed(page, found.passed)
    _skipped(page, found)
    page.line("")
    page.line(words.footer(report), style="dim")
    page.line(words.explained(), style="dim")
    return page.finish()


def _head(page: Page, report: Report, begin: Opening) -> None:
    page.line(begin.headline.upper(), style=_COLORS[begin.state])
    page.line(begin.next)
    if begin.install:
        page.line(f"{words.INSTALL_LABEL} {begin.install}")
    page.line("")
    host = report.host
    page.line(
        words.SUMMARY.format(
            name=host.name or words.UNKNOWN,
            os=host.os or words.UNKNOWN_OS,
            kernel=host.kernel or words.UNKNOWN,
            architecture=host.architecture or words.UNKNOWN,
            engine=host.engine or words.UNKNOWN,
            requirements=report.requirements.name,
            read=report.requirements.read,
        )
    )
    page.line(" · ".join(text for _, text in words.counts(report.counts)))


def _entries(
    page: Page,
    heading: str,
    entries: Sequence[tuple[Entry, tuple[str, ...]]],
    status: Status,
    since: Comparison | None,
) -> None:
    if not entries:
        return
    page.heading(heading)
    mark, style = _MARKS[status]
    for entry, reasons in entries:
        page.line("")
        page.line(_cause(entry) + changes.mark(entry, since), mark=mark, mark_style=style, style="bold")
        _evidence(page, entry)
        for way in ways.stopped(entry.results):
            page.line(f"{words.WAY} {ways.line(way)}", indent=2)
        _said(page, entry.details)
        for reason in entry.reasons:
            page.line(f"{words.REMARK} {words.sentence(reason)}", indent=2)
        _remedy(page, entry.remedy)
        for reason in reasons:
            page.line(f"{words.WHY} {reason}", indent=2)
        for url in entry.docs:
            page.line(f"{words.READ_MORE} {url}", indent=2, style="dim")
        page.line(f"{words.CHECK} {', '.join(check.check for check in entry.checks)}", indent=2, style="dim")


def _cause(entry: Entry) -> str:
    if not entry.alike:
        return words.SEVERAL.format(title=entry.first.title, count=len(entry.results))
    others = [result.subject for result in entry.results[1:] if result.subject is not None]
    message = entry.first.message
    return f"{message} {words.ALSO.format(subjects=_subjects(others))}" if others else message


def _evidence(page: Page, entry: Entry) -> None:
    if not entry.alike:
        for result in entry.results[:ROWS]:
            page.line(result.message, indent=2, mark="-")
    elif len(entry.results) == 1 and (entry.first.expected or entry.first.found):
        page.line(_expected_found(entry.first), indent=2)
    elif len(entry.results) > 1:
        for result in entry.results[:ROWS]:
            page.line(f"{result.subject or result.check}: {_expected_found(result)}", indent=2, mark="-")
    if len(entry.results) > ROWS:
        page.line(words.MORE.format(count=len(entry.results) - ROWS), indent=2, mark="-")


def _expected_found(result: Result) -> str:
    expected, found = (terminal(value, 300) if value else "–" for value in (result.expected, result.found))
    return words.EXPECTED_FOUND.format(expected=expected, found=found)


def _said(page: Page, details: Sequence[str]) -> None:
    for detail in details:
        page.line(words.DETAIL, indent=2)
        for line in quoted(detail):
            page.line(line, indent=6, style="dim")


def _remedy(page: Page, remedy: Remedy | None) -> None:
    if remedy is None:
        return
    page.line(f"{words.REMEDY} {remedy.text}", indent=2)
    page.commands(remedy.commands, 6)


def _unclear(page: Page, entries: Sequence[Unclear], since: Comparison | None) -> None:
    if not entries:
        return
    page.heading(words.UNCLEAR)
    for entry in entries:
        page.line("")
        told = (entry.remedy.text if entry.remedy else words.NO_REMEDY) + changes.mark(entry, since)
        page.line(told, mark="?", mark_style="magenta", style="bold")
        page.commands(entry.remedy.commands if entry.remedy else (), 6)
        for reason in entry.reasons:
            page.line(_reason(reason), indent=2, mark="-")
        _said(page, entry.details)


def _waived(page: Page, results: Sequence[Result]) -> None:
    if not results:
        return
    page.heading(words.WAIVED)
    for result in results:
        told = f"{result.message} {words.BECAUSE} {words.sentence(result.reason or words.UNKNOWN)}"
        page.line(f"{told} {_names(named([result]))}", indent=2, mark="–")


def _fixed(page: Page, since: Comparison | None) -> None:
    if since is None or not since.fixed:
        return
    page.heading(words.FIXED_SINCE.format(when=words.when(since.old.started)))
    for who, how in changes.together(since.fixed):
        page.line(f"{who}: {how}", indent=2, mark="✓", mark_style="green")


def _ports(page: Page, ports: Sequence[Port]) -> None:
    if not ports:
        return
    page.heading(words.PORTS)
    rows = [(port.port, port.service, port.container, words.port_state(port)[1]) for port in ports]
    widths = [min(20, max(len(row[number]) for row in rows)) for number in range(3)]
    for port, row in zip(ports, rows, strict=True):
        mark, style = _MARKS.get(port.status, _MARKS[Status.UNKNOWN])
        cells = [terminal(cell, 100).ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)]
        page.line("  ".join(cells), indent=2, mark=mark, mark_style=style)


def _passed(page: Page, passed: Sequence[tuple[str, tuple[Passed, ...]]]) -> None:
    if not passed:
        return
    page.heading(words.PASSED)
    for section, rows in passed:
        page.line(words.section(section), indent=2, style="dim")
        for row in rows:
            told = f"{row.check}: {_subjects(row.subjects)}" if row.subjects else row.message
            page.line(told, indent=2, mark="✓", mark_style="green")


def _skipped(page: Page, digest: Digest) -> None:
    if not digest.skipped:
        return
    page.heading(words.SKIPPED)
    for reason in digest.skipped:
        page.line(_reason(reason), indent=2, mark="–")


def _reason(reason: Reason) -> str:
    return words.BECAUSE_OF.format(checks=_names(reason.checks), reason=terminal(reason.text))


def _names(checks: Sequence[CheckSubjects]) -> str:
    return ", ".join(f"{n.check} ({_subjects(n.subjects)})" if n.subjects else n.check for n in checks)


def _subjects(subjects: Sequence[str]) -> str:
    shown = [terminal(subject, 100) for subject in subjects[:SUBJECTS]]
    if len(subjects) > SUBJECTS:
        shown.append(words.MORE.format(count=len(subjects) - SUBJECTS))
    return ", ".join(shown)
