"""The report as JSON: the document of the contract, `schema: 1`, with every result and all evidence."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from preflight.render.context import Context
from preflight.report.model import Report

# JSON escapes only the control characters below 0x20 and may stand on a terminal: so what a terminal or an editor
# obeys without showing it is escaped too. The document means the same.
_UNSEEN = "[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"


def json(report: Report, _context: Context) -> str:
    """Return the report as indented JSON, valid UTF-8 whatever names the host has."""
    return encode(report)


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
        from preflight.render.escape import written_out

        return re.sub("[\ud800-\udfff]", lambda match: written_out(match[0]), value)
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    return value
