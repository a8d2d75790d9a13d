"""Make what was read from a host harmless where it is shown: in Markdown, and on a terminal.

Names, commands and messages come from the host, and anyone may have chosen them. Nothing in them may become a
heading, a link, markup, another table column, a line of its own, or an order to a terminal. What cannot be seen
is written out (`\\x1b`, `\\u202e`), and what is very long is cut, with the number of characters left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from preflight.render import words

TEXT = 500  # characters of a sentence
CELL = 120  # of a table cell or a value inside a sentence
LINES = 20  # of another program's words
COMMAND = 4000  # of one command, which is never cut: half a command is a trap

# Unicode calls these printable, and yet nothing is seen: fillers, joiners, the empty Braille cell, variation selectors.
_UNSEEN = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
    + "".join(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))
)
_LAYOUT = "\n\r\t"

# What GitHub makes links, mentions, references, formulas or emoji of, even where every character is escaped,
# and options, which read better as code.
_TECHNICAL = re.compile(r"://|@|\$|#\d|www\.|mailto:|xmpp:|gh-\d|:[a-z0-9_+-]+:|^\W*--[a-z]", re.IGNORECASE)
_CORE = re.compile(r"""(?P<lead>[(\["'<]*)(?P<core>.*?)(?P<tail>[)\]"'>,.;:!?…]*)""", re.DOTALL)
_SPECIAL = re.compile(r"[\\`*\[\]<|~]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
_BLOCK = re.compile(r"[#>]|[-+](?=\s|$)|[-:=](?=[-:=|\\ ]*$)|\d{1,9}(?=[.)](?:\s|$))")
_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]{1,2000}")


class Ready(str):
    """Text that is safe in Markdown as it stands."""

    __slots__ = ()


def terminal(text: str, limit: int = TEXT) -> str:
    """Return text as one line that shows all it holds and that no terminal obeys, cut after `limit` characters."""
    if len(text) <= limit and text.isprintable() and _UNSEEN.isdisjoint(text):
        return text
    shown: list[str] = []
    length = 0
    for number, character in enumerate(text):
        piece = " " if character in _LAYOUT else _visible(character)
        length += len(piece)
        if length > limit:
            return "".join(shown) + words.LEFT_OUT.format(count=len(text) - number)
        shown.append(piece)
    return "".join(shown)


def command_line(command: str) -> str:
    """Return a command as one line that can be pasted: exact, but line ends and control characters are written out."""
    if len(command) > COMMAND:
        return words.LONG_COMMAND.format(count=len(command))
    return "".join(_visible(character) for character in command)


def _visible(character: str) -> str:
    if character.isprintable() and character not in _UNSEEN:
        return character
    if unicodedata.category(character) == "Zs":  # a no-break space and its kin
        return " "
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character) or written_out(character)


def written_out(character: str) -> str:
    """Return a character as its escape: `\\x1b`, `\\u202e`, `\\U000e0041`."""
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def markdown_text(text: str, limit: int = TEXT) -> Ready:
    """Return a sentence for a paragraph, a heading or a list item; what would become a link is shown as code."""
    return Ready(_begin(_words(terminal(text, limit), cell=False)))


def markdown_cell(text: str, limit: int = CELL) -> Ready:
    """Return a sentence for a table cell: as `markdown_text`, and no pipe ends the cell."""
    return Ready(_begin(_words(terminal(text, limit), cell=True)))


def prose(text: str, limit: int = 4 * TEXT) -> Ready:
    """Return our own text (a docstring, a remedy), in which a pair of backticks is meant as code."""
    made = ""
    for number, part in enumerate(re.split(r"`([^`]+)`", terminal(text, limit))):
        words = code_span(part, limit) if number % 2 else _words(part, cell=False)
        if words and made and ((number % 2 == 0 and part[0] == " ") or made[-1] == words[0] == "`"):
            made += " "
        made += words + (" " if words and number % 2 == 0 and part[-1] == " " else "")
    return Ready(_begin(made.strip()))


def code_span(text: str, limit: int = CELL, *, cell: bool = False) -> Ready:
    """Return a value as inline code, in quotes longer than any backticks inside; a pipe in a cell is `\\x7c`."""
    shown = terminal(text, limit)
    if cell:
        shown = shown.replace("|", "\\x7c")
    if not shown.strip():
        shown = f'"{shown}"'
    quote = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    space = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return Ready(f"{quote}{space}{shown}{space}{quote}")


def fence(commands: Iterable[str], language: str = "sh") -> Ready:
    """Return commands as a block of code, one a line, that nothing inside can end."""
    lines = [command_line(command) for command in commands]
    quote = "`" * max(3, 1 + max((len(run) for line in lines for run in re.findall("`+", line)), default=0))
    return Ready("\n".join([quote + language, *lines, quote]))


def quoted(text: str) -> list[str]:
    """Return another program's words as lines that show all they hold; of very many the first, and their number."""
    lines = text.splitlines()
    shown = [terminal(line) for line in lines[:LINES]]
    return [*shown, words.MORE.format(count=len(lines) - LINES)] if len(lines) > LINES else shown


def is_link(url: str) -> bool:
    """Say whether this is an http(s) address that may be made a link."""
    return _URL.fullmatch(url) is not None


def link(url: str, label: str = "") -> Ready:
    """Return a link to an http(s) address; anything else is shown as code, and leads nowhere."""
    if not is_link(url):
        return code_span(url)
    return Ready(f"[{code_span(label)}](<{url}>)" if label else f"<{url}>")


def _words(shown: str, *, cell: bool) -> str:
    return " ".join(_word(word, cell=cell) for word in shown.split())


def _begin(line: str) -> str:
    """Escape what would make a line a list, a heading, a quotation, or the underline of what is above it."""
    block = _BLOCK.match(line)
    if block is None:
        return line
    return f"{block[0]}\\{line[block.end() :]}" if block[0].isdigit() else f"\\{line}"


def _word(word: str, *, cell: bool) -> str:
    if not _TECHNICAL.search(word):
        return _SPECIAL.sub(r"\\\g<0>", word)
    match = _CORE.fullmatch(word)
    if match is None or not match["core"]:  # nothing but brackets
        return _SPECIAL.sub(r"\\\g<0>", word)
    lead, tail = (_SPECIAL.sub(r"\\\g<0>", match[name]) for name in ("lead", "tail"))
    return f"{lead}{code_span(match['core'], len(word), cell=cell)}{tail}"
