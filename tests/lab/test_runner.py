"""In which order scenarios are played, and which are left out where time is short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.lab.judge import Verdict
from tests.lab.runner import report, second, side_by_side, verdict_of
from tests.lab.scenario import scenarios

TESTS = Path(__file__).parents[1]


def test_what_is_left_out_is_much_like_one_that_is_always_played() -> None:
    always = {scenario.name for scenario in scenarios() if not scenario.near}
    assert [scenario.name for scenario in scenarios() if scenario.near and scenario.near not in always] == []
    assert len(always) > 50


def test_a_task_that_is_not_wanted_is_not_begun() -> None:
    asked: list[str] = []
    tasks = [("prepare", "no-such-kind", "/dev/null", "0")]
    assert list(side_by_side(tasks, 1, lambda name: bool(asked.append(name)))) == []
    assert asked == ["no-such-kind"]


def test_a_few_that_were_not_as_expected_are_played_once_more_and_many_are_not() -> None:
    tasks = [("play", name) for name in "abcdefg"]
    good = {name: Verdict(name) for name in "abcde"}
    few = good | {"b": Verdict("b", broken="no report, exit code 139"), "d": Verdict("d", alarms=["late"])}
    assert list(second(tasks, few)) == [("play", "b"), ("play", "d")]
    assert list(second(tasks, {name: Verdict(name, missed=["a fault"]) for name in "abcd"})) == []
    assert list(second(tasks, good)) == []


def test_what_was_wrong_at_a_first_try_is_told_with_the_second(capsys: pytest.CaptureFixture[str]) -> None:
    first = Verdict("b", alarms=["docker.engine is unknown"], broken="exit code 139")
    told = verdict_of("b", '{"name": "b", "clean": 40}', first)
    assert told.good
    report(told, "once more")
    said = capsys.readouterr().err
    assert "ok  once more b" in said
    assert "at the first try: docker.engine is unknown" in said
    assert "at the first try: exit code 139" in said
    assert not verdict_of("b", "", first).good


def test_the_makefile_knows_where_the_tests_are_that_need_more_than_python() -> None:
    """Their stages collect these paths alone: elsewhere such a test would never be run."""
    known = ("engine/", "browser/", "gather/test_mailcow_conf_others.py")
    marked = [
        str(path.relative_to(TESTS))
        for path in TESTS.rglob("test_*.py")
        if re.search(r"mark" r"\.(engine|image|lab|browser)\b", path.read_text())
    ]
    assert [path for path in marked if not path.startswith(known)] == []
    assert len(marked) > 10
