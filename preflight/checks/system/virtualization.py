"""What the host itself runs in: a machine, or something that only looks like one."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import Outcome
from preflight.checks.sources import PREREQUISITES, issue
from preflight.facts import Virtualization
from preflight.report.evidence.host import VirtualizationEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import noted, phrase, say

_LXC = noted("This host is an LXC container; mailcow does not support that.")
_UNSUPPORTED = {
    "lxc": _LXC,
    "lxc-libvirt": _LXC,
    "openvz": noted("This host is a container of OpenVZ or Virtuozzo; mailcow does not support that."),
    "wsl": noted("This host runs in the Windows Subsystem for Linux; mailcow does not support that."),
}
_MACHINES = {
    "kvm": "KVM", "qemu": "QEMU", "vmware": "VMware", "microsoft": "Hyper-V", "xen": "Xen", "oracle": "VirtualBox",
    "amazon": "Amazon EC2", "google": "Google Compute Engine",
}  # fmt: skip


@check(
    severity=Severity.REQUIRED,
    reads=("virtualization",),
    remedy="Use a physical machine, or a virtual one on KVM, VMware ESX or Hyper-V.",
    docs=(PREREQUISITES,),
    sources=(issue(4829), issue(4404)),
)
def virtualization(look: Look) -> Iterator[Finding]:
    """The host is a physical or fully virtualised machine

    OpenVZ, Virtuozzo and LXC containers share their host's kernel: Docker cannot load netfilter modules, set limits
    or unpack images there. NAS systems replace parts of Docker. mailcow's developers support none of these, nor
    WSL.
    """
    found = look.host.virtualization.get()
    outcome = _outcome(found)
    yield Finding(
        status=outcome.status,
        message=outcome.message,
        expected=phrase("a physical machine or KVM, ESX, Hyper-V"),
        found=found.container or found.nas or found.vm or phrase("none"),
        evidence=VirtualizationEvidence(container=found.container, vm=found.vm, nas=found.nas, hints=found.hints),
        remedy=outcome.remedy,
    )


def _outcome(found: Virtualization) -> Outcome:
    instead = Remedy(say("Use a virtual machine (KVM, ESX, Hyper-V) instead."))
    if found.container in _UNSUPPORTED:
        return Outcome(Status.FAIL, say(_UNSUPPORTED[found.container]), instead)
    if found.nas == "haos":
        text = say("This host runs Home Assistant OS. mailcow does not support such appliances.")
        return Outcome(Status.FAIL, text, instead)
    if found.nas:
        text = say("This host is a NAS ({nas}); mailcow does not support such systems.", nas=found.nas)
        return Outcome(Status.FAIL, text, instead)
    if found.container:
        text = say(
            "This host is itself a container ({container}); mailcow's documentation covers only machines.",
            container=found.container,
        )
        return Outcome(Status.WARN, text, instead)
    return Outcome(Status.PASS, _below(found.vm))


def _below(machine: str | None) -> str:
    if machine is None:
        return say("No virtual machine or container was detected.")
    if machine == "vm-other":
        return say("This host runs on an unidentified hypervisor.")
    return say("This host runs on {hypervisor}.", hypervisor=_MACHINES.get(machine, machine))
