"""Tables in Markdown, padded so that they can be read as they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from preflight.render import record_words, words
from preflight.render.digest import Passed
from preflight.render.escape import Ready, code_span, markdown_cell
from preflight.render.limits import ROWS
from preflight.render.ports import Port
from preflight.report.model import DnsRecord, Result

PADDED = 60  # characters up to which cells are padded


def table(columns: Sequence[str], rows: Iterable[Sequence[Ready]]) -> Ready:
    """Return a table; its columns are padded, so that it can be read as it stands."""
    lines: list[list[str]] = [list(columns), *(list[str](row) for row in rows)]
    widths = [min(PADDED, max(len(line[number]) for line in lines)) for number in range(len(columns))]
    lines.insert(1, ["-" * width for width in widths])
    return Ready(
        "\n".join(
            f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |" for line in lines
        )
    )


def evidence_table(results: Sequence[Result]) -> Ready:
    """Return what was expected and found, a subject a line."""
    rows = [[_value(result.subject), _value(result.expected), _value(result.found)] for result in results[:ROWS]]
    if len(results) > ROWS:
        rows.append([markdown_cell(words.MORE.format(count=len(results) - ROWS)), Ready(""), Ready("")])
    return table(words.EVIDENCE_COLUMNS, rows)


def _value(value: str | None) -> Ready:
    return code_span(value, cell=True) if value else Ready("–")


def records_table(records: Sequence[DnsRecord]) -> Ready:
    """Return DNS records, one a line."""
    return table(
        record_words.RECORD_COLUMNS,
        [
            [
                code_span(record.name, cell=True), code_span(record.type, cell=True),
                code_span(record.value, cell=True), markdown_cell(str(record.ttl)),
            ]
            for record in records
        ],
    )  # fmt: skip


def ports_table(ports: Sequence[Port]) -> Ready:
    """Return mailcow's ports as on its page, with the state of each."""
    return table(
        words.PORT_COLUMNS,
        [
            [
                markdown_cell(port.service), markdown_cell(port.protocol), markdown_cell(port.port),
                markdown_cell(port.container), code_span(port.variable, cell=True),
                markdown_cell(" ".join(words.port_state(port))),
            ]
            for port in ports
        ],
    )  # fmt: skip


def passed_table(sections: Sequence[tuple[str, Sequence[Passed]]]) -> Ready:
    """Return what passed, a check a line, by section."""
    return table(
        words.PASSED_COLUMNS,
        [
            [markdown_cell("" if number else words.section(section)), code_span(row.check, cell=True), _result(row)]
            for section, passed in sections
            for number, row in enumerate(passed)
        ],
    )


def _result(row: Passed) -> Ready:
    return markdown_cell(", ".join(row.subjects), 400) if row.subjects else markdown_cell(row.message, 300)


def catalogue_table(sections: Sequence[tuple[str, Sequence[Any]]]) -> Ready:
    """Return all checks, each with a link to its place on the page."""
    return table(
        words.CATALOGUE_COLUMNS,
        [
            [_to_anchor(check), markdown_cell(check.severity.value), markdown_cell(check.title)]
            for _, checks in sections
            for check in checks
        ],
    )


def anchor(check: Any) -> Ready:
    """Return the place that links to a check lead to: its id, as other pages link to `checks.md#ports.free`."""
    return Ready(f'<a id="{_slug(check.id)}"></a>')


def _to_anchor(check: Any) -> Ready:
    return Ready(f"[{code_span(check.id, cell=True)}](#{_slug(check.id)})")


def _slug(identity: str) -> str:
    return re.sub(r"[^a-z0-9.-]", "-", identity)
