"""Examples for Ansible, cloud-init and jq: their parts are run, their options are options of the check."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined
from ruamel.yaml import YAML

from preflight.cli import commands
from preflight.render import render
from preflight.report.model import DnsRecord, Remedy
from tests.render import reports
from tests.tools import program

Jq = Callable[..., str]


def loaded(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path)


def options(words: list[str]) -> dict[str, Any]:
    """Return the values of the check's options; a word that is none raises an error."""
    assert words[0] == "check"
    with commands.check.make_context("check", words[1:]) as context:
        return context.params


# --- Ansible ---------------------------------------------------------------------------------------


@pytest.fixture
def play(tree: Path) -> dict[str, Any]:
    (one,) = loaded(tree / "compose/provision/ansible.yml")
    value: dict[str, Any] = one
    return value


def templates(values: dict[str, Any], given: Any) -> Any:
    """Return what a value comes to, as Ansible does it: an expression stays a value, and variables hold templates.

    Variables may name those before them.
    """
    environment = Environment(undefined=StrictUndefined, autoescape=False)
    environment.filters["from_json"] = json.loads
    known: dict[str, Any] = {}

    def made(value: Any) -> Any:
        if isinstance(value, list):
            return [made(one) for one in value]
        if not isinstance(value, str) or "{{" not in value:
            return value
        whole = re.fullmatch(r"\{\{((?:(?!\}\}).)*)\}\}", value)
        if whole:
            return environment.compile_expression(whole[1], undefined_to_none=False)(known)
        return environment.from_string(value).render(known)

    for name, value in values.items():
        known[name] = made(value) if isinstance(value, (str, list)) and name != "stdout" else value
    return made(given)


def module(play: dict[str, Any], name: str) -> Any:
    (found,) = [task for task in play["tasks"] if f"ansible.builtin.{name}" in task]
    return found[f"ansible.builtin.{name}"]


def test_the_play_is_of_ansibles_keys(play: dict[str, Any]) -> None:
    assert play.keys() == {"name", "hosts", "become", "gather_facts", "vars", "tasks"}
    keywords = {
        "name", "register", "changed_when", "check_mode", "failed_when", "delegate_to", "become", "run_once"
    }  # fmt: skip
    for task in play["tasks"]:
        assert [key for key in task if key not in keywords and not key.startswith("ansible.builtin.")] == []
        assert sum(key.startswith("ansible.builtin.") for key in task) == 1
    assert all(task["become"] is False for task in play["tasks"] if "delegate_to" in task)


def test_the_plays_command_is_the_checks(play: dict[str, Any]) -> None:
    values = {"inventory_hostname": "mail.example.org", **play["vars"]}
    words = templates(values, module(play, "command")["argv"])
    assert words[:7] == [
        "docker", "run", "--rm", "--privileged", "--pid=host", "--network=host", "mailcow-preflight"
    ]  # fmt: skip
    assert (options(words[7:])["hostname"], options(words[7:])["formats"]) == ("mail.example.org", ("json",))


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_the_play_stops_where_a_host_is_not_ready(name: str, play: dict[str, Any]) -> None:
    report = reports.SAMPLES[name]()
    code = {"ready": 0, "ready-with-warnings": 0, "not-ready": 1, "undetermined": 3}[report.verdict.value]
    run = {"stdout": render(report, "json"), "rc": code}
    (command,) = [task for task in play["tasks"] if "ansible.builtin.command" in task]
    for ended in (0, 1, 2, 3, 125):
        failed = templates({"preflight_run": {"rc": ended}}, f"{{{{ {command['failed_when']} }}}}")
        assert failed is (ended in (2, 125))
    read = templates({"preflight_run": run}, module(play, "set_fact")["preflight_report"])
    told = module(play, "assert")
    assert templates({"preflight_report": read}, f"{{{{ {told['that']} }}}}") is (code == 0)
    said = templates({"preflight_report": read}, told["fail_msg"])
    assert said[0] == report.verdict.value
    assert said[1:] == [
        row.message for row in report.results
        if row.severity.value == "required" and row.status.value in ("fail", "unknown", "error")
    ]  # fmt: skip


# --- cloud-init ------------------------------------------------------------------------------------


@pytest.fixture
def script(tree: Path) -> str:
    (file,) = loaded(tree / "compose/provision/cloud-init.yaml")["write_files"]
    text: str = file["content"]
    return text


