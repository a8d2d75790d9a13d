"""The running kernel, held against those that are known to break mailcow."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import Measured, unknown
from preflight.checks.remedies import distro
from preflight.checks.sources import PREREQUISITES, issue
from preflight.report.evidence.host import KernelEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text import versions
from preflight.text.sentences import paragraph, say, told


@check(
    severity=Severity.REQUIRED,
    reads=("kernel", "os_release"),
    remedy="Install a newer kernel of the distribution and reboot.",
    docs=(PREREQUISITES,),
    sources=(issue(30402, "moby/moby"), issue(2904), issue(3210)),
)
def kernel(look: Look) -> Iterator[Finding]:
    """The kernel has no known problems with mailcow

    Some kernels panic after hours or days with containers that have health checks or their own name servers. mailcow
    has both. A short test cannot show this; only the kernel release can.
    """
    release = look.host.kernel.get()
    rule, possible = versions.matching_rule(look.requirements.kernels, release, look.host.os_release.value)
    measured = Measured(found=release, evidence=KernelEvidence(release=release))
    if versions.parse_version(release) is None:
        reason = say("The kernel's release does not start with a version number.")
        text = say("The kernel release {release} is not a version number.", release=release[:60])
        evidence = KernelEvidence(release=release)
        yield unknown(reason, say("Check its release."), "uname -r", message=text, evidence=evidence)
    elif rule is not None:
        text = paragraph(say("Kernel {release} is known to break mailcow.", release=release), told(rule.reason))
        advice = say("Install a newer kernel and reboot. Read more: {source}", source=rule.source)
        yield measured.judged(Status.FAIL, text, Remedy(advice, _newer(look)))
    elif possible is not None:
        reason = paragraph(
            say("The distribution is unknown, and this problem affects only one distribution."), told(possible.reason)
        )
        text = say(
            "Whether kernel {release} breaks mailcow depends on the distribution, which could not be determined.",
            release=release,
        )
        yield measured.unknown(reason, say("Check /etc/os-release."), "cat /etc/os-release", message=text)
    else:
        text = say("Kernel {release} has no known problems with mailcow.", release=release)
        yield measured.judged(Status.PASS, text)


def _newer(look: Look) -> tuple[str, ...]:
    system = look.host.os_release.value
    if system and system.id == "debian" and system.version_id == "8":
        return ("apt-get install -t jessie-backports linux-image-amd64", "reboot")
    return distro.newer_kernel(look.host)
