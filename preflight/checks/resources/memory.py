"""The memory that mailcow's services share, and how a small machine does with less."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import Outcome
from preflight.checks.resources.sizes import gib
from preflight.checks.sources import PREREQUISITES, issue
from preflight.facts import Memory
from preflight.report.evidence.host import MemoryEvidence
from preflight.report.model import Finding, Remedy, Setting, Severity, Status
from preflight.text.sentences import noted, paragraph, say

_ENOUGH = noted("This host has {size} of memory, and mailcow needs {need}.")
_FOR_A_FEW = noted(
    "This host has {size} of memory, and mailcow needs {need}. {advised} is recommended for five or more users."
)
_BARELY = noted("This host has {size} of memory. That is enough, but {better} is better.")
_SHORT = noted("This host has {size} of memory; mailcow needs {need}.")
_REDUCED = noted("This host has {size} of memory, but mailcow needs {need}. With {switches}, less can be enough.")
_HOPELESS = noted("This host has {size} of memory, but mailcow needs {need}. That is too little even with {switches}.")
_MORE = noted("Add memory.")


@check(
    severity=Severity.REQUIRED,
    reads=("memory",),
    remedy="Give the machine more memory, or switch ClamAV and full-text search off in mailcow.conf.",
    docs=(PREREQUISITES,),
    sources=(issue(3902),),
)
def memory(look: Look) -> Iterator[Finding]:
    """There is enough memory for mailcow's services

    If memory runs out, the kernel kills ClamAV, MariaDB or Dovecot, and containers restart endlessly. The kernel
    reports less than the nominal size, because firmware and the kernel itself reserve some. This check allows for that.
    """
    found, requirements = look.host.memory.get(), look.requirements.memory
    size = usable(found)
    limit = None
    if size < found.total_bytes:
        limit = say("The memory of this host is limited. The machine has {total}.", total=gib(found.total_bytes))
    outcome = _outcome(look)
    yield Finding(
        status=outcome.status,
        message=paragraph(outcome.message, limit),
        expected=gib(requirements.bytes),
        found=gib(size),
        evidence=MemoryEvidence(
            bytes=size,
            needed_bytes=requirements.bytes,
            limit_bytes=found.limit_bytes,
            available_bytes=found.available_bytes,
        ),
        remedy=outcome.remedy,
    )


def _outcome(look: Look) -> Outcome:
    """Return what the host's memory comes to: the first row that holds."""
    requirements, small = look.requirements.memory, _made_small(look)
    need, better = requirements.bytes, requirements.better_bytes
    table = (
        (_below(look, min(need, requirements.reduced_bytes)), Status.FAIL, _HOPELESS, _add()),
        (_below(look, need) and small, Status.WARN, _REDUCED, _add()),
        (_below(look, need), Status.FAIL, _SHORT, _add_or_reduce(look)),
        (_below(look, better) and not small, Status.WARN, _BARELY, _add_or_reduce(look)),
        (_below(look, requirements.advised_bytes), Status.PASS, _FOR_A_FEW, None),
        (True, Status.PASS, _ENOUGH, None),
    )
    values = {
        "size": gib(usable(look.host.memory.get())),
        "need": gib(need),
        "better": gib(better),
        "advised": gib(requirements.advised_bytes),
        "switches": _switches(look),
    }
    status, words, remedy = next(row[1:] for row in table if row[0])
    return Outcome(status, say(words, **values), remedy)


def usable(memory: Memory) -> int:
    """Return the bytes that the host can really use: a container around it may set a limit."""
    return memory.total_bytes if memory.limit_bytes is None else min(memory.total_bytes, memory.limit_bytes)


def enough(look: Look) -> bool:
    """Say whether the memory is enough for all services that mailcow starts by default."""
    return not _below(look, look.requirements.memory.bytes)


def _below(look: Look, size: int) -> bool:
    """Say whether the host has less than a nominal size in bytes, of which firmware and kernel keep a part."""
    return usable(look.host.memory.get()) < size * (1 - look.requirements.memory.tolerance)


def _made_small(look: Look) -> bool:
    """Say whether mailcow.conf switches off all that a small machine has to do without."""
    off = {"SKIP_CLAMD": look.plan.skip_clamd, "SKIP_FTS": look.plan.skip_fts}
    return all(off[name] for name in look.requirements.memory.reduced_by)


def _switches(look: Look) -> str:
    return ", ".join(f"{name}=y" for name in look.requirements.memory.reduced_by)


def _add() -> Remedy:
    return Remedy(say(_MORE), place="provider")


def _add_or_reduce(look: Look) -> Remedy:
    """Say which services a small machine can do without: in mailcow.conf, or when that is made."""
    more, plan = say(_MORE), look.plan
    edits = {name: f"-e 's/^{name}=.*/{name}=y/'" for name in look.requirements.memory.reduced_by}
    lines = tuple(Setting(name, "y") for name in edits)
    if plan.conf_present:
        text = say("Or set {switches} in {path}.", switches=_switches(look), path=plan.conf_path)
        command = f"sed -i {' '.join(edits.values())} {shlex.quote(plan.conf_path)}"
        return Remedy(paragraph(more, text), (command,), place="mailcow.conf", settings=lines)
    text = say("Or set {switches} in mailcow.conf.", switches=_switches(look))
    return Remedy(paragraph(more, text), place="provider", settings=lines)
