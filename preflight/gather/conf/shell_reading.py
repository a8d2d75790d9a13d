"""What a shell makes of an env file that it sources, as mailcow's own scripts do. Nothing is executed or expanded.

Assignments, quotes and commands are told apart as bash does (held against bash 5.2); what comes of a substitution
is not: there the word stands as it is written.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from msgspec import Struct, field

CHARACTERS = 1 << 20  # mailcow's own file has some 20 thousand
COMMANDS = 20  # that are told


class Word(NamedTuple):
    """What a shell assigns. `plain`: its value; else as written, `refers`: with nothing but references to variables."""

    value: str
    plain: bool = True
    refers: bool = False


class Sourced(Struct):
    """What a shell would know after reading the file. `broken`: the line on which it gives up, 0: on none."""

    words: dict[str, Word] = field(default_factory=dict)
    commands: list[int] = field(default_factory=list)  # lines on which it runs something that is no assignment
    broken: int = 0


_PIECE = re.compile(
    r"""(?P<bulk>[^\s'"\\$`;&|<>()~]+|[^\S \t\n])
    |'(?P<single>[^']*)'
    |"(?P<double>[^"\\`]*(?:(?:\\.|`[^`"]*`)[^"\\`]*)*)"
    |\\(?P<joined>\n)|\\(?P<escaped>.?)
    |(?P<reference>\$(?:[A-Za-z_]\w*|\{(?:[^{}'"`\n]|\$\{[^{}'"`\n]*\})*\}))
    |(?P<dollar>\$(?![({'"\w@*\#?$!-]))
    |(?P<substitution>\$\((?:[^()'"`\n]|\([^()'"`\n]*\))*\)|\$\w|\$[@*\#?$!-]|`[^`\n]*`|\$'(?:[^'\\]|\\.)*'|\$"[^"`\\]*")
    |(?P<tilde>~)""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_BLANK = re.compile(r"(?:[ \t]|\\\n)*")
_COMMENT = re.compile(r"#[^\n]*")
_SEPARATOR = re.compile(r"\n|&&|\|\||;|[&|<>]+")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=", re.ASCII)
_LATER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\+=|\[[^]\s]*\]\+?=)", re.ASCII)  # appended, or part of an array
# Where an assignment may stand, bash reads an index to its end, over spaces and lines; only plain ones are followed.
_INDEX = re.compile(r"""[A-Za-z_][A-Za-z0-9_]*\[(?![^]\s'"\\$`;&|<>()]*\])""", re.ASCII)
_EXPORTS = ("export", "declare", "readonly", "typeset")
# What would steer the reading itself.
_STEERING = frozenset(
    {
        "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "select", "function",
        "{", "}", "[[", "!", "time", "coproc", ".", "source", "eval", "exec", "exit", "return", "set", "unset", "read",
        "trap", "shopt", "break", "continue", "local", "alias", "mapfile", "readarray", "printf",
    }
)  # fmt: skip
_DOLLAR = re.compile(r"""\$(?:([A-Za-z_]\w*|\{(?:[^{}'"`\n]|\$\{[^{}'"`\n]*\})*\})|([({0-9@*\#?$!-]))""", re.ASCII)
_IN_DOUBLE = re.compile(r'\\([$`"\\])|\\\n')


def sourced(text: str) -> Sourced:
    """Read a file; where its end is not looked at, say nothing of what stands there."""
    known = Sourced()
    text = text[:CHARACTERS].replace("\0", "")
    at, line, counted = 0, 1, 0
    pending: dict[str, Word] = {}  # of this line: bash reads whole lines before it runs them
    command: list[tuple[str, Word]] = []  # the words of this command, as written and as read
    ran, piped, wanting = False, False, False
    while True:
        at = _BLANK.match(text, at).end()  # type: ignore[union-attr]  # it always matches
        if comment := _COMMENT.match(text, at):
            at = comment.end()
        separator = _SEPARATOR.match(text, at)
        if separator or at >= len(text):
            ended = separator[0] if separator else "\n"
            said = _run(command, pending, apart=piped or ended in ("&", "|", "|&"))
            # An operator wants a command on its left, and most of them one on their right as well.
            alone = not command and (ended != "\n" or wanting)
            if said is None or alone or "<<" in ended:
                known.broken = line
                return known
            ran, command, piped, wanting = ran or said, [], ended in ("|", "|&"), ended not in ("\n", ";", "&")
            if ended == "\n":
                known.words |= pending
                if ran and len(known.commands) < COMMANDS:
                    known.commands.append(line)
                pending, ran = {}, False
            if separator is None:
                return known
            at = separator.end()
            if ended == "\n":
                line += text.count("\n", counted, at)
                counted = at
            continue
        word, after = _word(text, at)
        if word is None or (_INDEX.match(text, at) and all(_assigns(written) for written, _ in command)):
            known.broken = line
            return known
        command.append((text[at:after], word))
        at = after


def _run(command: list[tuple[str, Word]], pending: dict[str, Word], *, apart: bool) -> bool | None:
    """Take over what a command assigns; return whether it runs something. None: what follows depends on it."""
    words = list(command)
    own: dict[str, Word] = {}
    while words and _assigns(words[0][0]):
        _assign(own, *words.pop(0))
    if not words:
        if not apart:
            pending.update(own)
        return False
    name = words[0][1].value
    if name in _STEERING:
        return None
    if name not in _EXPORTS:
        return True
    for written, word in words[1:]:
        if not apart:
            _assign(pending, written, word)
    return False


def _assigns(written: str) -> bool:
    return bool(_ASSIGNMENT.match(written) or _LATER.match(written))


def _assign(known: dict[str, Word], written: str, word: Word) -> None:
    if found := _ASSIGNMENT.match(written):
        known[found[1]] = word._replace(value=word.value[found.end() :])
    elif _LATER.match(written):
        known[re.split(r"[+\[]", written, maxsplit=1)[0]] = Word(written, plain=False)


def _word(text: str, at: int) -> tuple[Word | None, int]:
    """Read one word; None: it cannot be read, be it a quote that nothing closes."""
    parts: list[str] = []
    plain, refers, start = True, True, at
    while found := _PIECE.match(text, at):
        kind, piece = found.lastgroup or "", found[0]
        # A tilde is a directory where a value, or a part of it after a colon, starts with it.
        if kind == "tilde":
            if parts and not parts[-1].endswith(("=", ":")):
                kind = "bulk"
            else:
                refers = False
        if kind == "double":
            inner = found["double"]
            kind = _in_double(inner)
            piece = _IN_DOUBLE.sub(lambda escape: escape[1] or "", inner)
        elif kind == "escaped":
            piece = found[kind] or "\\"  # at the end of the file it is a character like others
        elif kind in ("single", "joined"):
            piece = found[kind] if kind == "single" else ""
        plain = plain and kind not in ("reference", "substitution", "tilde")
        refers = refers and kind != "substitution"
        parts.append(piece)
        at = found.end()
    if at == start or text[at : at + 1] not in ("", *" \t\n;&|<>"):
        return None, at
    return Word("".join(parts), plain, refers and not plain), at


def _in_double(inner: str) -> str:
    """Say what stands in double quotes: text, references to variables, or more than those."""
    bare = re.sub(r"\\.", "", inner, flags=re.DOTALL)
    if "`" in bare or any(found[2] for found in _DOLLAR.finditer(bare)):
        return "substitution"
    return "reference" if _DOLLAR.search(bare) else "double"
