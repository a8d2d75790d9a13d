"""The report for a terminal: verdict and numbered steps first, what passed in one line, the verdict again last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from preflight.render import changes, machine, plan_words, text_words, ways, words
from preflight.render.closing import COLORS, end, order
from preflight.render.context import Context
from preflight.render.digest import CheckSubjects, Digest, Entry, digest, named
from preflight.render.escape import quoted, terminal
from preflight.render.limits import PARAGRAPH, ROWS, SUBJECTS
from preflight.render.opening import opening
from preflight.render.page import Page
from preflight.render.passed import passed, skipped
from preflight.render.plan import ORDER, done_in
from preflight.render.terse import Advice, Open, Step, adds, advice, notes, open_questions
from preflight.render.waivable import all_waivable
from preflight.report.model import Report, Result, Verdict

if TYPE_CHECKING:
    from preflight.report.compare import Comparison

_BODY = 5  # columns in front of what belongs to a step: its number and its mark stand there
_PASTE = 6
_HEADLINE = 800  # characters, at most: the ids behind it are in the line whatever a host put into it
_FEW = 2  # subjects of one reason that are named; of more, their number


class _Sheet:
    """A page with numbered steps."""

    def __init__(self, context: Context) -> None:
        self.page = Page(context.color, context.width, ascii=context.ascii)
        self.since: Comparison | None = context.since
        self.redacted = context.redacted
        self.number = 0
        self.advised: list[str] = []  # what each step says to do
        self._begun = False

    def heading(self, text: str) -> None:
        """Write a heading; the first one below a line of space."""
        if not self._begun:
            self.page.line("")
        self._begun = True
        self.page.line(text, style="bold")

    def steps(self, heading: str, found: Sequence[tuple[Entry, str, str]]) -> None:
        """Write steps, each with its mark and style: what is wrong, and what to do about it."""
        if not found:
            return
        self.heading(heading)
        for entry, mark, style in found:
            plain = advice(entry.remedy)
            self.advised.append(plain.text if plain else "")
            told = self._with_ids(entry, plain)
            self._heads(entry, self.lead(mark), style, ids=told is plain)
            self._about(entry)
            self.advice(told)

    def _with_ids(self, entry: Entry, plain: Advice | None) -> Advice | None:
        """Return the advice of a step, with the ids behind it where they would take a line of their own before it."""
        if plain is None or not plain.text or plain.records:
            return plain
        head = f"{terminal(_headlines(entry)[-1], _HEADLINE)}{changes.mark(entry, self.since)}"
        told, ids = terminal(plain.text, PARAGRAPH), f" [{self._ids(entry.results)}]"
        if self._fits(head, ids) or len(told + ids) > PARAGRAPH or not self._fits(told, ids):
            return plain
        return replace(plain, text=told + ids)

    def _fits(self, told: str, more: str) -> bool:
        """Say whether something can be told behind a text without a further line."""
        return self.page.rows(told + more, _BODY) == self.page.rows(told, _BODY)

    def begin(self, waiting: range) -> tuple[int, str] | None:
        """Return the first step that does not wait, with its advice."""
        return next(((n, told) for n, told in enumerate(self.advised, 1) if n not in waiting), None)

    def lead(self, mark: str) -> str:
        """Return the next number, with a mark."""
        self.number += 1
        return f"{self.number:>2} {mark}"

    def advice(self, do: Advice | None) -> None:
        """Write what to do, and what to paste."""
        if do is None:
            return
        if do.text:
            self.page.line(do.text, indent=_BODY - 2, mark="→", mark_style="green")
        self.page.paste(do.commands, _PASTE)
        self.page.paste(do.records, _PASTE)

    def open(self, found: Sequence[Open]) -> None:
        """Write what could not be found out, each reason once."""
        if not found:
            return
        self.heading(text_words.UNKNOWN)
        for question in found:
            lead = self.lead("?")
            for reason, more in question.reasons[:ROWS]:
                told = terminal(reason.text)
                told = text_words.ALIKE.format(reason=told, count=more) if more else told
                self.page.line(told, mark=lead, mark_style="magenta", style="bold")
                self.page.line(_counted(reason.checks), indent=_BODY)
                lead = "   ?"
            if len(question.reasons) > ROWS:
                self.page.line(words.MORE.format(count=len(question.reasons) - ROWS), indent=_BODY)
            self.said(question.entry.details)
            remedy = question.entry.remedy
            self.advised.append(remedy.text if remedy else "")
            told = (remedy.text if remedy else words.NO_REMEDY) + changes.mark(question.entry, self.since)
            self.advice(Advice(told, remedy.commands if remedy else ()))

    def notes(self, found: Sequence[Step]) -> None:
        """Write remarks: nothing is wrong, and something can be made better."""
        if not found:
            return
        self.heading(words.NOTES)
        for step in found:
            for entry in step.entries:
                # The commands say the same, and all are of one check.
                told = entry.remedy.text if entry.remedy and not entry.remedy.commands else ""
                self._heads(entry, "   i", "cyan", told, bold=False, ids=entry is step.entries[-1])
                self.said(entry.details)
            self.advice(step.advice)

    def _heads(
        self, entry: Entry, lead: str, style: str, more: str = "", *, bold: bool = True, ids: bool = True
    ) -> None:
        """Write what was found, the checks' ids and whether it is new behind the last line of it."""
        heads = [terminal(head, _HEADLINE) for head in _headlines(entry)]
        own = [f" [{self._ids(group)}]" for group in entry.sayings]
        each = 1 < len(own) <= ROWS and all(map(self._fits, heads, own))  # each line has room for its own
        for number, head in enumerate(heads, 1):
            told = head
            if number == len(heads):
                told = f"{' '.join(filter(None, (head, more)))}{changes.mark(entry, self.since)}"
            if ids and (each or number == len(heads)):
                told += own[number - 1] if each else f" [{self._ids(entry.results)}]"
            self.page.line(told, mark=lead, mark_style=style, style="bold" if bold else "")
            lead = f"   {lead[-1]}"

    def _ids(self, results: Sequence[Result]) -> str:
        """Return what `--ignore` takes for findings; a check alone where none can be named."""
        told = all_waivable(results, redacted=self.redacted)
        if not told:
            return ", ".join(check.check for check in named(results))
        more = [words.MORE.format(count=len(told) - SUBJECTS)] if len(told) > SUBJECTS else []
        return ", ".join([*told[:SUBJECTS], *more])

    def _about(self, entry: Entry) -> None:
        """Write what an entry tells beside its headline, where that adds anything."""
        lines = _evidence(entry)
        for line in lines[:ROWS]:
            self.page.line(line, indent=_BODY, mark="-" if len(lines) > 1 else "")
        if len(lines) > ROWS:
            self.page.line(words.MORE.format(count=len(lines) - ROWS), indent=_BODY, mark="-")
        for way in ways.stopped(entry.results):
            self.page.line(f"{words.WAY} {ways.line(way)}", indent=_BODY)
        self.said(entry.details)
        for reason in entry.reasons:
            self.page.line(f"{words.REMARK} {words.sentence(reason)}", indent=_BODY)

    def said(self, details: Sequence[str]) -> None:
        """Write what another program said in its own words."""
        for detail in details:
            self.page.line(words.DETAIL, indent=_BODY)
            for line in quoted(detail):
                self.page.line(line, indent=_BODY + 2, style="dim")


