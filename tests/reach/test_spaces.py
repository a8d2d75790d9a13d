"""From another machine, through a host that forwards, drops, rejects, and hides who comes; and past others."""

from __future__ import annotations

import os
import shutil
import time
from typing import Any

import pytest

from preflight.reach import line
from tests.reach import world
from tests.reach.world import CLIENT4, CLIENT6, FOUR, KEY, OTHER, SIX

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("nft", "ip", "unshare", "nsenter"))), reason="needs root and nft"
)
PORTS = (*line.USUAL, line.Port(2000, 25), line.Port(2001, 25))


def told(host: str, *, until: float = 100, key: bytes = KEY, addresses: tuple[str, ...] = (FOUR, SIX)) -> str:
    return f"{line.make(host, addresses, key, time.time() + until, PORTS)} --smtp-target 192.0.2.1 --quiet"


@pytest.fixture(scope="module")
def played() -> tuple[list[dict[str, Any]], str]:
    clients = (
        told(FOUR),
        told(FOUR, key=bytes(16), until=-5),
        told("moved.example.org", addresses=(FOUR,)),
        told("mail.example.org", addresses=(FOUR,)) + " --timeout 2",
    )
    found, printed = world.play(*clients)
    return found, printed.decode()


def outcomes(document: dict[str, Any], address: str) -> dict[int, tuple[str, str]]:
    return {row["port"]: (row["status"], row["outcome"]) for row in document["results"] if row["address"] == address}


def findings(document: dict[str, Any]) -> set[tuple[str, str, tuple[int, ...]]]:
    return {(row["id"], row["address"], tuple(row["ports"])) for row in document["findings"]}


def test_each_port_over_ipv4_tells_what_it_met(played: tuple[list[dict[str, Any]], str]) -> None:
    assert outcomes(played[0][0], FOUR) == {
        25: ("pass", "reached"), 4190: ("pass", "reached"), 80: ("pass", "reached"),
        143: ("fail", "reached"), 995: ("fail", "reached"),
        465: ("fail", "filtered"), 443: ("fail", "filtered"), 587: ("fail", "refused"), 993: ("fail", "prohibited"),
        110: ("fail", "other"), 2000: ("fail", "mute"), 2001: ("fail", "closed"),
        13306: ("fail", "reached"), 7654: ("pass", "other"), 19991: ("pass", "refused"),
    }  # fmt: skip


def test_and_over_ipv6(played: tuple[list[dict[str, Any]], str]) -> None:
    found = outcomes(played[0][0], SIX)
    assert {port for port, (status, _) in found.items() if status == "pass"} == {25, 143, 993, 995, 4190, 80}
    assert found[465] == ("fail", "filtered")
    assert found[110] == ("fail", "other")
    assert 13306 not in found


def test_each_cause_is_told_once(played: tuple[list[dict[str, Any]], str]) -> None:
    assert {row for row in findings(played[0][0]) if row[1] == FOUR} == {
        ("filtered-some", FOUR, (465, 443)), ("refused-some", FOUR, (587,)), ("prohibited-some", FOUR, (993,)),
        ("relay", FOUR, (143,)), ("crossed", FOUR, (995,)), ("local-open", FOUR, (13306,)),
        ("other-some", FOUR, (110,)),
        ("mute-some", FOUR, (2000,)), ("closed-some", FOUR, (2001,)),
    }  # fmt: skip
    assert played[0][0]["verdict"] == "not-reached"


def test_who_comes_is_seen_as_he_is_or_is_not(played: tuple[list[dict[str, Any]], str]) -> None:
    seen = {(row["address"], row["port"]): row["seen_as"] for row in played[0][0]["results"] if row["seen_as"]}
    assert seen[FOUR, 25] == CLIENT4
    assert seen[SIX, 25] == CLIENT6
    assert seen[FOUR, 143] == "172.22.1.1"


def test_what_somebody_else_says_is_shown_and_obeyed_by_no_terminal(played: tuple[list[dict[str, Any]], str]) -> None:
    [row] = [row for row in played[0][0]["results"] if (row["address"], row["port"]) == (FOUR, 110)]
    assert row["said"] == "+OK old POP3 server \\x1b[31m"


def test_arrivals_are_written_down_with_who_came(played: tuple[list[dict[str, Any]], str]) -> None:
    assert f"mailcow-reach arrived 25 {CLIENT4}\n" in played[1]
    assert f"mailcow-reach arrived 25 {CLIENT6}\n" in played[1]
    assert f"mailcow-reach stranger 25 {CLIENT4}\n" in played[1]


def test_a_line_of_another_hold_reaches_nobody_and_may_be_over(played: tuple[list[dict[str, Any]], str]) -> None:
    found = played[0][1]
    assert all(row["outcome"] != "reached" for row in found["results"])
    assert outcomes(found, FOUR)[25] == ("unknown", "closed")
    assert [row["id"] for row in found["findings"]] == ["expired"]
    assert found["verdict"] == "undetermined"


def test_a_name_that_leads_elsewhere_is_one_finding(played: tuple[list[dict[str, Any]], str]) -> None:
    [finding] = [row for row in played[0][2]["findings"] if row["address"] == OTHER]
    assert finding["id"] == "elsewhere"
    assert {25, 80, 443} <= set(finding["ports"])
    assert outcomes(played[0][2], FOUR)[25] == ("pass", "reached")


def test_what_is_late_is_not_determined(played: tuple[list[dict[str, Any]], str]) -> None:
    found = played[0][3]
    assert found["resolved"] == [FOUR]
    assert outcomes(found, FOUR)[465] == ("unknown", "late")
    assert found["seconds"] < 5
