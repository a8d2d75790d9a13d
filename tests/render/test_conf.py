"""Lines of mailcow.conf: bash, which mailcow's scripts read it with, gets the values that are meant, and no command."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import Memory
from preflight.render import render
from preflight.render.conf import written
from preflight.render.context import Context
from preflight.report.evidence.clock import TimezoneEvidence
from preflight.report.evidence.names import RecordsEvidence
from preflight.report.model import Remedy, Report, Result, Setting
from tests.build import look, run
from tests.render import reports
from tests.render.hostile import ANY, VALUES

GIB = 1 << 30


def advised(check: str, *settings: tuple[str, str], status: str = "fail", text: str = "Do it.", **more: Any) -> Result:
    more = {"place": "mailcow.conf", "when": "cloned"} | more
    remedy = Remedy(text, settings=tuple(Setting(*pair) for pair in settings), **more)
    return reports.result(check, status, f"{check} is not as it should be.", remedy=remedy)


def named(name: str, status: str = "pass") -> Result:
    evidence = RecordsEvidence(name=name, type="CNAME", expected=(), found=(name,), zone=())
    return reports.result("dns.hostname", status, evidence=evidence)


def zoned(zone: str | None) -> Result:
    return reports.result("clock.timezone", evidence=TimezoneEvidence(zone=zone, rtc_local=False))


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def conf(*results: Result, **context: Any) -> str:
    return render(reports.report(*results), "conf", Context(**context))


def sourced(text: str, directory: Path) -> dict[str, str]:
    """Return what bash has of the file, which it reads where programs are out of its reach."""
    (directory / "mailcow.conf").write_bytes(text.encode("utf-8", "backslashreplace"))
    ask = "set -aeu; source ./mailcow.conf; exec /usr/bin/env -0"
    done = subprocess.run(
        ["/bin/bash", "-c", ask], cwd=directory, env={"PATH": "/nonexistent"}, capture_output=True, check=True
    )
    assert done.stderr == b""
    found = dict(pair.split("=", 1) for pair in done.stdout.decode().split("\0") if pair)
    return {name: value for name, value in found.items() if name not in ("PATH", "PWD", "OLDPWD", "SHLVL", "_")}


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_the_lines_for_usual_hosts(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{name}.conf", render(reports.SAMPLES[name](), "conf"))


def test_what_is_known_and_advised_stands_under_its_reason() -> None:
    text = conf(
        named("mail.example.org"),
        zoned("Europe/Berlin"),
        advised("resources.memory", ("SKIP_CLAMD", "y"), ("SKIP_FTS", "y"), text="Set it."),
        advised("network.ping", ("SKIP_UNBOUND_HEALTHCHECK", "y"), place="provider", when="now", choice=True),
    )
    assert lines(text) == ["MAILCOW_HOSTNAME=mail.example.org", "TZ=Europe/Berlin", "SKIP_CLAMD=y", "SKIP_FTS=y"]
    told = (
        "# resources.memory is not as it should be.\n# Set it.\n# Check: resources.memory\nSKIP_CLAMD=y\nSKIP_FTS=y\n"
    )
    assert told in text
    assert "# Only if the other way is not possible for you:\n# SKIP_UNBOUND_HEALTHCHECK=y\n" in text


@pytest.mark.parametrize(
    "results",
    [
        [named("mail.example.org", "fail")],
        [named("mail.example.org; reboot"), zoned("Etc/$(reboot)")],
        [zoned(None), advised("a.b", ("SKIP_CLAMD", "y"), status="unknown")],
        [advised("a.b", ("SKIP_CLAMD", "y"), when="last", place="host")],
        [advised("a.b", ("skip", "y"), ("SKIP-X", "y"), ("X", "a'b"), ("Y", "a\nb"), ("Z", "ä"))],
        [reports.result("a.b", "pass", remedy=Remedy("Set it.", place="mailcow.conf", settings=(Setting("A", "b"),)))],
    ],
)
def test_nothing_is_invented(results: list[Result]) -> None:
    assert lines(conf(*results)) == []


def test_of_two_values_the_first_one_counts_and_the_same_line_stands_once() -> None:
    text = conf(
        advised("a.a", ("IPV4_NETWORK", "10.22.1")),
        advised("a.b", ("IPV4_NETWORK", "10.22.2"), text="Other."),
        advised("a.c", ("IPV4_NETWORK", "10.22.1"), text="Same."),
    )
    assert lines(text) == ["IPV4_NETWORK=10.22.1"]
    assert "# Check: a.a, a.c\nIPV4_NETWORK=10.22.1\n" in text
    assert "# Another value was advised above:\n# IPV4_NETWORK=10.22.2\n" in text


def test_what_has_to_be_done_by_hand_is_told() -> None:
    by_hand = advised("ports.configuration", text="Correct the line, or put a # before it.", when="now")
    text = conf(by_hand, advised("network.mtu", text="Write another file.", place="host"))
    assert lines(text) == []
    assert "Write another file" not in text
    assert "# What to do: Correct the line, or put a # before it.\n" in text


def test_placeholders_are_no_settings() -> None:
    text = conf(named("mail.example.org"), advised("a.a", ("SKIP_FTS", "y")), redacted=True)
    assert lines(text) == []
    assert "\n# SKIP_FTS=y\n" in text


@pytest.mark.parametrize(
    "value", ["", "y", "10.22.1", "[2001:db8::1]:25", "a b", "$(x) `x` ${HOME} !x \\", '"', "*", "~"]
)
def test_bash_reads_the_value_that_is_meant(value: str, tmp_path: Path) -> None:
    text = conf(advised("a.a", ("SNAT_TO_SOURCE", value), ("SKIP_FTS", "y")))
    assert sourced(text, tmp_path) == {"SNAT_TO_SOURCE": value, "SKIP_FTS": "y"}


def hostile(value: str) -> Report:
    remedy = Remedy(value, place="mailcow.conf", settings=(Setting("SKIP_FTS", "y"), Setting("X", value)))
    rows = [named(value), zoned(value), reports.result("a.a", "fail", value, subject=value, remedy=remedy)]
    return reports.report(*rows, name=value)


@pytest.mark.parametrize("value", [*VALUES, "x\\", "$(reboot)", "'\nreboot\n'"])
def test_no_name_becomes_a_line_of_its_own(value: str, tmp_path: Path) -> None:
    text = render(hostile(value), "conf")
    found = sourced(text, tmp_path)
    assert found.pop("SKIP_FTS") == "y"
    assert set(found) <= {"X", "MAILCOW_HOSTNAME", "TZ"}
    assert set(found.values()) <= {value}


@given(value=st.one_of(ANY, st.text(max_size=20)))
def test_any_value_is_one_line_or_none(value: str) -> None:
    line = written(Setting("X", value))
    assert line is None or line.splitlines() == [line]
    assert line is None or line in (f"X={value}", f"X='{value}'")
    assert all(line.isprintable() for line in render(hostile(value), "conf").splitlines())


def test_the_checks_say_their_lines_as_data(tmp_path: Path) -> None:
    """Held against the checks themselves: a host with too little memory."""
    memory = Memory(total_bytes=4 * GIB, available_bytes=None, swap_total_bytes=GIB, swap_free_bytes=GIB)
    text = conf(*run("resources.memory", look(memory=memory)), *run("resources.antivirus", look(memory=memory)))
    assert sourced(text, tmp_path) == {"SKIP_CLAMD": "y", "SKIP_FTS": "y"}
