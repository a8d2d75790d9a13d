"""Lines of mailcow.conf that Docker Compose or a shell chokes on, and the file as a whole. Pure."""

from __future__ import annotations

import shlex

import msgspec

from preflight.checks import Look
from preflight.facts import ConfFile, LineFault, Mark
from preflight.report.evidence.ports import ConfFileEvidence, ConfLineEvidence
from preflight.report.model import Finding, Remedy, Status
from preflight.text import versions
from preflight.text.sentences import noted, paragraph, phrase, say

# The marks of another system in the file: what they do, and how each is taken out.
EFFECTS: dict[Mark, str] = {
    "bom": noted("The file starts with a byte-order mark, which they read as part of the first variable."),
    "crlf": noted("Lines end with CR LF, and they read the CR as part of the values."),
}
CURES: dict[Mark, str] = {
    "bom": noted("Remove the byte-order mark."),
    "crlf": noted("Convert the line ends to LF."),
}
COMMANDS: dict[Mark, str] = {"bom": r"sed -i '1s/^\xef\xbb\xbf//'", "crlf": r"sed -i 's/\r$//'"}
# Why Compose refuses a line.
REFUSALS: dict[LineFault, str] = {
    "character": noted("its name is missing or contains an invalid character"),
    "space": noted("its name contains a space"),
    "quote": noted("its quote is not closed"),
    "nul": noted("it contains a NUL byte"),
    "dollar": noted("its ${{ is not the start of a valid reference"),
    "many": noted("it has too many references to follow"),
    "unset": noted("it requires a variable that is not set"),
}
# Releases of Compose before this one take over every variable, and so refuse one without a name.
LEAVES_NAMELESS = (2, 27, 2)


def line_findings(look: Look, conf: ConfFile) -> dict[str, Finding]:
    """Complain of lines that Compose refuses, and of what mailcow's shell scripts choke on."""
    faults = dict(zip(conf.bad_lines, conf.refusals, strict=False))
    found = {f"line {line}": _refused(conf, line, _why(faults.get(line, ""))) for line in conf.bad_lines}
    known = compose.version if (compose := look.host.compose.value) else ""
    version = (versions.parse_version(known) or ())[:3]
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
                "{path} is far too long for a mailcow.conf. It was read up to line {line}; the "
                "rest was not checked.",
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
        advice.append(say("Write each line as NAME=value, in single quotes if a value contains spaces."))
        commands[:0] = [f"sed -n {line}p {path}" for line in lines]
    if conf.read_to:
        advice.append(say("Remove what does not belong in the file."))
        commands.append(f"wc -l {path}")
    return Remedy(paragraph(*advice), tuple(commands), place="mailcow.conf")


def _correct(path: str, line: int) -> Remedy:
    show = f"sed -n {line}p {shlex.quote(path)}"
    return Remedy(say("Correct the line, or put a # before it."), (show,), place="mailcow.conf")


def _shell(conf: ConfFile) -> list[str]:
    texts = []
    if conf.commands:
        lines = ", ".join(map(str, conf.commands))
        texts.append(say("They run part of these lines as a command: {lines}.", lines=lines))
    if conf.shell_ends:
        texts.append(
            say(
                "They stop reading at line {line} because of its quotes, its brackets or a shell keyword.",
                line=conf.shell_ends,
            )
        )
    return texts


def _why(fault: LineFault) -> str:
    return phrase(REFUSALS[fault]) if fault else ""


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
        evidence=ConfLineEvidence(path=conf.path, line=line),
        remedy=_correct(conf.path, line),
    )


def _nameless(conf: ConfFile, line: int, version: str) -> Finding:
    """Tell of a value without a name: no more than junk for newer Composes, for older ones a reason to refuse."""
    if version:
        return _refused(conf, line, phrase("it has no NAME=value; newer releases would ignore it"))
    return Finding(
        status=Status.WARN,
        subject=f"line {line}",
        message=say(
            "Line {line} of {path} has no NAME=value: Docker Compose before 2.27.2 refuses the whole file.",
            line=line,
            path=conf.path,
        ),
        expected="NAME=value",
        evidence=ConfLineEvidence(path=conf.path, line=line),
        remedy=_correct(conf.path, line),
    )
