"""The plan: one cause is one step, where and when it is done, and what waits for another says so."""

from __future__ import annotations

from typing import Any

import pytest

from preflight.render.plan import FLAGS, ORDER, Plan, plan
from preflight.report.evidence.names import RecordsEvidence
from preflight.report.model import Remedy, Result, Severity
from tests.render import reports

INSTALL = Remedy("Install Docker.", ("curl -fsSL https://get.docker.com/ | sh",))
WAITS = "The Docker engine does not answer (see docker.engine)."


def named(name: str) -> Result:
    evidence = RecordsEvidence(name=name, type="CNAME", expected=(), found=(name,), zone=())
    return reports.result("dns.hostname", evidence=evidence)


def wants(check: str, text: str, status: str = "fail", **remedy: Any) -> Result:
    return reports.result(check, status, remedy=Remedy(text, **remedy), reason=remedy.pop("reason", "it is so"))


def checks(made: Plan) -> dict[str, list[list[str]]]:
    """Return the checks of the steps, by where they are done."""
    return {group.where: [[row.check for row in step.results] for step in group.steps] for group in made.groups}


def test_steps_stand_where_and_when_they_are_done() -> None:
    made = plan(
        reports.report(
            wants("dns.mx", "Replace it.", "warn", place="dns", when="last"),
            wants("resources.memory", "Set it.", place="mailcow.conf", when="cloned"),
            wants("network.mtu", "Write the file.", "warn", when="cloned"),
            wants("dns.address", "Enter it.", place="dns"),
            wants("dns.reverse", "Ask.", place="provider"),
            wants("ports.free", "Stop it."),
            wants("clock.offset", "Name servers.", "unknown", place="docker-run"),
            wants("services.mail", "Later.", when="last"),
        )
    )
    assert checks(made) == {
        "docker-run": [["clock.offset"]],
        "host": [["ports.free"]],
        "provider": [["dns.reverse"]],
        "dns": [["dns.address"]],
        "mailcow.conf": [["resources.memory"], ["network.mtu"]],
        "last": [["services.mail"], ["dns.mx"]],
    }
    assert [group.where for group in made.groups] == [place for place in ORDER if place in checks(made)]
    assert (made.flags, made.line, made.unseen) == ((), "", 0)


def test_one_cause_is_one_step_whatever_it_came_to() -> None:
    made = plan(
        reports.report(
            reports.result("docker.compose", "unknown", remedy=INSTALL, reason="x"),
            reports.result("docker.engine", "fail", remedy=INSTALL),
            reports.result("system.commands", "warn", subject="docker", remedy=INSTALL),
        )
    )
    assert checks(made) == {"host": [["docker.engine", "system.commands", "docker.compose"]]}
    (step,) = made.steps("host")
    assert step.failed
    assert step.judged


def test_what_passed_or_was_waived_or_skipped_asks_for_nothing() -> None:
    rows = [reports.result(f"a.{status}", status, remedy=Remedy("Do it.")) for status in ("pass", "ignored", "skip")]
    assert plan(reports.report(*rows)) == Plan(())


def test_steps_that_wait_say_for_what_and_stand_behind_it() -> None:
    wait = Remedy("Let Docker have IPv6 first (see docker.engine).")
    made = plan(
        reports.report(
            reports.result("rehearsal.network", "unknown", remedy=wait, reason="It is so."),
            reports.result("docker.storage", "skip", reason=WAITS),
            reports.result("docker.limits", "skip", reason=WAITS),
            reports.result("network.ipv6", "skip", reason="It is off (see network.subnet)."),
            reports.result("docker.engine", "warn", remedy=INSTALL),
            reports.result("clock.service", "unknown", remedy=Remedy("Run it there."), reason="It is so."),
        )
    )
    assert checks(made)["host"] == [["docker.engine"], ["clock.service"], ["rehearsal.network"]]
    engine, clock, rehearsal = made.steps("host")
    assert (engine.after, engine.opens) == ((), ("docker.storage", "docker.limits"))
    assert (clock.after, clock.opens) == ((), ())
    assert rehearsal.after == ("docker.engine",)


@pytest.mark.parametrize("name", ["mail.example.org", "", "x; reboot", "a b"])
def test_missing_flags_are_told_once_as_the_whole_line(name: str) -> None:
    rows = [wants(f"a.{number}", f"Add {flag} to docker run.", "unknown", place="docker-run")
            for number, flag in enumerate((FLAGS[1], FLAGS[0], FLAGS[1]))]  # fmt: skip
    other = wants("clock.offset", "Name servers with --ntp-server.", "unknown", place="docker-run")
    made = plan(reports.report(*rows, other, *([named(name)] if name else [])))
    line = "docker run --rm --privileged --pid=host --network=host mailcow-preflight"
    assert made.flags == FLAGS[:2]
    assert made.line == (f"{line} --hostname {name}" if name == "mail.example.org" else line)
    assert made.unseen == 3
    assert checks(made) == {"docker-run": [["clock.offset"]]}


def test_what_mailcow_does_not_need_is_told_apart() -> None:
    info = reports.result("system.limits", "warn", severity=Severity.INFO)
    optional, needed = plan(reports.report(info, wants("docker.engine", "Start it."))).steps("host")[::-1]
    assert (optional.optional, needed.optional) == (True, False)
