"""The two documents that leave and enter the program: facts and report, and their JSON Schema (2020-12)."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from preflight.facts import SCHEMA, Host
from preflight.report import model, older, older_answers
from preflight.report.evidence import shapes
from preflight.report.model import Report, SourceEvidence
from preflight.text.inputs import InputError, check_depth, read_file
from preflight.text.typed import decode

if TYPE_CHECKING:
    from pathlib import Path

_IDS = {"report": f"urn:mailcow-preflight:report:{model.SCHEMA}", "facts": f"urn:mailcow-preflight:facts:{SCHEMA}"}

_STARTED = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
# What holds of a result beyond the types of its parts, by its status.
LEFT_OUT = ("removes", "settings", "choice")  # where there is nothing of it
_RULES: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("ignored",), {"was": {"enum": ["warn", "fail", "unknown"]}}),
    (("pass", "warn", "fail", "unknown", "skip", "error"), {"was": {"type": "null"}}),
    (("unknown", "skip", "ignored", "error"), {"reason": {"type": "string", "minLength": 1}}),
    (("warn", "fail", "unknown", "ignored", "error"), {"remedy": {"$ref": "#/$defs/Remedy"}}),
)
# JSON escapes only the control characters below 0x20 and may stand on a terminal: so what a terminal or an editor
# obeys without showing it is escaped too. The document means the same.
_UNSEEN = "[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
_PART = "#/$defs/{name}"
_LARGEST = (1 << 64) - 1


class _Header(msgspec.Struct):
    schema: int


class _Measured(msgspec.Struct):
    check: str
    evidence: dict[str, Any]


class _AllMeasured(msgspec.Struct):
    results: tuple[_Measured, ...]


def read_facts(path: Path) -> Host:
    """Read recorded facts; raise `InputError` with one line that names the file and the place."""
    data = read_file(path)
    check_depth(data, path)
    try:
        header = decode(data, _Header)
        if header.schema != SCHEMA:
            raise InputError(f"{path}: facts of schema {header.schema}; this program reads schema {SCHEMA}")
        host = older.of_today(older_answers.decoded(data), data)
        _check_time(host.started)
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
        header = decode(data, _Header)
        if header.schema != model.SCHEMA:
            raise InputError(f"{path}: a report of schema {header.schema}; this program reads schema {model.SCHEMA}")
        report = decode_report(data)
        _check_time(report.started)
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


def decode_report(data: bytes | str) -> Report:
    """Return the report that a JSON document holds, each result with evidence of its check's shape."""
    report = decode(data, Report)
    measured = decode(data, _AllMeasured).results
    results = tuple(
        msgspec.structs.replace(result, evidence=shapes.read(entry.check, entry.evidence))
        for result, entry in zip(report.results, measured, strict=True)
    )
    return msgspec.structs.replace(report, results=results)


def _check_time(started: str) -> None:
    time = datetime.datetime.strptime(started, "%Y-%m-%dT%H:%M:%S%z")
    if time.strftime("%Y-%m-%dT%H:%M:%SZ") != started:  # strptime takes 2026-1-1 and digits of other scripts too
        raise ValueError(f"time data {started!r} is not written as 2026-01-31T01:02:03Z")


def _beyond(value: Any, place: str) -> Iterator[str]:
    """Yield where whole numbers stand that are too large for the checks to reckon with."""
    if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        yield place
    elif isinstance(value, dict):
        yield from (found for key, item in value.items() for found in _beyond(item, f"{place}.{key}"))
    elif isinstance(value, list | tuple):
        yield from (found for number, item in enumerate(value) for found in _beyond(item, f"{place}[{number}]"))


def encode(document: Any) -> str:
    """Return a document as indented JSON with a line end; half characters in it (lone surrogates) are written out."""
    try:
        data = msgspec.json.encode(document)
    except UnicodeEncodeError:
        data = msgspec.json.encode(_whole(msgspec.to_builtins(document)))
    text = msgspec.json.format(data, indent=2).decode()
    if not text.isascii() or "\x7f" in text:
        text = re.sub(_UNSEEN, lambda match: f"\\u{ord(match[0]):04x}", text)
    return text + "\n"


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", value)
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    return value


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a document: `report` or `facts`."""
    kind: type = {"report": Report, "facts": Host}[name]
    made: dict[str, Any] = msgspec.json.schema(kind)
    parts = made["$defs"]
    if name == "report":
        evidence = dict.fromkeys(shape for several in shapes.SHAPES.values() for shape in several)
        parts |= msgspec.json.schema_components((SourceEvidence, *evidence), ref_template=_PART)[1]
    for part in parts.values():
        if "description" in part:  # a docstring, whose indentation Python 3.13 takes away and 3.11 does not
            part["description"] = re.sub(r"\n +", "\n", part["description"])
    whole = parts[kind.__name__]["properties"]
    whole["schema"]["const"] = model.SCHEMA if name == "report" else SCHEMA
    whole["started"]["pattern"] = _STARTED
    if name == "report":
        for number in (
            whole["seconds"],
            parts["Result"]["properties"]["seconds"],
            *parts["Counts"]["properties"].values(),
        ):
            number["minimum"] = 0
        for part in (parts["Result"], parts["Remedy"]):  # what has a default is written all the same, or left out
            part["required"] = [name for name in part["properties"] if name not in LEFT_OUT]
        rules = [_where("status", statuses, **others) for statuses, others in _RULES]
        rules += [_where("check", (check,), evidence=_any_of(several)) for check, several in shapes.SHAPES.items()]
        parts["Result"]["allOf"] = rules
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": _IDS[name], **made}


def _where(key: str, values: tuple[str, ...], **others: dict[str, Any]) -> dict[str, Any]:
    return {"if": {"properties": {key: {"enum": values}}}, "then": {"properties": others}}


def _any_of(several: tuple[type, ...]) -> dict[str, Any]:
    """Allow evidence of these shapes, none, and that of a check that could not read its facts."""
    shapes_of = ({"$ref": _PART.format(name=shape.__name__)} for shape in (*several, SourceEvidence))
    return {"anyOf": [*shapes_of, {"maxProperties": 0}]}
