"""The processor architecture, of the machine and of its programs: mailcow's images exist for two."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.sources import PREREQUISITES
from preflight.facts import Host
from preflight.report.evidence.host import MachineEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import phrase, say

# Names of machines with 32 bits. On a kernel of 64 bits, the kernel's own name does not show such programs.
_NARROW = ("i686", "i386", "arm", "armhf", "armv5l", "armv6l", "armv7l", "armv8l", "mips", "ppc", "riscv32", "s390")


@check(
    severity=Severity.REQUIRED,
    reads=("machine", "userland", "engine"),
    remedy="Use a 64-bit system on a supported architecture: mailcow has no other images.",
    docs=(PREREQUISITES,),
)
def architecture(look: Look) -> Iterator[Finding]:
    """mailcow has images for the processor's architecture

    mailcow's images are built for some architectures only. On any other, Docker finds no image or starts one that
    fails with "exec format error". A 32-bit engine on a 64-bit kernel finds none either.
    """
    machine = look.host.machine.get()
    name = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    wanted = ", ".join(look.requirements.architectures)
    if name not in look.requirements.architectures:
        text = say("This machine is {name}; mailcow needs {wanted}.", name=name, wanted=wanted)
        remedy = Remedy(say("Install mailcow on another machine: {wanted}.", wanted=wanted))
        yield _finding(Status.FAIL, name, text, name, wanted, remedy)
    elif narrow := _narrow(look.host, name, wanted):
        yield narrow
    else:
        text = say("This machine is {name}; mailcow has images for it.", name=name)
        yield _finding(Status.PASS, name, text, name, wanted)


def _narrow(host: Host, machine: str, wanted: str) -> Finding | None:
    """Say that the engine, or the whole system, has 32 bits; None: nothing shows that.

    The engine's own program decides which images it asks for. A foreign architecture that the package manager takes
    beside its own is no sign.
    """
    engine, found = host.engine.value, host.userland.value
    built = (engine.built_for if engine else "") or (found.engine if found else "")
    signs = [sign for sign in (found.shell, found.packages) if sign] if found else []
    system = signs[0] if signs and all(sign in _NARROW for sign in signs) else ""
    anew = Remedy(say("Install the 64-bit system ({wanted}). A 64-bit kernel alone does not help.", wanted=wanted))
    if built in _NARROW and not system:
        text = say(
            "The kernel is {machine}, but the engine is a 32-bit program ({built}). mailcow has no images for it.",
            machine=machine,
            built=built,
        )
        anew = Remedy(say("Replace the engine with the 64-bit one for {machine}.", machine=machine))
    elif system and (built in _NARROW or not built):
        text = say(
            "The kernel is {machine}, but the system is 32-bit ({system}). mailcow has no images for it.",
            machine=machine,
            system=system,
        )
    elif system:
        text = say(
            "The engine is 64-bit, but the rest of the system is 32-bit ({system}). Nobody has tested mailcow there.",
            system=system,
        )
        return _finding(Status.WARN, machine, text, phrase("32-bit system ({system})", system=system), wanted, anew)
    else:
        return None
    return _finding(Status.FAIL, machine, text, phrase("32-bit ({built})", built=built or system), wanted, anew)


def _finding(status: Status, machine: str, text: str, found: str, wanted: str, remedy: Remedy | None = None) -> Finding:
    evidence = MachineEvidence(machine=machine)
    return Finding(status=status, message=text, expected=wanted, found=found, evidence=evidence, remedy=remedy)
