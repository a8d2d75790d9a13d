"""The report as one HTML page that needs nothing else: no request leaves it, and without scripts it says all.

Whatever is printed into the template is made visible (`shown`) and escaped on its way out; only what a filter here
has built is taken as it stands. The page's Content-Security-Policy allows its own style and script, by their hashes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from preflight.render import html_text, html_words, machine, pictures, plan_words, record_words, ways, words
from preflight.render.context import Context
from preflight.render.digest import Entry, Reason, digest
from preflight.render.escape import CELL, COMMAND, TEXT, command_line, is_link, quoted, terminal
from preflight.render.html_assets import as_it_stands, policy_hash, source
from preflight.render.html_rows import Row, by_section
from preflight.render.html_steps import sheet
from preflight.render.limits import ROWS, SUBJECTS
from preflight.render.opening import opening
from preflight.render.ports import Port
from preflight.report.model import HostSummary, Report, RequirementsSource, Result, Status

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

    from preflight.report.compare import Comparison

STEPS = 6  # at the top: a first view, not the list itself
WORD = 36  # characters of a word of code that is kept together; a longer one would leave too much of a line empty
PILE = 3  # accents on one letter: no language needs more
ORDER = (Status.FAIL, Status.WARN, Status.UNKNOWN, Status.ERROR, Status.IGNORED, Status.PASS, Status.SKIP)
POLICY = (
    "default-src 'none'; img-src data:; style-src '{style}'; script-src '{script}'; base-uri 'none'; form-action 'none'"
)


def html(report: Report, context: Context) -> str:
    """Return the report as a page."""
    found = digest(report)
    begin = opening(report, found, context.coverage)
    groups = by_section(report.results)
    style, script = source("report.css") + _filters(groups), source("report.js")
    page = environment().get_template("report.html.j2").render(
        policy=POLICY.format(style=policy_hash(style), script=policy_hash(script)),
        style=as_it_stands(style),
        script=as_it_stands(script),
        report=report,
        found=found,
        question=_markup(words.QUESTION).format(name=cell(report.host.name or words.UNKNOWN_HOST, 60)),
        opening=begin,
        icon=html_text.icon(begin.state),
        sheet=sheet(report, context),
        engine=machine.engine(report),
        system=machine.system(report),
        counts=sorted(words.counts(report.counts), key=lambda count: ORDER.index(count[0])),
        groups=groups,
        bars=pictures.bars(report.results),
        timeline=pictures.timeline(report.results),
        ways=ways.ways(report.results),
        note=words.REDACTED if context.redacted else "",
        footer=words.footer(report),
        **_changes(context.since),
    )  # fmt: skip
    return page.strip() + "\n"


@cache
def environment() -> Environment:
    """Return the templates' environment: whatever no filter has built is made visible and escaped on its way out."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("preflight.render"),
        autoescape=True,
        finalize=lambda value: value if hasattr(value, "__html__") else shown(str(value)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "prose": prose, "sentence": words.sentence, "section": words.section, "code": code, "link": link,
        "quoted": _quoted, "because": _because, "cell": cell, "cause": _cause, "checks": _checks, "commands": _commands,
        "evidence": _evidence, "port_state": _port_state, "kernel": _kernel, "read_on": _read_on,
        "asked_for": _asked_for, "value": _value, "short": _short, "is_long": html_text.is_long,
        "tells": html_text.tells, "share": html_text.share, "whole": _whole,
        "state_name": _state_name, "state_after": _state_after,
    }  # fmt: skip
    made.globals |= {"words": words, "html_words": html_words, "record_words": record_words, "Status": Status}
    made.globals |= {"plan_words": plan_words, "ROWS": ROWS, "STEPS": STEPS}
    return made


# --- values ------------------------------------------------------------------------------------------------------


