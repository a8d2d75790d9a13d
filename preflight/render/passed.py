"""What passed and what was skipped, as lists of a text: shown where somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from preflight.render import words
from preflight.render.digest import CheckSubjects, Digest
from preflight.render.escape import terminal
from preflight.render.page import Page
from preflight.render.ports import Port
from preflight.report.model import Status

Names = Callable[[Sequence[CheckSubjects]], str]

_MARKS = {Status.FAIL: ("✗", "red"), Status.WARN: ("!", "yellow"), Status.PASS: ("✓", "green")}
_OPEN, _NONE = ("?", "magenta"), ("–", "dim")
_INDENT = 3


def passed(page: Page, found: Digest, names: Names) -> None:
    """Write every port with its state, and what else passed, by section."""
    _ports(page, found.ports)
    if not found.passed:
        return
    page.heading(words.PASSED)
    for section, rows in found.passed:
        page.line(words.section(section), indent=_INDENT, style="dim")
        for row in rows:
            told = names([CheckSubjects(row.check, row.subjects)]) if row.subjects else row.message
            page.line(told, indent=_INDENT, mark="✓", mark_style="green")


def skipped(page: Page, found: Digest, names: Names) -> None:
    """Write what was skipped, each reason once."""
    if not found.skipped:
        return
    page.heading(words.SKIPPED)
    for reason in found.skipped:
        told = words.BECAUSE_OF.format(checks=names(reason.checks), reason=terminal(reason.text))
        page.line(told, indent=_INDENT, mark="–")


def _ports(page: Page, ports: Sequence[Port]) -> None:
    if not ports:
        return
    page.heading(words.PORTS)
    rows = [(port.port, port.service, port.container, words.port_state(port)[1]) for port in ports]
    widths = [min(20, max(len(row[number]) for row in rows)) for number in range(3)]
    for port, row in zip(ports, rows, strict=True):
        quiet = port.status in (Status.SKIP, Status.IGNORED)
        mark, style = _MARKS.get(port.status, _NONE if quiet else _OPEN)
        cells = [terminal(cell, 100).ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)]
        page.line("  ".join(cells), indent=_INDENT, mark=mark, mark_style=style)
