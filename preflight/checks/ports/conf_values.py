"""Values of mailcow.conf that mailcow cannot use, or should not: all of one variable in one finding. Pure."""

from __future__ import annotations

import ipaddress
import re

from msgspec import UNSET

from preflight.checks import Look
from preflight.checks.network import subnets
from preflight.checks.ports.conf_words import words
from preflight.facts import ConfFile
from preflight.mailcow.conf.networks import octets
from preflight.mailcow.conf.problems import Problem
from preflight.mailcow.layout import IPV4_NETWORK
from preflight.report.evidence.ports import ConfLineEvidence
from preflight.report.model import Finding, Remedy, Setting, Status
from preflight.text.sentences import paragraph, say


def value_findings(look: Look, conf: ConfFile) -> dict[str, Finding]:
    """Complain of values, all of one variable in one finding."""
    by_variable: dict[str, list[Problem]] = {}
    for problem in look.plan.problems:
        by_variable.setdefault(problem.variable, []).append(problem)
    return {variable: _value(look, variable, problems, conf) for variable, problems in by_variable.items()}


def _value(look: Look, variable: str, problems: list[Problem], conf: ConfFile) -> Finding:
    line = problems[0].line
    where = say("See {path}.", path=conf.path)
    if line:
        where = say("See {path}, line {line}.", path=conf.path, line=line)
    fatal = any(problem.fatal for problem in problems)
    # What is wrong with a value goes before how it is written.
    fixes = "\n".join(
        dict.fromkeys(_fix(look, problem) for problem in problems if problem.fix and problem.fatal is fatal)
    )
    lines = conf.duplicates.get(variable, [])
    keep = say("Keep one line of {variable} and remove the others.", variable=variable) if lines else None
    write = say("Set in mailcow.conf: {lines}", lines=fixes.replace("\n", " · ")) if fixes else None
    advice = paragraph(keep, write) or say("Correct the line of {variable}.", variable=variable)
    return Finding(
        status=Status.FAIL if fatal else Status.WARN,
        subject=variable,
        message=paragraph(*map(words, problems), where),
        expected=fixes.replace("\n", ", ") or None,
        found=problems[0].value or None,
        evidence=ConfLineEvidence(path=conf.path, line=line or None, value=problems[0].value, lines=tuple(lines)),
        remedy=Remedy(advice, place="mailcow.conf", settings=_settings(fixes) or UNSET),
    )


def _settings(fixes: str) -> tuple[Setting, ...]:
    """Return the lines that can be written as they stand: of what is an example for a person, none."""
    found = (re.fullmatch(r"([A-Z][A-Z0-9_]*)=([^\s'\"]*)", line) for line in fixes.splitlines())
    return tuple(Setting(match[1], match[2]) for match in found if match)


def _fix(look: Look, problem: Problem) -> str:
    """Return the line to write; where it is mailcow's own network, one that is free on this host."""
    own = ipaddress.IPv4Network(f"{IPV4_NETWORK}.0/24")
    free = subnets.propose(look, own) if problem.network == str(own) else None
    return f"{problem.variable}={octets(free)}" if free else problem.fix
