"""The numbered steps of a text: what is wrong or unknown, why, and what to paste."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from preflight.render import changes, plan_words, text_words, ways, words
from preflight.render.context import Context
from preflight.render.digest import CheckSubjects, Entry, Reason, named
from preflight.render.escape import quoted, terminal
from preflight.render.limits import PARAGRAPH, ROWS, SUBJECTS
from preflight.render.page import Page
from preflight.render.steps import Flags, Numbered, Place
from preflight.render.terse import Advice, Step, adds, advice, alike
from preflight.render.waivable import all_waivable
from preflight.report.model import Result, Status

if TYPE_CHECKING:
    from preflight.report.compare import Comparison

_BODY = 5  # columns in front of what belongs to a step: its number and its mark stand there
_PASTE = 6
_HEADLINE = 800  # characters, at most: the ids behind it are in the line whatever a host put into it
_FEW = 2  # subjects of one reason that are named; of more, their number

_UNKNOWN = ("?", "magenta")
_MARKS = {
    Status.FAIL: ("✗", "red"), Status.WARN: ("!", "yellow"), Status.PASS: ("i", "cyan"),
    Status.UNKNOWN: _UNKNOWN, Status.ERROR: _UNKNOWN,
}  # fmt: skip


class Sheet:
    """A page with numbered steps."""

    def __init__(self, context: Context) -> None:
        self.page = Page(context.color, context.width, ascii=context.ascii)
        self.since: Comparison | None = context.since
        self.redacted = context.redacted
        self.advised: dict[int, str] = {}  # what each step says to do
        self._begun = False

    def heading(self, text: str) -> None:
        """Write a heading; the first one below a line of space."""
        if not self._begun:
            self.page.line("")
        self._begun = True
        self.page.line(text, style="bold")

    def place(self, place: Place) -> None:
        """Write the steps of a place; its records are in them."""
        if place.steps or place.flags:
            self.heading(place.title)
        if place.flags:
            self._flags(place.flags)
        for step in place.steps:
            self._wrong(step) if step.known else self._unknown(step)

    def _wrong(self, step: Numbered) -> None:
        """Write what is wrong, and what to do about it."""
        entry, plain = step.entry, advice(step.entry.remedy)
        self.advised[step.number] = plain.text if plain else ""
        told = self._with_ids(entry, plain)
        self._heads(entry, f"{step.number:>2} ", ids=told is plain)
        self._about(entry)
        self._reasons(step.reasons, "   ")
        self.said(step.details)
        self.advice(told)

    def _unknown(self, step: Numbered) -> None:
        """Write what could not be determined, and what would help."""
        remedy = step.entry.remedy
        self._reasons(step.reasons, f"{step.number:>2} ")
        self.said(step.details)
        self.advised[step.number] = remedy.text if remedy else ""
        told = (remedy.text if remedy else words.NO_REMEDY) + changes.mark(step.entry, self.since)
        self.advice(Advice(told, remedy.commands if remedy else ()))

    def _reasons(self, found: Sequence[Reason], lead: str) -> None:
        """Write why something is unknown, each reason once, with the checks that it stopped."""
        reasons, (mark, style) = alike(found), _UNKNOWN
        for reason, more in reasons[:ROWS]:
            told = terminal(reason.text)
            told = text_words.ALIKE.format(reason=told, count=more) if more else told
            self.page.line(told, mark=lead + mark, mark_style=style, style="bold")
            self.page.line(_counted(reason.checks), indent=_BODY)
            lead = "   "
        if len(reasons) > ROWS:
            self.page.line(words.MORE.format(count=len(reasons) - ROWS), indent=_BODY)

    def _flags(self, flags: Flags) -> None:
        """Write which checks need more flags, and the line that has them."""
        mark, style = _UNKNOWN
        self.page.line(f"{flags.title}.", mark=f"{flags.number:>2} {mark}", mark_style=style, style="bold")
        checks = ", ".join(_counted(reason.checks) for reason, _ in alike(flags.reasons))
        self.page.line(checks, indent=_BODY)
        self.advised[flags.number] = plan_words.FLAGS_REMEDY
        self.advice(Advice(plan_words.FLAGS_REMEDY, (flags.line,)))

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

    def begin(self, waiting: Sequence[int]) -> tuple[int, str] | None:
        """Return the first step that does not wait, with its advice."""
        return next(((number, told) for number, told in self.advised.items() if number not in waiting), None)

    def advice(self, do: Advice | None) -> None:
        """Write what to do, and what to paste."""
        if do is None:
            return
        if do.text:
            self.page.line(do.text, indent=_BODY - 2, mark="→", mark_style="green")
        self.page.paste(do.commands, _PASTE)
        self.page.paste(do.records, _PASTE)

    def notes(self, found: Sequence[Step]) -> None:
        """Write remarks: nothing is wrong, and something can be made better."""
        if not found:
            return
        self.heading(words.NOTES)
        for step in found:
            for entry in step.entries:
                # The commands say the same, and all are of one check.
                told = entry.remedy.text if entry.remedy and not entry.remedy.commands else ""
                self._heads(entry, "   ", told, bold=False, ids=entry is step.entries[-1])
                self.said(entry.details)
            self.advice(step.advice)

    def _heads(self, entry: Entry, lead: str, more: str = "", *, bold: bool = True, ids: bool = True) -> None:
        """Write what was found, the checks' ids and whether it is new behind the last line of it."""
        heads = [terminal(head, _HEADLINE) for head in _headlines(entry)]
        sayings = entry.sayings
        own = [f" [{self._ids(group)}]" for group in sayings]
        each = 1 < len(own) <= ROWS and all(map(self._fits, heads, own))  # each line has room for its own
        for number, head in enumerate(heads, 1):
            told = head
            if number == len(heads):
                told = f"{' '.join(filter(None, (head, more)))}{changes.mark(entry, self.since)}"
            if ids and (each or number == len(heads)):
                told += own[number - 1] if each else f" [{self._ids(entry.results)}]"
            mark, style = _MARKS[sayings[number - 1][0].status]
            self.page.line(told, mark=lead + mark, mark_style=style, style="bold" if bold else "")
            lead = "   "

    def _ids(self, results: Sequence[Result]) -> str:
        """Return what `--ignore` takes for findings, one of each check first; a check alone where none can be named."""
        by_check = {check.check: [one for one in results if one.check == check.check] for check in named(results)}
        told = [all_waivable(own, redacted=self.redacted) or (check,) for check, own in by_check.items()]
        ordered = [*(own[0] for own in told), *(value for own in told for value in own[1:])]
        shown = max(SUBJECTS, len(told))
        more = [words.MORE.format(count=len(ordered) - shown)] if len(ordered) > shown else []
        return ", ".join([*ordered[:shown], *more])

    def _about(self, entry: Entry) -> None:
        """Write what an entry tells beside its headline, where that adds anything."""
        lines = _evidence(entry)
        for line in lines[:ROWS]:
            self.page.line(line, indent=_BODY, mark="-" if len(lines) > 1 else "")
        if len(lines) > ROWS:
            self.page.line(words.MORE.format(count=len(lines) - ROWS), indent=_BODY, mark="-")
        for way in ways.stopped(entry.results):
            self.page.line(f"{words.WAY} {ways.line(way)}", indent=_BODY)
        for reason in entry.reasons:
            self.page.line(f"{words.REMARK} {words.sentence(reason)}", indent=_BODY)

    def said(self, details: Sequence[str]) -> None:
        """Write what another program said in its own words."""
        for detail in details:
            self.page.line(words.DETAIL, indent=_BODY)
            for line in quoted(detail):
                self.page.line(line, indent=_BODY + 2, style="dim")


def names(checks: Sequence[CheckSubjects]) -> str:
    """Name checks with their subjects, each once."""
    return ", ".join(f"{n.check} ({_subjects(n.subjects)})" if n.subjects else n.check for n in checks)


def _counted(checks: Sequence[CheckSubjects]) -> str:
    """Name checks with their subjects; where these are many, only how many each has."""
    if sum(len(check.subjects) for check in checks) <= _FEW:
        return names(checks)
    counts = ((check.check, len(check.subjects)) for check in checks)
    return ", ".join(f"{check} ({count})" if count > 1 else check for check, count in counts)


def _subjects(subjects: Sequence[str]) -> str:
    shown = [terminal(subject, 100) for subject in subjects[:SUBJECTS]]
    if len(subjects) > SUBJECTS:
        shown.append(words.MORE.format(count=len(subjects) - SUBJECTS))
    return ", ".join(shown)


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
