"""Why an engine would not start a container: its words become a cause at the edge, also in facts recorded earlier."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from preflight.facts import HealthRun, StartRun
from preflight.facts.refusals import refusal, with_causes
from preflight.report.documents import encode, read_facts
from tests.build import host


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("cgroups: cannot find cgroup mount destination: unknown", "cgroups"),
        ("Devices cgroup isn't mounted", "cgroups"),
        ("cgroups: cgroup mountpoint does not exist: unknown.", "cgroups"),
        ("runc create failed: no cgroup mount found in mountinfo: unknown", "cgroups"),
        ("error setting rlimit type 7: operation not permitted: unknown", ""),
        ("unable to apply caps: operation not permitted", ""),
        ("", ""),
    ],
)
def test_words_and_their_cause(words: str, cause: str) -> None:
    assert refusal(words) == cause


def test_a_cause_far_behind_is_not_searched_for() -> None:
    assert refusal("x" * 3000 + "cgroup mountpoint does not exist") == ""


def test_facts_of_before_get_the_cause_when_they_are_read(tmp_path: Path) -> None:
    words = "cgroups: cannot find cgroup mount destination: unknown"
    held = StartRun(True, 0, granted=True)
    made = host(privileged=StartRun(False, None, words), limits=held, healthcheck=HealthRun((), words))
    document = json.loads(encode(made))
    for later in ("publishing", "timeout", "executions", "recursion"):
        del document["probes"][later]
    for probe in document["probes"].values():
        del probe["value"]["cause"]
    path = tmp_path / "facts.json"
    path.write_text(json.dumps(document), "utf-8")
    read = read_facts(path).probes
    assert (read.privileged.get().cause, read.limits.get().cause, read.healthcheck.get().cause) == (
        "cgroups", "", "cgroups",
    )  # fmt: skip


NO_CAPS = "no caps"
REFUSED = StartRun(False, None, NO_CAPS)


@pytest.mark.parametrize(
    ("first", "other", "cause"),
    [
        (REFUSED, REFUSED, "every"),
        (REFUSED, HealthRun((), NO_CAPS), "every"),
        (REFUSED, StartRun(False, None, "no rlimit"), ""),
        (REFUSED, StartRun(True, None, NO_CAPS), ""),
        (REFUSED, HealthRun(((0.1, "starting"),), NO_CAPS), ""),
        (StartRun(True, None, NO_CAPS), REFUSED, ""),
        (StartRun(False, None), StartRun(False, None), ""),
        (None, REFUSED, ""),
    ],
)
def test_what_is_refused_as_the_privileged_container_was(
    first: StartRun | None, other: StartRun | HealthRun, cause: str
) -> None:
    """It is refused for what the engine refuses every container, whose own word stays without a cause."""
    place = "healthcheck" if isinstance(other, HealthRun) else "limits"
    given = {place: other} if first is None else {place: other, "privileged": first}
    probes = with_causes(host(**given)).probes  # type: ignore[arg-type]  # the parameters give what fits
    assert getattr(probes, place).get().cause == cause
    assert first is None or probes.privileged.get() == first


def test_facts_without_such_a_cause_stay_as_they_are() -> None:
    made = host(privileged=StartRun(False, None, "something else"))
    assert with_causes(made) is made
