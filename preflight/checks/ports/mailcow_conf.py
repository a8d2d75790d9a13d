"""What is wrong with mailcow.conf, in findings: each names file and line, and the line to write instead. Pure."""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Iterator

import msgspec

from preflight.checks import Look
from preflight.checks.network import subnets
from preflight.checks.ports import env_file
from preflight.facts import ConfFile, Mark, Setting, require
from preflight.mailcow.conf import SOURCES
from preflight.mailcow.plan import IPV4_NETWORK, Problem
from preflight.net.addresses import parse
from preflight.report.evidence.ports import ConfFileEvidence
from preflight.report.model import Finding, Remedy, Status
from preflight.text import versions
from preflight.text.sentences import noted, paragraph, phrase, say

# The marks of another system in the file: what they do, and how each is taken out.
EFFECTS: dict[Mark, str] = {
    "bom": noted("The file starts with a byte-order mark, which they take for part of the first variable."),
    "crlf": noted("Lines end with CR LF, and they take the CR for part of the values."),
}
CURES: dict[Mark, str] = {
    "bom": noted("Remove the byte-order mark."),
    "crlf": noted("Convert the ends of the lines to LF."),
}
COMMANDS: dict[Mark, str] = {"bom": r"sed -i '1s/^\xef\xbb\xbf//'", "crlf": r"sed -i 's/\r$//'"}
# Releases of Compose before this one take over every variable, and so refuse one without a name.
LEAVES_NAMELESS = (2, 27, 2)


def judge(look: Look, conf: ConfFile) -> dict[str, Finding]:
    """Return the findings by their subjects: lines, the file, variables."""
    return {**env_file.judge(conf), **_lines(look, conf), **_values(look, conf)}


def foreign(look: Look, findings: dict[str, Finding]) -> dict[str, str]:
    """Return the variables that name an address that the host should have, but for those that are wrong anyway."""
    wrong = {subject for subject, finding in findings.items() if finding.status is Status.FAIL}
    return {variable: address for variable, address in _named(look) if variable not in wrong}


def _lines(look: Look, conf: ConfFile) -> dict[str, Finding]:
    """Complain of lines that Compose refuses, and of what mailcow's shell scripts choke on."""
    reasons = dict(zip(conf.bad_lines, conf.reasons, strict=False))
    found = {f"line {line}": _refused(conf, line, reasons.get(line, "")) for line in conf.bad_lines}
    known = compose.version if (compose := look.host.compose.value) else ""
    version = (versions.parse(known) or ())[:3]
    if version < LEAVES_NAMELESS:
        for line in conf.nameless:
            found.setdefault(f"line {line}", _nameless(conf, line, known if version else ""))
    whole = _file(conf)
    return {**found, conf.path: whole} if whole else found


def _file(conf: ConfFile) -> Finding | None:
    """Complain of the file as a whole: what mailcow's shell scripts choke on, and its length; None: of nothing."""
    told = [*(say(EFFECTS[mark]) for mark in conf.marks), *_shell(conf)]
    if told:
        told.insert(0, say("mailcow's shell scripts read {path} differently from Docker Compose.", path=conf.path))
    if conf.read_to:
        told.append(
            say(
                "{path} is longer than any mailcow.conf. It was read up to line {line}; what follows was not checked.",
                path=conf.path, line=conf.read_to,
            )
        )  # fmt: skip
    if not told:
        return None
    lines = [*conf.commands, *filter(None, [conf.shell_ends])]
    return Finding(
        status=Status.WARN,
        subject=conf.path,
        message=paragraph(*told),
        evidence=ConfFileEvidence(
            path=conf.path, lines=tuple(lines), marks=conf.marks, line=conf.read_to or msgspec.UNSET
        ),
        remedy=_made_whole(conf, lines),
    )


