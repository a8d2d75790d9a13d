"""What a sentence holds that is no prose (paths, options, JSON, variables, addresses), and the page's icon."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from preflight.render import html_words
from preflight.render.digest import Entry
from preflight.render.escape import is_link
from preflight.render.limits import SUBJECTS
from preflight.render.pictures import Bar
from preflight.render.terse import adds
from preflight.render.waivable import all_waivable
from preflight.report.model import Result

HEADLINE = 180  # characters of a heading; what is longer is told below it
# Only these become links in a sentence: a sentence may hold words of the host, and nobody follows those.
_KNOWN = (
    "docs.mailcow.email/", "docs.docker.com/", "get.docker.com/",
    "download.docker.com/", "github.com/mailcow/", "github.com/docker/", "github.com/moby/",
)  # fmt: skip
_PIECES = re.compile(
    r"""(?P<link>https?://[^\s<>"'`]+[^\s<>"'`.,;:!?)\]])
    |(?P<code>
        "[\w.-]+":\s(?:"[^"]*"|\{[^{}]*\}|\[[^\[\]]*\]|true|false|\d+)
        |(?<![\w./-])--ignore\s(?:'[^'\s]+'|[\w.-]+:[\w./:-]*\w)
        |(?<![\w./-])--[a-z][a-z0-9-]+(?:=[\w./:-]*\w)?
        |(?<![\w./:-])/(?:[\w@.+-]+/)*[\w@+-]+(?:\.[\w+-]+)*(?![\w/])
        |(?<![\w-])[A-Z][A-Z0-9]*_[A-Z0-9_]+(?:=[\w./:-]*\w)?
        |(?<![\w.-])(?:mailcow\.conf|daemon\.json|docker-compose(?:\.override)?\.yml|generate_config\.sh)(?![\w.-]*\w)
    )""",
    re.VERBOSE | re.ASCII,
)
_MANY = 5
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="9" fill="{color}"/>'
    '<path d="M6 16 26 7l-6 19-5-7z" fill="#fff"/></svg>'
)
_COLORS = {"pass": "#1f7a45", "warn": "#c47f00", "fail": "#c5362b", "unknown": "#6a50bd"}


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """Split a sentence into its kinds of words: `text`, `code`, and `link` to pages that are known."""
    end = 0
    for match in _PIECES.finditer(text):
        yield "text", text[end : match.start()]
        kind = match.lastgroup or "text"
        known = kind == "link" and match[0].removeprefix("https://").startswith(_KNOWN) and is_link(match[0])
        yield kind if known or kind == "code" else "text", match[0]
        end = match.end()
    yield "text", text[end:]


def headline(message: str) -> str:
    """Return a message as it fits into a heading: cut behind a word."""
    if len(message) <= HEADLINE:
        return message
    cut = message[:HEADLINE].rsplit(" ", 1)[0]
    return f"{cut.rstrip(' .,;:')} …"


def is_long(entry: Entry) -> bool:
    """Say whether the heading of an entry does not tell its whole message."""
    return entry.alike and len(entry.first.message) > HEADLINE


def tells(entry: Entry) -> bool:
    """Say whether what was expected and found tells more than the heading does."""
    return len(entry.results) > SUBJECTS + 1 or any(map(adds, entry.results))


def ignoring(results: tuple[Result, ...]) -> tuple[str, ...]:
    """Return the options that waive results, by subject where a waiver can name it."""
    found = all_waivable(results, redacted=True)  # a subject with a placeholder's sign is none in any report
    return tuple(f"--ignore {waiver}" for waiver in found[:_MANY])


def share(bar: Bar) -> str:
    """Say how much there is of what mailcow asks for."""
    if bar.times >= 1:
        return html_words.TIMES.format(times=f"{bar.times:.1f}" if bar.times < 100 else f"{bar.times:.0f}")
    return html_words.LESS.format(share=f"{bar.filled:.0f}")


def icon(state: str) -> str:
    """Return the page's icon in the colour of a verdict, as an address that holds it whole."""
    drawn = _ICON.format(color=_COLORS.get(state, _COLORS["unknown"]))
    return f"data:image/svg+xml;base64,{base64.b64encode(drawn.encode()).decode()}"
