"""Facts as older versions wrote them say the same when they are read today."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from preflight.facts import EngineLimits, Fact, HealthRun, Probes, StartRun
from preflight.report.documents import encode, read_facts
from tests.build import host

HOSTS = Path(__file__).parent / "hosts"
RECORDED = HOSTS / "debian12-nested.json"


def read(document: dict[str, Any], folder: Path) -> Probes:
    path = folder / "facts.json"
    path.write_text(json.dumps(document), "utf-8")
    return read_facts(path).probes


def before(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document of today as versions wrote it that had the probes among all other parts."""
    probes = json.loads(json.dumps(document.pop("probes")))
    for name in ("privileged", "limits"):
        probes[name]["value"].pop("granted")
    return document | probes


def test_the_recorded_host_says_the_same(tmp_path: Path) -> None:
    document = json.loads(RECORDED.read_text("utf-8"))
    read_today = read(document, tmp_path)
    assert read(before(document), tmp_path) == read_today
    assert read_today.privileged.get() == StartRun(True, 0, granted=True)
    assert [state for _, state in read_today.healthcheck.get().states] == ["starting", "unhealthy", "healthy"]


def test_the_oldest_document_has_its_experiments() -> None:
    probes = read_facts(HOSTS / "older" / "first.json").probes
    assert probes.privileged.get() == StartRun(True, 0, granted=True)
    assert probes.healthcheck.known
    assert probes.limits.missing is not None
    assert "come from a version that did not collect this" in probes.limits.missing.reason


def test_a_document_of_today_is_not_mixed_with_what_stands_at_its_top(tmp_path: Path) -> None:
    document = json.loads(RECORDED.read_text("utf-8"))
    stray = {"source": "x", "value": {"started": False, "exit_code": None}}
    assert read(document | {"privileged": stray}, tmp_path) == read(document, tmp_path)


@pytest.mark.parametrize(
    ("started", "code", "granted"),
    [(True, 0, True), (True, 3, False), (True, 137, None), (True, None, None), (False, None, None), (False, 0, None)],
)
def test_an_exit_code_becomes_what_it_meant(
    started: bool, code: int | None, granted: bool | None, tmp_path: Path
) -> None:
    document = {"source": "x", "value": {"started": started, "exit_code": code}}
    base = {name: getattr(host(), name) for name in ("schema", "version", "started", "seconds")}
    whole = base | {"view": json.loads(RECORDED.read_text("utf-8"))["view"], "asked": {}, "limits": document}
    assert read(whole, tmp_path).limits.get().granted is granted


ENDED = "the container ended by itself with exit code"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (f"{ENDED} 137", (True, 137, "")),
        (f"{ENDED} 137, saying: OOM", (True, 137, "OOM")),
        (f"{ENDED} None, saying: a\nb", (True, None, "a\nb")),
        ("runc: exec failed", (False, None, "runc: exec failed")),
        ("", (False, None, "")),
    ],
)
def test_the_end_of_a_container_that_was_told_in_its_error(
    tmp_path: Path, error: str, told: tuple[bool, int | None, str]
) -> None:
    document = json.loads(encode(host(healthcheck=HealthRun((), error))))
    for name in ("ended", "exit_code"):
        del document["probes"]["healthcheck"]["value"][name]
    (tmp_path / "facts.json").write_text(json.dumps(document), "utf-8")
    run = read_facts(tmp_path / "facts.json").probes.healthcheck.get()
    assert (run.ended, run.exit_code, run.error) == told


@pytest.mark.parametrize("number", [524288, None])
def test_the_engine_s_limit_that_stood_among_the_kernel_s_settings(tmp_path: Path, number: int | None) -> None:
    document = json.loads(encode(host(sysctls={"vm.overcommit_memory": 1})))
    document.pop("engine_limits", None)
    document["sysctls"]["value"] |= {} if number is None else {"engine.nofile": number}
    (tmp_path / "facts.json").write_text(json.dumps(document), "utf-8")
    found = read_facts(tmp_path / "facts.json")
    assert (found.sysctls.get(), found.engine_limits.get()) == ({"vm.overcommit_memory": 1}, EngineLimits(number))


def test_where_no_settings_of_the_kernel_were_known_nor_was_the_engine_s_limit(tmp_path: Path) -> None:
    document = json.loads(encode(host(sysctls=Fact.unknown("/proc/sys", "Denied.", cause="denied"))))
    document.pop("engine_limits", None)
    (tmp_path / "facts.json").write_text(json.dumps(document), "utf-8")
    missing = read_facts(tmp_path / "facts.json").engine_limits.missing
    assert missing is not None
    assert missing.cause == "denied"
