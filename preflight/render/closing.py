"""The last lines of a text, which a terminal still shows: the verdict, how much is to be done, what first and last."""

from __future__ import annotations

from preflight.render import text_words, words
from preflight.render.context import Context
from preflight.render.opening import Opening
from preflight.render.page import Page
from preflight.report.model import Report

COLORS = {
    "pass": "bold green",
    "warn": "bold yellow",
    "fail": "bold red",
    "unknown": "bold magenta",
}


def order(count: int, later: range) -> str:
    """Say which of so many steps comes first, and which ones have to wait for mailcow."""
    if not later:
        return text_words.START
    first, last = later[0], later[-1]
    form = {1: "{first}", 2: text_words.AND}.get(len(later), text_words.TO)
    told = [text_words.LATER.format(numbers=form.format(first=first, last=last))]
    if len(later) < count:
        begin = 1 if first > 1 else last + 1
        told = [text_words.FIRST.format(number=begin), *told, text_words.BETWEEN]
    return " ".join(told)


def end(
    page: Page, report: Report, context: Context, begin: Opening, numbers: tuple[int, int, int], next_steps: str
) -> None:
    """End with the verdict, the number of problems and the next step: that is what a terminal still shows."""
    if context.show_passed or not report.counts.pass_ + report.counts.skip:
        page.line("")
    page.line(words.footer(report), style="dim")
    page.line(text_words.MORE_ABOUT.format(page=words.page("ID")), style="dim")
    rows = zip(text_words.TALLY, numbers, strict=True)
    tally = ", ".join(text_words.some(forms, count) for forms, count in rows if count)
    last = text_words.LAST.format(headline=begin.headline, tally=tally) if tally else words.sentence(begin.headline)
    page.line(last, style=COLORS[begin.state])
    if begin.install:
        page.line(text_words.INSTALL.format(url=begin.install))
    elif tally:
        page.line(next_steps)
