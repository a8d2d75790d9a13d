"""Sort a report's results into what a reader wants to know first: plain values, nothing escaped, no sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct

from preflight.render.ports import PORTS, Port, ports
from preflight.render.records import alike, joined
from preflight.report.model import Remedy, Report, Result, Severity, Status

T = TypeVar("T")
K = TypeVar("K")

DETAILS = 5  # of one cause
_JUDGEMENTS = (Status.PASS, Status.WARN, Status.FAIL)


class CheckSubjects(Struct, frozen=True):
    """A check and those of its subjects that are meant; none where it has one object only."""

    check: str
    subjects: tuple[str, ...]


class Entry(Struct, frozen=True):
    """Results with one remedy: told once, with all their subjects."""

    results: tuple[Result, ...]
    remedy: Remedy | None

    @property
    def first(self) -> Result:
        """Return the result that stands for all."""
        return self.results[0]

    @property
    def alike(self) -> bool:
        """Say whether the results differ in nothing but their subject, so that one message tells all."""
        return len(self.sayings) == 1

    @property
    def sayings(self) -> tuple[tuple[Result, ...], ...]:
        """Return the results in groups, of which each differs in nothing but the subject."""
        groups = _group(self.results, lambda one: (one.status, one.message.replace(one.subject or "\0", "\0")))
        return tuple(map(tuple, groups.values()))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return what there is to say beside the messages: a waiver that is over."""
        return tuple(dict.fromkeys(result.reason for result in self.results if result.reason))

    @property
    def details(self) -> tuple[str, ...]:
        """Return what other programs said of it in their own words, each once."""
        return _details(self.results)

    @property
    def docs(self) -> tuple[str, ...]:
        """Return the pages to read, each once."""
        return tuple(dict.fromkeys(url for result in self.results for url in result.docs))

    @property
    def checks(self) -> tuple[CheckSubjects, ...]:
        """Return the checks with their subjects."""
        return named(self.results)


class Reason(Struct, frozen=True):
    """A reason, and every check that it stopped."""

    text: str
    checks: tuple[CheckSubjects, ...]


class Unclear(Struct, frozen=True):
    """What could not be found out, and the one thing that would help."""

    remedy: Remedy | None
    reasons: tuple[Reason, ...]
    details: tuple[str, ...]  # what other programs said of it
    required: bool  # one of the results decides on the verdict


class Passed(Struct, frozen=True):
    """A check that passed: its message, or, where it passed on several subjects, those."""

    check: str
    message: str
    subjects: tuple[str, ...]


class Digest(Struct, frozen=True, kw_only=True):
    """A report in the order of reading."""

    blocks: tuple[Entry, ...]
    warnings: tuple[Entry, ...]
    unclear: tuple[Unclear, ...]
    waived: tuple[Result, ...]
    notes: tuple[Entry, ...]  # what passed, and yet there is something to do about it
    ports: tuple[Port, ...]
    passed: tuple[tuple[str, tuple[Passed, ...]], ...]  # by section
    skipped: tuple[Reason, ...]
    judged: bool  # a result says how something is: not all were skipped or could not be found out


def digest(report: Report) -> Digest:
    """Sort a report."""

    def having(*statuses: Status) -> list[Result]:
        return [result for result in report.results if result.status in statuses]

    unclear = sorted(_unclear(having(Status.UNKNOWN, Status.ERROR)), key=lambda entry: not entry.required)
    return Digest(
        blocks=entries(having(Status.FAIL)),
        warnings=entries(having(Status.WARN)),
        unclear=tuple(unclear),
        waived=tuple(having(Status.IGNORED)),
        notes=entries([result for result in having(Status.PASS) if result.remedy]),
        ports=ports(report.results),
        passed=_passed(having(Status.PASS)),
        skipped=causes(having(Status.SKIP)),
        judged=any((result.was or result.status) in _JUDGEMENTS for result in report.results),
    )


def with_reasons(entries: Iterable[Entry], why: Mapping[str, str]) -> list[tuple[Entry, tuple[str, ...]]]:
    """Join each entry with why its checks matter to mailcow, by check id; what was told before is not repeated."""
    told: set[str] = set()
    joined = []
    for entry in entries:
        new = [check.check for check in entry.checks if why.get(check.check) and check.check not in told]
        told.update(new)
        joined.append((entry, tuple(why[check] for check in new)))
    return joined


def named(results: Iterable[Result]) -> tuple[CheckSubjects, ...]:
    """Name checks, each once, with their subjects."""
    found = _group(results, lambda result: result.check)
    return tuple(CheckSubjects(check, _subjects(group)) for check, group in found.items())


def _subjects(results: Iterable[Result]) -> tuple[str, ...]:
    return tuple(result.subject for result in results if result.subject is not None)


def _group(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def entries(results: Iterable[Result]) -> tuple[Entry, ...]:
    """Bring results with the same remedy together: of one check but for commands and records, of several the whole.

    Records to enter at one time are one errand, whichever checks miss them.
    """

    def of_one_check(result: Result) -> object:
        kept = (
            msgspec.structs.replace(result.remedy, commands=(), records=(), removes=msgspec.UNSET)
            if result.remedy
            else result.subject
        )
        return result.check, kept

    def of_several(entry: Entry) -> object:
        if entry.remedy is None:
            return id(entry)
        return alike(entry.remedy) or entry.remedy

    merged = [Entry(tuple(group), _merged(group)) for group in _group(results, of_one_check).values()]
    return tuple(
        Entry(
            tuple(result for entry in group for result in entry.results),
            joined(remedies) if (remedies := [entry.remedy for entry in group if entry.remedy]) else None,
        )
        for group in _group(merged, of_several).values()
    )


def _merged(results: list[Result]) -> Remedy | None:
    """Return the remedy with the commands of all, whole lists only: half of one may be the rest of a here-document."""
    remedies = [result.remedy for result in results if result.remedy]
    if not remedies:
        return None
    lists = dict.fromkeys(remedy.commands for remedy in remedies)
    return msgspec.structs.replace(
        remedies[0],
        commands=tuple(command for commands in lists for command in commands),
        records=tuple(dict.fromkeys(record for remedy in remedies for record in remedy.records)),
        removes=tuple(dict.fromkeys(record for remedy in remedies for record in remedy.gone)) or msgspec.UNSET,
    )


def _unclear(results: list[Result]) -> list[Unclear]:
    return [
        Unclear(
            group[0].remedy,
            causes(group),
            _details(group),
            any(result.severity is Severity.REQUIRED for result in group),
        )
        for group in _group(results, lambda result: result.remedy).values()
    ]


def causes(results: Iterable[Result]) -> tuple[Reason, ...]:
    """Return why results are as they are, each reason once with its checks."""
    groups = _group(results, lambda result: result.reason or result.message)
    return tuple(Reason(text, named(group)) for text, group in groups.items())


def _details(results: Iterable[Result]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(result.detail for result in results if result.detail))[:DETAILS]


def _passed(results: list[Result]) -> tuple[tuple[str, tuple[Passed, ...]], ...]:
    """Return what passed by section; the ports have a table of their own, remarks a part of their own."""
    rest = [result for result in results if result.check != PORTS and not result.remedy]
    return tuple(
        (section, tuple(_pass(group) for group in _group(own, lambda result: result.check).values()))
        for section, own in _group(rest, lambda result: result.section).items()
    )


def _pass(results: list[Result]) -> Passed:
    return Passed(results[0].check, results[0].message, _subjects(results) if len(results) > 1 else ())
