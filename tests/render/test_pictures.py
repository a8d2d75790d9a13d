"""The numbers behind the pictures: to scale, and none where something is not known."""

from __future__ import annotations

from typing import Any

import pytest

from preflight.render.pictures import STATES, bars, timeline
from preflight.report.evidence.engine import HealthEvidence
from preflight.report.evidence.host import AntivirusEvidence, SizeEvidence
from preflight.report.model import Status
from tests.render import reports
from tests.render.reports import GIB, result


def memory(size: int, status: str = "pass", needed: int | None = 6 * GIB, **more: Any) -> reports.Result:
    evidence = SizeEvidence(bytes=size, needed_bytes=needed)
    return result("resources.memory", status, evidence=evidence, expected="6.0 GiB", **more)


@pytest.mark.parametrize(
    ("size", "filled", "times"),
    [(0, 0, 0), (3 * GIB, 50, 0.5), (6 * GIB, 100, 1), (15 * GIB, 100, 2.5), (1500 * GIB, 100, 250)],
)
def test_every_bar_is_as_long_as_what_is_asked_for(size: int, filled: float, times: float) -> None:
    [bar] = bars([memory(size)])
    assert (bar.filled, bar.times) == (filled, times)


def test_a_bar_has_the_words_of_its_result() -> None:
    disk = result(
        "resources.disk", "fail", subject="/var/lib/docker", expected="20.0 GiB free", found="5.0 GiB free",
        evidence=reports.of_space(5),
    )  # fmt: skip
    [bar] = bars([disk])
    assert (bar.check, bar.subject, bar.status) == ("resources.disk", "/var/lib/docker", Status.FAIL)
    assert (bar.found, bar.expected, bar.filled) == ("5.0 GiB free", "20.0 GiB free", 25)


def test_a_size_that_is_none_makes_no_bar() -> None:
    assert bars([memory(-1)]) == ()


@pytest.mark.parametrize("needed", [None, 0])
def test_without_a_size_that_is_asked_for_there_is_no_bar(needed: int | None) -> None:
    assert bars([memory(GIB, needed=needed)]) == ()


@pytest.mark.parametrize("status", ["unknown", "error", "skip"])
def test_what_was_not_judged_makes_no_bar(status: str) -> None:
    assert bars([memory(GIB, status, reason="so")]) == ()


def test_other_checks_make_no_bar() -> None:
    evidence = AntivirusEvidence(bytes=GIB, skip_clamd=False)
    evidence = AntivirusEvidence(bytes=GIB, skip_clamd=False)
    assert bars([result("resources.antivirus", evidence=evidence, expected="1 GiB")]) == ()


def states(*found: tuple[float, str]) -> reports.Result:
    return result("docker.healthcheck", evidence=HealthEvidence(states=found))


def test_the_states_follow_one_another_and_the_last_lasts_on() -> None:
    stretches = timeline([states((1.0, "starting"), (2.0, "unhealthy"), (4.0, "healthy"))])
    assert [(stretch.state, stretch.start, stretch.width) for stretch in stretches] == [
        ("starting", 20, 20), ("unhealthy", 40, 40), ("healthy", 80, 20),
    ]  # fmt: skip


def test_a_single_state_at_the_start_fills_the_line() -> None:
    [stretch] = timeline([states((0, "starting"))])
    assert (stretch.start, stretch.width) == (0, 100)


@pytest.mark.parametrize(
    "found",
    [
        [],
        [(-1, "starting")],
        [(2, "starting"), (1, "healthy")],
        [(1e300, "starting")],
        [(0, "starting"), (1e300, "healthy")],
        [(n, "starting") for n in range(STATES + 1)],
    ],
)
def test_states_that_make_no_sense_make_no_picture(found: list[tuple[float, str]]) -> None:
    assert timeline([states(*found)]) == ()


def test_without_states_there_is_no_picture() -> None:
    assert timeline([result("docker.healthcheck")]) == ()
    assert timeline([]) == ()
