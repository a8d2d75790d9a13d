"""Read the plain part of YAML that our examples keep to: whatever is not plain is refused, never guessed at.

Mappings, sequences, one-line scalars and flow sequences of them; everything is a string but for what is empty.
"""

from __future__ import annotations

import re

Value = str | None | list["Value"] | dict[str, "Value"]
_KEY = re.compile(r"([A-Za-z][\w.-]*):(?: +(.*))?")
_SCALAR = re.compile(r"""[^\s"'#&*!|>%@`\[\]{},?:-](?:(?! #|: ).)*""")
_QUOTED = re.compile(r'"([^"\\]*)"')


def read(text: str) -> Value:
    """Return a document; raise `ValueError` with the line that is not plain."""
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            if "\t" in line or line != line.rstrip():
                raise ValueError(f"line {number}: a tab, or blanks at the end")
            lines.append((len(line) - len(line.lstrip()), line.strip(), number))
    value, rest = _block(lines, lines[0][0] if lines else 0)
    if rest:
        raise ValueError(f"line {rest[0][2]}: not where it belongs")
    return value


def _block(lines: list[tuple[int, str, int]], indent: int) -> tuple[Value, list[tuple[int, str, int]]]:
    if not lines or lines[0][0] != indent:
        return None, lines
    return _sequence(lines, indent) if lines[0][1].startswith("- ") else _mapping(lines, indent)


def _sequence(lines: list[tuple[int, str, int]], indent: int) -> tuple[Value, list[tuple[int, str, int]]]:
    made: list[Value] = []
    while lines and lines[0][0] == indent and lines[0][1].startswith("- "):
        _, text, number = lines[0]
        if _KEY.fullmatch(text[2:]):  # a mapping that begins behind the dash
            lines = [(indent + 2, text[2:], number), *lines[1:]]
            value, lines = _mapping(lines, indent + 2)
        else:
            value, lines = _scalar(text[2:], number), lines[1:]
        made.append(value)
    return made, lines


def _mapping(lines: list[tuple[int, str, int]], indent: int) -> tuple[Value, list[tuple[int, str, int]]]:
    made: dict[str, Value] = {}
    while lines and lines[0][0] == indent:
        _, text, number = lines[0]
        match = _KEY.fullmatch(text)
        if match is None or match[1] in made:
            raise ValueError(f"line {number}: no key, or one that is there already")
        lines = lines[1:]
        if match[2] is not None:
            made[match[1]] = _scalar(match[2], number)
        else:
            deeper = lines[0][0] if lines and lines[0][0] > indent else None
            made[match[1]], lines = _block(lines, deeper) if deeper is not None else (None, lines)
    return made, lines


def _scalar(text: str, number: int) -> Value:
    if match := _QUOTED.fullmatch(text):
        return match[1]
    if text.startswith("[") and text.endswith("]"):
        return [_scalar(item.strip(), number) for item in text[1:-1].split(",")]
    if _SCALAR.fullmatch(text):
        return text
    raise ValueError(f"line {number}: {text!r} is not plain")
