"""The JSON Schema of the document."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from preflight.reach.document import SCHEMA, Reach

_MOMENT = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"


def schema() -> dict[str, Any]:
    """Return it, of JSON Schema 2020-12."""
    made: dict[str, Any] = msgspec.json.schema(Reach)
    parts = made["$defs"]
    for part in parts.values():
        if "description" in part:  # a docstring, whose indentation Python 3.13 takes away and 3.11 does not
            part["description"] = re.sub(r"\n +", "\n", part["description"])
        if "properties" in part:  # what has a default is written all the same
            part["required"] = list(part["properties"])
    whole = parts["Reach"]["properties"]
    whole["schema"]["const"] = SCHEMA
    for moment in ("started", "kept_until"):
        whole[moment]["pattern"] = _MOMENT
    for number in (whole["seconds"], parts["Row"]["properties"]["seconds"], *parts["Counts"]["properties"].values()):
        number["minimum"] = 0
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:mailcow-preflight:reach:{SCHEMA}",
        **made,
    }
