"""The report as JSON: the document of the contract, `schema: 1`, with every result and all evidence."""

from __future__ import annotations

from preflight.render.context import Context
from preflight.report import documents
from preflight.report.model import Report


def json(report: Report, _context: Context) -> str:
    """Return the report as indented JSON, valid UTF-8 whatever names the host has."""
    return documents.encode(report)