def shown(text: str, limit: int = TEXT) -> str:
    """Return text as `terminal` does, and without piles of accents that would reach into the lines above."""
    text = terminal(text, limit)
    if text.isascii():
        return text
    pieces = []
    for pile, characters in groupby(text, lambda character: unicodedata.category(character) in ("Mn", "Me")):
        run = list(characters)
        pieces += run
        if pile and len(run) > PILE:
            pieces[PILE - len(run) :] = [words.LEFT_OUT.format(count=len(run) - PILE)]
    return "".join(pieces)


def _markup(text: str) -> Markup:
    from markupsafe import Markup

    return Markup(text)


def code(text: str, limit: int = 300) -> Markup:
    """Return a value as code, whose writing direction ends with it."""
    value = shown(text, limit)
    return _markup('<code dir="ltr">{}</code>').format(_words(value if value.strip() else f'"{value}"'))


def cell(text: str, limit: int = CELL) -> Markup:
    """Return a short value, whose writing direction ends with it."""
    return _markup('<bdi dir="ltr">{}</bdi>').format(shown(text, limit))


def prose(text: str, limit: int = 2000) -> Markup:
    """Return our own text (a docstring, a remedy) with its code and its links; backticks mean code as well."""
    parts = re.split(r"`([^`]+)`", shown(text, limit))
    return _markup("").join(code(part, limit) if number % 2 else _marked(part) for number, part in enumerate(parts))


def _marked(text: str) -> Markup:
    """Return a part of a sentence, in which paths, options and the like stand out, and known pages are links."""
    made = {"code": code, "link": lambda piece: link(piece, piece), "text": _markup("{}").format}
    return _markup("").join(made[kind](piece) for kind, piece in html_text.pieces(text))


def link(url: str, label: str = "") -> Markup:
    """Return a link to an http(s) address; anything else is shown as code, and leads nowhere."""
    if not is_link(url):
        return code(url)
    name = shown(label or url.partition("://")[2].rstrip("/"), 200)
    parts = _markup("/<wbr>").join(name.split("/"))  # where a long address may go on in a new line
    return _markup('<a href="{}" rel="noopener noreferrer"><bdi dir="ltr">{}</bdi></a>').format(url, parts)


def _commands(commands: Iterable[str]) -> Markup:
    return _markup("\n").join(map(_words, map(command_line, commands)))


def _words(line: str) -> Markup:
    """Return code whose words stay whole where a line ends: left alone, a browser breaks them at a hyphen."""
    whole, as_it_is = _markup("<bdi>{}</bdi>"), _markup("{}")
    made = [(whole if "-" in word and len(word) <= WORD else as_it_is).format(word) for word in line.split(" ")]
    return _markup(" ").join(made)


def _quoted(text: str) -> Markup:
    return _markup("\n").join(map(shown, quoted(text)))


def _checks(entry: Entry) -> Markup:
    """Return ids of checks, as links where the page that explains them is published."""
    pages = [(words.page(check.check), check.check) for check in entry.checks]
    return _markup(", ").join(link(page, check) if is_link(page) else code(check) for page, check in pages)


def _because(reason: Reason) -> Markup:
    """Return a reason behind the checks that it stopped."""
    names = [
        _markup("{} ({})").format(code(check.check), _subjects(check.subjects)) if check.subjects else code(check.check)
        for check in reason.checks
    ]
    return _markup(words.BECAUSE_OF).format(checks=_markup(", ").join(names), reason=shown(reason.text))


def _cause(entry: Entry) -> str | Markup:
    """Return the cause as a heading: the message, or where results differ the first one, and how many more."""
    if not entry.alike:
        first = html_text.headline(shown(words.heading(entry.first.message), COMMAND))
        return _markup(words.SEVERAL).format(first=first, count=len(entry.sayings) - 1)
    message = html_text.headline(shown(entry.first.message, COMMAND))
    others = [result.subject for result in entry.results[1:] if result.subject is not None]
    if not others:
        return shown(words.heading(message))
    also = _markup(words.ALSO).format(subjects=_subjects(others))
    return _markup("{message} {also}").format(message=shown(message), also=also)


