"""The last lines of a text, which a terminal still shows: the verdict, how much is to be done, what first and last."""

from __future__ import annotations

from collections.abc import Sequence

from preflight.render import text_words, words
from preflight.render.context import Context
from preflight.render.opening import Opening
from preflight.render.page import Page
from preflight.report.model import Report, RequirementsSource

COLORS = {
    "pass": "bold green",
    "warn": "bold yellow",
    "fail": "bold red",
    "unknown": "bold magenta",
}


def later(numbers: Sequence[int]) -> str:
    """Say which steps have to wait for mailcow; '' = none."""
    if not numbers:
        return ""
    form = {1: "{first}", 2: text_words.AND}.get(len(numbers), text_words.TO)
    return text_words.LATER.format(numbers=form.format(first=numbers[0], last=numbers[-1]))


def order(page: Page, begin: tuple[int, str] | None, waiting: Sequence[int]) -> str:
    """Say which step comes first (None: none of today's), and which ones have to wait; else when to check again.

    `begin`: its number, and what it advises, which is said where that takes no second line.
    """
    told = []
    if begin is not None:
        whole = text_words.BEGIN.format(number=begin[0], advice=begin[1])
        told.append(whole if begin[1] and page.rows(whole, 0) == 1 else text_words.START.format(number=begin[0]))
    return " ".join((*told, later(waiting) or text_words.AGAIN))


def made(report: Report) -> str:
    """Say in one line what made the report, when, in what time and by which requirements."""
    date, _, time = report.started.removesuffix("Z").partition("T")
    return text_words.MADE.format(
        version=report.tool.version,
        date=date,
        time=time[:5],
        seconds=f"{report.seconds:.1f}",
        requirements=_requirements(report.requirements),
    )


def _requirements(used: RequirementsSource) -> str:
    return text_words.READ.format(read=used.read) if used.name == "current" else used.name


def end(
    page: Page, report: Report, context: Context, begin: Opening, numbers: tuple[int, int, int], next_steps: str
) -> None:
    """End with the verdict, the number of problems and the next step: that is what a terminal still shows."""
    if context.show_passed or not report.counts.pass_ + report.counts.skip:
        page.line("")
    page.line(made(report), style="dim")
    page.line(text_words.MORE_ABOUT.format(page=words.page("ID")), style="dim")
    rows = zip(text_words.TALLY, numbers, strict=True)
    tally = ", ".join(text_words.some(forms, count) for forms, count in rows if count)
    last = text_words.LAST.format(headline=begin.headline, tally=tally) if tally else words.sentence(begin.headline)
    page.line(last, style=COLORS[begin.state])
    if begin.install:
        page.line(text_words.INSTALL.format(url=begin.install))
    elif tally:
        page.line(next_steps)
