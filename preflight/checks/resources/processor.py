"""The processor: fast enough, and with the features that Rspamd uses."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import Measured, skipped
from preflight.checks.sources import PREREQUISITES, issue
from preflight.report.evidence.host import ProcessorFeaturesEvidence, ProcessorSpeedEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import phrase, say


@check(
    severity=Severity.RECOMMENDED,
    reads=("cpu_speed",),
    remedy="Use a faster processor.",
    docs=(PREREQUISITES,),
)
def cpu_frequency(look: Look) -> Iterator[Finding]:
    """The processor has the documented clock rate

    Rspamd, ClamAV and SOGo process every message. On a slower processor, mail queues up. The highest
    rate counts, because an idle processor runs far below it.
    """
    speed, lowest = look.host.cpu_speed.get(), look.requirements.cpu_mhz
    mhz = round(speed.mhz)
    measured = Measured(
        expected=f"{lowest} MHz",
        found=f"{mhz} MHz" if speed.maximum else phrase("{mhz} MHz or more", mhz=mhz),
        evidence=ProcessorSpeedEvidence(mhz=speed.mhz, source=speed.source),
    )
    if mhz >= lowest:
        text = say("The processor runs at {mhz} MHz or more.", mhz=mhz)
        yield measured.judged(Status.PASS, text)
    elif speed.maximum:
        text = say(
            "The processor runs at {mhz} MHz at most. mailcow's documentation asks for {lowest} MHz.",
            mhz=mhz,
            lowest=lowest,
        )
        remedy = Remedy(say("Move to a machine with a faster processor."))
        yield measured.judged(Status.WARN, text, remedy)
    else:
        reason = say("The processor runs at {mhz} MHz at the moment. Its maximum is not known.", mhz=mhz)
        yield measured.unknown(reason, say("Look up the maximum."), "lscpu | grep MHz")


@check(
    severity=Severity.RECOMMENDED,
    reads=("cpu_features", "machine"),
    remedy="Pass the physical processor's features to the virtual machine (CPU type host).",
    sources=(issue(6022, "rspamd/rspamd"), issue(5031)),
)
def cpu_features(look: Look) -> Iterator[Finding]:
    """The processor has the features that Rspamd's pattern matcher uses

    Without them, Rspamd falls back to slow expressions or crashes with "invalid opcode". Virtual machines with the CPU
    type kvm64 or qemu64 hide these features even if the physical processor has them.
    """
    found, machine = look.host.cpu_features.get(), look.host.machine.get()
    wanted = look.requirements.cpu_features.get(machine, ())
    missing = [flag for flag in wanted if flag not in found.flags]
    evidence = ProcessorFeaturesEvidence(missing=tuple(missing), model=found.model)
    if not wanted:
        yield skipped(say("There are no requirements for {machine} processors.", machine=machine), evidence=evidence)
        return
    measured = Measured(expected=" ".join(wanted), evidence=evidence)
    if not found.flags:
        reason = say("/proc/cpuinfo does not list the processor's features.")
        yield measured.unknown(reason, say("Check the flags."), "lscpu")
    elif missing:
        text = say("The processor ({model}) lacks {missing}.", model=found.model or "?", missing=", ".join(missing))
        lacking = phrase("without {missing}", missing=" ".join(missing))
        yield measured.judged(Status.WARN, text, _real_features(), found=lacking)
    else:
        text = say("The processor ({model}) has {wanted}.", wanted=", ".join(wanted), model=found.model or "?")
        yield measured.judged(Status.PASS, text, found=phrase("all"))


def _real_features() -> Remedy:
    return Remedy(
        say(
            "If this is a virtual machine, give it the physical processor's features (on Proxmox: qm set ID --cpu "
            "host) and restart it. Otherwise, use a newer processor."
        )
    )
