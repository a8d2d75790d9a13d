"""The lab's own judging of `preflight reach`, without a host."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.hold import strays
from tests.lab.stack import Outcome

PLACE = "198.51.100.10=25"
SEEN = {PLACE: "postfix-mailcow 203.0.113.99"}


def reach(outcome: str, **more: Any) -> dict[str, Any]:
    row = {"address": "198.51.100.10", "port": 25, "local": False, "status": "pass", "message": "", "outcome": outcome}
    return {"results": [{**row, **more}]}


@pytest.mark.parametrize(
    ("document", "answers", "said"),
    [
        (reach("reached"), SEEN, []),
        (reach("filtered"), {PLACE: "timeout"}, []),
        (reach("filtered"), SEEN, [f"{PLACE} is filtered to reach, and then {SEEN[PLACE]}"]),
        (reach("reached"), {PLACE: "timeout"}, [f"{PLACE} is reached to reach, and then timeout"]),
        ({"results": []}, SEEN, [f"{PLACE} was not tried by reach"]),
        (reach("reached", local=True), {}, [f"{PLACE} is for the host alone, and was reached"]),
        (reach("reached", status="unknown"), SEEN, [f"{PLACE} is not known to reach: "]),
        (reach("filtered", status="unknown"), {PLACE: "timeout"}, []),  # port 25 alone: clients are often closed to it
    ],
)
def test_what_disagrees(document: dict[str, Any], answers: dict[str, str], said: list[str]) -> None:
    assert list(strays(document, Outcome("", (), answers))) == said


def test_a_stack_that_did_not_come_up_is_no_measure() -> None:
    assert len(list(strays(reach("reached"), Outcome("no such network", ())))) == 1
