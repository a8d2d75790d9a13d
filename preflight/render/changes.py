"""What changed between two reports: as text, as Markdown and as JSON; and the marks of a report that has a baseline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from preflight.render import words
from preflight.render.digest import Entry
from preflight.render.escape import Ready, code_span, fence, markdown_text, prose, terminal
from preflight.render.limits import ROWS, SUBJECTS, WIDTH
from preflight.report.compare import Change, Comparison, Key, Side
from preflight.report.model import Status

_MARKS = {
    "broken": ("✗", "red"),
    "fixed": ("✓", "green"),
    "still_failing": ("!", "yellow"),
    "other": ("–", "dim"),
    "not_in_both": ("–", "dim"),
}
_SHORT = ("other", "not_in_both")  # what nobody has to act on: a line for each check


def changes(comparison: Comparison, style: str, *, color: bool = False, width: int = WIDTH, ascii: bool = False) -> str:
    """Return what changed in one of the formats `text`, `markdown` and `json`."""
    if style == "json":
        from preflight.report.documents import encode

        return encode(comparison)
    return _markdown(comparison) if style == "markdown" else _text(comparison, color, width, ascii=ascii)


def groups(comparison: Comparison) -> list[tuple[str, tuple[Change, ...]]]:
    """Return the groups that are not empty, the worst first."""
    every = {kind: getattr(comparison, kind) for kind in words.CHANGES}
    return [(kind, rows) for kind, rows in every.items() if rows]


def headline(comparison: Comparison) -> str:
    """Return the whole in a sentence."""
    if comparison.worse:
        return words.WORSE
    if comparison.empty:
        return words.NOT_COMPARED
    if comparison.not_in_both:
        return words.BETTER_IN_BOTH if comparison.fixed else words.NOT_WORSE_IN_BOTH
    return words.BETTER if comparison.fixed else words.NOT_WORSE


def remarks(comparison: Comparison) -> list[str]:
    """Return what a reader must know of the two reports before comparing them."""
    said = []
    if comparison.old.host is None or comparison.new.host is None:
        said.append(words.NO_HOST)
    elif comparison.old.host != comparison.new.host:
        said.append(words.OTHER_HOST)
    if comparison.old.requirements != comparison.new.requirements:
        said.append(words.OTHER_REQUIREMENTS.format(old=comparison.old.requirements, new=comparison.new.requirements))
    if comparison.not_in_both:
        old, new = comparison.apart
        said.append(words.OTHER_CHECKS.format(old=old, new=new))
    return said


def moved(change: Change) -> str:
    """Return the two statuses in words."""
    before, after = (status.value if status else words.ABSENT for status in (change.before, change.after))
    return before if before == after else words.MOVED.format(before=before, after=after)


def name(change: Change) -> str:
    """Return the check with its subject."""
    return f"{change.check} ({change.subject})" if change.subject is not None else change.check


def together(rows: Sequence[Change]) -> list[tuple[str, str]]:
    """Return changes of one check and one kind as one line: what moved how, with its subjects."""
    found: dict[tuple[str, str], list[str]] = {}
    for change in rows:
        subjects = found.setdefault((change.check, moved(change)), [])
        if change.subject is not None:
            subjects.append(change.subject)
    return [(_with(check, subjects), how) for (check, how), subjects in found.items()]


def _with(check: str, subjects: Sequence[str]) -> str:
    return f"{check} ({_some(subjects)})" if subjects else check


def _some(subjects: Sequence[str]) -> str:
    shown = [terminal(subject, 100) for subject in subjects[:SUBJECTS]]
    if len(subjects) > SUBJECTS:
        shown.append(words.MORE.format(count=len(subjects) - SUBJECTS))
    return ", ".join(shown)


def _side(side: Side) -> str:
    return words.SIDE.format(
        host=side.host or words.UNKNOWN, when=words.when(side.started), headline=words.HEADLINE[side.verdict]
    )


def _markdown(comparison: Comparison) -> str:
    lines = [f"# {markdown_text(headline(comparison))}", ""]
    lines += [f"- {markdown_text(words.BEFORE.format(report=_side(comparison.old)))}"]
    lines += [f"- {markdown_text(words.AFTER.format(report=_side(comparison.new)))}"]
    for remark in remarks(comparison):
        lines += ["", f"**{markdown_text(remark)}**"]
    lines += ["", markdown_text(counts(comparison))]
    for kind, rows in groups(comparison):
        lines += ["", f"## {words.CHANGES[kind]}", ""]
        if kind in _SHORT:
            lines += [f"- {markdown_text(who)}: {markdown_text(how)}" for who, how in together(rows)[:ROWS]]
            if (more := len(together(rows)) - ROWS) > 0:
                lines.append(f"- {words.MORE.format(count=more)}")
            rows = ()
        for change in rows[:ROWS]:
            lines.append(
                f"- {markdown_text(words.sentence(change.message))} {code_span(name(change))}: {moved(change)}"
            )
            if kind == "broken" and change.remedy:
                lines += _remedy(change)
        if len(rows) > ROWS:
            lines.append(f"- {words.MORE.format(count=len(rows) - ROWS)}")
    return "\n".join(lines) + "\n"


def _remedy(change: Change) -> list[str]:
    assert change.remedy is not None
    lines = ["", f"  **{words.REMEDY}** {prose(change.remedy.text)}", ""]
    if change.remedy.commands:
        lines += [f"  {line}" for line in fence(change.remedy.commands).split("\n")] + [""]
    return lines


def _text(comparison: Comparison, color: bool, width: int, *, ascii: bool) -> str:
    from preflight.render.page import Page

    page = Page(color, width, ascii=ascii)
    page.line(headline(comparison).upper(), style="bold red" if comparison.worse else "bold green")
    page.line(words.BEFORE.format(report=_side(comparison.old)))
    page.line(words.AFTER.format(report=_side(comparison.new)))
    for remark in remarks(comparison):
        page.line(remark, style="bold")
    page.line(counts(comparison))
    for kind, rows in groups(comparison):
        mark, style = _MARKS[kind]
        page.heading(words.CHANGES[kind])
        if kind in _SHORT:
            for who, how in together(rows)[:ROWS]:
                page.line(f"{who}: {how}", indent=2, mark=mark, mark_style=style)
            if (more := len(together(rows)) - ROWS) > 0:
                page.line(words.MORE.format(count=more), indent=2, mark=mark)
            continue
        for change in rows[:ROWS]:
            told = f"{words.sentence(change.message)} {name(change)}: {moved(change)}"
            page.line(told, indent=2, mark=mark, mark_style=style)
            if kind == "broken" and change.remedy:
                page.line(f"{words.REMEDY} {change.remedy.text}", indent=4)
                page.commands(change.remedy.commands, 6)
        if len(rows) > ROWS:
            page.line(words.MORE.format(count=len(rows) - ROWS), indent=2, mark=mark)
    return page.finish()


def counts(comparison: Comparison) -> str:
    """Return how many there are of each kind."""
    return words.CHANGE_COUNTS.format(
        broken=len(comparison.broken), still=len(comparison.still_failing),
        fixed=len(comparison.fixed), other=len(comparison.other),
        unchanged=comparison.unchanged, apart=len(comparison.not_in_both),
    )  # fmt: skip


# --- a report with a baseline ------------------------------------------------------------------------------------


def since(comparison: Comparison) -> str:
    """Return what a report says of its baseline, in a sentence."""
    known = sum(
        1 for change in (*comparison.still_failing, *comparison.other) if change.after in (Status.FAIL, Status.WARN)
    )
    return words.SINCE.format(
        when=words.when(comparison.old.started), new=len(comparison.broken), known=known, fixed=len(comparison.fixed)
    )


def mark(entry: Entry, comparison: Comparison | None) -> str:
    """Return ` (new)`, ` (known)`, ` (not checked before)`, or which of an entry's results are which of these.

    It is '' where there is no baseline.
    """
    if comparison is None:
        return ""
    keys = list(_keys(entry))
    told = [
        _among(rows, keys, whole, part)
        for rows, whole, part in (
            ([key for key in keys if comparison.is_new(key)], words.NEW, words.NEW_AMONG),
            ([key for key in keys if comparison.is_unasked(key)], words.UNASKED, words.UNASKED_AMONG),
        )
        if rows
    ]
    return f" ({'; '.join(told) or words.KNOWN})"


def _among(rows: Sequence[Key], keys: Sequence[Key], whole: str, part: str) -> str:
    if len(rows) == len(keys):
        return whole
    return part.format(subjects=_some([subject or check for check, subject in rows]))


def _keys(entry: Entry) -> Iterable[Key]:
    for check in entry.checks:
        yield from ((check.check, subject) for subject in check.subjects or (None,))


def fixed(comparison: Comparison | None) -> list[tuple[Ready, str]]:
    """Return what is fixed since the baseline, a check a line: its name with its subjects, and what it was."""
    return [(markdown_text(who), how) for who, how in together(comparison.fixed if comparison else ())]