def test_cloud_init_takes_the_user_data(tree: Path, script: str, tmp_path: Path) -> None:
    path = tree / "compose/provision/cloud-init.yaml"
    assert path.read_text().startswith("#cloud-config\n")
    data = loaded(path)
    assert data.keys() == {
        "fqdn", "prefer_fqdn_over_hostname", "package_update", "packages", "write_files", "runcmd"
    }  # fmt: skip
    assert data["runcmd"] == [[data["write_files"][0]["path"]]]
    (tmp_path / "boot.sh").write_text(script)
    words = [program("shellcheck"), "--enable=all", "--exclude=SC2250", str(tmp_path / "boot.sh")]
    checked = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("code", [0, 1])
def test_a_first_boot_ends_with_the_verdict(there: bool, code: int, script: str, tmp_path: Path) -> None:
    """Docker is installed where it is not there, and the check's exit code is the script's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "mkdir", "chmod", "cp", "cat"):
        (folder / name).symlink_to(program(name))
    (tmp_path / "docker").write_text(
        f'#!/bin/sh\nfor word in "$@"; do echo "$word"; done >"{tmp_path}/asked"\nexit {code}\n'
    )
    (tmp_path / "docker").chmod(0o755)
    install = f'#!/bin/sh\n[ "$CHANNEL" = stable ] && cp "{tmp_path}/docker" "{folder}/docker"\n'
    (tmp_path / "install").write_text(install)
    (folder / "curl").write_text(f'#!/bin/sh\ncat "{tmp_path}/install" >"$4"\n')
    (folder / "curl").chmod(0o755)
    if there:
        shutil.copy(tmp_path / "docker", folder)
    here = script.replace("/root/get-docker.sh", f"{tmp_path}/get-docker.sh").replace(
        "mkdir -p /root", f"mkdir -p {tmp_path}"
    )
    run = subprocess.run(["sh", "-c", here], env={"PATH": str(folder)}, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (code, "")
    assert (tmp_path / "get-docker.sh").exists() is not there
    words = (tmp_path / "asked").read_text().splitlines()
    asked = options(words[words.index("check") :])
    assert (asked["wait"], asked["hostname"]) == (900.0, "mail.example.org")
    mounts = words[words.index("-v") + 1].split(":")
    assert all(path.startswith(f"{mounts[1]}/") for path in asked["outputs"])


# --- jq --------------------------------------------------------------------------------------------


def recipes(tree: Path) -> dict[str, str]:
    """Return the page's recipes, by the line before them."""
    page = (tree / "docs/automation.md").read_text()
    return dict(re.findall(r"^(\S.*)\n\n```sh\n(jq .*)\n```$", page, re.MULTILINE))


RECORD = DnsRecord("mail.example.org", "A", "192.0.2.2", 3600)
WANTED = {
    "Is the host ready?": "false",
    "One line for each problem, with its id:": "docker.compose -: Docker Compose is not installed.",
    "Required checks that gave no answer, and the reason:": "network.subnet IPv4: ",
    "What to do, each step once:": "Install the plugin.",
    "The DNS records to add, as tab-separated values:": "mail.example.org\tA\t192.0.2.2\t3600",
    "Which program uses which port:": "25/tcp exim4",
    "The slowest five results:": "0.001 ",
    "The number of results with each status, as CSV:": '"fail",6',
}


def test_every_recipe_is_looked_at(tree: Path) -> None:
    assert recipes(tree).keys() == WANTED.keys()


@pytest.mark.parametrize("title", WANTED)
def test_a_recipe_gives_what_it_says(title: str, tree: Path, tmp_path: Path) -> None:
    if not shutil.which("jq"):
        pytest.skip("jq is not on this machine")
    dns = reports.result("dns.address", "fail", remedy=Remedy("Add it.", place="dns", records=(RECORD,)))
    made = reports.report(*reports.failing().results, dns)
    (tmp_path / "report.json").write_text(render(made, "json"))
    line = recipes(tree)[title]
    run = subprocess.run(
        shlex.split(line), cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stderr) == (1 if title == "Is the host ready?" else 0, "")
    lines = run.stdout.splitlines()
    assert any(text.startswith(WANTED[title]) for text in lines), run.stdout
    assert len(lines) == len(set(lines)) or title.startswith("The slowest")


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_no_recipe_fails_on_any_report(name: str, tree: Path, tmp_path: Path) -> None:
    if not shutil.which("jq"):
        pytest.skip("jq is not on this machine")
    (tmp_path / "report.json").write_text(render(reports.SAMPLES[name](), "json"))
    for title, line in recipes(tree).items():
        words = [word for word in shlex.split(line) if word != "--exit-status"]
        run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert (run.returncode, run.stderr) == (0, ""), title
