"""Fold long shell commands as the shell allows, so that they fit a narrow page and can still be pasted; comments."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from preflight.render.escape import command_line

_INDENT = "    "
_COMMENT = 78  # columns
# Not shell, or not safe to fold: here-documents, comments, lines of a DNS zone.
_WHOLE = re.compile(r"<<|#|\sIN\s")


def folded(commands: tuple[str, ...], width: int) -> list[str]:
    """Return commands as lines; one that is longer than `width` goes on behind a backslash, if it can."""
    lines = [command_line(command) for command in commands]
    if any(_WHOLE.search(line) for line in lines):
        return lines
    return [piece for line in lines for piece in _fold(line, width)]


def _fold(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    pieces, start, indent = [], 0, ""
    blanks = _blanks(line)
    while blanks and len(line) - start + len(indent) > width:
        # The last blank that leaves room for the backslash, else the first one there is.
        fitting = [blank for blank in blanks if start < blank and blank - start + len(indent) + 2 <= width]
        blank = fitting[-1] if fitting else next((blank for blank in blanks if blank > start), None)
        if blank is None:
            break
        pieces.append(f"{indent}{line[start:blank]} \\")
        start, indent = blank + 1, _INDENT
    return [*pieces, indent + line[start:]]


def _blanks(line: str) -> list[int]:
    """Return where single blanks stand outside of quotes; none where a quote stays open or the line goes on already."""
    found, quote, escaped = [], "", False
    for number, character in enumerate(line):
        if escaped:
            escaped = False
        elif character == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == " " and "  " not in line[number - 1 : number + 2]:
            found.append(number)
    return [] if quote or escaped else found


def comment(text: str, mark: str = "") -> Iterator[str]:
    """Yield a text of one line as comments; `mark` stands before its first line, and as much room before the others."""
    room = _COMMENT - 2 - len(mark)
    folded = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    for number, line in enumerate(folded):
        yield f"# {mark if number == 0 else ' ' * len(mark)}{line}".rstrip()
