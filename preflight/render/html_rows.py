"""All results as the rows of a list by section; those that one reason stopped are one row."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from preflight.report.model import Result


class Row(Struct, frozen=True):
    """A result with its number, or several that have nothing to tell but the same reason."""

    number: int
    results: tuple[Result, ...]

    @property
    def first(self) -> Result:
        """Return the result that stands for all."""
        return self.results[0]


def by_section(results: Iterable[Result]) -> list[tuple[str, list[Row]]]:
    """Return all results by section in the order of the report."""
    sections: dict[str, dict[object, list[tuple[int, Result]]]] = {}
    for number, result in enumerate(results, 1):
        sections.setdefault(result.section, {}).setdefault(_alike(number, result), []).append((number, result))
    return [
        (section, [Row(group[0][0], tuple(result for _, result in group)) for group in groups.values()])
        for section, groups in sections.items()
    ]


def _alike(number: int, result: Result) -> object:
    if not result.status.undecided or not result.reason or result.detail:
        return number
    return result.status, result.message, result.reason, result.remedy
