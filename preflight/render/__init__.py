"""Renderers: a report in, text out. Nothing here reads the world or judges. A new format is a module and an entry."""

from __future__ import annotations

from importlib import import_module

from preflight.render.context import Context
from preflight.report.model import Report

# Each format with the suffix of its files ('': it is never a file). Its module has a function of the same name.
FORMATS: dict[str, str] = {
    "markdown": ".md",
    "json": ".json",
    "text": ".txt",
    "html": ".html",
    "junit": ".xml",
    "github": "",
    "zone": ".zone",
    "sh": ".sh",
    "conf": ".conf",
    "prometheus": ".prom",
    "nagios": "",
}


def render(report: Report, format: str, context: Context | None = None) -> str:
    """Return the report in one of `FORMATS`, whose module is imported when it is used."""
    if format not in FORMATS:
        raise KeyError(format)
    text: str = getattr(import_module(f"preflight.render.{format}"), format)(report, context or Context())
    return text


__all__ = ["FORMATS", "Context", "render"]
