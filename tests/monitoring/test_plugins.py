"""The plugins for monitoring systems, run against a preflight of our own, and against the real one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from preflight.facts import Asked, Memory
from preflight.render import render
from preflight.report.documents import encode
from tests.build import host
from tests.render import reports
from tests.render.exposition import parse
from tests.tools import program

GIB = 1 << 30
SHELLS = pytest.mark.parametrize("shell", ["dash", "busybox"])
Run = subprocess.CompletedProcess[str]


@pytest.fixture
def run(tree: Path, tmp_path: Path) -> Callable[..., Run]:
    """Return a function that runs a plugin by a shell; `preflight` is what stands in this directory."""

    def call(shell: str, name: str, *options: str, **environ: str) -> Run:
        words = [program(shell), *(["sh"] if shell == "busybox" else []), str(tree / "compose/monitoring" / name)]
        clean = {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "PLUGIN": str(tmp_path / "plugin"),
            "TMPDIR": str(tmp_path),
        }
        return subprocess.run(
            [*words, *options], env=clean | environ, capture_output=True, text=True, timeout=60, check=False
        )

    return call


def command(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def fake(folder: Path, said: str, code: int, error: str = "") -> None:
    """Put a preflight there that says and ends as given, and writes down its options."""
    (folder / "said").write_text(said)
    (folder / "error").write_text(error)
    command(folder / "preflight", f'cd "{folder}"; echo "$@" >asked; cat said; cat error >&2; exit {code}')


@pytest.mark.parametrize("name", ["check_mailcow_preflight", "checkmk_local"])
def test_the_plugins_are_clean_and_can_be_run(name: str, tree: Path) -> None:
    path = tree / "compose/monitoring" / name
    words = [program("shellcheck"), "--enable=all", "--exclude=SC2250", str(path)]
    checked = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")
    assert os.access(path, os.X_OK)


@SHELLS
@pytest.mark.parametrize(
    ("sample", "code", "state"), [("ready", 0, 0), ("warnings", 0, 1), ("not-ready", 1, 2), ("undetermined", 3, 3)]
)
def test_the_state_becomes_the_exit_code(
    sample: str, code: int, state: int, shell: str, run: Callable[..., Run], tmp_path: Path
) -> None:
    said = render(reports.SAMPLES[sample](), "nagios")
    fake(tmp_path, said, code, "A note on standard error.\n")
    ended = run(shell, "check_mailcow_preflight", "--hostname", "mail.example.org", "--skip", "dns.*")
    assert (ended.returncode, ended.stdout, ended.stderr) == (state, said, "")
    asked = "check --format nagios --quiet --hostname mail.example.org --skip dns.*\n"
    assert (tmp_path / "asked").read_text() == asked
    assert list(tmp_path.glob("tmp.*")) == []


@SHELLS
@pytest.mark.parametrize(
    ("said", "code", "error"),
    [
        ("", 2, "Error: --only 'x|y' matches no check"),
        ("PREFLIGHT OK: Ready", 143, ""),
        ("PREFLIGHT FINE: Ready", 0, ""),
        ("", 0, ""),
        ("", 125, "docker: no such image"),
    ],
)
def test_whatever_is_no_report_is_unknown(
    said: str, code: int, error: str, shell: str, run: Callable[..., Run], tmp_path: Path
) -> None:
    fake(tmp_path, said, code, error)
    ended = run(shell, "check_mailcow_preflight")
    assert ended.returncode == 3
    assert ended.stdout.startswith(f"PREFLIGHT UNKNOWN: The check did not run to its end (exit code {code}).")
    assert error.replace("|", "/") in ended.stdout
    assert "|" not in ended.stdout


@SHELLS
def test_without_the_command_it_is_unknown(shell: str, run: Callable[..., Run]) -> None:
    ended = run(shell, "check_mailcow_preflight", PREFLIGHT="/nowhere/preflight")
    assert ended.returncode == 3
    assert "exit code 127" in ended.stdout


@SHELLS
def test_the_real_one_is_asked_in_several_words(
    shell: str, run: Callable[..., Run], tree: Path, tmp_path: Path
) -> None:
    facts = tmp_path / "facts.json"
    given = host(memory=Memory(GIB, GIB, 0, 0), asked=Asked(offline=True, probe=False))
    facts.write_text(encode(given))
    ended = run(
        shell, "check_mailcow_preflight", "--facts", str(facts), "--only", "resources.memory",
        PREFLIGHT=f"{sys.executable} -m preflight", PYTHONPATH=str(tree),
    )  # fmt: skip
    assert ended.returncode == 2, ended.stdout
    assert ended.stdout.startswith("PREFLIGHT CRITICAL: Not ready for mailcow: 1 failed | pass=0;;;0 ")
    assert "[CRITICAL] resources.memory: " in ended.stdout


@SHELLS
@pytest.mark.parametrize(("sample", "state"), [("ready", 0), ("warnings", 1), ("not-ready", 2), ("undetermined", 3)])
def test_checkmk_reads_one_line(sample: str, state: int, shell: str, run: Callable[..., Run], tmp_path: Path) -> None:
    """State, name in quotes, metrics separated by `|`, and text; lines of the details are separated by `\\n`."""
    report = reports.SAMPLES[sample]()
    said = render(report, "nagios")
    (tmp_path / "said").write_text(said)
    command(tmp_path / "plugin", f'cat "{tmp_path}/said"; exit {state}')
    ended = run(shell, "checkmk_local")
    match = re.fullmatch(r'([0-3]) "([^"]+)" (\S+) (\S.*)\n', ended.stdout)
    assert match, ended.stdout
    assert (ended.stderr, int(match[1]), match[2]) == ("", state, "mailcow preflight")
    metrics = dict(metric.split("=") for metric in match[3].split("|"))
    assert metrics.pop("time") == f"{report.seconds:.3f};;;0"
    assert all(re.fullmatch(r"\d+;;;0", value) for value in metrics.values())
    assert match[4].split("\\n")[1:] == said.splitlines()[1:]


@SHELLS
def test_checkmk_hears_of_a_plugin_that_is_not_there(shell: str, run: Callable[..., Run]) -> None:
    ended = run(shell, "checkmk_local")
    assert ended.stdout == '3 "mailcow preflight" - The plugin said nothing.\n'


def test_the_alerts_ask_for_metrics_that_there_are(tree: Path) -> None:
    rules = YAML(typ="safe", pure=True).load(tree / "compose/monitoring/alerts.yml")
    made = parse(render(reports.failing(), "prometheus"))
    (group,) = rules["groups"]
    for rule in group["rules"]:
        assert {"alert", "expr", "labels", "annotations"} == rule.keys()
        ((name, label, value),) = re.findall(r'(mailcow_\w+)(?:\{(\w+)="([^"]+)"\})?', rule["expr"])
        assert not label or any((label, value) in labels for labels in made[name].samples), rule["expr"]
        known = {word for labels in made[name].samples for word, _ in labels} | {"instance"}
        asked = re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values()))
        assert set(asked) <= known


def test_the_page_names_every_metric_state_and_file(tree: Path) -> None:
    page = (tree / "docs/automation.md").read_text()
    named = dict(re.findall(r"^\| `(mailcow_\w+)` \|(.*?)\|", page, re.MULTILINE))
    made = parse(render(reports.failing(), "prometheus"))
    assert {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in named.items()} == {
        name: {word for labels in group.samples for word, _ in labels} for name, group in made.items()
    }
    for path in (*(tree / "compose/monitoring").iterdir(), *(tree / "compose/provision").iterdir()):
        assert f"](../{path.relative_to(tree)})" in page
