"""The report as Markdown: for GitHub, a forum, a terminal. The verdict first, then what to do, then what is well."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from preflight.render import changes, machine, plan_words, record_words, terse, ways, words
from preflight.render.closing import later
from preflight.render.context import Context
from preflight.render.digest import CheckSubjects, Entry, Reason, digest, named, with_reasons
from preflight.render.escape import CELL, Ready, code_span, fence, is_link, link, markdown_text, prose, quoted
from preflight.render.limits import ROWS, SUBJECTS
from preflight.render.opening import opening
from preflight.render.records import parts
from preflight.render.steps import steps
from preflight.render.tables import anchor, catalogue_table, evidence_table, passed_table, ports_table, records_table
from preflight.render.waivable import all_waivable
from preflight.report.model import Report, Result, Status

if TYPE_CHECKING:
    from jinja2 import Environment

    from preflight.report.compare import Comparison


_SIGNS = {Status.FAIL: Ready("❌ "), Status.WARN: Ready("⚠ "), Status.PASS: Ready("ℹ️ ")}


def markdown(report: Report, context: Context) -> str:
    """Return the report as Markdown."""
    found, since, made = digest(report), context.since, steps(report, context)
    why = [told for _, told in with_reasons((step.entry for step in made.all), context.why)]
    text = environment().get_template("report.md.j2").render(
        opening=opening(report, found, context.coverage),
        later=later(made.later),
        summary=_summary(report),
        counts=_counts(report),
        note=words.REDACTED if context.redacted else "",
        sorted=found,
        places=made.places,
        why={step.number: told for step, told in zip(made.all, why, strict=True)},
        records=parts(report, context),
        footer=_footer(report),
        since=markdown_text(changes.since(since)) if since else "",
        remarks=changes.remarks(since) if since else (),
        fixed_since=words.FIXED_SINCE.format(when=words.when(since.old.started)) if since else "",
        fixed=changes.fixed(since),
        mark=lambda entry: _mark(entry, since),
        waive=lambda entry: _waive(entry, redacted=context.redacted),
    )  # fmt: skip
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


@cache
def environment() -> Environment:
    """Return the templates' environment: whatever no filter has made safe is escaped as a sentence on its way out."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("preflight.render"),
        autoescape=False,  # `finalize` escapes, for Markdown: HTML would be the wrong language
        finalize=lambda value: value if isinstance(value, Ready) else markdown_text(str(value)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "fence": fence, "link": link, "prose": prose, "sentence": _sentence, "heading": _heading, "because": _because,
        "name": lambda result: names(named([result])), "evidence": _evidence, "evidence_table": evidence_table,
        "ports_table": ports_table, "passed_table": passed_table, "section": words.section,
        "quoted": lambda text: fence(quoted(text), "text"), "code_span": code_span, "anchor": anchor, "check": _check,
        "catalogue_table": catalogue_table, "records_table": records_table,
        "zone_lines": lambda lines: fence(lines, "text"), "stopped_ways": ways.stopped, "way": ways.markdown,
    }  # fmt: skip
    made.filters["advice"] = terse.advice
    made.filters["sign"] = lambda entry: _SIGNS[entry.first.status]
    made.globals |= {"words": words, "record_words": record_words, "plan_words": plan_words, "ROWS": ROWS}
    return made


def _summary(report: Report) -> Ready:
    host = report.host
    return Ready(
        words.SUMMARY.format(
            name=f"**{markdown_text(host.name or words.UNKNOWN, 100)}**",
            os=markdown_text(host.os or words.UNKNOWN_OS, 100),
            kernel=markdown_text(host.kernel or words.UNKNOWN, 100),
            architecture=markdown_text(host.architecture or words.UNKNOWN, 40),
            engine=markdown_text(machine.engine(report), 100),
            requirements=link(report.requirements.source, report.requirements.name),
            read=markdown_text(report.requirements.read, 20),
        )
    )


def _counts(report: Report) -> Ready:
    return Ready(" · ".join(text for _, text in words.counts(report.counts)))


def _mark(entry: Entry, since: Comparison | None) -> Ready:
    """Return what is new of an entry, apart from the heading that it ends (escaping takes spaces off the ends)."""
    told = changes.mark(entry, since)
    return Ready(f" {markdown_text(told)}" if told else "")


def _waive(entry: Entry, *, redacted: bool) -> Ready:
    """Return the options that waive the findings of an entry, and no others; '' = none can be named."""
    told = all_waivable(entry.results, redacted=redacted)
    more = [words.MORE.format(count=len(told) - ROWS)] if len(told) > ROWS else []
    return Ready(
        ", ".join([*(code_span(words.IGNORE.format(finding=value), 4 * CELL) for value in told[:ROWS]), *more])
    )


def _footer(report: Report) -> Ready:
    return markdown_text(words.footer(report))


def _sentence(text: str) -> Ready:
    return markdown_text(words.sentence(text))


def _heading(entry: Entry) -> Ready:
    """Return the cause as a heading: the message, or where results differ the first one, and how many more."""
    if not entry.alike:
        first, count = markdown_text(words.heading(entry.first.message), 300), len(entry.sayings) - 1
        return Ready(words.SEVERAL.format(first=first, count=count))
    others = [result.subject for result in entry.results[1:] if result.subject is not None]
    if not others:
        return markdown_text(words.heading(entry.first.message), 300)
    return Ready(f"{markdown_text(entry.first.message)} {words.ALSO.format(subjects=_subjects(others))}")


def _because(reason: Reason) -> Ready:
    return Ready(words.BECAUSE_OF.format(checks=names(reason.checks), reason=markdown_text(reason.text)))


def _check(check: str) -> Ready:
    """Return a check's id, as a link where the page that explains it is published."""
    page = words.page(check)
    return link(page, check) if is_link(page) else code_span(check)


def names(checks: Sequence[CheckSubjects]) -> Ready:
    """Name checks with their subjects: `ports.free` (25/tcp, 80/tcp), `docker.engine`."""
    return Ready(", ".join(_named(check) for check in checks))


def _named(check: CheckSubjects) -> str:
    return f"{code_span(check.check)} ({_subjects(check.subjects)})" if check.subjects else code_span(check.check)


def _subjects(subjects: Sequence[str]) -> str:
    shown = [str(markdown_text(subject, 100)) for subject in subjects[:SUBJECTS]]
    if len(subjects) > SUBJECTS:
        shown.append(words.MORE.format(count=len(subjects) - SUBJECTS))
    return ", ".join(shown)


def _evidence(result: Result) -> Ready:
    expected, found = (code_span(value) if value else "–" for value in (result.expected, result.found))
    return Ready(words.EXPECTED_FOUND.format(expected=expected, found=found))