def _subjects(subjects: Sequence[str]) -> Markup:
    named = [cell(subject, 100) for subject in subjects[:SUBJECTS]]
    if len(subjects) > SUBJECTS:
        named.append(_markup("{}").format(words.MORE.format(count=len(subjects) - SUBJECTS)))
    return _markup(", ").join(named)


def _evidence(result: Result) -> Markup:
    expected, found = (code(value) if value else "–" for value in (result.expected, result.found))
    return _markup(words.EXPECTED_FOUND).format(expected=expected, found=found)


def _kernel(host: HostSummary) -> Markup:
    release, architecture = (cell(value or words.UNKNOWN, 60) for value in (host.kernel, host.architecture))
    return _markup(words.RELEASE).format(release=release, architecture=architecture)


def _read_on(source: RequirementsSource) -> Markup:
    read = _markup('<span class="whole">{}</span>').format(cell(source.read))
    return _markup(words.READ_ON).format(requirements=link(source.source, source.name), read=read)


def _asked_for(bar: pictures.Bar) -> Markup:
    return _markup(words.ASKED_FOR).format(expected=cell(bar.expected))


def _state_name(stretch: pictures.Stretch) -> str:
    return stretch.state if stretch.state in pictures.STATES_KNOWN else "other"


def _state_after(stretch: pictures.Stretch) -> Markup:
    return _markup(words.STATE_AFTER).format(state=cell(stretch.state), seconds=f"{stretch.seconds:.1f}")


def _port_state(port: Port) -> str:
    return words.port_state(port)[1]  # the page has signs of its own


def _value(text: str) -> Markup:
    """Return a value that is copied: whole."""
    return code(text, COMMAND)


def _short(entry: Entry) -> str | Markup:
    """Return the cause as the words of a link."""
    return html_text.headline(shown(words.heading(entry.first.message), COMMAND)) if entry.alike else _cause(entry)


def _whole(text: str) -> Markup:
    return _markup("{}").format(shown(text, COMMAND))


# --- the page ----------------------------------------------------------------------------------------------------


def _filters(groups: Sequence[tuple[str, Sequence[Row]]]) -> str:
    """Return the style by which the page's filters work without a script: what was not chosen is not shown."""
    rules = []
    empty = []
    statuses = list(dict.fromkeys(row.first.status.value for _, rows in groups for row in rows))
    for status in statuses:
        chosen = f"#results:has(#status-{status}:checked)"
        rules += [f"{chosen} .row:not(.is-{status})", f"{chosen} .group:not(:has(.is-{status}))"]
    for number, (_, rows) in enumerate(groups, 1):
        chosen = f"#results:has(#section-{number}:checked)"
        rules.append(f"{chosen} .group:not(.in-{number})")
        there = {row.first.status.value for row in rows}
        empty += [f"{chosen}:has(#status-{status}:checked) .nothing" for status in statuses if status not in there]
    lines = [",\n".join(rules) + " { display: none; }"] if rules else []
    lines += [",\n".join(empty) + " { display: block; }"] if empty else []
    return "\n@media screen {\n" + "\n".join(lines) + "\n}\n"  # paper has all, whatever was chosen


def _changes(since: Comparison | None) -> dict[str, Any]:
    if since is None:
        return {"since": "", "remarks": (), "fixed_since": "", "fixed": (), "mark": lambda _: ""}
    from preflight.render import changes

    return {
        "since": changes.since(since),
        "remarks": changes.remarks(since),
        "fixed_since": words.FIXED_SINCE.format(when=words.when(since.old.started)),
        "fixed": [(changes.name(change), changes.moved(change)) for change in since.fixed[:ROWS]],
        "mark": lambda entry: changes.mark(entry, since),
    }


def styled(more: str) -> tuple[Markup, str]:
    """Return the style of a page without a script, with some of its own, and the policy that allows nothing else."""
    style = source("report.css") + more
    policy = f"default-src 'none'; style-src '{policy_hash(style)}'; base-uri 'none'; form-action 'none'"
    return as_it_stands(style), policy
