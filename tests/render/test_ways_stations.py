"""Stations of a way: what each is called, where it ends, and what is brought together."""

from __future__ import annotations

from typing import Any

import pytest

from preflight.render import ways
from preflight.render.ways import Station, Way
from preflight.report.model import Result, Status
from tests.render.reports import inbound, result, way

DROPS = "forward ip filter FORWARD drop"


def only(*steps: str, verdict: str = "dropped", **more: Any) -> Way:
    [found] = ways.ways([inbound("25/tcp", way(verdict, *steps, **more))])
    return found


def test_interfaces_have_no_hook_and_chains_lose_their_verdict() -> None:
    passed = only("eth0", "prerouting inet my table pre accept", "br-mailcow", verdict="delivered")
    assert passed.stations == (
        Station("", "eth0"), Station("prerouting", "inet my table pre"), Station("", "br-mailcow"),
    )  # fmt: skip
    assert passed.status is Status.PASS


@pytest.mark.parametrize(
    ("verdict", "handle", "ends"),
    [
        ("dropped", 12, "dropped here by rule 12"), ("dropped", None, "dropped here"),
        ("refused", 0, "refused here by rule 0"), ("oneway", 7, "its answer is lost by rule 7"),
        ("elsewhere", 7, "sent elsewhere"), ("proxy", 7, "docker-proxy answers"),
    ],
)  # fmt: skip
def test_a_way_ends_at_its_last_station_alone(verdict: str, handle: int | None, ends: str) -> None:
    found = only("eth0", "prerouting ip nat PREROUTING accept", DROPS, verdict=verdict, handle=handle)
    assert [station.ends for station in found.stations] == ["", "", ends]
    assert found.status is Status.FAIL
    assert ways.line(found).count("✕") == ways.markdown(found).count("✕") == 1


def long_way(count: int) -> list[str]:
    return [
        "eth0",
        *(f"forward ip filter C{number} continue" for number in range(1, count - 1)),
        "forward ip own END drop",
    ]


@pytest.mark.parametrize(("count", "left"), [(24, 0), (25, 2), (40, 17)])
def test_a_long_way_still_ends_where_the_packet_stopped(count: int, left: int) -> None:
    found = only(*long_way(count), handle=12)
    assert len(found.stations) == 24
    assert found.stations[-1] == Station("forward", "ip own END", "dropped here by rule 12")
    assert [station for station in found.stations[:-1] if station.ends] == []
    assert sum(station.more or 1 for station in found.stations) == count
    assert (
        (f" → and {left} more → " in ways.line(found))
        is (f" → and {left} more → " in ways.markdown(found))
        is (left > 0)
    )


def test_a_long_way_that_arrives_ends_at_its_interface() -> None:
    found = only(*long_way(40)[:-1], "br-mailcow", verdict="delivered")
    assert found.stations[-1] == Station("", "br-mailcow")


@pytest.mark.parametrize("status", ["pass", "warn", "fail", "ignored", "skip", "unknown", "error"])
def test_only_what_was_judged_has_a_way(status: Any) -> None:
    lost = inbound("25/tcp", way("dropped", "eth0", DROPS))
    row: Result = result(lost.check, status, evidence=lost.evidence, subject="25/tcp", message="x")
    assert bool(ways.ways([row])) is (status in ("pass", "warn", "fail", "ignored"))


def test_ways_that_differ_in_anything_are_apart() -> None:
    rows = [
        inbound("25/tcp", way("dropped", "eth0", DROPS, handle=1)),
        inbound("80/tcp", way("dropped", "eth0", DROPS, handle=2)),
        inbound("443/tcp", way("refused", "eth0", DROPS, handle=1)),
        inbound("993/tcp", way("dropped", "eth1", DROPS, handle=1)),
        inbound("995/tcp", way("dropped", "eth0", DROPS, handle=1)),
    ]  # fmt: skip
    assert [one.subjects for one in ways.ways(rows)] == [
        ("25/tcp", "995/tcp"), ("80/tcp",), ("443/tcp",), ("993/tcp",),
    ]  # fmt: skip


def test_a_way_without_a_subject_is_the_one_out() -> None:
    lost = inbound("", way("dropped", "br-mailcow", DROPS))
    row: Result = result("firewall.forwarding", "fail", evidence=lost.evidence, message="x")
    [found] = ways.ways([row])
    assert found.title == "IPv4, connections from mailcow's network"
    assert found.check == "firewall.forwarding"


@pytest.mark.parametrize(("count", "more"), [(12, ""), (13, "and 1 more")])
def test_a_dozen_subjects_are_named(count: int, more: str) -> None:
    lost = way("dropped", "eth0", DROPS)
    [found] = ways.ways([inbound(f"{port}/tcp", lost) for port in range(count)])
    assert found.title.count("/tcp") == 12
    assert found.title.endswith(more or "11/tcp")


def test_names_of_others_cannot_be_markup() -> None:
    found = only("eth0", "forward ip *x* `y` drop")
    assert ways.markdown(found) == "IPv4, 25/tcp: `eth0` → forward `` ip *x* `y` `` **✕ dropped here**"
    coloured = only("eth0", "forward ip \x1b[31mx y drop")
    assert ways.line(coloured) == "IPv4, 25/tcp: eth0 → forward ip \\x1b[31mx y ✕ dropped here"
