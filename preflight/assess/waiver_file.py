"""Waivers read from a file, and held against the checks asked for and against what came back.

[[waiver]]
id = "resources.swap"        # or a glob: "dns.*"
subject = "25/tcp"           # optional: one subject of the check, or a pattern with * and ?
reason = "…"                 # required
until = 2027-01-31           # optional: the last day
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec

from preflight.assess.selection import matching, meant
from preflight.assess.waivers import Waiver
from preflight.checks import Check
from preflight.report.model import Report
from preflight.text.inputs import InputError, named, read_file
from preflight.text.typed import convert

_Text = Annotated[str, msgspec.Meta(min_length=1, pattern=r"\S")]


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    id: _Text
    reason: _Text
    subject: _Text | None = None
    until: datetime.date | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    waiver: tuple[_Entry, ...]


def read(name: str) -> tuple[Waiver, ...]:
    """Read a file of waivers; raise `InputError` with one line that names the file and the place."""
    try:
        entries = convert(tomllib.loads(read_file(named(name)).decode("utf-8-sig")), _File).waiver
    except UnicodeDecodeError:
        raise InputError(f"{name}: not UTF-8 text") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise InputError(f"{name}: {str(error) or 'nested too deep'}") from None
    return tuple(_waiver(entry, f"--waivers {name}: number {number}") for number, entry in enumerate(entries, 1))


def _waiver(entry: _Entry, source: str) -> Waiver:
    return Waiver(entry.id, entry.subject, " ".join(entry.reason.split()), entry.until, source)


def refuse_strangers(waivers: Iterable[Waiver], every: Sequence[Check], selected: Sequence[Check]) -> None:
    """Raise `InputError` where a waiver means no check at all, or none of those asked for."""
    for waiver in waivers:
        if not matching(waiver.check, selected):
            what = f"{waiver.source} {waiver.check[:80]!r}"
            if matching(waiver.check, every):
                raise InputError(f"{what} matches none of the selected checks. See --only and --skip.")
            raise InputError(f"{what} matches no check: {meant(waiver.check, every)}")


def idle(waivers: Iterable[Waiver], report: Report, checks: Sequence[Check], *, certain: bool) -> list[str]:
    """Return a line for each waiver of a subject that no result has.

    A check whose subjects are found on the host (a service, something left over, a path) has none any more once that
    is gone. Where mailcow names the subjects (its ports, the mail domains), another one is a mistake: `InputError`,
    unless mailcow's own wishes are not known for `certain`.
    """
    lines = []
    for waiver in waivers:
        results = [result for result in report.results if waiver.means_check(result)]
        if waiver.subject is None or any(waiver.means(result) for result in results):
            continue
        if any(result.subject is None and (result.was or result.status).undecided for result in results):
            continue  # what its subjects are could not be seen
        what = f"{waiver.source} {waiver.check[:80]!r}: {waiver.subject[:80]!r}"
        if certain and all(_closed(check) for check in matching(waiver.check, checks)):
            there = ", ".join(dict.fromkeys(result.subject[:40] for result in results if result.subject))
            raise InputError(f"{what} is no subject of it; {f'there are {there}' if there else 'it has none'}.")
        lines.append(f"{what}: there is no such result (any more); the waiver can go, or is misspelt.")
    return lines


def _closed(check: Check) -> bool:
    """Say whether a check's subjects are known without the host: mailcow names them, or there are none."""
    return not check.subject or (check.subjects is not None and not check.of_host)
