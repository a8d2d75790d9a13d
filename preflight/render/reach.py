"""What `preflight reach` found, in each of its formats. A table for each address, findings before them."""

from __future__ import annotations

from preflight.reach.document import Finding, Reach, Row
from preflight.render import reach_words, words
from preflight.render.escape import CELL, code_span, markdown_cell, markdown_text, prose
from preflight.render.limits import WIDTH
from preflight.text.durations import duration

_MARKS = {"pass": ("✓", "green"), "fail": ("✗", "red"), "unknown": ("?", "yellow")}


def render(found: Reach, format: str, *, color: bool = False, width: int = WIDTH, ascii: bool = False) -> str:
    """Return the document as `text`, `markdown`, `html` or `json`."""
    match format:
        case "json":
            from preflight.report.documents import encode

            return encode(found)
        case "html":
            from preflight.render.reach_page import page

            return page(found)
        case "text":
            return _text(found, color, width, ascii=ascii)
        case "markdown":
            return _markdown(found)
    raise KeyError(format)


def headline(found: Reach) -> str:
    """Return the whole in a sentence."""
    return reach_words.HEADLINE[found.verdict]


def counts(found: Reach) -> str:
    """Return how many there are of each status."""
    return reach_words.COUNTS.format(passed=found.counts.pass_, failed=found.counts.fail, unknown=found.counts.unknown)


def tables(found: Reach) -> list[tuple[str, list[Row]]]:
    """Return the rows by address."""
    every: dict[str, list[Row]] = {}
    for row in found.results:
        every.setdefault(row.address, []).append(row)
    return list(every.items())


def state(row: Row) -> str:
    """Return a row's outcome in words."""
    if row.local and row.status == "pass":
        return reach_words.LOCAL
    return reach_words.OUTCOMES[row.outcome]


def details(row: Row) -> str:
    """Return what a table says beside that: how long, who saw whom, who says so, what somebody else said."""
    if row.outcome == "reached":
        return reach_words.SEEN.format(long=duration(row.seconds), peer=row.seen_as or words.UNKNOWN)
    return row.said or row.by or (row.error if row.outcome in ("unreachable", "unsent") else "")


def about(found: Reach) -> list[tuple[str, str]]:
    """Return what is known of both ends, as pairs of a name and a value."""
    return [
        (reach_words.HOST, found.host),
        (reach_words.TOLD, ", ".join(found.told) or reach_words.NONE),
        (reach_words.RESOLVED, ", ".join(found.resolved or ()) or reach_words.NONE),
        (reach_words.KEPT, words.when(found.kept_until)),
        (reach_words.TRIED, words.when(found.started)),
    ]


def ports(finding: Finding) -> str:
    """Return the ports of a finding as a list, '' where its message names them."""
    named = ", ".join(map(str, finding.ports))
    told = finding.message.endswith(f": {named}.") or finding.id == "port-25"
    return "" if told else named


def _markdown(found: Reach) -> str:
    lines = [f"# {markdown_text(headline(found))}", ""]
    lines += [f"- {markdown_text(name)}: {code_span(value, 300)}" for name, value in about(found)]
    lines += ["", markdown_text(counts(found))]
    for finding in found.findings:
        lines += ["", f"## {markdown_text(finding.message, 400)}", ""]
        if ports(finding):
            lines += [f"{markdown_text(reach_words.PORTS)} {code_span(ports(finding), 300)}", ""]
        if finding.detail:
            lines += [f"{markdown_text(reach_words.SAID)} {code_span(finding.detail, 300)}", ""]
        lines.append(f"**{words.REMEDY}** {prose(finding.remedy)}")
    for address, rows in tables(found):
        lines += ["", f"## {code_span(address)}", "", "| | " + " | ".join(reach_words.COLUMNS) + " |"]
        lines.append("| --- | --- | --- | --- |")
        lines += [_markdown_row(row) for row in rows]
    return "\n".join(lines) + "\n"


def _markdown_row(row: Row) -> str:
    told = code_span(row.said, CELL, cell=True) if row.said else markdown_cell(details(row))
    return f"| {_MARKS[row.status][0]} | {row.port}/tcp | {markdown_cell(state(row))} | {told} |"


def _text(found: Reach, color: bool, width: int, *, ascii: bool) -> str:
    from preflight.render.page import Page

    page = Page(color, width, ascii=ascii)
    page.line(headline(found).upper(), style="bold " + _MARKS[status(found)][1])
    for name, value in about(found):
        page.line(f"{name}: {value}")
    page.line(counts(found))
    for finding in found.findings:
        page.line("")
        mark, style = _MARKS[finding.status]
        page.line(finding.message, mark=mark, mark_style=style, style="bold")
        if ports(finding):
            page.line(f"{reach_words.PORTS} {ports(finding)}", indent=2)
        if finding.detail:
            page.line(f"{reach_words.SAID} {finding.detail}", indent=2)
        page.line(f"{words.REMEDY} {finding.remedy}", indent=2)
    for address, rows in tables(found):
        page.heading(address)
        for row in rows:
            mark, style = _MARKS[row.status]
            told = f"{row.port}/tcp".ljust(10) + " · ".join(filter(None, (state(row), details(row))))
            page.line(told, indent=2, mark=mark, mark_style=style)
    return page.finish()


def status(found: Reach) -> str:
    """Return the status of the whole: by it, it has its mark and its colour."""
    return {"reached": "pass", "not-reached": "fail"}.get(found.verdict, "unknown")
