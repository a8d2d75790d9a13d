"""Every option of the check is an environment variable too: as `docker run -e` and Compose hand them on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

from preflight.cli import commands
from preflight.facts import Asked, Memory
from preflight.report.documents import encode
from tests.build import host
from tests.line import Line, line

GIB = 1 << 30
OPTIONS = {option.opts[0]: option for option in commands.check.params if option.opts[0] != "-h"}
IN_FILES = {"--output", "--facts", "--waivers", "--baseline"}  # in a container, of use with a mount only


@pytest.fixture
def preflight(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Line:
    """Return a function that judges a host without swap."""
    run = line(monkeypatch, capsys)
    (tmp_path / "facts.json").write_text(
        encode(host(memory=Memory(8 * GIB, 6 * GIB, 0, 0), asked=Asked(offline=True, probe=False)))
    )
    monkeypatch.setenv("PREFLIGHT_FACTS", str(tmp_path / "facts.json"))
    return run


def parsed(*words: str) -> dict[str, Any]:
    with commands.check.make_context("check", list(words)) as context:
        return context.params


@pytest.mark.parametrize("name", OPTIONS)
def test_each_option_has_its_variable(name: str, tree: Path) -> None:
    variable = "PREFLIGHT_" + name.removeprefix("--").upper().replace("-", "_")
    assert OPTIONS[name].envvar == variable
    passed_on = YAML(typ="safe").load(tree / "compose/preflight.yml")["services"]["preflight"]["environment"]
    assert (variable in passed_on) is (name not in IN_FILES)


SEVERAL = {
    "--domain": "example.org example.net",
    "--public-ip": "192.0.2.1\t2001:db8::1",
    "--resolver": "192.0.2.53 [2001:db8::53]:5353",
    "--ntp-server": "ntp.example.org [2001:db8::123]:1123",
    "--outbound": "ghcr.io:443/tcp 192.0.2.53:53/udp",
    "--ping-target": "198.51.100.53 2001:db8::53",
    "--smtp-target": "mx.example.org [2001:db8::25]:2525",
    "--blocklist": "zen.spamhaus.org list.example",
    "--address-service": "http://ip.example/ https://ip.example/x",
    "--only": "ports.* dns.mx",
    "--skip": "ports.free\ndns.*",
    "--format": "json  text",
    "--output": "a.md b.json",
}


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if option.multiple and name != "--ignore"])  # type: ignore[attr-defined]  # all are options
def test_several_values_are_separated_by_white_space(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    option = OPTIONS[name]
    values = SEVERAL[name].split()
    given = parsed(*(word for value in values for word in (name, value)))[str(option.name)]
    monkeypatch.setenv(str(option.envvar), f" {SEVERAL[name]} ")
    assert parsed()[str(option.name)] == given
    assert len(given) == len(values) == 2
    assert parsed(name, values[0])[str(option.name)] == given[:1]  # a flag wins, and adds nothing


def test_known_findings_are_separated_by_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    values = ("resources.swap=zram instead, see wiki: a=b@2099-12-31", "ports.free:198.51.100.7:25/tcp=our relay")
    given = parsed(*(word for value in values for word in ("--ignore", value)))["ignores"]
    monkeypatch.setenv("PREFLIGHT_IGNORE", "\n".join(values) + "\n")
    assert parsed()["ignores"] == given
    assert len(given) == 2


@pytest.mark.parametrize("value", ["1", "true", "yes", "on", "0", "false", "no", "off"])
def test_switches(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = value in ("1", "true", "yes", "on")
    for name in ("OFFLINE", "PROBE", "STRICT", "QUIET", "VERBOSE"):
        monkeypatch.setenv(f"PREFLIGHT_{name}", value)
        assert parsed()[name.lower()] is wanted
    assert parsed("--no-probe", "--offline")["probe"] is False
    assert parsed("--probe")["probe"] is True


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Compose sets one for ${NAME:-}."""
    usual = parsed()
    for option in OPTIONS.values():
        monkeypatch.setenv(str(option.envvar), "")
    assert parsed() == usual


def test_a_wrong_value_is_one_line_and_exit_2(preflight: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("OFFLINE", "maybe"), ("FORMAT", "pdf"), ("IGNORE", "resources.swap@2027-1-1"), ("ONLY", "no")):
        with monkeypatch.context() as patch:
            patch.setenv(f"PREFLIGHT_{name}", value)
            run = preflight()
        assert (run.code, run.out, len(run.err.splitlines())) == (2, "", 1)
        assert f"--{name.lower()}" in run.err


def test_a_whole_run_by_variables_alone(preflight: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFLIGHT_ONLY", "resources.memory resources.swap")
    monkeypatch.setenv("PREFLIGHT_IGNORE", "resources.swap=we know\n")
    monkeypatch.setenv("PREFLIGHT_FORMAT", "json")
    rows = json.loads(preflight().out)["results"]
    assert [(row["check"], row["status"]) for row in rows] == [
        ("resources.memory", "pass"), ("resources.swap", "ignored"),
    ]  # fmt: skip


def test_other_commands_leave_the_checks_variables_alone(preflight: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFLIGHT_FORMAT", "junit")
    assert preflight("checks").code == preflight("explain", "ports.free").code == preflight("schema").code == 0
    assert isinstance(commands.cli, click.Group)
