"""The features of the running kernel, held against what mailcow's containers need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from preflight.checks import Look, check
from preflight.checks.findings import Outcome
from preflight.checks.remedies import distro
from preflight.checks.sources import issue
from preflight.checks.system import kernel_needs
from preflight.facts import KernelFeatures
from preflight.report.evidence.host import KernelFeaturesEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import paragraph, phrase, say


@check(
    severity=Severity.REQUIRED,
    reads=("kernel_features", "kernel", "os_release"),
    remedy="Run the distribution's own, complete kernel, and reboot after a kernel upgrade.",
    sources=(issue(49557, "moby/moby"), issue(4474), issue(4802)),
)
def kernel_features(look: Look) -> Iterator[Finding]:
    """The kernel has all the features mailcow's containers need

    Docker needs namespaces, control groups, bridges and NAT, and mailcow's netfilter container needs the tables of
    iptables. After a kernel upgrade without a reboot, the running kernel's modules are gone. Features that are not
    loaded yet fail with "iptables who? (do you need to insmod?)".
    """
    features = look.host.kernel_features.get()
    needs = kernel_needs.sort(features)
    outcome = _outcome(look, features, needs)
    yield Finding(
        status=outcome.status,
        message=outcome.message,
        expected=phrase("all"),
        found=_share(needs),
        evidence=KernelFeaturesEvidence(
            missing=(*needs.grave, *needs.lesser),
            unknown=needs.unknown,
            absent_modules=features.absent,
            modules_directory=features.modules_directory,
            source=features.options_source,
        ),
        remedy=outcome.remedy,
        reason=outcome.message if outcome.status is Status.UNKNOWN else None,
    )


def _outcome(look: Look, features: KernelFeatures, needs: kernel_needs.Sorted) -> Outcome:
    release = look.host.kernel.or_("?")
    if needs.gone:
        text = say(
            "The modules of the running kernel {release} are gone: it was upgraded, but the host was not rebooted.",
            release=release,
        )
        lost = (
            say("Not loaded and therefore unavailable: {needs}.", needs=_listed(needs.grave)) if needs.grave else None
        )
        worst = Status.FAIL if needs.grave or needs.unknown else Status.WARN
        advice = say("Reboot, so that the kernel and its modules match.")
        return Outcome(worst, paragraph(text, lost), Remedy(advice, ("reboot",)))
    install = _modules(look) if features.absent else ()
    if needs.grave or needs.lesser:
        lacking = _listed(needs.grave or needs.lesser)
        text = say("The kernel {release} lacks: {needs}.", release=release, needs=lacking)
        why = say("Its modules are not installed.") if features.absent else say("It was built without this support.")
        advice = say("Install the distribution's complete kernel and all its modules, and reboot.")
        worst = Status.FAIL if needs.grave else Status.WARN
        return Outcome(worst, paragraph(text, why), Remedy(advice, install))
    if needs.unknown:
        text = say(
            "Neither a configuration nor modules show whether the kernel {release} has: {needs}.",
            release=release,
            needs=_listed(needs.unknown),
        )
        advice = say("Look for the kernel's configuration in /boot, or run the moby project's check-config.sh.")
        return Outcome(Status.UNKNOWN, text, Remedy(advice, install))
    text = say(
        "The kernel {release} has everything that containers, bridges, NAT and mailcow's netfilter need.",
        release=release,
    )
    return Outcome(Status.PASS, text)


def _share(needs: kernel_needs.Sorted) -> str:
    if missing := len(needs.grave) + len(needs.lesser):
        return phrase("{count} missing", count=missing)
    return phrase("not all known") if needs.unknown else phrase("all")


def _listed(titles: Iterable[str]) -> str:
    return "; ".join(phrase(title) for title in titles)


def _modules(look: Look) -> tuple[str, ...]:
    """Install the modules that small images leave out: they lie in a package of their own there."""
    system = look.host.os_release.value
    if system is not None and system.id == "ubuntu":
        return distro.install(look.host, default="linux-modules-extra-$(uname -r)")
    if distro.old(look.host):
        return ()
    # The package is the newest kernel's, which the host has to run then.
    found = distro.install(look.host, rhel="kernel-modules-extra")
    return (*found, *(("reboot",) if found and found[-1] != "reboot" else ()))