def text(report: Report, context: Context) -> str:
    """Return the report as lines of at most so many columns; what is to be pasted stands out where it is longer."""
    sheet, found, since = _Sheet(context), digest(report), context.since
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
    questions = open_questions(found)
    marked = [*((entry, "✗", "red") for entry in found.blocks), *((entry, "!", "yellow") for entry in found.warnings)]
    before = 0
    for place in ORDER:
        before = sheet.number
        sheet.steps(plan_words.HEADINGS[place], [one for one in marked if done_in(one[0].remedy) == place])
    waiting = range(before + 1, sheet.number + 1)  # the last place's
    sheet.open(questions)
    sheet.notes(notes(found.notes))
    _waived(page, found.waived)
    _fixed(page, since)
    _passed(page, report, found, context)
    counts = len(found.blocks), len(found.warnings), sum(question.entry.count for question in questions)
    end(page, report, context, begin, counts, order(page, sheet.begin(waiting), waiting))
    return page.finish()


def _host(report: Report) -> str:
    host = report.host
    return text_words.HOST.format(
        name=host.name or words.UNKNOWN,
        os=host.os or words.UNKNOWN_OS,
        architecture=host.architecture or words.UNKNOWN,
        engine=machine.engine(report),
    )


def _headlines(entry: Entry) -> list[str]:
    """Return what was found, what is true of several objects once."""
    groups = entry.sayings
    told = [_saying(group) for group in groups[:ROWS]]
    return [*told, words.MORE.format(count=sum(map(len, groups[ROWS:])))] if len(groups) > ROWS else told


