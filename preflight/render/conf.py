"""The lines of mailcow.conf that fit this host, each under its reason: bash, which mailcow's scripts read it with, and
Docker Compose read the same values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from preflight.render import plan_words, words
from preflight.render.context import Context
from preflight.render.escape import terminal
from preflight.render.plan import Step, hostname, plan
from preflight.render.shell import comment
from preflight.report.evidence.clock import TimezoneEvidence
from preflight.report.model import Report, Result, Setting, Status

_TEXT = 2000  # characters of advice
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,60}")
# What bash and Compose read as it stands; and what both read in single quotes: no quote, nothing that cannot be seen.
_BARE = re.compile(r"[A-Za-z0-9_.:/,@%+\-\[\]]*")
_QUOTED = re.compile(r"[ -&(-~]*")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")

# set: it fits this host. else: only where what is advised first cannot be done. other: it contradicts a line above.
_State = Literal["set", "else", "other"]


class Chosen(Struct, frozen=True):
    """A line of mailcow.conf with its reason: sentences, and the checks that found it."""

    setting: Setting
    state: _State
    reasons: tuple[str, ...]
    checks: tuple[str, ...] = ()


def conf(report: Report, context: Context) -> str:
    """Return the lines; with placeholders for names, all are comments."""
    made = plan(report)
    steps = [step for group in made.groups for step in group.steps if step.judged]
    chosen = list(_unlike([*_facts(report), *(one for step in steps for one in _advised(step))]))
    by_hand = [step for step in steps if step.remedy.place == "mailcow.conf" and not step.remedy.lines]
    out = [*comment(plan_words.CONF.format(host=terminal(report.host.name or words.UNKNOWN_HOST, 100)))]
    out += comment(plan_words.CONF_USE)
    out += [*comment(words.REDACTED), *comment(plan_words.CONF_REDACTED)] if context.redacted else []
    for number, one in enumerate(chosen):
        before = chosen[number - 1] if number else None
        told = before is not None and (before.reasons, before.checks) == (one.reasons, one.checks)
        out += _line(one, redacted=context.redacted) if told else ["", *_why(one.reasons, one.checks)]
        out += [] if told else _line(one, redacted=context.redacted)
    if by_hand:
        out += ["", *comment(plan_words.CONF_PERSON)]
        for step in by_hand:
            out += ["#", *_why(tuple(result.message for result in step.results), _checks(step))]
            out += comment(plan_words.DO.format(text=terminal(step.remedy.text, _TEXT)))
    judged = any(not (result.was or result.status).undecided for result in report.results)
    last = plan_words.CONF_NOTHING if judged else plan_words.CONF_UNJUDGED
    return "\n".join([*out, "", *comment(last)]) + "\n"


def written(setting: Setting) -> str | None:
    """Return a line of mailcow.conf; None: bash and Compose would not read the same value, or none."""
    if not _VARIABLE.fullmatch(setting.variable):
        return None
    if _BARE.fullmatch(setting.value):
        return f"{setting.variable}={setting.value}"
    return f"{setting.variable}='{setting.value}'" if _QUOTED.fullmatch(setting.value) else None


def _facts(report: Report) -> Iterator[Chosen]:
    """Yield what the installer asks for, as far as the report knows it."""
    bad = {result.check for result in report.results if result.status is Status.FAIL}
    name = hostname(report)
    if name and "dns.hostname" not in bad:
        setting = Setting("MAILCOW_HOSTNAME", name)
        yield Chosen(setting, "set", (plan_words.CONF_NAME,), ("dns.hostname",))
    zone = next(filter(None, map(_zone, report.results)), None)
    if zone is not None:
        yield Chosen(Setting("TZ", zone), "set", (plan_words.CONF_ZONE,), ("clock.timezone",))


def _zone(result: Result) -> str | None:
    evidence = result.evidence
    zone = evidence.zone if isinstance(evidence, TimezoneEvidence) else None
    return zone if zone and _ZONE.fullmatch(zone) else None


def _advised(step: Step) -> Iterator[Chosen]:
    """Yield the lines of a remedy: of another place than mailcow.conf they are the other way.

    A machine is as large as it is today, whatever its provider might add.
    """
    fits = step.remedy.place in ("mailcow.conf", "provider") and step.remedy.choice is not True
    state: _State = "set" if fits else "else"
    messages = dict.fromkeys(result.message for result in step.results)
    for setting in step.remedy.lines:
        yield Chosen(setting, state, (*messages, step.remedy.text), _checks(step))


def _checks(step: Step) -> tuple[str, ...]:
    return tuple(named.check for named in step.entry.checks)


def _unlike(chosen: list[Chosen]) -> Iterator[Chosen]:
    """Yield each line once, those that are set first; of two values of one variable only the first one is set."""
    lines: dict[Setting, Chosen] = {}
    for one in sorted(chosen, key=lambda one: one.state != "set"):
        before = lines.get(one.setting)
        if before is None:
            lines[one.setting] = one
        else:
            reasons = tuple(dict.fromkeys((*before.reasons, *one.reasons)))
            checks = tuple(dict.fromkeys((*before.checks, *one.checks)))
            lines[one.setting] = Chosen(one.setting, before.state, reasons, checks)
    taken: set[str] = set()
    for one in lines.values():
        again = one.state == "set" and one.setting.variable in taken
        taken.add(one.setting.variable)
        yield Chosen(one.setting, "other", one.reasons, one.checks) if again else one


def _line(one: Chosen, *, redacted: bool) -> Iterator[str]:
    line = written(one.setting)
    if line is None:
        told = terminal(f"{one.setting.variable}={one.setting.value}")
        yield from comment(plan_words.CONF_STRANGE.format(line=told))
    elif one.state == "set":
        yield f"# {line}" if redacted else line
    else:
        yield from comment(plan_words.CONF_ELSE if one.state == "else" else plan_words.CONF_OTHER)
        yield f"# {line}"


def _why(reasons: tuple[str, ...], checks: tuple[str, ...]) -> Iterator[str]:
    for reason in dict.fromkeys(reasons):
        yield from comment(terminal(reason, _TEXT))
    yield from comment(plan_words.CHECK.format(checks=", ".join(terminal(check, 100) for check in checks)))
