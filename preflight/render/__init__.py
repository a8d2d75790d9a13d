"""Renderers: a report in, text out. Nothing here reads the world or judges. A new format is a module and an entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

from preflight.report.model import Report

if TYPE_CHECKING:
    from preflight.report.compare import Comparison


class Extras(Struct, frozen=True):
    """What a format may use beside the report.

    Why each check matters (by id), whether colour is wanted, what changed since an earlier report, whether names were
    replaced by placeholders, and how many checks were asked for, of how many (None: all).
    """

    why: Mapping[str, str] = field(default_factory=dict)
    color: bool = False
    since: Comparison | None = None
    redacted: bool = False
    asked: tuple[int, int] | None = None


class Format(Struct, frozen=True):
    """A format: the suffix of its files, and its function, which imports its module when it is used."""

    suffix: str
    function: Callable[[Report, Extras], str]


def _markdown(report: Report, extras: Extras) -> str:
    from preflight.render.markdown import markdown

    return markdown(report, why=extras.why, since=extras.since, redacted=extras.redacted, asked=extras.asked)


def _json(report: Report, _: Extras) -> str:
    from preflight.render.json import json

    return json(report)


def _text(report: Report, extras: Extras) -> str:
    from preflight.render.text import text

    return text(
        report, extras.color, why=extras.why, since=extras.since, redacted=extras.redacted, asked=extras.asked
    )  # fmt: skip


def _html(report: Report, extras: Extras) -> str:
    from preflight.render.html import html

    return html(report, why=extras.why, since=extras.since, redacted=extras.redacted, asked=extras.asked)


def _junit(report: Report, extras: Extras) -> str:
    from preflight.render.junit import junit

    return junit(report, redacted=extras.redacted, asked=extras.asked)


def _github(report: Report, extras: Extras) -> str:
    from preflight.render.github import github

    return github(report, redacted=extras.redacted, asked=extras.asked)


def _zone(report: Report, extras: Extras) -> str:
    from preflight.render.zone import zone

    return zone(report, redacted=extras.redacted)


FORMATS: dict[str, Format] = {
    "markdown": Format(".md", _markdown),
    "json": Format(".json", _json),
    "text": Format(".txt", _text),
    "html": Format(".html", _html),
    "junit": Format(".xml", _junit),
    "github": Format("", _github),
    "zone": Format(".zone", _zone),
}


def render(
    report: Report,
    format: str,
    *,
    why: Mapping[str, str] | None = None,
    color: bool = False,
    since: Comparison | None = None,
    redacted: bool = False,
    asked: tuple[int, int] | None = None,
) -> str:
    """Return the report in one of `FORMATS`; `KeyError` where there is no such format."""
    return FORMATS[format].function(report, Extras(why or {}, color, since, redacted, asked))
