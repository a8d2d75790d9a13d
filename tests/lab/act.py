"""Play one scenario: boot its host, break it, ask the check, bring the stack up, judge."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.documents import held
from tests.lab import heal, hold, stack
from tests.lab.judge import Verdict, judge
from tests.lab.kinds import KINDS, Kind
from tests.lab.machine import LabError, Machine, template_of
from tests.lab.scenario import Observe, Scenario

HERE = Path(__file__).parent
TOOLS = {"listen": "/usr/local/bin/listen", "speak": "/usr/local/bin/speak"}
PODMAN = "systemctl -q enable --now podman.socket; ln -s /run/podman/podman.sock /run/docker.sock"
# The machine below may have no controller of control groups to spare, and Podman limits processes by default.
NO_LIMITS = '[containers]\npids_limit = 0\n[engine]\nruntime = "runc"\n'
# Engines before 23 refuse every privileged container where the machine lacks a capability, as the lab's hosts do.
LACKING = "/usr/local/bin/runc-lacking"
RUNTIME = {"runtimes": {"lacking": {"path": LACKING}}, "default-runtime": "lacking"}
SECONDS = 90.0
# The image's own command, with one more option: an interpreter that crashes says where.
PYTHON, PROGRAM = "/usr/bin/python3", ("-X", "faulthandler", "-IS", "/usr/bin/preflight")


def play(scenario: Scenario, image: Path, key: str) -> Verdict:
    """Play it; never raises: what goes wrong with the lab itself is said in the verdict."""
    started = time.monotonic()
    kind = KINDS[scenario.host]
    try:
        template = template_of(kind, image, key)
        with Machine(kind, scenario.network, template, nofile=scenario.nofile) as machine:
            verdict, report = _play(scenario, kind, machine)
        if not scenario.unhealed and heal.advised(scenario, report):
            with Machine(kind, scenario.network, template, nofile=scenario.nofile) as machine:
                verdict.harms.extend(_heal(scenario, kind, machine, report))
    except (LabError, OSError, ValueError) as error:
        verdict = Verdict(scenario.name, broken=str(error))
    return Verdict(**{**vars(verdict), "seconds": round(time.monotonic() - started, 1)})


def _play(scenario: Scenario, kind: Kind, machine: Machine) -> tuple[Verdict, dict[str, Any]]:
    report = _look(scenario, kind, machine)
    reach = hold.tried(machine) if scenario.hold else None
    if scenario.then == "reboot":
        machine.reboot()
    elif scenario.then:
        machine.run(scenario.then, check=False)
    outcome = stack.bring_up(machine, scenario.plain_conf, lowered=not scenario.nofile)
    verdict = judge(scenario, report, outcome, machine.known)
    verdict.differs.extend(filter(None, (observe(machine, wish) for wish in scenario.observe)))
    if reach is not None:
        verdict.differs.extend(hold.strays(reach, outcome))
    return verdict, report


def _look(scenario: Scenario, kind: Kind, machine: Machine) -> dict[str, Any]:
    """Make the host as the scenario says, and check it."""
    _make(scenario, kind, machine)
    with hidden(machine, scenario):
        return check(machine, scenario)


def _make(scenario: Scenario, kind: Kind, machine: Machine) -> None:
    """Make the host as the scenario says."""
    furnish(machine, kind)
    stack.place(machine, scenario.plain_conf)
    break_it(machine, scenario)


def _heal(scenario: Scenario, kind: Kind, machine: Machine, before: dict[str, Any]) -> list[str]:
    """Follow the advice on a host of its own, made like the one of the report; say what came of it that should not."""
    scenario = replace(scenario, rehearse=False)  # what it says is healed, if at all, by what others advise
    _make(scenario, kind, machine)
    remedies = heal.advised(scenario, before)
    running = heal.running(machine)
    wrong = _script(machine, scenario, remedies) if scenario.script else heal.follow(machine, remedies)
    with hidden(machine, scenario):
        after = check(machine, scenario)
    return [*wrong, *heal.unhealed(before, after, remedies), *heal.harmed(machine, running, remedies)]


def _script(machine: Machine, scenario: Scenario, remedies: heal.Remedies) -> list[str]:
    """Run the script of `--format sh` for what the scenario broke, with nobody there to answer; say how it failed."""
    broken = [word for check in sorted({check for check, _ in remedies}) for word in ("--only", check)]
    with hidden(machine, scenario):
        script = machine.run(command(scenario, "sh", *broken), check=False, seconds=SECONDS + 20).stdout
    machine.write("/root/steps.sh", script)
    done = machine.run("sh /root/steps.sh < /dev/null", check=False)
    return [f"the script ended with {done.returncode}: {done.stderr[-500:]}\n{script}"] if done.returncode else []


def break_it(machine: Machine, scenario: Scenario) -> None:
    """Make the scenario's fault."""
    if scenario.running and not stack.bring_up(machine, scenario.plain_conf).up:
        raise LabError("the stack did not come up beforehand")
    if scenario.upstream:
        machine.outside_run(scenario.upstream)
    if scenario.fault:
        machine.run(scenario.fault)


