"""Programs of 32 bits on a kernel of 64 bits: the kernel's name for the machine does not show them."""

from __future__ import annotations

from preflight.facts import Host
from preflight.report.model import Finding, Remedy, Status
from preflight.text.sentences import phrase, say

NARROW = ("i686", "i386", "arm", "armhf", "armv5l", "armv6l", "armv7l", "armv8l", "mips", "ppc", "riscv32", "s390")


def narrow(host: Host, machine: str, wanted: str) -> Finding | None:
    """Say that the engine, or the whole system, has 32 bits; None: nothing shows that.

    The engine's own program decides which images it asks for. A foreign architecture that the package manager takes
    beside its own is no sign.
    """
    engine, found = host.engine.value, host.userland.value
    built = (engine.built_for if engine else "") or (found.engine if found else "")
    signs = [sign for sign in (found.shell, found.packages) if sign] if found else []
    system = signs[0] if signs and all(sign in NARROW for sign in signs) else ""
    anew = Remedy(say("Install the 64-bit system ({wanted}). A 64-bit kernel alone does not help.", wanted=wanted))
    if built in NARROW and not system:
        text = say(
            "The kernel is {machine}, but the engine is a 32-bit program ({built}). mailcow has no images for it.",
            machine=machine,
            built=built,
        )
        anew = Remedy(say("Replace the engine with the 64-bit one for {machine}.", machine=machine))
    elif system and (built in NARROW or not built):
        text = say(
            "The kernel is {machine}, but the system is a 32-bit one ({system}). mailcow has no images for it.",
            machine=machine,
            system=system,
        )
    elif system:
        text = say(
            "The engine is a 64-bit program, but the rest of the system is a 32-bit one ({system}). Nobody has tested"
            " mailcow there.",
            system=system,
        )
        return _finding(Status.WARN, machine, text, phrase("32-bit system ({system})", system=system), wanted, anew)
    else:
        return None
    return _finding(Status.FAIL, machine, text, phrase("32-bit ({built})", built=built or system), wanted, anew)


def _finding(status: Status, machine: str, text: str, found: str, wanted: str, remedy: Remedy) -> Finding:
    return Finding(
        status=status, message=text, expected=wanted, found=found, evidence={"machine": machine}, remedy=remedy
    )
