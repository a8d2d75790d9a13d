"""The two documents that leave and enter the program: facts and report, and their JSON Schema (2020-12)."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from preflight.bounded import InputError, check_depth, read_file
from preflight.facts import SCHEMA, Host
from preflight.model import Report

if TYPE_CHECKING:
    from pathlib import Path

_IDS = {"report": "urn:mailcow-preflight:report:1", "facts": f"urn:mailcow-preflight:facts:{SCHEMA}"}

REPORT_SCHEMA = 1
_LARGEST = (1 << 64) - 1


class _Header(msgspec.Struct):
    schema: int


def read_facts(path: Path) -> Host:
    """Read recorded facts; raise `InputError` with one line that names the file and the place."""
    data = read_file(path)
    check_depth(data, path)
    try:
        header = msgspec.json.decode(data, type=_Header)
        if header.schema != SCHEMA:
            raise InputError(f"{path}: facts of schema {header.schema}; this program reads schema {SCHEMA}")
        host = msgspec.json.decode(data, type=Host)
        started = datetime.datetime.strptime(host.started, "%Y-%m-%dT%H:%M:%S%z")
        if started.date().isoformat() != host.started[:10]:  # strptime takes 2026-1-1 and digits of other scripts too
            raise ValueError(f"time data {host.started!r} has no date such as 2026-01-31")
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: no facts document: {str(error) or 'nested too deep'}") from None
    if place := next(_beyond(msgspec.to_builtins(host), "$"), None):
        raise InputError(f"{path}: no facts document: a whole number beyond 64 bits - at `{place[:200]}`")
    return host


def read_report(path: Path) -> Report:
    """Read a JSON report; raise `InputError` with one line that names the file and the place."""
    data = read_file(path)
    check_depth(data, path)
    try:
        header = msgspec.json.decode(data, type=_Header)
        if header.schema != REPORT_SCHEMA:
            raise InputError(f"{path}: a report of schema {header.schema}; this program reads schema {REPORT_SCHEMA}")
        report = msgspec.json.decode(data, type=Report)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: no JSON report: {str(error) or 'nested too deep'}") from None
    seen: set[tuple[str, str | None]] = set()
    for number, result in enumerate(report.results):
        if (key := (result.check, result.subject)) in seen:
            raise InputError(
                f"{path}: no JSON report: a second result of {result.check[:80]} - at `$.results[{number}]`"
            )
        seen.add(key)
    return report


def _beyond(value: Any, place: str) -> Iterator[str]:
    """Yield where whole numbers stand that are too large for the checks to reckon with."""
    if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        yield place
    elif isinstance(value, dict):
        yield from (found for key, item in value.items() for found in _beyond(item, f"{place}.{key}"))
    elif isinstance(value, list | tuple):
        yield from (found for number, item in enumerate(value) for found in _beyond(item, f"{place}[{number}]"))


def write_json(document: Host | Report) -> str:
    """Return a document as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a document: `report` or `facts`."""
    kind: type = {"report": Report, "facts": Host}[name]
    made: dict[str, Any] = msgspec.json.schema(kind)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": _IDS[name], **made}