def _saying(group: Sequence[Result]) -> str:
    others = [result.subject for result in group[1:] if result.subject is not None]
    message = group[0].message
    return f"{message} {words.ALSO.format(subjects=_subjects(others))}" if others else message


def _evidence(entry: Entry) -> list[str]:
    rows = [
        (result.subject or result.check, _expected_found(result) if adds(result) else "") for result in entry.results
    ]
    if len(rows) == 1:
        return [values for _, values in rows if values]
    if entry.alike and len(rows) > SUBJECTS + 1:  # the headline does not name them all
        return [f"{subject}: {values}" if values else subject for subject, values in rows]
    return [f"{subject}: {values}" for subject, values in rows if values]


def _expected_found(result: Result) -> str:
    expected, found = (terminal(value, 300) if value else "–" for value in (result.expected, result.found))
    return words.EXPECTED_FOUND.format(expected=expected, found=found)


def _waived(page: Page, results: Sequence[Result]) -> None:
    if not results:
        return
    page.heading(words.WAIVED)
    for result in results:
        told = f"{result.message} {words.BECAUSE} {words.sentence(result.reason or words.UNKNOWN)}"
        page.line(f"{told} {_names(named([result]))}", indent=3, mark="–")


def _fixed(page: Page, since: Comparison | None) -> None:
    if since is None or not since.fixed:
        return
    page.heading(words.FIXED_SINCE.format(when=words.when(since.old.started)))
    for who, how in changes.together(since.fixed):
        page.line(f"{who}: {how}", indent=3, mark="✓", mark_style="green")


def _passed(page: Page, report: Report, found: Digest, context: Context) -> None:
    """Write what passed and what was skipped: as a list where that was asked for, else how many there are of them."""
    if context.show_passed:
        passed(page, found, _names)
        skipped(page, found, _names)
        return
    rows = ((text_words.PASSED, report.counts.pass_), (text_words.SKIPPED, report.counts.skip))
    told = [text_words.some(forms, count) for forms, count in rows if count]
    if told:
        page.line("")
        page.line(" ".join([*told, text_words.LISTED]))


def _names(checks: Sequence[CheckSubjects]) -> str:
    return ", ".join(f"{n.check} ({_subjects(n.subjects)})" if n.subjects else n.check for n in checks)


def _counted(checks: Sequence[CheckSubjects]) -> str:
    """Name checks with their subjects; where these are many, only how many each has."""
    if sum(len(check.subjects) for check in checks) <= _FEW:
        return _names(checks)
    counts = ((check.check, len(check.subjects)) for check in checks)
    return ", ".join(f"{check} ({count})" if count > 1 else check for check, count in counts)


def _subjects(subjects: Sequence[str]) -> str:
    shown = [terminal(subject, 100) for subject in subjects[:SUBJECTS]]
    if len(subjects) > SUBJECTS:
        shown.append(words.MORE.format(count=len(subjects) - SUBJECTS))
    return ", ".join(shown)
