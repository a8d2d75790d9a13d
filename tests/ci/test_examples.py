"""The CI examples: their shell parts run against a docker of our own, their files are what the services accept."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from groovy_parser.parser import parse_and_digest_groovy_content
from lark.exceptions import UnexpectedInput
from ruamel.yaml import YAML

from preflight.assess.waiver_file import read as read_waivers
from preflight.facts import Asked, Memory
from preflight.report.documents import encode
from tests.build import host
from tests.tools import program

GIB = 1 << 30
HERE = Path(__file__).parent
REPORTS = ["preflight.html", "preflight.json", "preflight.md", "preflight.xml"]
Job = Callable[..., subprocess.CompletedProcess[str]]


def facts(folder: Path, *, memory: int = 8 * GIB, swap: int = 0) -> None:
    made = host(memory=Memory(memory, memory, swap, swap), asked=Asked(offline=True, probe=False))
    (folder / "facts.json").write_text(encode(made))


@pytest.fixture
def shell() -> str:
    """Return the program that is `sh` here: Debian's, unless a test asks for Alpine's, as in GitLab's job."""
    return "dash"


SHELLS = pytest.mark.parametrize("shell", ["dash", "busybox"])


@pytest.fixture
def docker(tmp_path: Path, shell: str) -> Path:
    """Return the home of a docker that stands in PATH, beside the shell."""
    home = tmp_path / "docker"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "sh").symlink_to(program(shell))
    command = home / "bin" / "docker"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} {HERE / "fakedocker.py"} "$@"\n')
    command.chmod(0o755)
    facts(home)
    return home


@pytest.fixture
def job(tree: Path, tmp_path: Path, docker: Path) -> Job:
    """Return a function that runs a job's shell line in a checkout of this repository."""
    shutil.copytree(tree / "compose", tmp_path / "checkout" / "compose")
    return runner(tree, tmp_path, docker)


@pytest.fixture
def foreign(tree: Path, tmp_path: Path, docker: Path) -> Job:
    """Return a function that runs a job's shell lines in a checkout of somebody else's repository.

    Of this repository there is no more than what the service fetched: `fetched` beside the checkout, and a `git` that
    clones it.
    """
    (tmp_path / "checkout").mkdir()
    shutil.copytree(tree / "compose", tmp_path / "fetched" / "compose")
    shutil.copy(tree / "Dockerfile", tmp_path / "fetched")
    git = docker / "bin" / "git"
    git.write_text(
        f'#!/bin/sh\necho "git $*" >>"{docker}/log"\nfor last; do :; done\ncp -R "{tmp_path}/fetched/." "$last"\n'
    )
    git.chmod(0o755)
    return runner(tree, tmp_path, docker)


