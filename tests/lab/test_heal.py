"""Following the advice: what is followed, and what is called harm, without a host."""

from __future__ import annotations

import subprocess
from typing import Any, cast

from tests.lab import heal
from tests.lab.machine import Machine
from tests.lab.scenario import Expect, Scenario

FAULT = Scenario("exim4", "Exim", "debian13", expect=(Expect("ports.free", "fail", "25/tcp"),))


class Stand:
    """A host of which only the words are there: `units` run one after the other, each time it is asked."""

    def __init__(self, *units: str, ssh: int = 0, failing: str = "") -> None:
        self.units, self.ssh, self.failing, self.ran = list(units), ssh, failing, list[str]()

    def run(self, script: str, **_: Any) -> subprocess.CompletedProcess[str]:
        if script == heal.RUNNING:
            return subprocess.CompletedProcess(script, 0, self.units.pop(0), "")
        self.ran.append(script)
        return subprocess.CompletedProcess(script, 1 if self.failing and self.failing in script else 0, "", "no")

    def outside_run(self, script: str, **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(script, self.ssh, "", "")

    def reboot(self) -> None:
        self.ran.append("(reboot)")


def report(*rows: tuple[str, str | None, str, dict[str, Any] | None]) -> dict[str, Any]:
    found = [
        {"check": check, "subject": subject, "status": status, "message": "It is so.", "remedy": remedy}
        for check, subject, status, remedy in rows
    ]
    return {"results": found}


def remedy(*commands: str, **more: str) -> dict[str, Any]:
    return {"text": "Do it.", "commands": list(commands), **more}


def machine(stand: Stand) -> Machine:
    return cast(Machine, stand)


def test_what_can_be_done_here_and_now_is_followed() -> None:
    rows = report(("ports.free", "25/tcp", "fail", remedy("systemctl disable --now exim4")))
    assert list(heal.advised(FAULT, rows)) == [("ports.free", "25/tcp")]


def test_what_is_for_later_or_elsewhere_or_has_to_be_fetched_is_not() -> None:
    for advice in (
        remedy(), remedy("true", when="cloned"), remedy("true", place="dns"),
        remedy("apt-get update && apt-get install -y jq"), remedy("curl -sSL x"),
    ):  # fmt: skip
        assert not heal.advised(FAULT, report(("ports.free", "25/tcp", "fail", advice)))


def test_what_is_no_fault_of_the_scenario_is_left_alone() -> None:
    assert not heal.advised(FAULT, report(("ports.free", "80/tcp", "fail", remedy("true"))))
    assert not heal.advised(FAULT, report(("ports.free", "25/tcp", "pass", None)))


def test_each_command_is_run_once_and_a_failing_one_is_told() -> None:
    stand = Stand(failing="false")
    rows = report(("ports.free", "25/tcp", "fail", remedy("systemctl disable --now exim4", "false", "reboot")))
    found = heal.advised(FAULT, rows)
    wrong = heal.follow(machine(stand), {**found, "again": found["ports.free", "25/tcp"]})
    assert stand.ran == ["exec bash -c 'systemctl disable --now exim4'", "exec bash -c false", "(reboot)"]
    assert wrong == ["`false` ended with 1: no"]


def test_a_finding_that_stays_and_one_that_is_new_are_told() -> None:
    before = report(("ports.free", "25/tcp", "fail", remedy("true")), ("ports.free", "80/tcp", "warn", remedy()))
    found = heal.advised(FAULT, before)
    gone = report(("ports.free", "25/tcp", "pass", None), ("ports.free", "80/tcp", "warn", remedy()))
    assert not list(heal.unhealed(before, gone, found))
    stays = report(("ports.free", "25/tcp", "warn", remedy()), ("docker.engine", None, "fail", remedy()))
    said = list(heal.unhealed(before, stays, found))
    assert [text.split(":")[0] for text in said] == [
        "ports.free 25/tcp is still warn", "docker.engine is fail once the advice was followed",
    ]  # fmt: skip


def test_what_ends_without_being_named_is_harm() -> None:
    found = heal.advised(FAULT, report(("ports.free", "25/tcp", "fail", remedy("systemctl disable --now exim4"))))
    quiet = Stand("ssh.service\ncron.service\n")
    assert not list(heal.harmed(machine(quiet), {"exim4.service", "ssh.service", "cron.service"}, found))
    loud = Stand("ssh.service\n", ssh=1)
    assert list(heal.harmed(machine(loud), {"exim4.service", "ssh.service", "cron.service"}, found)) == [
        "cron.service no longer runs", "sshd no longer answers",
    ]  # fmt: skip
