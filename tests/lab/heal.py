"""Follow the report's advice to the letter, and look again: the finding is gone, and nothing else has changed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from preflight.report.model import Remedy
from tests import advice
from tests.lab.judge import BAD, Results, meant
from tests.lab.machine import ADDRESS, Machine
from tests.lab.scenario import Scenario

# What the lab's hosts cannot do: no package source can be reached, and a restart is the lab's own to make.
FETCHES = ("apt-get", "curl", "docker pull")
Remedies = Mapping[tuple[str, str | None], Remedy]
SSH = f"timeout 5 bash -c 'read -r line < /dev/tcp/{ADDRESS}/22; case $line in SSH-*) ;; *) exit 1 ;; esac'"
RUNNING = "systemctl list-units --type=service,socket --state=running,listening --plain --no-legend | cut -d' ' -f1"


def rows(report: Mapping[str, Any]) -> Results:
    return {(row["check"], row["subject"]): row for row in report["results"]}


def advised(scenario: Scenario, report: Mapping[str, Any]) -> dict[tuple[str, str | None], Remedy]:
    """Return the remedies that can be followed on this host, by the faults that they are for."""
    found = {}
    for key, row in rows(report).items():
        expected = any(expect.fault and meant(expect, *key) for expect in scenario.expect)
        if row["status"] not in BAD or not expected or key[0].startswith("rehearsal."):
            continue
        remedy = msgspec.convert(row["remedy"], Remedy)
        fetches = any(command.startswith(FETCHES) and "purge" not in command for command in remedy.commands)
        here = (remedy.place, remedy.when) == ("host", "now")
        if here and not fetches and not advice.only_looks(remedy):
            found[key] = remedy
    return found


def follow(machine: Machine, remedies: Mapping[Any, Remedy]) -> list[str]:
    """Run the commands as they are pasted, each once; return which of them failed."""
    wrong = []
    for command in dict.fromkeys(line for remedy in remedies.values() for line in remedy.commands):
        if command == "reboot":
            machine.reboot()
            continue
        # Somebody sits there and says yes where a command asks.
        done = machine.run(f"exec bash -c {shlex.quote(command)}", check=False, input=b"y\n" * 20)
        if done.returncode:
            wrong.append(f"`{command}` ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-300:]}")
    return wrong


def running(machine: Machine) -> set[str]:
    return set(machine.run(RUNNING).stdout.split())


def unhealed(
    before: Mapping[str, Any], after: Mapping[str, Any], remedies: Mapping[tuple[str, str | None], Remedy]
) -> Iterator[str]:
    """Say which findings are still there, and which ones are new."""
    first, second = rows(before), rows(after)
    for key in remedies:
        row = second.get(key)
        if row is not None and row["status"] in BAD:
            yield f"{name(key)} is still {row['status']}: {row['message']}"
    for key, row in second.items():
        was_bad = key in first and first[key]["status"] in BAD
        if row["status"] in BAD and not was_bad:
            yield f"{name(key)} is {row['status']} once the advice was followed: {row['message']}"


def harmed(machine: Machine, before: set[str], remedies: Mapping[Any, Remedy]) -> Iterator[str]:
    """Say what the advice has ended that it does not name."""
    commands = [entry for remedy in remedies.values() for line in remedy.commands for entry in advice.simple(line)]
    named = {word for command in commands for word in advice.ended(command)}
    named |= {word.partition(".")[0] for word in named}
    for unit in sorted(before - running(machine)):
        if not {unit, unit.partition(".")[0]} & named:
            yield f"{unit} no longer runs"
    if machine.outside_run(SSH, check=False).returncode:
        yield "sshd no longer answers"


def name(key: tuple[str, str | None]) -> str:
    return " ".join(filter(None, key))
