"""Pages to look at: of reports made by hand, of a recorded host, and of values that want to be more than text."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from preflight.render import Context, render
from preflight.report.compare import compare
from preflight.report.documents import decode_report
from preflight.report.model import Report
from tests.render import reports

RECORDED = Path(__file__).parent.parent / "hosts" / "debian12-nested.report.json"
HOSTILE = '"><script>alert(1)</script><img src=//x.example/> \x1b[31m \u202egnp.exe \u05d0\u05d1\u05d2 ' + "\u0301" * 50


def recorded() -> Report:
    """Return the report on a recorded host."""
    return decode_report(RECORDED.read_bytes())


REPORTS: dict[str, Callable[[], Report]] = {
    **reports.SAMPLES,
    "recorded": recorded,
    "nothing": reports.report,
    "hostile": lambda: reports.hostile(HOSTILE),
    "long": lambda: reports.hostile("x" * 10_000),
}


@cache
def page(name: str) -> str:
    """Return the page of one of the reports."""
    return render(REPORTS[name](), "html", Context(why=reports.WHY))


def marked() -> str:
    """Return the page of a report with a baseline."""
    new = reports.failing()
    return render(new, "html", Context(since=compare(reports.warned(), new)))
