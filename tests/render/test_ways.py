"""The way of a connection through the firewall, as one line and as a picture."""

from __future__ import annotations

import html5lib
import pytest

from preflight.render import render, ways
from preflight.report.evidence.firewall import FamilyEvidence
from tests.render import reports
from tests.render.reports import inbound, way

LOST = way("dropped", "eth0", "forward ip filter FORWARD drop", handle=12)
OUT = way("delivered", "eth0", "br-mailcow")


def test_ports_with_one_way_are_brought_together() -> None:
    found = ways.ways([inbound("25/tcp", LOST, OUT), inbound("80/tcp", LOST), inbound("443/tcp", OUT)])
    assert [(one.title, one.status.value) for one in found] == [
        ("IPv4, 25/tcp, 80/tcp", "fail"), ("IPv6, 25/tcp", "pass"), ("IPv4, 443/tcp", "pass"),
    ]  # fmt: skip
    assert [one.title for one in ways.stopped([inbound("25/tcp", LOST, OUT)])] == ["IPv4, 25/tcp"]


def test_a_way_is_one_line() -> None:
    [one] = ways.ways([inbound("25/tcp", LOST)])
    assert ways.line(one) == "IPv4, 25/tcp: eth0 → forward ip filter FORWARD ✕ dropped here by rule 12"
    assert ways.markdown(one) == ("IPv4, 25/tcp: `eth0` → forward `ip filter FORWARD` **✕ dropped here by rule 12**")


@pytest.mark.parametrize(
    "evidence",
    [
        way("none"),
        way("off"),
        way("unknown", "eth0", "x"),
        way("depends", "eth0", "x"),
        way("dropped", "eth0"),
        way("?", "a", "b"),
    ],
)
def test_what_was_not_seen_is_no_picture(evidence: FamilyEvidence) -> None:
    assert ways.ways([inbound("25/tcp", evidence)]) == ()


def test_much_is_cut() -> None:
    long = way("dropped", "eth0", *("forward ip filter FORWARD continue" for _ in range(99)))
    [one] = ways.ways([inbound(f"{port}/tcp", long) for port in range(1, 40)])
    assert len(one.stations) == ways.STATIONS
    assert ways.line(one).endswith(" → and 77 more → forward ip filter FORWARD ✕ dropped here")
    assert one.title.endswith("12/tcp, and 27 more")
    many = [inbound("25/tcp", way("dropped", f"eth{number}", "x")) for number in range(99)]
    assert len(ways.ways(many)) == ways.WAYS


def test_the_page_shows_the_way_as_a_list() -> None:
    tree = html5lib.HTMLParser(namespaceHTMLElements=False, strict=True).parse(render(reports.firewalled(), "html"))
    lists = [element for element in tree.iter("ol") if (element.get("class") or "").startswith("way ")]
    told = [[" ".join("".join(item.itertext()).split()) for item in one] for one in lists]
    assert told == [
        ["eth0", "prerouting ip nat PREROUTING", "forward ip filter FORWARD dropped here by rule 12"],
        ["eth0", "br-mailcow"],
        ["br-mailcow", "eth0"],
    ]
    [ends] = [item for one in lists for item in one if item.get("class") == "ends"]
    assert ends.find(".//strong") is not None


@pytest.mark.parametrize("format", ["markdown", "text"])
def test_the_report_tells_the_way_once_where_it_ends(format: str) -> None:
    text = render(reports.firewalled(), format)
    assert " ".join(text.split()).count("dropped here by rule 12") == 1
