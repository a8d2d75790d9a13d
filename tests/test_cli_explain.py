"""`preflight explain ID`: where a check is documented, and the options that have to do with it."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from preflight.checks import Check, catalogue
from preflight.cli import affecting
from preflight.cli.commands import cli
from preflight.cli.helping import EXPERIMENTS, NAMES, TARGETS, WHERE, option_names
from preflight.facts.parts import PARTS
from preflight.render import words
from preflight.render.escape import is_link
from tests.line import Line

TREE = Path(__file__).parent.parent
KNOWN = option_names(cli.commands["check"])
CHECKS = {check.id: check for check in catalogue()}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_every_check_is_explained_with_its_options_and_its_page(check: Check, preflight: Line) -> None:
    run = preflight("explain", check.id)
    assert (run.code, run.err) == (0, "")
    told = " ".join(run.out.split())
    assert f"--only {check.id}, --skip {check.id}, --ignore {check.id}=REASON" in told
    assert words.page(check.id) in told
    assert not [name for name in re.findall(r"--[a-z-]+", told) if name not in KNOWN]


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_the_page_of_a_check_is_there(check: Check) -> None:
    page, _, anchor = words.page(check.id).partition("#")
    assert is_link(page) or f'<a id="{anchor}">' in (TREE / page).read_text("utf-8")


@pytest.mark.parametrize(
    ("identity", "options"),
    [
        ("ports.free", ["--docker-host"]),
        ("dns.mx", ["--hostname", "--domain", "--offline", "--resolver"]),
        ("clock.offset", ["--offline", "--resolver", "--ntp-server"]),
        ("resources.memory", []),
        ("docker.privileged", ["--docker-host", "--probe"]),
        ("rehearsal.health", ["--docker-host", "--rehearse"]),
    ],
)
def test_the_options_of_a_check(identity: str, options: list[str]) -> None:
    assert sorted(affecting.options(CHECKS[identity], KNOWN)) == sorted(options)
    assert affecting.options(CHECKS["dns.dkim"], ["--offline", "--dkim-selector"]) == ["--offline", "--dkim-selector"]


def test_every_option_about_the_host_changes_a_check() -> None:
    """And the tables name parts, checks and options that there are."""
    assert {*affecting.PARTS} <= {*PARTS}
    assert {*affecting.CHECKS} <= {*CHECKS}
    about = {
        param.opts[0]
        for param in cli.commands["check"].params
        if isinstance(param, click.Option) and getattr(param, "group", "") in (NAMES, EXPERIMENTS, TARGETS, WHERE)
    }
    named = {option for check in CHECKS.values() for option in affecting.options(check, KNOWN)}
    assert named | {*affecting.EVERY} == (about | {"--facts", "--requirements"}) - {"--hold"}