def runner(tree: Path, tmp_path: Path, docker: Path) -> Job:
    checkout = tmp_path / "checkout"

    def run(script: str, **environ: str) -> subprocess.CompletedProcess[str]:
        clean = {"PATH": f"{docker / 'bin'}:{os.environ['PATH']}", "FAKE_DOCKER": str(docker), "PYTHONPATH": str(tree)}
        return subprocess.run(
            ["sh", "-e", "-c", script], cwd=checkout, env=clean | environ, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip

    return run


def log(docker: Path) -> list[str]:
    return (docker / "log").read_text().splitlines()


def loaded(path: Path) -> dict[str, Any]:
    """Read YAML 1.2, in which `on` is a word and a repeated key an error."""
    value: dict[str, Any] = YAML(typ="safe", pure=True).load(path)
    return value


def published(schema: str, path: Path) -> str:
    """Return what a service's published schema has against a file; '' is nothing."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return "" if run.returncode == 0 else run.stdout + run.stderr


def refused(schema: str, path: Path, folder: Path, *changes: tuple[str, str]) -> bool:
    """Say whether the schema refuses each of these changes: it was the right schema, and it judged."""
    text = path.read_text()
    for number, (old, new) in enumerate(changes):
        assert old in text
        (folder / f"changed{number}.yml").write_text(text.replace(old, new))
    return all(published(schema, folder / f"changed{number}.yml") for number, _ in enumerate(changes))


# --- the script that all of them call -------------------------------------------------------------------------------

SCRIPT = "sh compose/ci/preflight.sh reports"


def reports(tmp_path: Path) -> list[str]:
    folder = tmp_path / "checkout" / "reports"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_the_script_is_clean(tree: Path) -> None:
    """All optional rules but braces around every name, which hide more than they help."""
    command = [program("shellcheck"), "--enable=all", "--exclude=SC2250", str(tree / "compose/ci/preflight.sh")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout) == (0, "")


@SHELLS
def test_reports_come_out_of_the_container_and_nothing_stays(job: Job, docker: Path, tmp_path: Path) -> None:
    run = job(f"{SCRIPT} --skip 'resources.cpu*' --skip 'resources.disk' --skip 'resources.inodes'")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("NOTHING STANDS IN THE WAY")
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


# --- the services ----------------------------------------------------------------------------------


def test_github_actions(tree: Path, tmp_path: Path) -> None:
    """The workflow is what the published schema says, and gives the action inputs that it has."""
    path = tree / "compose/ci/github-actions.yml"
    assert published("vendor.github-workflows", path) == ""
    assert refused("vendor.github-workflows", path, tmp_path, ("minutes: 10", "minutes: soon"), ("  uses:", "  used:"))
    (made,) = loaded(path)["jobs"].values()
    assert made["runs-on"][0] == "self-hosted"
    (ours,) = [step for step in made["steps"] if "mailcow-preflight@" in step.get("uses", "")]
    inputs = loaded(tree / "action.yml")["inputs"]
    assert ours["with"].keys() <= inputs.keys()
    (upload,) = [step for step in made["steps"] if "upload" in step.get("uses", "")]
    assert (upload["if"], upload["with"]["path"]) == ("always()", f"{inputs['directory']['default']}/")


def action(tree: Path, folder: Path, **given: str) -> tuple[str, dict[str, str]]:
    """Return the script of the action's step, and its environment, as the runner makes them of the inputs."""
    made = loaded(tree / "action.yml")
    (step,) = made["runs"]["steps"]
    inputs = {name: entry["default"] for name, entry in made["inputs"].items()} | given
    environ = {
        name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda match: inputs[match[1]], value)
        for name, value in step["env"].items()
    }
    assert "${{" not in step["run"], "an input in a script is run by the shell"
    return step["run"], environ | {"GITHUB_ACTION_PATH": str(folder / "fetched"), "GITHUB_ACTIONS": "true"}


def test_the_action_works_in_a_foreign_repository(tree: Path, foreign: Job, docker: Path, tmp_path: Path) -> None:
    path = tree / "action.yml"
    assert published("vendor.github-actions", path) == ""
    assert refused("vendor.github-actions", path, tmp_path, ("shell: sh", "shall: sh"), ("composite", "compose"))
    script, environ = action(tree, tmp_path, hostname="mail.example.org", options="--skip resources.c* --strict")
    summary = tmp_path / "summary"
    (tmp_path / "checkout" / "resources.cx").touch()  # no shell makes this of the glob
    run = foreign(script, GITHUB_STEP_SUMMARY=str(summary), **environ)
    assert run.returncode == 1, run.stderr
    assert "::warning title=resources.swap::" in run.stdout
    assert summary.read_bytes() == (tmp_path / "checkout/reports/preflight.md").read_bytes() != b""
    assert reports(tmp_path) == REPORTS
    assert log(docker)[0] == f"build --quiet --tag mailcow-preflight {tmp_path / 'fetched'}"
    assert "--skip resources.c* --strict" in log(docker)[1]


def test_the_action_runs_an_image_that_is_named(tree: Path, foreign: Job, docker: Path, tmp_path: Path) -> None:
    script, environ = action(tree, tmp_path, image="registry.example.org/p:1", directory="elsewhere")
    assert foreign(script, **environ).returncode == 3
    assert log(docker)[0].startswith("create ")
    assert " registry.example.org/p:1 " in log(docker)[0]
    assert sorted(path.name for path in (tmp_path / "checkout/elsewhere").iterdir()) == REPORTS


def test_an_image_that_cannot_be_built_is_no_verdict(tree: Path, foreign: Job, tmp_path: Path) -> None:
    (tmp_path / "fetched/Dockerfile").unlink()
    script, environ = action(tree, tmp_path)
    assert foreign(script, **environ).returncode == 125


def component(tree: Path, folder: Path, **given: str) -> dict[str, Any]:
    """Return the component's job, as GitLab makes it of the inputs."""
    head, _, body = (tree / "templates/mailcow-preflight.yml").read_text().partition("\n---\n")
    declared = YAML(typ="safe", pure=True).load(head)["spec"]["inputs"]
    assert {name for name, entry in declared.items() if "default" not in entry} <= given.keys() <= declared.keys()
    inputs = {name: entry.get("default") for name, entry in declared.items()} | given
    (folder / "job.yml").write_text(
        re.sub(r"\$\[\[ inputs\.(\w+) \]\]", lambda match: f"{inputs[match[1]] or chr(34) * 2}", body)
    )
    assert published("vendor.gitlab-ci", folder / "job.yml") == ""
    assert refused(
        "vendor.gitlab-ci", folder / "job.yml", folder, ("when: always", "when: ever"), ("  script:", "  scripts:")
    )
    (made,) = loaded(folder / "job.yml").values()
    job: dict[str, Any] = made
    return job


