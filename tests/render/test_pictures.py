"""The numbers behind the pictures: to scale, and none where something is not known."""

from __future__ import annotations

from typing import Any

import pytest

from preflight.render.pictures import STATES, bars, timeline
from preflight.report.model import Status
from tests.render import reports
from tests.render.reports import GIB, result


def memory(size: Any, status: str = "pass", expected: str | None = "6.0 GiB", **more: Any) -> reports.Result:
    return result("resources.memory", status, evidence={"bytes": size}, expected=expected, **more)


@pytest.mark.parametrize(
    ("size", "filled", "mark"),
    [
        (0, 0, 80),
        (3 * GIB, 40, 80),  # what is asked for stands at four fifths until there is more
        (6 * GIB, 80, 80),
        (7.5 * GIB, 100, 80),
        (12 * GIB, 100, 50),  # then the bar ends at what is there
        (15 * GIB, 100, 40),
        (1500 * GIB, 100, 40),  # but what is asked for is never a sliver
    ],
)
def test_a_bar_is_to_scale(size: float, filled: float, mark: float) -> None:
    [bar] = bars([memory(size)])
    assert (bar.filled, bar.mark) == (filled, mark)


@pytest.mark.parametrize(
    ("expected", "mark"),
    [("512 MiB", 50), ("1,024 MiB", 80), ("1.0 GiB free", 80), ("20 KiB", 40), ("0.001 TiB", 80)],
)
def test_sizes_are_read_in_their_units(expected: str, mark: float) -> None:
    [bar] = bars([memory(GIB, expected=expected)])
    assert bar.mark == pytest.approx(mark, abs=2)


def test_a_bar_has_the_words_of_its_result() -> None:
    disk = result(
        "resources.disk", "fail", subject="/var/lib/docker", expected="20.0 GiB free", found="5.0 GiB free",
        evidence={"available_bytes": 5 * GIB, "total_bytes": 100 * GIB},
    )  # fmt: skip
    [bar] = bars([disk])
    assert (bar.check, bar.subject, bar.status) == ("resources.disk", "/var/lib/docker", Status.FAIL)
    assert (bar.found, bar.expected, bar.filled) == ("5.0 GiB free", "20.0 GiB free", 20)


@pytest.mark.parametrize("size", [None, "6", True, -1, float("nan"), float("inf"), 1 << 90, [1], {}])
def test_a_size_that_is_none_makes_no_bar(size: Any) -> None:
    assert bars([memory(size)]) == ()


@pytest.mark.parametrize("expected", [None, "", "enough", "0 GiB", "0.0 MiB", "GiB", "6 GB"])
def test_without_a_size_that_is_asked_for_there_is_no_bar(expected: str | None) -> None:
    assert bars([memory(GIB, expected=expected)]) == ()


@pytest.mark.parametrize("status", ["unknown", "error", "skip"])
def test_what_was_not_judged_makes_no_bar(status: str) -> None:
    assert bars([memory(GIB, status, reason="so")]) == ()


def test_other_checks_make_no_bar() -> None:
    assert bars([result("resources.inodes", evidence={"bytes": GIB}, expected="1 GiB")]) == ()


def states(*found: Any) -> reports.Result:
    return result("docker.healthcheck", evidence={"states": list(found)})


def test_the_states_follow_one_another_and_the_last_lasts_on() -> None:
    stretches = timeline([states([1.0, "starting"], [2.0, "unhealthy"], [4.0, "healthy"])])
    assert [(stretch.state, stretch.start, stretch.width) for stretch in stretches] == [
        ("starting", 20, 20), ("unhealthy", 40, 40), ("healthy", 80, 20),
    ]  # fmt: skip


def test_a_single_state_at_the_start_fills_the_line() -> None:
    [stretch] = timeline([states([0, "starting"])])
    assert (stretch.start, stretch.width) == (0, 100)


@pytest.mark.parametrize(
    "found",
    [
        [],
        [[1]],
        [[1, 2]],
        [["1", "starting"]],
        [[-1, "starting"]],
        [[2, "starting"], [1, "healthy"]],
        [[float("nan"), "starting"]],
        ["starting"],
        [[n, "starting"] for n in range(STATES + 1)],
    ],
)
def test_states_that_make_no_sense_make_no_picture(found: list[Any]) -> None:
    assert timeline([states(*found)]) == ()


@pytest.mark.parametrize("evidence", [{}, {"states": None}, {"states": "starting"}, {"states": {}}])
def test_without_states_there_is_no_picture(evidence: dict[str, Any]) -> None:
    assert timeline([result("docker.healthcheck", evidence=evidence)]) == ()
    assert timeline([]) == ()