@contextlib.contextmanager
def hidden(machine: Machine, scenario: Scenario) -> Iterator[None]:
    """Hide mailcow's directory from the check where the scenario says that it is not there yet."""
    if not scenario.installed:
        machine.run(f"mv {stack.DIRECTORY} /root/hidden")
    yield
    if not scenario.installed:
        machine.run(f"mv /root/hidden {stack.DIRECTORY}")


def furnish(machine: Machine, kind: Kind) -> None:
    """Put the lab's own tools onto the host, and make its engine ready."""
    for name, path in TOOLS.items():
        machine.write(path, (HERE / f"{name}.py").read_text(), 0o755)
    if kind.podman:
        machine.write("/etc/containers/containers.conf", NO_LIMITS)
        machine.run(PODMAN)
    if kind.name == "debian12":
        tool = (HERE.parents[1] / "tools" / "oci_runtime.py").read_text()
        machine.write("/usr/local/lib/oci_runtime.py", tool)
        edit = 'case " $* " in *" create "*|*" exec "*) python3 -I -S /usr/local/lib/oci_runtime.py "$@" ;; esac'
        machine.write(LACKING, f'#!/bin/sh\n{edit}\nexec runc "$@"\n', 0o755)
        machine.write("/etc/docker/daemon.json", json.dumps(RUNTIME))
        machine.run("systemctl restart docker")


def check(machine: Machine, scenario: Scenario) -> dict[str, Any]:
    """Run the image as the README says, and return its report."""
    place = f"DOCKER_HOST={scenario.client} " if scenario.client else ""
    done = machine.run(command(scenario, "json"), check=False, seconds=SECONDS + 20)
    try:
        report = held("report", done.stdout)
    except ValueError as error:
        told = done.stderr.strip()  # of a crash, the thread that it was in comes first
        said = f"{str(error)[:300]} {told[:2500]} … {told[-1500:]}" if len(told) > 4000 else f"{error} {told}"
        raise LabError(f"no report, exit code {done.returncode}: {said}") from None
    if done.stderr.strip():
        raise LabError(f"the check said on standard error: {done.stderr.strip()[-1500:]}")
    codes = {"ready": 0, "ready-with-warnings": 0, "not-ready": 1, "undetermined": 3}
    if done.returncode != codes[report["verdict"]]:
        raise LabError(f"exit code {done.returncode} with the verdict {report['verdict']}")
    for objects in ("docker ps -aq", "docker network ls -q"):
        left = machine.run(f"{place}{objects} --filter label=mailcow-preflight.run", check=False).stdout.split()
        if left:
            raise LabError(f"the check left {len(left)} objects that `{objects}` shows")
    return dict(report)


def command(scenario: Scenario, style: str, *options: str) -> str:
    """Write the command that checks a host, and writes the report in a format."""
    words = ["timeout", f"{SECONDS:g}", "docker", "run", "--rm", "--entrypoint", PYTHON, *scenario.run]
    words += ["mailcow-preflight", *PROGRAM, "--format", style, "--quiet", *scenario.options, *options]
    words += ["--rehearse"] if scenario.rehearse else []
    return (f"DOCKER_HOST={scenario.client} " if scenario.client else "") + " ".join(map(quoted, words))


def observe(machine: Machine, wish: Observe) -> str:
    """Look whether something is as the scenario says; return how it is not."""
    run = machine.outside_run if wish.where == "upstream" else machine.run
    done = run(wish.run, check=False)
    if done.returncode != wish.exit:
        return f"`{wish.run}` ended with {done.returncode}, not {wish.exit}: {(done.stdout + done.stderr)[-300:]}"
    if wish.output and not re.search(wish.output, done.stdout + done.stderr):
        return f"`{wish.run}` says {(done.stdout + done.stderr)[-300:]!r}, not {wish.output!r}"
    return ""


def quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"
