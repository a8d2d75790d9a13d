"""The time, from the command line to the report: by the servers that were asked, and nobody else."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from preflight.facts import Clock, Fact
from preflight.gather.machine import clock
from preflight.gather.time import times
from preflight.gather.time.exchange import Pace
from preflight.mailcow import requirements
from preflight.mailcow.requirements.time_servers import defaults
from preflight.net.targets import time_server
from tests.gather.timeserver import Script, good, kiss, serve, silent
from tests.line import Line

ONLY = ("check", "--only", "clock.offset", "--no-probe", "--format", "json", "--quiet")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask one time after another without a pause, of a host whose kernel knows nothing of its clock."""
    monkeypatch.setattr(times, "PACE", Pace(samples=2, gap=0.01, patience=0.15))
    monkeypatch.setattr(clock, "clock", lambda roots: Fact.of("test", Clock(16_000_000, True)))


def judged(preflight: Line, *scripts: Script) -> tuple[int, dict[str, Any], list[str]]:
    """Run the check against such servers; return the exit code, the result, and the servers' names."""
    with contextlib.ExitStack() as stack:
        names = [stack.enter_context(serve(script)).name for script in scripts]
        run = preflight(*ONLY, *(word for name in names for word in ("--ntp-server", name)))
    assert run.err == ""
    (row,) = json.loads(run.out)["results"]
    return run.code, row, names


@pytest.mark.parametrize(
    ("scripts", "code", "status"),
    [
        ((good(), good()), 0, "pass"),
        ((good(), good(), good(60.0)), 0, "pass"),
        ((good(), silent, good(leap=3), kiss(b"DENY")), 0, "pass"),
        ((good(10.0), good(10.0)), 0, "warn"),
        ((good(-45.0), good(-45.0), good()), 1, "fail"),
        ((good(86_400.0), silent), 1, "fail"),
        ((good(), good(60.0)), 3, "unknown"),
        ((silent, silent), 3, "unknown"),
        ((good(stratum=16), good(origin=1)), 3, "unknown"),
    ],
    ids=["right", "a liar", "one of four", "10 s", "45 s", "a day, by one alone", "at odds", "silent", "of no use"],
)
def test_the_verdict(scripts: tuple[Script, ...], code: int, status: str, preflight: Line) -> None:
    found, row, names = judged(preflight, *scripts)
    assert (found, row["status"], row["severity"]) == (code, status, "required")
    assert {server["server"] for server in row["evidence"]["servers"]} == set(names)
    assert (row["reason"] is not None) is (status == "unknown")


def test_facts_are_judged_again_as_they_were_recorded(preflight: Line, tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    with serve(good(60.0)) as one, serve(good(60.0)) as other:
        words = ("--ntp-server", one.name, "--ntp-server", other.name)
        assert preflight("facts", "--no-probe", "--quiet", "--offline", *words, "--output", str(path)).code == 0
        assert json.loads(path.read_text())["times"]["missing"]["cause"] == "offline"
        assert (one.asked, other.asked) == ([], [])
        live = preflight(*ONLY, *words)
    assert json.loads(live.out)["results"][0]["status"] == "fail"
    skipped = preflight("check", "--facts", str(path), "--only", "clock.offset", "--format", "json")
    assert [row["status"] for row in json.loads(skipped.out)["results"]] == ["skip"]
    refused = preflight("check", "--facts", str(path), *words)
    assert (refused.code, "--ntp-server cannot be used with --facts" in refused.err) == (2, True)


def test_who_is_asked_by_default() -> None:
    """Data with source and date: two or more operators, names that the DNS has, and nobody of the pool's."""
    known = defaults()
    servers, web = known.names
    assert (len(servers) >= 3, len(web) >= 2) == (True, True)
    assert len({name.split(".")[-2] for name in servers}) == len(servers)
    assert not [name for name in servers if "pool.ntp.org" in name]
    assert all(one.source.startswith("https://") for one in (*known.servers, *known.web))
    assert [time_server(name) for name in servers] == [(name, 123) for name in servers]


@pytest.mark.parametrize("name", requirements.NAMES)
def test_the_limits_of_the_clock_have_their_reasons(name: str) -> None:
    limits = requirements.load(name).clock.limits
    assert [limit.seconds for limit in limits] == [5, 30, 3600]
    assert [limit.fails for limit in limits] == [False, True, True]
    assert all(limit.reason.endswith(".") and limit.source.startswith("https://") for limit in limits)


def test_requirements_of_ones_own_may_set_them(preflight: Line, tmp_path: Path) -> None:
    text = Path(requirements.FOLDER, "current.toml").read_text()
    own = tmp_path / "own.toml"
    own.write_text(text.replace("seconds = 30 ", "seconds = 100 "))
    with serve(good(60.0)) as one, serve(good(60.0)) as other:
        words = ("--ntp-server", one.name, "--ntp-server", other.name)
        found = [preflight(*ONLY, *words, "--requirements", name).code for name in ("2017-07", "current", str(own))]
    assert found == [1, 1, 0]
    own.write_text("\n".join(line for line in text.splitlines() if not line.startswith("agree_seconds")))
    refused = preflight(*ONLY, "--requirements", str(own))
    assert (refused.code, "agree_seconds" in refused.err) == (2, True)
