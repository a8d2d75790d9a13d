"""The report as workflow commands of GitHub Actions: an annotation for each cause, the gravest first.

GitHub shows ten annotations of each kind for a step, so results with one remedy are one annotation, and where there are
more causes, the tenth tells all that are left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from preflight.render import words
from preflight.render.context import Context
from preflight.render.digest import CheckSubjects, Entry, Unclear, digest
from preflight.render.escape import command_line, quoted, terminal
from preflight.render.limits import SUBJECTS
from preflight.render.opening import opening
from preflight.report.model import Remedy, Report

SHOWN = 10  # annotations of a kind
LINES = 20  # of one annotation


def github(report: Report, context: Context) -> str:
    """Return the report as lines for a step's output: the verdict, errors, warnings, and notices of what is unknown."""
    found = digest(report)
    headline = opening(report, found, context.coverage).headline
    # Text of our own only: a line that begins with `::`, or holds `##[`, is a command to the runner.
    lines = [f"{headline}: {' · '.join(text for _, text in words.counts(report.counts))}".removesuffix(": ")]
    lines += [words.REDACTED] if context.redacted else []
    lines += _annotations("error", [(entry.checks, _told(entry)) for entry in found.blocks])
    lines += _annotations("warning", [(entry.checks, _told(entry)) for entry in found.warnings])
    lines += _annotations("notice", [(_checks(entry), _open(entry)) for entry in found.unclear])
    return "\n".join(lines) + "\n"


def _annotations(kind: str, causes: Sequence[tuple[Sequence[CheckSubjects], Iterable[str]]]) -> list[str]:
    """Return a line for each cause; where there are more than GitHub shows, the last tells all the rest."""
    if len(causes) <= SHOWN:
        return [_annotation(kind, checks, lines) for checks, lines in causes]
    own, rest = causes[: SHOWN - 1], causes[SHOWN - 1 :]
    every = [line for _, lines in rest for line in ("", *lines)][1:]
    return [*_annotations(kind, own), _annotation(kind, [named for checks, _ in rest for named in checks], every)]


def _annotation(kind: str, checks: Sequence[CheckSubjects], lines: Iterable[str]) -> str:
    return f"::{kind} title={_property(', '.join(map(_name, checks)))}::{_data(chr(10).join(lines))}"


def _data(text: str) -> str:
    """Escape the message of a command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape a property of a command."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _told(entry: Entry) -> Iterable[str]:
    if entry.alike:
        yield terminal(entry.first.message)
        if len(entry.results) == 1 and (entry.first.expected or entry.first.found):
            shown = [terminal(value, 300) if value else "–" for value in (entry.first.expected, entry.first.found)]
            yield words.EXPECTED_FOUND.format(expected=shown[0], found=shown[1])
    else:
        yield from (terminal(result.message) for result in entry.results[:LINES])
        if len(entry.results) > LINES:
            yield words.MORE.format(count=len(entry.results) - LINES)
    yield from _said(entry.details)
    yield from (f"{words.REMARK} {terminal(words.sentence(reason))}" for reason in entry.reasons)
    yield from _remedy(entry.remedy)
    yield from (terminal(words.about(check.check)) for check in entry.checks[:SUBJECTS])


def _said(details: Iterable[str]) -> Iterable[str]:
    for detail in details:
        yield words.DETAIL
        yield from (f"    {line}" for line in quoted(detail))


def _open(entry: Unclear) -> Iterable[str]:
    for reason in entry.reasons[:LINES]:
        names = ", ".join(map(_name, reason.checks))
        yield words.BECAUSE_OF.format(checks=names, reason=terminal(words.sentence(reason.text)))
    if len(entry.reasons) > LINES:
        yield words.MORE.format(count=len(entry.reasons) - LINES)
    yield from _said(entry.details)
    yield from _remedy(entry.remedy)


def _remedy(remedy: Remedy | None) -> Iterable[str]:
    if remedy:
        yield f"{words.REMEDY} {terminal(remedy.text, 2000)}"
        yield from (f"    {command_line(command)}" for command in remedy.commands)


def _checks(entry: Unclear) -> list[CheckSubjects]:
    return [check for reason in entry.reasons for check in reason.checks]


def _name(check: CheckSubjects) -> str:
    if not check.subjects:
        return terminal(check.check, 100)
    shown = [terminal(subject, 100) for subject in check.subjects[:SUBJECTS]]
    if len(check.subjects) > SUBJECTS:
        shown.append(words.MORE.format(count=len(check.subjects) - SUBJECTS))
    return f"{terminal(check.check, 100)} ({', '.join(shown)})"
