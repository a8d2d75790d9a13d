"""References between the values of an env file, as Docker Compose follows them. Pure: no value is made of them.

It is the grammar of compose-go's `template` package (read 2026-07-21, held against Compose 2.26 and 2.40).
"""

from __future__ import annotations

import re

from msgspec import Struct

from preflight.facts import LineFault

_REFERENCE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<named>[_a-z][_a-z0-9]*)"
    r"|\{(?:(?P<braced>[_a-z][_a-z0-9]*(?::?[-+?].*)?)\}|(?P<invalid>)))",
    re.IGNORECASE,
)
_BRACE = re.compile(r"[{}]")
_OPERATOR = re.compile(r":?[-+?]")
LONGEST, REFERENCES, DEEPEST = 8192, 50, 20  # of a value with references: characters, references, how deep they nest


PATIENCE = 4_000_000  # characters of a file's references


class Refused(ValueError):
    """Compose refuses a value, and with it the file."""

    def __init__(self, fault: LineFault) -> None:
        super().__init__(fault)
        self.fault = fault


class Variables(Struct):
    """The variables so far and whether they hold anything; how much more of references is looked at."""

    filled: dict[str, bool]
    patience: int


def refers(template: str) -> bool:
    """Say whether a value holds a reference, or what starts like one."""
    return any(found.lastgroup != "escaped" for found in _REFERENCE.finditer(template))


def fill(template: str, variables: Variables, depth: int = 0) -> bool:
    """Say whether a template comes to anything, following only which variables are empty; raise `Refused`."""
    variables.patience -= len(template)
    if len(template) > LONGEST or depth > DEEPEST or variables.patience < 0:
        raise Refused("many")
    anything, rest = False, template
    for _ in range(REFERENCES):
        found = _REFERENCE.search(rest)
        if found is None:
            return anything or bool(rest)
        anything = anything or found.start() > 0 or found["escaped"] is not None
        if found["invalid"] is not None:
            raise Refused("dollar")
        reference, after = found[0], rest[found.end() :]
        if found["braced"] is None:
            anything = anything or variables.filled.get(found["named"] or "", False)
        else:
            # The pattern took all up to the last brace; the reference ends with the brace that closes it.
            close = _closing(reference)
            reference, after = reference[: close + 1], reference[close + 1 :] + after
            anything = _braced(reference, variables, depth) or anything
        rest = after
    raise Refused("many")


def _closing(reference: str) -> int:
    """Return where the first brace is closed; the end where none closes it."""
    depth = 0
    for brace in _BRACE.finditer(reference):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.start()
    return len(reference) - 1


def _braced(reference: str, variables: Variables, depth: int) -> bool:
    found = _REFERENCE.fullmatch(reference)
    if found is None or found["braced"] is None:
        raise Refused("dollar")
    operator = _OPERATOR.search(found["braced"])
    if operator is None:
        return variables.filled.get(found["braced"], False)
    name, other = found["braced"][: operator.start()], found["braced"][operator.end() :]
    usable = variables.filled.get(name, False) if operator[0].startswith(":") else name in variables.filled
    # Compose looks at the other value whether it takes it or not (2.26 and 2.40 do).
    comes_to = fill(other, variables, depth + 1)
    if operator[0].endswith("?") and not usable:
        raise Refused("unset")
    if operator[0].endswith("+"):
        return usable and comes_to
    return variables.filled[name] if usable else comes_to
