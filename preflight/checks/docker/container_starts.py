"""What containers have shown that asked for privileges and limits, as mailcow's do: the same four ends for each."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from preflight.checks import Look, check
from preflight.checks.findings import unknown
from preflight.checks.remedies import distro
from preflight.checks.sources import COMPOSE_ULIMITS, PREREQUISITES, issue
from preflight.facts import NO_SERVICES, Host, Refusal, StartRun
from preflight.report.evidence.engine import StartEvidence
from preflight.report.model import Finding, Remedy, Severity, Status, WrittenFile
from preflight.text.sentences import noted, phrase, say


class Sentences(Struct, frozen=True):
    """What to say of each end but for that which says nothing."""

    held: str
    lacking: str
    refused: str
    short: str  # for tables: what a container lacks


_PRIVILEGES = Sentences(
    held=noted("A privileged container started in the host's network and had its privileges."),
    lacking=noted("A privileged container started, but without the privileges to change the host's firewall."),
    refused=noted("The engine refuses to start a privileged container."),
    short=noted("no privileges"),
)
_NO_CGROUPS = Sentences(
    held=_PRIVILEGES.held,
    lacking=_PRIVILEGES.lacking,
    refused=noted(
        "The engine cannot start any container because the control groups (cgroups) are not mounted on this host."
    ),
    short=_PRIVILEGES.short,
)
_LIMITS = Sentences(
    held=noted("A container started and got mailcow's limits on open files and processes."),
    lacking=noted("A container with mailcow's limits started, but with different limits."),
    refused=noted("The engine refuses to start a container with mailcow's limits on open files and processes."),
    short=noted("different limits"),
)
_RAISING = noted(
    "Raise the engine's own limits. In a container or a restricted virtual server, raise those of the underlying "
    "machine."
)
_LIMITS_TEXT = "[Service]\nLimitNOFILE=1048576\nLimitNPROC=infinity\n"
_LIMITS_FILES = tuple(
    WrittenFile(f"/etc/systemd/system/{unit}.service.d/limits.conf", _LIMITS_TEXT) for unit in ("docker", "containerd")
)
_RAISE = (
    "mkdir -p /etc/systemd/system/docker.service.d /etc/systemd/system/containerd.service.d",
    r"printf '[Service]\nLimitNOFILE=1048576\nLimitNPROC=infinity\n' | "
    "tee /etc/systemd/system/docker.service.d/limits.conf > /etc/systemd/system/containerd.service.d/limits.conf",
    "systemctl daemon-reload",
    "systemctl restart containerd docker",
)


@check(
    severity=Severity.REQUIRED,
    reads=("probes.privileged", "services", "os_release"),
    remedy="Run the engine as root, outside any container or restricted virtual server.",
    docs=(PREREQUISITES,),
    sources=(issue(1761), issue(656)),
)
def privileged(look: Look) -> Iterator[Finding]:
    """The engine can start a privileged container

    mailcow's netfilter container is privileged and uses the host's network: it bans attackers and protects the
    containers' internal ports. It does not start in LXC, with user namespaces or with restricted capabilities.
    """
    run = look.host.probes.privileged.get()
    if run.cause == "cgroups":
        yield _judged(run, _NO_CGROUPS, _mount(look.host))
    else:
        yield _judged(run, _PRIVILEGES)


def _mount(host: Host) -> Remedy:
    """Say how control groups are mounted on this host, now and at boot."""
    text = say("Mount the control groups (cgroups) at /sys/fs/cgroup now and at boot, and restart the engine.")
    return Remedy(text, (*distro.mount_cgroups(host), *distro.restart(host, "docker")))


@check(
    severity=Severity.REQUIRED,
    reads=("probes.limits", "probes.privileged", "services"),
    remedy=_RAISING,
    docs=(PREREQUISITES, COMPOSE_ULIMITS),
    sources=(issue(1195),),
)
def limits(look: Look) -> Iterator[Finding]:
    """The engine can start containers with mailcow's limits

    The Dovecot container needs 40000 open files and 65535 processes. The Redis container needs a longer connection
    queue. If the engine cannot grant this, for example in LXC or because its own limits are low, the containers never
    start.
    """
    run = look.host.probes.limits.get()
    systemd = look.host.services.or_(NO_SERVICES).init == "systemd"
    nothing = None if run.started else nothing_starts(look.host, run.cause)
    yield nothing or _judged(
        run, _LIMITS, Remedy(say(_RAISING), _RAISE if systemd else (), files=_LIMITS_FILES if systemd else ())
    )


def nothing_starts(host: Host, cause: Refusal) -> Finding | None:
    """Say that a container was refused as the privileged one was: then no container starts, and that is one finding."""
    privileged = host.probes.privileged.value
    if not cause or privileged is None or privileged.started or cause not in ("every", privileged.cause):
        return None
    reason = say("The engine refuses a privileged container for the same reason (see docker.privileged).")
    return unknown(reason, say("Fix that first."))


def _judged(run: StartRun, sentences: Sentences, remedy: Remedy | None = None) -> Finding:
    """Judge one; `remedy` None: the check's own."""
    evidence = StartEvidence(started=run.started, exit_code=run.exit_code)
    if not run.started:
        status, message, found = Status.FAIL, say(sentences.refused), phrase("refused")
    elif run.granted:
        status, message, found, remedy = Status.PASS, say(sentences.held), phrase("started"), None
    elif run.granted is False:
        status, message, found = Status.FAIL, say(sentences.lacking), phrase(sentences.short)
    else:
        reason = say("The container ended with exit code {code}.", code=run.exit_code)
        return unknown(reason, say("Check the engine's log."), detail=run.error, evidence=evidence)
    return Finding(
        status=status,
        message=message,
        detail=run.error,
        expected=phrase("starts"),
        found=found,
        evidence=evidence,
        remedy=remedy,
    )
