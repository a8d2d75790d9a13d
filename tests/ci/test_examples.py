"""The CI examples: the script that all call, run against a docker of our own, systemd's units, and the page."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from preflight.assess.waiver_file import read as read_waivers
from tests.ci.jobs import GIB, REPORTS, SHELLS, Job, facts, log, reports
from tests.tools import program

# --- the script that all of them call -------------------------------------------------------------------------------

SCRIPT = "sh compose/ci/preflight.sh reports"


def test_the_script_is_clean(tree: Path) -> None:
    """All optional rules but braces around every name, which hide more than they help."""
    command = [program("shellcheck"), "--enable=all", "--exclude=SC2250", str(tree / "compose/ci/preflight.sh")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout) == (0, "")


@SHELLS
def test_reports_come_out_of_the_container_and_nothing_stays(job: Job, docker: Path, tmp_path: Path) -> None:
    run = job(f"{SCRIPT} --skip 'resources.cpu*' --skip 'resources.disk' --skip 'resources.inodes'")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("NO PROBLEMS IN THE SELECTED CHECKS")
    assert reports(tmp_path) == REPORTS
    assert not (docker / "c0ffee").exists()
    assert log(docker)[-1] == "rm --force c0ffee"


@SHELLS
@pytest.mark.parametrize(("options", "code"), [("--only resources.memory", 1), ("--only system.kernel", 3)])
def test_the_exit_code_is_the_checks_own(options: str, code: int, job: Job, docker: Path, tmp_path: Path) -> None:
    facts(docker, memory=GIB)
    run = job(f"{SCRIPT} --skip 'resources.*' {options}" if code == 3 else f"{SCRIPT} {options}")
    assert run.returncode == code
    assert reports(tmp_path) == REPORTS
    assert not (docker / "c0ffee").exists()


@SHELLS
def test_a_wrong_option_leaves_no_reports_of_an_earlier_run(job: Job, docker: Path, tmp_path: Path) -> None:
    assert job(SCRIPT).returncode == 3
    run = job(f"{SCRIPT} --only nothing")
    assert run.returncode == 2
    assert "matches no check" in run.stderr
    assert reports(tmp_path) == []
    assert not (docker / "c0ffee").exists()


@SHELLS
def test_a_container_that_does_not_start_is_no_verdict(job: Job, docker: Path) -> None:
    run = job(SCRIPT, FAKE_DOCKER_BROKEN="1")
    assert run.returncode == 125
    assert "failed to create task" in run.stderr
    assert not (docker / "c0ffee").exists()


@SHELLS
def test_without_a_directory_nothing_is_run(job: Job, docker: Path) -> None:
    run = job("sh compose/ci/preflight.sh")
    assert run.returncode == 2
    assert "usage" in run.stderr
    assert not (docker / "log").exists()


@SHELLS
def test_options_in_the_environment_are_passed_on_and_nothing_else(job: Job, docker: Path, tmp_path: Path) -> None:
    run = job(
        SCRIPT, PREFLIGHT_ONLY="resources.swap", PREFLIGHT_STRICT="1", SECRET="x", IMAGE="registry.example.org/p:1"
    )
    assert run.returncode == 1
    created = log(docker)[0]
    assert "-e PREFLIGHT_ONLY" in created
    assert "SECRET" not in created
    assert " registry.example.org/p:1 --format" in created
    document = json.loads((tmp_path / "checkout/reports/preflight.json").read_text())
    assert "resources.swap" in {row["check"] for row in document["results"]}


@SHELLS
def test_waivers_go_in(job: Job, tmp_path: Path) -> None:
    text = '[[waiver]]\nid = "resources.swap"\nreason = "zram"\n'
    (tmp_path / "checkout/waivers.toml").write_text(text)
    (tmp_path / "other.toml").write_text(text.replace("zram", "none needed"))
    for environ, reason in (({}, "zram"), ({"WAIVERS": str(tmp_path / "other.toml")}, "none needed")):
        job(SCRIPT, **environ)
        document = json.loads((tmp_path / "checkout/reports/preflight.json").read_text())
        assert [row["reason"] for row in document["results"] if row["status"] == "ignored"] == [reason]


@SHELLS
def test_the_last_report_is_the_next_ones_baseline(job: Job, docker: Path, tmp_path: Path) -> None:
    said = []
    for swap in (2 * GIB, 0):
        facts(docker, swap=swap)
        said.append(job(SCRIPT, BASELINE="reports/preflight.json").stdout)
    assert "Since the report" not in said[0]
    assert "1 new" in said[1]


@SHELLS
def test_a_cancelled_job_has_the_reports_of_what_is_known(job: Job, docker: Path, tmp_path: Path) -> None:
    cancel = "while ! [ -e ../docker/waits ]; do sleep 0.1; done; kill -TERM $!; wait $!"
    run = job(f"{SCRIPT} & {cancel}", FAKE_DOCKER_SLOW="1")
    assert run.returncode == 143
    assert log(docker)[-6].startswith("kill --signal TERM")
    assert reports(tmp_path) == REPORTS
    assert not (docker / "c0ffee").exists()


@SHELLS
def test_a_summary_is_no_more_than_github_takes(job: Job, docker: Path, tmp_path: Path) -> None:
    (docker / "long").touch()
    job(SCRIPT, GITHUB_STEP_SUMMARY=str(tmp_path / "summary"))
    assert (tmp_path / "summary").stat().st_size == (1 << 20) - 1


# --- systemd ---------------------------------------------------------------------------------------


def unit(path: Path) -> tuple[configparser.ConfigParser, dict[str, str]]:
    """Return a unit, and its environment (several lines of one key are one list)."""
    text = path.read_text()
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way to keep the case of keys
    parser.read_string(text)
    return parser, dict(re.findall(r"^Environment=(\w+)=(.*)$", text, re.MULTILINE))


def test_systemd(tree: Path, job: Job, tmp_path: Path) -> None:
    service, environ = unit(tree / "compose/ci/mailcow-preflight.service")
    timer, _ = unit(tree / "compose/ci/mailcow-preflight.timer")
    assert service["Service"]["Type"] == "oneshot"
    assert service["Service"]["SuccessExitStatus"] == "3"
    assert timer["Install"]["WantedBy"] == "timers.target"
    state = f"/var/lib/{service['Service']['StateDirectory']}"
    command = service["Service"]["ExecStart"]
    assert command.startswith("/bin/sh /opt/mailcow-preflight/compose/ci/preflight.sh")
    assert command.endswith(state)
    assert environ["BASELINE"] == f"{state}/preflight.json"
    here = {name: value.replace(state, "state") for name, value in environ.items()}
    script = command.replace("/opt/mailcow-preflight/", "").replace(state, "state")
    said = [job(script, **here) for _ in range(2)]
    assert [run.returncode for run in said] == [3, 3]
    assert "Since the report" in said[1].stdout


def analyzed(*words: str) -> subprocess.CompletedProcess[str]:
    command = [program("systemd-analyze"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_systemd_accepts_the_units(tree: Path, tmp_path: Path) -> None:
    for kind in ("service", "timer"):
        shutil.copy(tree / f"compose/ci/mailcow-preflight.{kind}", tmp_path)
    units = [str(tmp_path / f"mailcow-preflight.{kind}") for kind in ("service", "timer")]
    run = analyzed("verify", *units)
    # What other units of this machine have wrong is not ours.
    assert [text for text in (run.stdout + run.stderr).splitlines() if "mailcow-preflight." in text] == []
    service = tmp_path / "mailcow-preflight.service"
    service.write_text(service.read_text().replace("Type=oneshot", "Type=once"))
    assert "mailcow-preflight.service" in analyzed("verify", *units).stderr  # it did read them


def test_the_timer_fires_every_night(tree: Path) -> None:
    timer, _ = unit(tree / "compose/ci/mailcow-preflight.timer")
    run = analyzed("calendar", "--iterations=3", "--base-time=2026-11-25 12:00:00 UTC", timer["Timer"]["OnCalendar"])
    assert run.returncode == 0, run.stderr
    times = re.findall(r"2026-11-[0-9]{2} [0-9:]{8}", run.stdout)
    assert list(dict.fromkeys(times)) == ["2026-11-26 04:17:00", "2026-11-27 04:17:00", "2026-11-28 04:17:00"]


# --- the page --------------------------------------------------------------------------------------


def blocks(tree: Path, language: str) -> list[str]:
    text = (tree / "docs/ci.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_page_names_every_example_and_links_lead_somewhere(tree: Path) -> None:
    text = (tree / "docs/ci.md").read_text()
    links = set(re.findall(r"\]\(([^)#]+)\)", text))
    assert all((tree / "docs" / link).resolve().is_file() for link in links)
    examples = {f"../compose/ci/{path.name}" for path in (tree / "compose/ci").iterdir()}
    assert examples | {"../action.yml", "../templates/mailcow-preflight.yml"} <= links


def test_the_pages_waivers_are_read(tree: Path, tmp_path: Path) -> None:
    (text,) = blocks(tree, "toml")
    (tmp_path / "waivers.toml").write_text(text)
    assert [entry.check for entry in read_waivers(str(tmp_path / "waivers.toml"))] == [
        "resources.swap",
        "services.mail",
    ]


def test_the_pages_shell_lines_run(tree: Path, job: Job, tmp_path: Path) -> None:
    check, compare = blocks(tree, "sh")
    assert job(check).returncode == 1  # --strict: there is no swap
    last = tmp_path / "checkout/reports/preflight.json"
    for name in ("old.json", "new.json"):
        shutil.copy(last, tmp_path / "checkout" / name)
    run = job(compare.replace("preflight compare", f"{sys.executable} -m preflight compare"))
    assert (run.returncode, run.stderr) == (0, "")
