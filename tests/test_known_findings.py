"""Waivers from the command line to the report: which file is read, what is idle, what is over and counts again."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from preflight.assess.waiver_file import idle, read
from preflight.assess.waivers import Waiver
from preflight.facts import Asked, Memory, Service, Services
from preflight.report.documents import encode
from preflight.report.model import Status
from preflight.text.inputs import InputError
from tests.build import check, host
from tests.line import Line
from tests.render import reports

GIB = 1 << 30
ASKED = Asked(offline=True, probe=False)
SERVICES = Services("systemd", (Service(name="exim4", kind="mta", unit="exim4.service", enabled=True, active=True),))
FACTS = host(memory=Memory(8 * GIB, 6 * GIB, 0, 0), asked=ASKED, conf={"HTTP_PORT": "8080"}, services=SERVICES)


@pytest.fixture
def judged(tmp_path: Path, preflight: Line) -> Callable[..., Any]:
    """Return a function that judges a host without swap, on which exim4 runs, with a file of waivers."""

    def run(text: str, *words: str) -> Any:
        (tmp_path / "facts.json").write_text(encode(FACTS))
        (tmp_path / "waivers.toml").write_text(text)
        return preflight("--facts", str(tmp_path / "facts.json"), "--waivers", str(tmp_path / "waivers.toml"), *words)

    return run


def entry(id: str, **more: str) -> str:
    fields = {"id": f'"{id}"', "reason": '"known"'} | more
    return "[[waiver]]\n" + "".join(f"{name} = {value}\n" for name, value in fields.items())


# --- the file --------------------------------------------------------------------------------------------------


def test_a_file_is_read_with_the_place_of_each_entry(tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_bytes(b"\xef\xbb\xbf" + (entry("a.b") + entry("c.*", reason='"""\n two\n  lines """', subject='" x "',
                                                            until="2027-01-31")).encode())  # fmt: skip
    source = f"--waivers {path}: number"
    assert read(str(path)) == (
        Waiver("a.b", None, "known", None, f"{source} 1"),
        Waiver("c.*", " x ", "two lines", datetime.date(2027, 1, 31), f"{source} 2"),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Object missing required field `waiver`"),
        ("waiver = 1", "Expected `array`, got `int` - at `$.waiver`"),
        ("[waiver]", "Expected `array`, got `object` - at `$.waiver`"),
        (entry("a.b", reason='""'), "at `$.waiver[0].reason`"),
        (entry("a.b", reason='"  "'), "at `$.waiver[0].reason`"),
        (entry("", reason='"x"'), "at `$.waiver[0].id`"),
        (entry("a.b", subject='""'), "at `$.waiver[0].subject`"),
        (entry("a.b", until='"soon"'), "at `$.waiver[0].until`"),
        (entry("a.b", until="2027-01-31T00:00:00"), "at `$.waiver[0].until`"),
        (entry("a.b") + entry("c.d", unitl="2027-01-31"), "unknown field `unitl` - at `$.waiver[1]`"),
        ("[[waiver]]\nid = 'a.b'\n", "missing required field `reason` - at `$.waiver[0]`"),
        ("other = 1\n" + entry("a.b"), "unknown field `other`"),
        ("[[waiver]", "line 1"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_is_refused_with_the_place(text: str, said: str, judged: Callable[..., Any]) -> None:
    run = judged(text)
    assert (run.code, run.out) == (2, "")
    (line,) = run.err.splitlines()
    assert said in line
    assert "waivers.toml: " in line


# --- what they do ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("until", "counts"),
    [("2026-11-22", True), ("2026-11-23", False), ("2026-11-24", False), ("1999-12-31", True), ("9999-12-31", False)],
)
def test_the_day_of_the_facts_decides_not_today(until: str, counts: bool, judged: Callable[..., Any]) -> None:
    """Facts that were recorded on 23 November 2026 are judged as of then, whenever that is done."""
    run = judged(entry("resources.swap", until=until), "--only", "resources.swap", "--format", "json")
    (row,) = json.loads(run.out)["results"]
    assert (row["status"], row["was"]) == (("warn", None) if counts else ("ignored", "warn"))
    assert until in row["reason"]


def test_one_finding_of_several_may_be_known(judged: Callable[..., Any]) -> None:
    run = judged(entry("services.mail", subject='"exim4.service"'), "--only", "services.mail", "--format", "json")
    rows = {row["subject"]: (row["status"], row["reason"]) for row in json.loads(run.out)["results"]}
    assert rows["exim4.service"] == ("ignored", "known")
    assert (run.code, run.err) == (0, "")


@pytest.mark.parametrize("form", ["markdown", "text", "html"])
def test_what_is_known_is_shown_apart_and_not_advised(form: str, judged: Callable[..., Any]) -> None:
    known = judged(entry("resources.swap"), "--only", "resources.swap", "--format", form).out
    plain = judged(entry("resources.swap", until="2026-11-22"), "--only", "resources.swap", "--format", form).out
    assert "Waived" in known
    assert "Waived" not in plain
    assert "No longer waived:" in plain


# --- what means nothing any more -------------------------------------------------------------------------------


def told_idle(waiver: Waiver, *rows: tuple[str, str | None, str], certain: bool = True) -> list[str]:
    """Return what is said of a waiver, given a check, a subject and a status of each result."""
    made = [reports.result(name, status, subject=subject, was=Status.FAIL if status == "ignored" else None)
            for name, subject, status in rows]  # fmt: skip
    checks = tuple({name: check(name) for name, _, _ in rows}.values())
    return idle((waiver,), reports.report(*made), checks, certain=certain)


GONE = "there is no such result (any more); the waiver can go, or is misspelt."


@pytest.mark.parametrize(
    ("waiver", "rows", "said"),
    [
        (Waiver("services.mail"), [("services.mail", None, "pass")], []),
        (Waiver("services.mail", "exim4"), [("services.mail", "exim4", "warn")], []),
        (Waiver("services.mail", "exim4"), [("services.mail", "exim4", "pass")], []),
        (Waiver("services.mail", "exim*"), [("services.mail", "exim4", "ignored")], []),
        (Waiver("services.mail", "exim4"), [("services.mail", None, "pass")],
         [f"--ignore 'services.mail': 'exim4': {GONE}"]),
        (Waiver("services.mail", "exim4"), [("services.mail", None, "unknown")], []),
        (Waiver("services.mail", "exim4"), [("services.mail", None, "skip")], []),
        (Waiver("services.mail", "exim4"), [("services.mail", None, "error")], []),
        (Waiver("services.*", "exim4", source="--waivers f: number 2"), [("services.mail", "postfix", "fail")],
         [f"--waivers f: number 2 'services.*': 'exim4': {GONE}"]),
        (Waiver("services.mail", "x" * 99), [("services.mail", None, "pass")],
         [f"--ignore 'services.mail': '{'x' * 80}': {GONE}"]),
    ],
)  # fmt: skip
def test_a_waiver_of_what_is_gone_is_told(
    waiver: Waiver, rows: list[tuple[str, str | None, str]], said: list[str]
) -> None:
    assert told_idle(waiver, *rows) == said


def test_a_port_that_mailcow_has_not_is_a_mistake_where_its_ports_are_known() -> None:
    waiver, row = Waiver("ports.free", "26/tcp"), ("ports.free", "25/tcp", "pass")
    with pytest.raises(InputError, match=r"'26/tcp' is no subject of it; there are 25/tcp\.$"):
        told_idle(waiver, row)
    assert told_idle(waiver, row, certain=False) == [f"--ignore 'ports.free': '26/tcp': {GONE}"]
    with pytest.raises(InputError, match=r"it has none\.$"):
        told_idle(Waiver("resources.swap", "x"), ("resources.swap", None, "pass"))
