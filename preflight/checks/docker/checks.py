"""The Docker engine and Compose: there, new enough, set up so that mailcow's containers work."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from preflight.checks import Look, check
from preflight.checks.docker import trials
from preflight.checks.docker.contact import silent, unknown
from preflight.checks.docker.daemon_remedy import corrected, restarted
from preflight.checks.docker.daemon_settings import judge
from preflight.checks.docker.remains import PROJECTS, left_of, works
from preflight.checks.remedies import distro, install
from preflight.checks.remedies.daemon_json import edit
from preflight.checks.sources import (
    COMPOSE_ULIMITS,
    DAEMON_JSON,
    HEALTHCHECK,
    INSTALLATION,
    PREREQUISITES,
    STORAGE_DRIVERS,
    issue,
)
from preflight.facts import Compose, Engine, HealthRun, Host
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import noted, paragraph, phrase, say, skipped_because, unknown_because
from preflight.text.versions import at_least

_PODMAN = noted("Podman behind Docker's socket")
_SNAP = noted("a snap package")
_REMAPPED = noted("an engine with userns-remap")


def _podman(engine: Engine) -> bool:
    return any("podman" in name.lower() for name in engine.components)


@check(
    severity=Severity.REQUIRED,
    reads=("contact", "engine", "commands", "services", "os_release"),
    remedy="Install the Docker Engine from Docker's own packages, start it and keep it up to date.",
    docs=(PREREQUISITES, INSTALLATION),
    sources=(issue(6669),),
)
def engine(look: Look) -> Iterator[Finding]:
    """The Docker Engine answers and is new enough

    mailcow is nothing but containers, and its installer refuses engines older than the version named on its page.
    An engine that hangs now will hang while mailcow is being updated, too.
    """
    contact = look.host.contact.get()
    if contact.state != "ok":
        yield silent(look.host, contact)
        return
    said = look.host.engine.get()
    evidence = {"version": said.version, "api_version": said.api_version}
    wanted = look.requirements.docker
    if _podman(said):
        reason = say("Podman, not the Docker Engine, answers (see docker.packaging).")
        yield Finding(status=Status.SKIP, message=skipped_because(reason), reason=reason, evidence=evidence)
        return
    enough = at_least(said.version, wanted) if wanted else True
    text = say("The Docker Engine {version} answers at {url}.", version=said.version, url=contact.url)
    expected = f"≥ {wanted}" if wanted else phrase("any")
    if enough is None:
        reason = say(
            "The engine's version {version} is not a number that can be compared with {wanted}.",
            version=repr(said.version),
            wanted=wanted,
        )
        help = say("Install a released version.")
        yield unknown(paragraph(text, reason), reason, help, "docker version", evidence=evidence)
    elif enough:
        yield Finding(status=Status.PASS, message=text, expected=expected, found=said.version, evidence=evidence)
    else:
        message = say(
            "The Docker Engine {version} is too old: mailcow needs version {wanted} or newer.",
            version=said.version,
            wanted=wanted,
        )
        remedy = install.newer(look.host)
        yield Finding(
            status=Status.FAIL, message=message, expected=expected, found=said.version, evidence=evidence, remedy=remedy
        )


@check(
    severity=Severity.REQUIRED,
    reads=("compose", "contact", "engine", "commands", "services", "os_release"),
    remedy="Install Docker Compose as a plugin of the docker command.",
    docs=(PREREQUISITES, INSTALLATION),
    sources=(issue(6939),),
)
def compose(look: Look) -> Iterator[Finding]:
    """Docker Compose is installed and new enough

    mailcow's scripts start everything through Docker Compose: the plugin where it works, else the old standalone
    program. Without it the installer writes its configuration, and `docker compose pull` then fails.
    """
    found = look.host.compose.get()
    evidence = {"version": found.version or None, "kind": found.kind, "path": found.path}
    wanted = look.requirements.compose
    expected = f"≥ {wanted}"
    if found.kind is None:
        yield _no_compose(look, found, expected, evidence)
        return
    enough = at_least(found.version, wanted) if found.version else None
    if enough is None:
        yield _mute(look.host, found, evidence)
    elif enough:
        message = say("Docker Compose {version} is installed: {found}.", version=found.version, found=_kind(found))
        yield Finding(status=Status.PASS, message=message, expected=expected, found=found.version, evidence=evidence)
    else:
        message = say(
            "Docker Compose {version} ({path}) is too old: mailcow needs {wanted} or newer.",
            version=found.version,
            path=found.path,
            wanted=wanted,
        )
        yield Finding(
            status=Status.FAIL,
            message=message,
            expected=expected,
            found=found.version,
            evidence=evidence,
            remedy=_compose(look),
        )


def _no_compose(look: Look, found: Compose, expected: str, evidence: dict[str, Any]) -> Finding:
    if install.absent(look.host) and look.told_by("docker.engine"):
        reason = say("Docker Compose comes with Docker (see docker.engine).")
        return Finding(status=Status.SKIP, message=skipped_because(reason), reason=reason, evidence=evidence)
    message, remedy = say("Docker Compose is not installed: neither the plugin nor docker-compose is there."), None
    if found.inert:
        message = say("{path} is not executable, so that docker does not use it.", path=found.inert)
        remedy = Remedy(say("Make it executable."), (f"chmod +x {shlex.quote(found.inert)}",))
    if found.of_user:
        message = say(
            "Docker Compose is not installed for root, who runs mailcow's scripts. Another user has it: {path}.",
            path=found.of_user,
        )
    return Finding(
        status=Status.FAIL, message=message, expected=expected, found=phrase("none"), evidence=evidence,
        remedy=remedy or _compose(look),
    )  # fmt: skip


def _compose(look: Look) -> Remedy:
    """Say how Compose is installed: with the engine where that has to be installed or replaced, else beside it."""
    host, wanted = look.host, look.requirements.docker
    said, known = host.engine.value, host.commands.value
    if said is not None and wanted and at_least(said.version, wanted) is False:
        return install.newer(host)
    if said is None and known is not None and not any(known[n].path for n in ("docker", "dockerd") if n in known):
        return install.docker(host)
    return install.compose(host)


def _kind(found: Compose) -> str:
    if found.kind == "plugin":
        return phrase("the plugin {path}", path=found.path)
    return phrase("the program {path}", path=found.path)


def _mute(host: Host, found: Compose, evidence: Mapping[str, object]) -> Finding:
    reason = say(
        "{path} did not tell its version: {detail}.",
        path=found.path,
        detail=found.detail or found.version or phrase("it printed none"),
    )
    again = install.compose(host)
    help = paragraph(say("Ask it on the host, and where it does not work, install it anew."), again.text)
    asked = "docker compose version" if found.kind == "plugin" else "docker-compose version"
    message = paragraph(say("Docker Compose is there, but not its version."), reason)
    return unknown(message, reason, help, asked, *again.commands, evidence=evidence)


def _elsewhere(look: Look, said: Engine) -> Finding | None:
    """Say that the engine's kernel is not this host's: then it lives on another machine, which nobody looked at."""
    here = look.host.kernel.value
    if not here or not said.kernel or said.kernel == here:
        return None
    reason = say(
        "The engine runs on another machine, with the kernel {there}: this host's is {here}.",
        there=said.kernel,
        here=here,
    )
    help = say("Run preflight on the engine's own host; what this report says of files, ports and memory is not of it.")
    return unknown(unknown_because(reason), reason, help)


@check(
    severity=Severity.REQUIRED,
    reads=("engine", "commands", "services", "os_release", "kernel"),
    remedy="Replace it by the Docker Engine from Docker's own packages, run by root.",
    docs=(PREREQUISITES,),
    sources=(issue(2401), issue(5483), issue(656)),
)
def packaging(look: Look) -> Iterator[Finding]:
    """The engine is Docker's own, run by root

    mailcow needs privileged containers, the host's network and the socket at its usual place. The snap package sees
    another file system, Podman and rootless engines lack what mailcow's netfilter needs, user namespaces are
    refused to privileged containers, and Docker Desktop hides the host behind a virtual machine.
    """
    said = look.host.engine.get()
    options = {option.partition(",")[0].removeprefix("name=") for option in said.security_options}
    kinds = {
        _PODMAN: _podman(said),
        _SNAP: said.root_dir.startswith("/var/snap/"),
        noted("a rootless engine"): "rootless" in options,
        _REMAPPED: "userns" in options,
        "Docker Desktop": said.operating_system.startswith("Docker Desktop"),
    }
    found = [name for name, here in kinds.items() if here]
    if not found:
        if elsewhere := _elsewhere(look, said):
            yield elsewhere
        elif said.root_dir or said.operating_system:
            message = say("The engine is the Docker Engine itself, run by root.")
            yield Finding(status=Status.PASS, message=message, expected="Docker Engine", found="Docker Engine")
        else:
            reason = say("The engine says neither where its data lies nor what it runs on.")
            yield unknown(unknown_because(reason), reason, say("Restart the engine."), "docker info")
        return
    commands = {
        _SNAP: ("snap stop --disable docker",),
        _PODMAN: distro.remove(look.host, "podman-docker"),
        _REMAPPED: ("grep -n userns-remap /etc/docker/daemon.json",),
    }
    first = tuple(line for name in found for line in commands.get(name, ()))
    text = say("Use the Docker Engine from Docker's own packages instead, without user namespaces.")
    again = () if found == [_REMAPPED] else (*install.engine(look.host), *distro.enable(look.host, "docker"))
    listed = ", ".join(map(phrase, found))
    yield Finding(
        status=Status.FAIL,
        message=say("The engine is of a kind with which mailcow does not work: {kinds}.", kinds=listed),
        expected="Docker Engine",
        found=listed,
        remedy=Remedy(text, tuple(dict.fromkeys((*first, *again)))),
    )


_DRIVERS_BAD = {
    "vfs": noted(
        "The storage driver vfs is of no use here: it keeps a whole copy of every layer, some 30 GB for mailcow alone."
    ),
    "devicemapper": noted("The storage driver devicemapper is of no use here: it was removed from Docker 25."),
    "aufs": noted("The storage driver aufs is of no use here: it was removed from Docker 24."),
}
_DRIVERS_ODD = ("btrfs", "zfs", "fuse-overlayfs", "overlay", "stargz", "native")
_BACKING_BAD = ("nfs", "nfs4", "cifs", "smb", "smb2", "fuseblk", "ntfs", "vfat")
_BACKING_ODD = ("btrfs", "zfs", "tmpfs", "fuse", "overlayfs", "aufs")


@check(
    severity=Severity.REQUIRED,
    reads=("engine",),
    remedy="Put the engine's data on ext4 or xfs with the overlay2 storage driver; containers are made anew.",
    docs=(STORAGE_DRIVERS,),
    sources=(issue(840), issue(711)),
)
def storage(look: Look) -> Iterator[Finding]:
    """The engine stores its layers in a way that works for mailcow

    With vfs, mailcow's images alone need some 30 GB. Its databases have failed on ZFS and network file systems.
    """
    said = look.host.engine.get()
    if _podman(said):
        reason = say("Podman, not the Docker Engine, answers (see docker.packaging).")
        yield Finding(status=Status.SKIP, message=skipped_because(reason), reason=reason)
        return
    driver, status = said.driver, said.driver_status
    backing = status.get("Backing Filesystem", "").lower()
    on = f"{driver} ({backing})" if backing and backing != "<unknown>" else driver
    stored = say("The engine stores its layers with {driver}.", driver=on)
    if not driver:
        reason = say("The engine does not say which storage driver it uses.")
        yield unknown(unknown_because(reason), reason, say("Look at what docker info says."), "docker info")
        return
    bad, odd = [], []
    if driver in _DRIVERS_BAD:
        bad.append(say(_DRIVERS_BAD[driver]))
    elif driver in _DRIVERS_ODD or driver not in ("overlay2", "overlayfs"):
        odd.append(say("The storage driver {driver} is unusual, and few mailcow hosts use it.", driver=driver))
    if backing in _BACKING_BAD:
        text = say(
            "The engine's data lies on {backing}, where databases lose locks and layers lose ownership.",
            backing=backing,
        )
        bad.append(text)
    elif backing in _BACKING_ODD and driver != backing:
        odd.append(say("The engine's data lies on {backing}, where few mailcow hosts have theirs.", backing=backing))
    if status.get("Supports d_type", "").lower() == "false":
        bad.append(
            say("The file system below lacks d_type (xfs with ftype=0), so that files in layers cannot be removed.")
        )
    message = paragraph(*bad, *odd) or stored
    outcome = Status.FAIL if bad else Status.WARN if odd else Status.PASS
    yield Finding(
        status=outcome, message=message, expected=phrase("overlay2 or overlayfs"), found=on,
        remedy=Remedy(say(_MOVE), ("docker info --format '{{.Driver}} {{.DockerRootDir}}'",)) if bad or odd else None,
    )  # fmt: skip


_MOVE = noted(
    "Give the engine's data a disk of ext4 or xfs and the default storage driver, before "
    "mailcow is installed: whatever lives in it now has to be made anew."
)


@check(
    severity=Severity.REQUIRED,
    reads=(
        "daemon_config",
        "engine_start",
        "contact",
        "engine",
        "ipv6",
        "ways",
        "rules",
        "routes",
        "links",
        "services",
        "os_release",
        "commands",
    ),
    remedy="Correct the engine's settings and restart it.",
    docs=(DAEMON_JSON,),
    sources=(issue(2104), issue(6904), issue(6721)),
)
def daemon_config(look: Look) -> Iterator[Finding]:
    """The engine's settings suit mailcow

    With `iptables: false` every connection seems to come from mailcow's own network, which may send: an open relay.
    On hosts with IPv6 mailcow's installer adds keys to daemon.json and restarts the engine, and it stops at a file
    that is no valid JSON.
    """
    said = look.host.engine.value
    if said is not None and _podman(said):
        reason = say("Podman, not the Docker Engine, answers (see docker.packaging).")
        yield Finding(status=Status.SKIP, message=skipped_because(reason), reason=reason)
        return
    found = look.host.daemon_config.get()
    bad, odd, missing = judge(look)
    evidence: dict[str, object] = {"path": found.path, "missing": list(missing)}
    if not bad and not odd:
        message = say("The engine has its default settings.")
        if found.present or found.arguments:
            message = say("The settings in the engine's arguments suit mailcow.")
        if found.present:
            message = say("The settings in {path} suit mailcow.", path=found.path)
        yield Finding(status=Status.PASS, message=message, found=phrase("in order"), evidence=evidence)
        return
    text, commands = corrected(look)
    if missing and not bad and not found.present:
        lines = ", ".join(f"{_key(key)}: {value}" for key, value in missing.items())
        folder = shlex.quote(found.path.rpartition("/")[0] or "/")
        commands = (f"mkdir -p {folder}", f"echo '{{{lines}}}' > {shlex.quote(found.path)}")
        text = say("Nothing has to be done, as mailcow's installer asks for it; the commands do it before.")
    elif missing and not bad:
        lines = ", ".join(f"{_key(key)}: {value}" for key, value in missing.items())
        text = say(
            "Leave it to mailcow's installer, which asks for it, or add to {path}: {lines}",
            path=found.path,
            lines=lines,
        )
        commands += edit(look.host, found.path, f". + {{{lines}}}")
    yield Finding(
        status=Status.FAIL if bad else Status.WARN,
        message=paragraph(*bad, *odd),
        found="; ".join(found.arguments) or None,
        evidence=evidence,
        remedy=Remedy(text, (*commands, *restarted(look))),
    )


def _key(key: str) -> str:
    return f'"{key}"'


_PRIVILEGES = trials.Words(
    held=noted("A privileged container in the host's network was started, and it held the privileges."),
    lacking=noted("A privileged container was started, but without the privileges to change the host's firewall."),
    refused=noted("The engine refuses to start a privileged container."),
    short=noted("no privileges"),
)
_NO_CGROUPS = trials.Words(
    held=_PRIVILEGES.held,
    lacking=_PRIVILEGES.lacking,
    refused=noted("The engine starts no container, because the control groups (cgroups) are not mounted on this host."),
    short=_PRIVILEGES.short,
)
_LIMITS = trials.Words(
    held=noted("A container with mailcow's limits of open files and processes was started, and it held them."),
    lacking=noted("A container with mailcow's limits was started, but with other ones than it asked for."),
    refused=noted("The engine refuses to start a container with mailcow's limits of open files and processes."),
    short=noted("other limits"),
)


@check(
    severity=Severity.REQUIRED,
    reads=("probes.privileged", "services", "os_release"),
    remedy="Run the engine as root on a machine of its own, not in a container or a restricted virtual server.",
    docs=(PREREQUISITES,),
    sources=(issue(1761), issue(656)),
)
def privileged(look: Look) -> Iterator[Finding]:
    """The engine can start a privileged container

    mailcow's netfilter container is privileged and works in the host's network: it bans attackers and keeps the
    containers' ports to themselves. In LXC, with user namespaces and with restricted capabilities it does not start.
    """
    ran = look.host.probes.privileged.get()
    if ran.cause == "cgroups":
        yield trials.judge(ran, _NO_CGROUPS, trials.unmounted(look.host))
        return
    yield trials.judge(ran, _PRIVILEGES)


_RAISING = noted(
    "Raise the engine's own limits; in a container or a restricted virtual server, those of the machine below."
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
    reads=("probes.limits", "probes.privileged", "services"),
    remedy=_RAISING,
    docs=(PREREQUISITES, COMPOSE_ULIMITS),
    sources=(issue(1195),),
)
def limits(look: Look) -> Iterator[Finding]:
    """The engine can start containers with mailcow's limits

    Dovecot's container asks for 40000 open files and 65535 processes, Redis' for a longer queue of connections. Where
    the engine may not grant that, as in LXC or below a low limit of its own, those containers never start.
    """
    systemd = look.host.services.known and look.host.services.get().init == "systemd"
    ran = look.host.probes.limits.get()
    if not ran.started and (finding := trials.nothing_starts(look.host, ran.error)):
        yield finding
        return
    yield trials.judge(ran, _LIMITS, Remedy(say(_RAISING), _RAISE if systemd else ()))


@check(
    severity=Severity.REQUIRED,
    reads=("probes.healthcheck", "probes.privileged", "services", "os_release"),
    remedy="Restart the engine, and look at what it logs; update it and its runtime where this does not help.",
    docs=(HEALTHCHECK, PREREQUISITES),
    sources=(issue(30402, "moby/moby"),),
)
def healthcheck(look: Look) -> Iterator[Finding]:
    """A container with a HEALTHCHECK becomes unhealthy and healthy

    mailcow's containers wait for others to be healthy before they start, so that an engine that never runs health
    checks, or misreads them, never brings mailcow up. Here one is really run: first failing, then passing.
    """
    run = look.host.probes.healthcheck.get()
    names = [state for _, state in run.states]
    evidence: dict[str, object] = {"states": [list(state) for state in run.states]}
    way = " → ".join(names) or phrase("nothing")
    if not run.error and "unhealthy" in names and "healthy" in names[names.index("unhealthy") :]:
        seconds = f"{run.states[-1][0]:.1f}"
        message = say("A container with a HEALTHCHECK went {way} in {seconds} s.", way=way, seconds=seconds)
        yield Finding(
            status=Status.PASS,
            message=message,
            expected="starting → unhealthy → healthy",
            found=way,
            evidence=evidence,
        )
        return
    if not names and (finding := trials.nothing_starts(look.host, run.error)):
        yield finding
        return
    commands = (*distro.restart(look.host, "docker"), "docker info", "docker ps --all")
    yield Finding(
        status=Status.FAIL,
        message=_sick(run, names),
        expected="starting → unhealthy → healthy",
        found=way,
        evidence=evidence,
        remedy=Remedy(say("Restart the engine and look at what it logs; then check again."), commands),
    )


def _sick(run: HealthRun, names: list[str]) -> str:
    """Say in a sentence what went wrong with the health check."""
    if run.error:
        return say("A container with a HEALTHCHECK could not be run: {error}.", error=run.error.rstrip("."))
    if set(names) <= {"none"}:
        return say("The engine ignores the HEALTHCHECK of a container.")
    if names == ["starting"]:
        return say(
            "A container with a HEALTHCHECK never left the state starting: the engine does not run health checks."
        )
    if "unhealthy" in names:
        said = say("The last check said: {output}.", output=run.output.rstrip(".")) if run.output else None
        return paragraph(say("A container stayed unhealthy although its check should have passed."), said)
    return say("A container was called healthy although its check failed.")


@check(
    severity=Severity.RECOMMENDED,
    reads=("engine", "links"),
    remedy="Remove what an earlier mailcow left, or restore its mailcow.conf where its mail is still wanted.",
    docs=(INSTALLATION,),
    sources=(issue(2854), issue(1816)),
    subject="object",
)
def leftovers(look: Look) -> Iterator[Finding]:
    """Nothing is left of an earlier mailcow

    A new mailcow takes over volumes of the old one's names, but has other passwords: it then waits for its database
    for ever. Old containers and the bridge br-mailcow keep the new ones from starting.
    """
    said = look.host.engine.get()
    projects = tuple(dict.fromkeys((look.plan.project, *PROJECTS)))
    working = [project for project in projects if works(said, project)]
    left = left_of(look, tuple(project for project in projects if project not in working))
    for subject, (message, remedy) in left.items():
        yield Finding(
            status=Status.WARN,
            subject=subject,
            message=message,
            expected=phrase("none"),
            found=phrase("there"),
            remedy=remedy,
        )
    if left:
        return
    if working:
        message = say(
            "A complete mailcow (project {project}) runs here already; nothing else of an earlier one is left.",
            project=working[0],
        )
        yield Finding(status=Status.PASS, message=message, expected=phrase("none"), found=phrase("a running mailcow"))
    elif not said.whole("containers", "networks", "volumes"):
        reason = say("The engine did not list everything that lives on it.")
        yield unknown(unknown_because(reason), reason, say("Look yourself."), "docker volume ls", "docker ps -a")
    else:
        message = say("There are no containers, networks and volumes of an earlier mailcow.")
        yield Finding(status=Status.PASS, message=message, expected=phrase("none"), found=phrase("none"))
