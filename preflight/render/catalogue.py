"""The catalogue of checks as text, JSON or Markdown, and one check explained. Checks are known by their shape."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from preflight.render import words
from preflight.render.escape import is_link, terminal
from preflight.report.model import Severity
from preflight.text.sentences import phrase

WIDTH = 80
TITLE = 200
WHY = 4000


class Entry(Protocol):
    """What a check says about itself."""

    @property
    def id(self) -> str: ...
    @property
    def section(self) -> str: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def title(self) -> str: ...
    @property
    def why(self) -> str: ...
    @property
    def reads(self) -> tuple[str, ...]: ...
    @property
    def remedy(self) -> str: ...
    @property
    def docs(self) -> tuple[str, ...]: ...
    @property
    def sources(self) -> tuple[str, ...]: ...
    @property
    def subject(self) -> str: ...


def catalogue(checks: Sequence[Entry], format: str, parts: Mapping[str, str]) -> str:
    """Return all checks as `text`, `json` or `markdown`; `KeyError` where the format is another.

    `parts`: what each part of the host is that a check may read.
    """
    if format == "markdown":
        return _markdown(checks, parts)
    return {"text": _text, "json": _json}[format](checks)


def explain(check: Entry, parts: Mapping[str, str], options: Mapping[str, Sequence[str]] | None = None) -> str:
    """Return all that a check says about itself, as text of at most 80 columns (addresses are never broken).

    `options`: those of the command line that have to do with it, under what they do.
    """
    subject = words.ONE_FOR_EACH.format(subject=check.subject) if check.subject else words.ONE_FOR_ALL
    said = [
        (words.WHY, check.why),
        (words.REMEDY, check.remedy),
        (words.WEIGHT, words.SEVERITIES[check.severity]),
        (words.SUBJECT, subject),
        (words.READS, "; ".join(parts.get(part, part) for part in check.reads)),
    ]
    lines = [check.id, *_wrapped(check.title), ""]
    for label, told in said:
        lines += [label, *_wrapped(told, "  ", WHY), ""] if told else []
    for label, links in ((words.READ_MORE, check.docs), (words.EVIDENCE, check.sources)):
        lines += [label, *(f"  {terminal(url, TITLE)}" for url in links), ""] if links else []
    for label, names in (options or {}).items():
        lines += [label, *_wrapped(", ".join(names), "  "), ""] if names else []
    page = terminal(words.page(check.id), TITLE)
    where = page if is_link(page) else phrase("{page} in the source code", page=page)
    lines += [phrase("Documentation:"), f"  {where}"]
    return "\n".join(lines).rstrip("\n") + "\n"


def _text(checks: Sequence[Entry]) -> str:
    lines: list[str] = []
    for section, own in _sections(checks):
        lines += ["", words.section(section)] if lines else [words.section(section)]
        for check in own:
            start = f"  {check.id:<26} {check.severity.value:<11} "
            if len(start) <= 41:
                lines += _wrapped(check.title, " " * 41, first=start)
            else:  # an identifier too long for its column
                lines += [start.rstrip(), *_wrapped(check.title, " " * 41)]
    return "\n".join(lines) + "\n"


def _json(checks: Iterable[Entry]) -> str:
    from preflight.report.documents import encode

    fields = ("id", "title", "severity", "section", "subject", "why", "reads", "remedy", "docs", "sources")
    return encode(
        [
            {name: getattr(check, name) for name in fields}
            | {"subject": check.subject or None, "docs": [*check.docs, *check.sources]}
            for check in checks
        ]
    )


def _markdown(checks: Sequence[Entry], parts: Mapping[str, str]) -> str:
    from preflight.render.markdown import environment

    template = environment().get_template("catalogue.md.j2")
    return template.render(sections=_sections(checks), parts=parts).strip() + "\n"


def _sections(checks: Iterable[Entry]) -> list[tuple[str, list[Entry]]]:
    found: dict[str, list[Entry]] = {}
    for check in checks:
        found.setdefault(check.section, []).append(check)
    return list(found.items())


def _wrapped(text: str, indent: str = "", limit: int = TITLE, first: str | None = None) -> list[str]:
    return textwrap.wrap(
        terminal(text, limit), WIDTH, initial_indent=indent if first is None else first, subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