def _made_whole(conf: ConfFile, lines: list[int]) -> Remedy:
    """Say how each thing that is wrong with the file is put right. `lines`: those that a shell reads differently."""
    path = shlex.quote(conf.path)
    advice = [say(CURES[mark]) for mark in conf.marks]
    commands = [f"{COMMANDS[mark]} {path}" for mark in conf.marks]
    if lines:
        advice.append(say("Write each line as NAME=value, in single quotes where a value holds spaces."))
        commands[:0] = [f"sed -n {line}p {path}" for line in lines]
    if conf.read_to:
        advice.append(say("Remove what does not belong in the file."))
        commands.append(f"wc -l {path}")
    return Remedy(paragraph(*advice), tuple(commands))


def _shell(conf: ConfFile) -> list[str]:
    texts = []
    if conf.commands:
        lines = ", ".join(map(str, conf.commands))
        texts.append(say("They run something as a command that stands in this line: {lines}.", lines=lines))
    if conf.shell_ends:
        texts.append(
            say(
                "They stop reading at line {line}, for its quotes, its brackets or a word of the shell's.",
                line=conf.shell_ends,
            )
        )
    return texts


def _refused(conf: ConfFile, line: int, why: str) -> Finding:
    message = say("Docker Compose refuses {path} because of line {line}.", path=conf.path, line=line)
    if why:
        message = say(
            "Docker Compose refuses {path} because of line {line}: {why}.", path=conf.path, line=line, why=why
        )
    return Finding(
        status=Status.FAIL,
        subject=f"line {line}",
        message=message,
        expected="NAME=value",
        evidence={"path": conf.path, "line": line},
        remedy=Remedy(say("Correct the line, or put a # before it."), (f"sed -n {line}p {shlex.quote(conf.path)}",)),
    )


def _nameless(conf: ConfFile, line: int, version: str) -> Finding:
    """Tell of a value without a name: no more than junk for newer Composes, for older ones a reason to refuse."""
    if version:
        return _refused(conf, line, phrase("it holds no NAME=value, which newer releases would leave out"))
    return Finding(
        status=Status.WARN,
        subject=f"line {line}",
        message=say(
            "Line {line} of {path} holds no NAME=value: Docker Compose before 2.27.2 refuses the whole file.",
            line=line,
            path=conf.path,
        ),
        expected="NAME=value",
        evidence={"path": conf.path, "line": line},
        remedy=Remedy(say("Correct the line, or put a # before it."), (f"sed -n {line}p {shlex.quote(conf.path)}",)),
    )


def _values(look: Look, conf: ConfFile) -> dict[str, Finding]:
    """Complain of values, all of one variable in one finding."""
    by_variable: dict[str, list[Problem]] = {}
    for problem in (*look.plan.problems, *_repeated(conf), *_unlike(conf)):
        by_variable.setdefault(problem.variable, []).append(problem)
    return {variable: _value(look, variable, problems, conf) for variable, problems in by_variable.items()}


def _repeated(conf: ConfFile) -> Iterator[Problem]:
    for variable, lines in conf.duplicates.items():
        where = ", ".join(map(str, lines))
        setting = conf.settings.get(variable, Setting("", lines[-1]))
        text = say(
            "{variable} is set more than once (lines {lines}); the last one counts.", variable=variable, lines=where
        )
        yield Problem(variable, setting.line, setting.value, text, "", fatal=False)


def _unlike(conf: ConfFile) -> Iterator[Problem]:
    """Complain of values that mailcow's shell scripts read otherwise than Compose does."""
    for variable, setting in conf.settings.items():
        if setting.shell is None:
            continue
        values = {"variable": variable, "value": setting.value, "other": setting.shell}
        text = say("Docker Compose reads {variable} as '{value}', mailcow's shell scripts read '{other}'.", **values)
        if not setting.shell:
            text = say("Docker Compose reads {variable} as '{value}', mailcow's shell scripts read nothing.", **values)
        simple = re.fullmatch(r"[\w./:\[\]-]*", setting.value, re.ASCII) is not None
        fix = f"{variable}={setting.value}" if simple else f"{variable}='{setting.value}'"
        unclear = setting.refers or "'" in setting.value or "…" in setting.value or not setting.value.isprintable()
        yield Problem(variable, setting.line, setting.value, text, "" if unclear else fix, fatal=False)


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
    write = say("Write into mailcow.conf: {lines}", lines=fixes.replace("\n", " · ")) if fixes else None
    advice = paragraph(keep, write) or say("Mend the line of {variable}.", variable=variable)
    return Finding(
        status=Status.FAIL if fatal else Status.WARN,
        subject=variable,
        message=paragraph(*(problem.text for problem in problems), where),
        expected=fixes.replace("\n", ", ") or None,
        found=problems[0].value or None,
        evidence={"path": conf.path, "line": line or None, "value": problems[0].value, "lines": list(lines)},
        remedy=Remedy(advice),
    )


