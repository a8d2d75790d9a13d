"""Parts of a report that come from elsewhere than a check's words: none of them is more than text in any format."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any
from xml.etree import ElementTree

import html5lib
import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.cells import cell_len

from preflight.render import FORMATS, Context, render
from preflight.report.compare import compare
from preflight.report.evidence.engine import HealthEvidence
from preflight.report.evidence.ports import PortEvidence
from preflight.report.model import DnsRecord, Remedy, Report, RequirementsSource, Result, Severity, Status
from tests.render import exposition, reports
from tests.render.hostile import ANY, CODE, VALUES

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
COMMANDS = " " * 6  # what is to be pasted may be wider than the page


def with_requirements(value: str) -> Report:
    """The tables of one's own file may be called anything, and come from anywhere."""
    return msgspec.structs.replace(reports.failing(), requirements=RequirementsSource(value, value, value))


def with_a_way(value: str) -> Report:
    """Chains, tables and interfaces are named by whoever wrote the rules."""
    link = "".join(value.split())[:15]  # no name of an interface has a blank
    lost = reports.way(
        "dropped", link, f"forward {value} drop", table=value, chain=value, rule=f"-A {value} -j DROP", handle=7
    )
    return reports.report(reports.inbound("25/tcp", lost, reports.way("refused", "eth0", link)))


def with_states(value: str) -> Report:
    """The states of a health check are the engine's words."""
    states = ((0.5, "starting"), (1.0, value), (2.0, "healthy"))
    return reports.report(reports.result("docker.healthcheck", evidence=HealthEvidence(states=states)))


def with_sizes(value: str) -> Report:
    """A path is measured by its name on the host."""
    disk = reports.result(
        "resources.disk", "fail", f"{value} has too little space.", subject=value, expected=value, found=value,
        evidence=reports.of_space(5),
    )  # fmt: skip
    return reports.report(disk)


def with_a_port(value: str) -> Report:
    """mailcow.conf says which variables a port has, and at which address."""
    evidence = PortEvidence(
        service=value, variables=(value, value), bind=value, holder=None, holders=(), decided_by="bind"
    )
    rows = [
        reports.result(
            "ports.free", status, subject=f"{status}{value}/tcp", found=value, reason=None, evidence=evidence
        )
        for status in ("pass", "warn", "fail")
    ]
    return reports.report(*rows)


def with_a_waiver(value: str) -> Report:
    """Reasons are the user's."""
    over = reports.result("resources.swap", "warn", reason=value, severity=Severity.RECOMMENDED)
    known = reports.result("resources.memory", "ignored", reason=value, was=Status.FAIL)
    return reports.report(over, known)


def with_records(value: str) -> Report:
    """A record holds names that were asked about. Its type is none that there is: such a record is a line of a zone."""
    records = (DnsRecord(value, f"x{value}", value, 3600),)
    return reports.report(reports.result("dns.mx", "fail", remedy=Remedy("Enter it.", records=records)))


PARTS: dict[str, Callable[[str], Report]] = {
    made.__name__: made
    for made in (
        with_requirements, with_a_way, with_states, with_sizes, with_a_port, with_a_waiver, with_records
    )
}  # fmt: skip


def since_of(value: str) -> Context:
    """Return what an earlier report, which may come from anybody, says of itself, of what is fixed and what is gone."""

    def old(check: str, **more: Any) -> Result:
        return reports.result(check, "fail", value, subject=value, title=value, section="dns", docs=(value,), **more)

    before = reports.report(old("dns.mx"), old("resources.swap"), name=value)
    before = msgspec.structs.replace(before, requirements=RequirementsSource(value, value, value))
    after = reports.report(reports.result("dns.mx", "pass"), reports.result("clock.offset", "warn"))
    return Context(since=compare(before, after))


# --- what a reader's program makes of it -----------------------------------------------------------------------


def of_markdown(text: str) -> object:
    tokens = MARKDOWN.parse(text)
    inline = [child for token in tokens for child in token.children or ()]
    links = {str(token.attrs["href"]) for token in inline if token.type == "link_open"}
    kinds = {token.type for token in inline} - {"text_special", "code_inline", "text"}
    return [token.type for token in tokens], links, kinds


def of_html(text: str) -> object:
    tree = html5lib.HTMLParser(namespaceHTMLElements=False, strict=True).parse(text)
    for parent in list(tree.iter()):  # whether a subject can name a waiver, and a heading the whole, depends on it
        for child in [child for child in parent if child.get("class") in ("ignore", "more whole-message")]:
            parent.remove(child)
    shape = [(str(element.tag), tuple(element.attrib)) for element in tree.iter()]
    return [entry for entry in shape if entry not in CODE], {a.get("href") for a in tree.iter("a")}


def of_junit(text: str) -> object:
    return [(element.tag, tuple(element.attrib)) for element in ElementTree.fromstring(text).iter()]


def of_github(text: str) -> object:
    first, *lines = text.splitlines()
    assert not first.startswith("::")
    return [line.partition(" ")[0] for line in lines]


def of_text(text: str) -> object:
    for line in text.splitlines():
        assert cell_len(line) <= 80 or line.startswith(COMMANDS)
        assert not line.strip().startswith("::")
    return {line for line in text.splitlines() if line and not line.startswith(" ") and line.isupper()}


def of_zone(text: str) -> object:
    return [line for line in text.splitlines() if line and not line.startswith(";")]


def of_lines(text: str) -> object:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def of_nagios(text: str) -> object:
    assert text.count("|") == 1
    return [line[:4] if line[0] in " [" else "" for line in text.splitlines()]


def of_prometheus(text: str) -> object:
    return [(name, len(group.samples)) for name, group in exposition.parse(text).items()]


def of_json(text: str) -> object:
    return text.count("\n")


SHAPES: dict[str, Callable[[str], object]] = {
    "markdown": of_markdown, "html": of_html, "junit": of_junit, "github": of_github, "text": of_text,
    "zone": of_zone, "json": of_json, "sh": of_lines, "conf": of_lines,
    "prometheus": of_prometheus, "nagios": of_nagios,
}  # fmt: skip


@cache
def tame(part: str, form: str) -> object:
    return SHAPES[form](render(PARTS[part]("exim"), form))


def hold(part: str, form: str, value: str) -> None:
    text = render(PARTS[part](value), form)
    assert form == "json" or all(line.isprintable() for line in text.splitlines())
    assert SHAPES[form](text) == tame(part, form)


def test_every_format_is_looked_at() -> None:
    assert SHAPES.keys() == FORMATS.keys()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("part", PARTS)
def test_hostile_values_are_text(part: str, form: str) -> None:
    for value in VALUES:
        hold(part, form, value)


@given(part=st.sampled_from([*PARTS]), form=st.sampled_from([*FORMATS]), value=ANY)
@limits(max_examples=150)
def test_any_value_is_text(part: str, form: str, value: str) -> None:
    hold(part, form, value)


@pytest.mark.parametrize("form", ["markdown", "html", "text"])
def test_an_earlier_report_is_no_more_than_text(form: str) -> None:
    now = reports.report(reports.result("dns.mx", "pass"), reports.result("clock.offset", "warn"))
    wanted = SHAPES[form](render(now, form, since_of("exim")))
    for value in VALUES:
        text = render(now, form, since_of(value))
        assert all(line.isprintable() for line in text.splitlines())
        assert SHAPES[form](text) == wanted
