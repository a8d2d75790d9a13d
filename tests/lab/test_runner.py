"""In which order scenarios are played, and which are left out where time is short."""

from __future__ import annotations

import re
from pathlib import Path

from tests.lab.runner import side_by_side
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
