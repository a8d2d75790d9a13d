"""Renderers: a report in, text out. Nothing here reads the world or judges. A new format is a module and an entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct, field

from preflight.model import Report


class Extras(Struct, frozen=True):
    """What a format may use beside the report: why each check matters (by id), and whether colour is wanted."""

    why: Mapping[str, str] = field(default_factory=dict)
    color: bool = False


class Format(Struct, frozen=True):
    """A format: the suffix of its files, and its function, which imports its module when it is used."""

    suffix: str
    function: Callable[[Report, Extras], str]


def _markdown(report: Report, extras: Extras) -> str:
    from preflight.render.markdown import markdown

    return markdown(report, why=extras.why)


def _json(report: Report, _: Extras) -> str:
    from preflight.render.json import json

    return json(report)


def _text(report: Report, extras: Extras) -> str:
    from preflight.render.text import text

    return text(report, color=extras.color, why=extras.why)


FORMATS: dict[str, Format] = {
    "markdown": Format(".md", _markdown),
    "json": Format(".json", _json),
    "text": Format(".txt", _text),
}


def render(report: Report, format: str, *, why: Mapping[str, str] | None = None, color: bool = False) -> str:
    """Return the report in one of `FORMATS`; `KeyError` where there is no such format."""
    return FORMATS[format].function(report, Extras(why or {}, color))
