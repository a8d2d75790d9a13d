"""The steps for this server as one commented shell script: POSIX sh, stops at the first error, asks nothing.

Only what a remedy advises for now and for the host is run. What only shows something, asks a question, takes something
away that others may use, or needs a decision is a comment. All that the host calls itself stands in comments.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from preflight.render import plan_words, words
from preflight.render.commands import Line, appended, lines
from preflight.render.context import Context
from preflight.render.escape import command_line, terminal
from preflight.render.plan import ORDER, Plan, Step, hostname, plan, run_line
from preflight.render.shell import comment
from preflight.report.model import Report, Status

_TEXT = 2000  # characters of advice


def sh(report: Report, context: Context) -> str:
    """Return the script; with placeholders for names, nothing in it is run."""
    made = plan(report)
    steps = [(step, _lines(step, redacted=context.redacted)) for step in made.steps("host")]
    runs = [(step, own) for step, own in steps if any(line.kind == "run" for line in own)]
    others = [(step, own) for step, own in steps if (step, own) not in runs]
    out = ["#!/bin/sh", *_head(report, made, context, bool(runs), bool(others)), "", "set -eu"]
    if runs:
        root = f'[ "$(id -u)" -eq 0 ] || {{ echo {shlex.quote(plan_words.AS_ROOT)} >&2; exit 1; }}'
        out += ["export DEBIAN_FRONTEND=noninteractive", root]
    for number, (step, own) in enumerate(runs, 1):
        out += ["", *_step(step, own, number, len(runs))]
    if others:
        out += ["", *comment(plan_words.PERSON)]
        for step, own in others:
            out += ["#", *_told(step), *_rest(own)]
    out += ["", *_tail(report, made)]
    if runs:
        out.append(f"echo {shlex.quote(plan_words.DONE)}")
    return "\n".join(out) + "\n"


def _lines(step: Step, *, redacted: bool) -> tuple[Line, ...]:
    """Return the commands of a step; none is run of a step that mailcow does not need, or whose names are not real."""
    status = Status.FAIL if step.failed else Status.WARN if step.judged else Status.UNKNOWN
    own = lines(step.remedy, status)
    if redacted or step.optional:
        return tuple(Line(line.command, "ask" if line.kind == "run" else line.kind) for line in own)
    return own


def _head(report: Report, made: Plan, context: Context, runs: bool, others: bool) -> Iterator[str]:
    yield from comment(plan_words.SCRIPT.format(host=terminal(report.host.name or words.UNKNOWN_HOST, 100)))
    date, _, time = report.started.partition("T")
    tool, version = terminal(report.tool.name, 40), terminal(report.tool.version, 40)
    yield from comment(plan_words.MADE.format(tool=tool, version=version, date=date[:10], time=time[:5]))
    if made.flags:
        yield from comment(plan_words.FLAGS_FIRST.format(flags=", ".join(made.flags)))
    if context.redacted:
        yield from comment(words.REDACTED)
        yield from comment(plan_words.REDACTED)
    elif runs:
        yield "#"
        for text in (plan_words.READ, plan_words.STOPS, plan_words.AGAIN):
            yield from comment(text)
    elif others:
        yield from comment(plan_words.NOTHING_TO_RUN)
    else:
        judged = any(not (result.was or result.status).undecided for result in report.results)
        yield from comment(plan_words.NOTHING if judged else plan_words.UNJUDGED)


def _step(step: Step, own: Iterable[Line], number: int, count: int) -> Iterator[str]:
    """Yield a step: its reasons, then its commands in a shell of their own, which changes no directory of another."""
    yield from _told(step, f"{number}. ")
    told = plan_words.STEP.format(number=number, count=count, checks=_checks(step))
    yield f"echo {shlex.quote(told)}"
    yield "("
    for line in own:
        yield from _run(line) if line.kind == "run" else _rest([line])
    yield ") </dev/null"


def _run(line: Line) -> Iterator[str]:
    """Yield a command; a line that is added to a file is added once, however often the script runs.

    A shell goes on behind `a && b` where `a` fails, whatever `set -e` says: such a line ends the step itself.
    """
    if (added := appended(line.command)) is not None:
        text, path = map(shlex.quote, added)
        yield f"grep -qxF -e {text} {path} 2>/dev/null || {line.command}"
    else:
        yield f"{line.command} || exit" if "&&" in line.command else line.command


def _rest(own: Iterable[Line]) -> Iterator[str]:
    """Yield the commands that are not run, under why."""
    why = {"look": plan_words.LOOK, "ask": plan_words.ASK, "run": plan_words.ASK}
    before = ""
    for line in own:
        if line.kind == "broken":
            yield from comment(plan_words.BROKEN.format(command=terminal(line.command)))
        else:
            if why[line.kind] != before:
                yield from comment(why[line.kind])
            yield f"#     {command_line(line.command)}"
        before = why.get(line.kind, "")


def _told(step: Step, mark: str = "") -> Iterator[str]:
    """Yield what is wrong and what is advised, as comments."""
    for number, message in enumerate(dict.fromkeys(result.message for result in step.results)):
        yield from comment(terminal(message), mark if number == 0 else " " * len(mark))
    indent = " " * len(mark)
    if step.optional:
        yield from comment(plan_words.OPTIONAL, indent)
    yield from comment(plan_words.DO.format(text=terminal(step.remedy.text, _TEXT)), indent)
    yield from comment(plan_words.CHECK.format(checks=_checks(step)), indent)
    for text, checks in ((plan_words.AFTER, step.after), (plan_words.OPENS, step.opens)):
        if checks:
            yield from comment(text.format(checks=", ".join(checks)), indent)


def _checks(step: Step) -> str:
    return ", ".join(terminal(check.check, 100) for check in step.entry.checks)


def _tail(report: Report, made: Plan) -> Iterator[str]:
    """Yield what is done elsewhere, and how to look again."""
    counts = [(place, len(made.steps(place))) for place in ORDER if place != "host"]
    if any(count for _, count in counts):
        yield from comment(plan_words.ELSEWHERE)
        for place, count in counts:
            if count:
                yield from comment(plan_words.STEPS_THERE.format(place=plan_words.PLACES[place], count=count))
        yield "#"
    yield from comment(plan_words.NEXT)
    name = hostname(report)
    yield f"#     {made.line or run_line(report)}"
    yield from comment(plan_words.NATIVE)
    yield f"#     preflight{f' --hostname {name}' if name else ''}"
