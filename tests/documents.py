"""Every report and facts document that a test meets is held against its schema, as `preflight schema` prints it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from jsonschema_rs import Draft202012Validator, meta

from preflight.facts import Host
from preflight.report.documents import schema
from preflight.report.model import Report


@cache
def validator(name: str) -> Draft202012Validator:
    """Return the validator of a document: the schema itself is one of JSON Schema 2020-12."""
    made = schema(name)
    meta.validate(made)
    return Draft202012Validator(made)


def held(name: str, text: str | bytes) -> dict[str, Any]:
    """Return a document, `report` or `facts`, that is what its schema says."""
    document: dict[str, Any] = json.loads(text)
    validator(name).validate(document)
    return document


def holding(encode: Callable[[Any], str]) -> Callable[[Any], str]:
    """Return what writes a document as `encode` does, and holds facts and reports against their schema."""

    def written(document: Any) -> str:
        text = encode(document)
        if isinstance(document, Host | Report):
            held("facts" if isinstance(document, Host) else "report", text)
        return text

    return written