@SHELLS
def test_gitlab_ci(tree: Path, foreign: Job, docker: Path, tmp_path: Path) -> None:
    """The file names the component, whose job works in a project that has nothing of this repository."""
    path = tree / "compose/ci/gitlab-ci.yml"
    assert published("vendor.gitlab-ci", path) == ""
    (included,) = loaded(path)["include"]
    name, _, version = included["component"].rpartition("/")[2].partition("@")
    assert (tree / f"templates/{name}.yml").is_file()
    made = component(tree, tmp_path, **included["inputs"])
    assert made["artifacts"]["when"] == "always"  # reports of a failed job too
    assert made["allow_failure"] == {"exit_codes": [3]}
    run = foreign("\n".join(made["script"]), CI="true", TMPDIR=str(tmp_path), **made["variables"])
    assert run.returncode == 3, run.stderr
    assert f" --branch {version} {included['inputs']['source']} " in log(docker)[0]
    assert log(docker)[1].startswith("build --quiet --tag mailcow-preflight ")
    checkout = tmp_path / "checkout"
    assert ElementTree.parse(checkout / made["artifacts"]["reports"]["junit"]).getroot().tag == "testsuites"
    assert all((checkout / path).is_dir() for path in made["artifacts"]["paths"])


@SHELLS
def test_the_component_takes_options_and_an_image(tree: Path, foreign: Job, docker: Path, tmp_path: Path) -> None:
    made = component(
        tree, tmp_path, source="https://git.example.org/p.git", image="registry.example.org/p:1", tag="mx",
        options="--skip resources.c* --strict",
    )  # fmt: skip
    assert made["tags"] == ["mx"]
    run = foreign("\n".join(made["script"]), CI="true", TMPDIR=str(tmp_path), **made["variables"])
    assert run.returncode == 1, run.stderr
    assert log(docker)[1].endswith("--skip resources.c* --strict")
    assert " registry.example.org/p:1 " in log(docker)[1]


def calls(tree: Any) -> Iterator[list[str]]:
    """Yield the words of every statement of a Groovy program, the words of the blocks inside it left out."""
    for child in tree.get("children", ()):
        yield from calls(child)
    if "statement_expression" in tree.get("rule", ()):
        yield list(leaves(tree))


def leaves(tree: Any) -> Iterator[str]:
    if "leaf" in tree:
        yield tree["value"]
    elif "closure" not in tree.get("rule", ()):
        for child in tree.get("children", ()):
            yield from leaves(child)


def test_jenkins(tree: Path, foreign: Job, tmp_path: Path) -> None:
    """The file is Groovy, of the sections that a declarative pipeline may have; its step runs as an agent would."""
    text = (tree / "compose/ci/Jenkinsfile").read_text()
    with pytest.raises(UnexpectedInput):
        parse_and_digest_groovy_content(text.replace("'reports/preflight.xml', allow", "'reports/preflight.xml' allow"))
    words = list(calls(parse_and_digest_groovy_content(text)))
    assert ["pipeline"] in words
    sections = {"agent", "options", "triggers", "environment", "stages", "post"}
    assert sections <= {call[0] for call in words}
    assert sections == set(re.findall(r"^ {4}(\w+) \{", text, re.MULTILINE))
    (script,) = re.findall(r"script: '([^']+)'", text)
    (results,) = re.findall(r"testResults: '([^']+)'", text)
    (block,) = re.findall(r"environment \{(.*?)\}", text, re.DOTALL)
    environ = dict(re.findall(r"(\w+) = '([^']+)'", block))
    (folder,) = re.findall(r"dir\('([^']+)'\) \{ git url: env\.SOURCE", text)
    (tmp_path / "fetched").rename(tmp_path / "checkout" / folder)
    (build,) = re.findall(r"^ +sh '([^']+)'", text, re.MULTILINE)
    assert foreign(f"{build}\n{script}", **environ).returncode == 3
    assert ElementTree.parse(tmp_path / "checkout" / results).getroot().tag == "testsuites"
    (kept,) = re.findall(r"artifacts: '([^']+)'", text)
    assert sorted(path.name for path in (tmp_path / "checkout").glob(kept)) == REPORTS


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
