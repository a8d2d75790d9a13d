"""The grammar of env files as Docker Compose has it. Pure: nothing is executed, and nothing expanded.

It is that of compose-go's `dotenv` package (read 2026-07-21, held against Compose 2.26 and 2.40).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from preflight.facts import LineFault
from preflight.gather.conf.references import LONGEST, PATIENCE, Refused, Variables, fill, refers


class Statement(NamedTuple):
    """A statement of an env file. `refused`: why Compose refuses the whole file there, '' where it does not.

    The value is what Compose makes of it, but for references, which stay as they are where there are any.
    """

    line: int
    name: str  # '' where a value has none
    value: str
    refers: bool = False
    refused: LineFault = ""
    alone: bool = False  # a name without a value, which takes one from Compose's own environment
    filled: bool = False  # it comes to anything, by what the file says of the variables that it refers to


# Go's idea of space, which is not Python's; within a line it is a shorter one.
INLINE = "\t\v\f\r \x85\xa0"
SPACE = (
    INLINE + "\n\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
_BETWEEN = re.compile(rf"[{SPACE}]*(?:#[^\n]*[{SPACE}]*)*")  # space and comments
_EXPORT = re.compile(rf"export(?=[\t\n\f\r ])[{INLINE}]*")
_NAME = re.compile(rf"([\w.\[\]\-{INLINE}]*)([=:\n]|\Z)")  # a name ends at `=`, `:` (as in YAML), or with its line
_SKIP = re.compile(rf"[{INLINE}]*")
_QUOTED = {
    '"': re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL),
    "'": re.compile(r"'([^'\\]*(?:\\.[^'\\]*)*)'", re.DOTALL),
}


def statements(text: str) -> Iterator[Statement]:
    """Yield every statement. After one that Compose refuses it goes on with the next line, to tell of them all."""
    at, line, counted = 0, 1, 0
    endless: set[str] = set()  # quotes that nothing ends: looked for once, not once a line
    variables = Variables({}, PATIENCE)
    while (at := _BETWEEN.match(text, at).end()) < len(text):  # type: ignore[union-attr]  # it always matches
        line += text.count("\n", counted, at)
        counted = at
        start = export.end() if (export := _EXPORT.match(text, at)) else at
        found = _NAME.match(text, start) if start < len(text) else None
        if found is None:
            yield Statement(line, "", "", refused="character")
            at = _line_end(text, start)
            continue
        name, end = found[1].rstrip(SPACE), found[2]
        if end == "":  # the file ends within a name, which Compose takes for a value without one
            name = ""
        if " " in name:
            yield Statement(line, "", "", refused="space")
            at = _line_end(text, start)
            continue
        at = found.end()
        if end == "\n":
            yield Statement(line, name, "", alone=True)
            continue
        value_at = _SKIP.match(text, start if end == "" else at).end()  # type: ignore[union-attr]  # it always matches
        said, at = _value(text, value_at, endless, variables)
        if not said.refused:
            variables.filled[name] = said.filled
        yield said._replace(line=line, name=name)


def _value(text: str, at: int, endless: set[str], variables: Variables) -> tuple[Statement, int]:
    """Read a value from where it starts, and say where it ends."""
    quote = text[at : at + 1]
    if quote not in _QUOTED:
        end = _line_end(text, at)
        return _template(text[at:end].partition(" #")[0].rstrip(SPACE), variables), end
    found = None if quote in endless else _QUOTED[quote].match(text, at)
    if found is None:
        endless.add(quote)
        return Statement(0, "", "", refused="quote"), _line_end(text, at)
    inner = found[1].replace(f"\\{quote}", quote)
    if quote == "'":
        return Statement(0, "", inner, refused=_nul(inner), filled=bool(inner)), found.end()
    # What is longer than anybody writes is not looked into; without a dollar Compose takes it.
    return _template(inner if len(inner) > 8 * LONGEST else _unescape(inner), variables), found.end()


def _template(template: str, variables: Variables) -> Statement:
    """Find out whether a value refers to others, and whether Compose could follow it."""
    if refused := _nul(template):
        return Statement(0, "", "", refused=refused)
    if not refers(template):
        return Statement(0, "", template.replace("$$", "$"), filled=bool(template))
    try:
        filled = fill(template, variables)
    except Refused as error:
        return Statement(0, "", "", refused=error.fault)
    return Statement(0, "", template, refers=True, filled=filled)


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _nul(value: str) -> LineFault:
    # Older ones refuse the file, newer ones the container that gets the value.
    return "nul" if "\0" in value else ""


_ESCAPE = re.compile(r'\\([abcfnrtv$"\\]|0[0-9]{0,3})')
_MEANS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "$": "$$", '"': '"', "\\": "\\"}


def _unescape(inner: str) -> str:
    """Take the escapes out of a value in double quotes. One that is none stays, an octal one without its zero."""

    def meant(found: re.Match[str]) -> str:
        digits = found[1][1:]
        if not found[1].startswith("0"):
            return _MEANS.get(found[1], found[0])
        return chr(int(digits, 8)) if re.fullmatch("[0-3][0-7]{2}", digits) else f"\\{digits}"

    return _ESCAPE.sub(meant, inner)