def _fix(look: Look, problem: Problem) -> str:
    """Return the line to write; where it is mailcow's own network, one that is free on this host."""
    if problem.fix == f"IPV4_NETWORK={IPV4_NETWORK}":
        free = subnets.propose(look, ipaddress.IPv4Network(f"{IPV4_NETWORK}.0/24"))
        return f"IPV4_NETWORK={free.rpartition('.')[0]}" if free else problem.fix
    return problem.fix


def _named(look: Look) -> Iterator[tuple[str, str]]:
    """Yield the variables that name an address of the host, with it. Loopback addresses are always there."""
    named = [(wanted.bind or wanted.variable, row.address) for row in look.plan.bindings for wanted in row.wanted]
    for variable, text in (*named, *look.plan.sources):
        address = parse(text)
        if address is not None and not (address.is_loopback or address.is_unspecified or address.is_multicast):
            yield variable, str(address)


def stranger(look: Look, conf: ConfFile, variable: str, address: str) -> Finding | None:
    """Complain of an address that the host does not have. One that could be bound is at most worth a remark."""
    tried = {row.outcome for row in look.host.binds.or_(()) if row.address == address}
    if not tried:
        require(look.host.links)
    known = look.host.links.or_(())
    if any(entry.address == address for link in known for entry in link.addresses):
        return None
    if tried & {"free", "EADDRINUSE"}:  # the kernel looks at the address first
        return _elsewhere(variable, address)
    setting = conf.settings.get(variable, Setting("", 0))
    values = {"variable": variable, "address": address, "path": conf.path, "line": setting.line}
    message = say(
        "{variable} names {address}, which this host does not have ({path}, line {line}): 'cannot assign requested"
        " address'.",
        **values,
    )
    if variable in SOURCES:
        message = say(
            "{variable} names {address}, which this host does not have ({path}, line {line}): no answer would find"
            " back.",
            **values,
        )
    return Finding(
        status=Status.FAIL,
        subject=variable,
        message=message,
        expected=phrase("an address of this host"),
        found=address,
        evidence={"path": conf.path, "line": setting.line, "value": setting.value},
        remedy=Remedy(_own(look, variable, address), ("ip -brief address",)),
    )


def _elsewhere(variable: str, address: str) -> Finding:
    return Finding(
        status=Status.PASS,
        subject=variable,
        message=say(
            "{variable} names {address}. No interface has this address now, but the kernel lets programs use it, as on"
            " a host that takes it over from another one.",
            variable=variable,
            address=address,
        ),
        expected=phrase("an address of this host"),
        found=address,
        evidence={"address": address},
    )


def _own(look: Look, variable: str, address: str) -> str:
    """Say which line to write without the address, and where the host has just one such address, that."""
    if variable in SOURCES:
        line = f"{variable}=n"
    else:
        wanted = next(
            row for entry in look.plan.bindings for row in entry.wanted if variable in (row.bind, row.variable)
        )
        line = f"{variable}=" if variable == wanted.bind else wanted.default
    own = [
        entry.address
        for link in look.host.links.or_(()) for entry in link.addresses
        if entry.scope == "global" and (":" in entry.address) is (":" in address)
    ]  # fmt: skip
    if len(own) == 1:
        return say(
            "Write {line} into mailcow.conf, or {own} in place of {address}.", line=line, own=own[0], address=address
        )
    return say("Write {line} into mailcow.conf, or an address of this host.", line=line)
