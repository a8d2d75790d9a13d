"""The examples for GitHub, GitLab and Jenkins work in a foreign repository, and are what the services accept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from groovy_parser.parser import parse_and_digest_groovy_content
from lark.exceptions import UnexpectedInput
from ruamel.yaml import YAML

from tests.ci.jobs import REPORTS, SHELLS, Job, loaded, log, published, refused, reports


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
