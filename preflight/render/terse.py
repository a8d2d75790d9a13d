"""A report for whoever has a screen of 24 lines: each step once, and nothing that another line says. Plain values."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from preflight.render.digest import CheckSubjects, Entry, Reason
from preflight.render.records import said
from preflight.report.model import Remedy, Result

# A word that tells something on its own has one of these: numbers, paths, names, variables. Others say again what the
# headline says. Looked for in one word at a time: names of other people's things may be long.
_TELLING = re.compile(r"[\d_:/<>*@]|.\..", re.DOTALL)
_WORD = re.compile(r"\S+")
_ACRONYM = re.compile(r"\b[A-Z]{2,}\b\.?")
# An address that is any: who listens there holds the port, which the headline says.
_ANYWHERE = re.compile(r"(?:0\.0\.0\.0|\[::\]|\*):\d+")
_ROUND = ".,;:()[]\"'“”"


class Advice(Struct, frozen=True):
    """What to do: a text, and lines to paste into a shell, or into a zone."""

    text: str
    commands: tuple[str, ...] = ()
    records: tuple[str, ...] = ()


class Step(Struct, frozen=True):
    """Remarks of one check, with one piece of advice."""

    entries: tuple[Entry, ...]
    advice: Advice | None


def advice(remedy: Remedy | None) -> Advice | None:
    """Return a remedy whose records stand on lines of their own, no longer at the end of its sentence."""
    if remedy is None:
        return None
    # A hosting provider asks for the name alone, in a form of its own.
    lines = () if remedy.place == "provider" else tuple(record.line for record in remedy.records)
    return Advice(said(remedy), remedy.commands, lines)


def notes(entries: Iterable[Entry]) -> tuple[Step, ...]:
    """Return remarks, those of one check together; a command that several have (to load settings) comes once, last."""
    found: dict[object, list[Entry]] = {}
    for entry in entries:
        found.setdefault(tuple(check.check for check in entry.checks), []).append(entry)
    return tuple(_note(group) for group in found.values())


def _note(group: list[Entry]) -> Step:
    made = [one for entry in group if (one := advice(entry.remedy))]
    commands = [command for one in made for command in one.commands]
    last = [command for number, command in enumerate(commands) if command not in commands[number + 1 :]]
    if any("<<" in command for command in commands):  # lines of a here-document may well be alike
        last = commands
    records = tuple(record for one in made for record in one.records)
    return Step(tuple(group), Advice("", tuple(last), records))


def alike(reasons: Iterable[Reason]) -> tuple[tuple[Reason, int], ...]:
    """Return reasons, each with how many further ones say the same of another object."""
    groups: dict[str, list[Reason]] = {}
    for reason in reasons:
        groups.setdefault(_WORD.sub(_unnamed, reason.text), []).append(reason)
    return tuple((Reason(group[0].text, _together(group)), len(group) - 1) for group in groups.values())


def _unnamed(word: re.Match[str]) -> str:
    """Leave out what differs between sentences that say the same of another object."""
    return "\0" if _TELLING.search(word[0]) else _ACRONYM.sub("\0", word[0])


def _together(reasons: Iterable[Reason]) -> tuple[CheckSubjects, ...]:
    found: dict[str, tuple[str, ...]] = {}
    for check in (check for reason in reasons for check in reason.checks):
        found[check.check] = (*found.get(check.check, ()), *check.subjects)
    return tuple(CheckSubjects(check, subjects) for check, subjects in found.items())


def adds(result: Result) -> bool:
    """Say whether what was expected and found holds a number or a name that neither headline nor advice has."""
    do = advice(result.remedy) or Advice("")
    told = " ".join((result.message, result.subject or "", do.text, *do.commands, *do.records)).lower()
    values = f"{result.expected or ''} {result.found or ''}".lower()
    words = (word.strip(_ROUND) for word in values.split() if _TELLING.search(word) and not _ANYWHERE.match(word))
    return any(word.removesuffix(".0") not in told and not _is_socket(word, told) for word in words)


def _is_socket(word: str, told: str) -> bool:
    """Say whether a word is an address with a port, and both are told."""
    address, colon, port = word.rpartition(":")
    return bool(colon) and address.strip("[]") in told and port in told
