"""ClamAV, which a small machine has to do without."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import Measured, skipped
from preflight.checks.resources.memory import enough, usable
from preflight.checks.resources.sizes import gib
from preflight.checks.sources import CLAMAV, issue
from preflight.report.evidence.host import AntivirusEvidence
from preflight.report.model import Finding, Remedy, Setting, Severity, Status
from preflight.text.sentences import phrase, say


@check(
    severity=Severity.RECOMMENDED,
    reads=("memory",),
    remedy="Set SKIP_CLAMD=y in mailcow.conf.",
    docs=(CLAMAV,),
    sources=(issue(3761),),
)
def antivirus(look: Look) -> Iterator[Finding]:
    """ClamAV fits in memory or is switched off

    ClamAV keeps all its signatures in memory: more than 1 GiB. On a small machine, the kernel repeatedly kills it, and
    other services too.
    """
    size, most = usable(look.host.memory.get()), look.requirements.memory.antivirus_bytes
    evidence = AntivirusEvidence(bytes=size, skip_clamd=look.plan.skip_clamd)
    measured = Measured(
        expected=phrase("SKIP_CLAMD=y, or more than {most}", most=gib(most)),
        found="SKIP_CLAMD=y" if look.plan.skip_clamd else gib(size),
        evidence=evidence,
    )
    if look.plan.skip_clamd:
        yield measured.judged(Status.PASS, say("ClamAV is switched off."))
    elif size <= most:
        yield _too_little(look, size, measured)
    elif enough(look):
        text = say("{size} of memory is enough for ClamAV.", size=gib(size))
        yield measured.judged(Status.PASS, text)
    else:  # not much is missing: whether ClamAV fits depends on what else is switched off
        reason = say(
            "There is too little memory for all of mailcow's services, including ClamAV (see resources.memory)."
        )
        yield skipped(reason, evidence=evidence)


def _too_little(look: Look, size: int, measured: Measured) -> Finding:
    off = (Setting("SKIP_CLAMD", "y"),)
    if look.plan.conf_present:
        path = look.plan.conf_path
        text = say(
            "{size} of memory is too little for ClamAV, and mailcow.conf does not switch it off.", size=gib(size)
        )
        command = f"sed -i 's/^SKIP_CLAMD=.*/SKIP_CLAMD=y/' {shlex.quote(path)}"
        advice = say("Set SKIP_CLAMD=y in {path}.", path=path)
        remedy = Remedy(advice, (command,), place="mailcow.conf", settings=off)
    else:
        text = say("{size} of memory is too little for ClamAV.", size=gib(size))
        command = f"cd {shlex.quote(look.plan.directory)} && SKIP_CLAMD=y ./generate_config.sh"
        advice = say("Switch ClamAV off when you create mailcow.conf.")
        remedy = Remedy(advice, (command,), place="mailcow.conf", when="cloned", settings=off)
    return measured.judged(Status.WARN, text, remedy)
