"""The system: distribution, machine, kernel, commands, security modules, limits."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Finding, Look, check
from preflight.checks.remedies import distro
from preflight.checks.remedies import install as installation
from preflight.checks.sources import INSTALLATION, PREREQUISITES, issue
from preflight.checks.system import distributions, kernel_needs, userland
from preflight.facts import SecurityModules
from preflight.report.model import Remedy, Severity, Status
from preflight.text import versions
from preflight.text.sentences import noted, paragraph, phrase, say, skipped_because, told

# --- distribution --------------------------------------------------------------------------------------------


@check(
    severity=Severity.RECOMMENDED,
    reads=("os_release", "kernel", "virtualization"),
    remedy="Install one of the distributions that mailcow's documentation lists, in a maintained release.",
    docs=(PREREQUISITES,),
)
def os(look: Look) -> Iterator[Finding]:
    """Run a distribution that mailcow supports.

    mailcow is tested on a few distributions only. Elsewhere it may work, but nobody has tried the combination of
    kernel, firewall and Docker packages, and a release past its end of life gets no security updates for a host
    that faces the Internet.
    """
    system = look.host.os_release.get()
    shown = system.pretty_name or f"{system.id} {system.version_id}".strip()
    wanted = ", ".join(distributions.wording(entry) for entry in look.requirements.systems)
    evidence = {"id": system.id, "version_id": system.version_id}
    status, message, text = distributions.judge(look, system, shown)
    remedy = Remedy(text) if text else None
    yield Finding(status=status, message=message, expected=wanted, found=shown, evidence=evidence, remedy=remedy)


# --- machine -------------------------------------------------------------------------------------------------


@check(
    severity=Severity.REQUIRED,
    reads=("machine", "userland", "engine"),
    remedy="Use a machine of a supported architecture with a 64-bit system: mailcow's images exist for no other.",
    docs=(PREREQUISITES,),
)
def architecture(look: Look) -> Iterator[Finding]:
    """Run on a processor architecture that mailcow has images for.

    mailcow's containers are built for these architectures only. On any other one Docker finds no image, or starts
    one that fails with "exec format error". A 32-bit engine on a 64-bit kernel finds none either.
    """
    machine = look.host.machine.get()
    name = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    wanted = ", ".join(look.requirements.architectures)
    fits = name in look.requirements.architectures
    if fits and (found := userland.narrow(look.host, name, wanted)):
        yield found
        return
    text = say("This machine is {name}; mailcow has images for it.", name=name)
    if not fits:
        text = say("This machine is {name}; mailcow needs {wanted}.", name=name, wanted=wanted)
    yield Finding(
        status=Status.PASS if fits else Status.FAIL,
        message=text,
        expected=wanted,
        found=name,
        evidence={"machine": name},
        remedy=None if fits else Remedy(say("Install mailcow on a machine whose system is {wanted}.", wanted=wanted)),
    )


_LXC = noted("This host is an LXC container; mailcow does not support that.")
_UNSUPPORTED = {
    "lxc": _LXC,
    "lxc-libvirt": _LXC,
    "openvz": noted("This host is a container of OpenVZ or Virtuozzo; mailcow does not support that."),
    "wsl": noted("This host is the Windows Subsystem for Linux; mailcow does not support that."),
}
_MACHINES = {
    "kvm": "KVM", "qemu": "QEMU", "vmware": "VMware", "microsoft": "Hyper-V", "xen": "Xen", "oracle": "VirtualBox",
    "amazon": "Amazon EC2", "google": "Google Compute Engine",
}  # fmt: skip


@check(
    severity=Severity.REQUIRED,
    reads=("virtualization",),
    remedy="Use a real machine, or a virtual one on KVM, VMware ESX or Hyper-V.",
    docs=(PREREQUISITES,),
    sources=(issue(4829), issue(4404)),
)
def virtualization(look: Look) -> Iterator[Finding]:
    """Run on a real or fully virtual machine.

    In OpenVZ, Virtuozzo and LXC containers the kernel is shared: Docker cannot load netfilter modules, set limits or
    unpack images there, and NAS systems replace parts of Docker. mailcow's developers support neither, nor WSL.
    """
    found = look.host.virtualization.get()
    evidence = {"container": found.container, "vm": found.vm, "nas": found.nas, "hints": list(found.hints)}
    status, text = Status.PASS, _below(found.vm)
    if found.container in _UNSUPPORTED:
        status, text = Status.FAIL, say(_UNSUPPORTED[found.container])
    elif found.nas:
        status = Status.FAIL
        text = say("This host is a NAS ({nas}); mailcow does not support such systems.", nas=found.nas)
        if found.nas == "haos":
            text = say("This host runs Home Assistant OS. mailcow does not support such appliances.")
    elif found.container:
        status = Status.WARN
        text = say(
            "This host is itself a container ({container}); mailcow is documented for machines only.",
            container=found.container,
        )
    yield Finding(
        status=status,
        message=text,
        expected=phrase("a real machine or KVM, ESX, Hyper-V"),
        evidence=evidence,
        found=found.container or found.nas or found.vm or phrase("none"),
        remedy=None if status is Status.PASS else Remedy(say("Use a virtual machine (KVM, ESX, Hyper-V) instead.")),
    )


def _below(machine: str | None) -> str:
    if machine is None:
        return say("No virtualization is seen below this host.")
    if machine == "vm-other":
        return say("This host runs on a hypervisor that does not name itself.")
    return say("This host runs on {hypervisor}.", hypervisor=_MACHINES.get(machine, machine))


# --- kernel --------------------------------------------------------------------------------------------------


@check(
    severity=Severity.REQUIRED,
    reads=("kernel", "os_release"),
    remedy="Install a newer kernel of the distribution and restart the host.",
    docs=(PREREQUISITES,),
    sources=(issue(30402, "moby/moby"), issue(2904), issue(3210)),
)
def kernel(look: Look) -> Iterator[Finding]:
    """Run a kernel that mailcow's containers do not crash.

    Some kernels panic, hours or days later, while they run containers with health checks or with name servers of
    their own, and mailcow has both. No test of a few seconds shows that; the release alone tells.
    """
    release = look.host.kernel.get()
    system = look.host.os_release.value if look.host.os_release.known else None
    evidence = {"release": release}
    if versions.parse(release) is None:
        reason = say("The kernel's release does not begin with a version.")
        text = say("The kernel calls itself {release}, which is no version.", release=release[:60])
        remedy = Remedy(say("Look at its release."), ("uname -r",))
        yield Finding(status=Status.UNKNOWN, message=text, reason=reason, evidence=evidence, remedy=remedy)
        return
    rule, possible = versions.matching_rule(look.requirements.kernels, release, system)
    if rule is not None:
        text = paragraph(say("Kernel {release} is known to break mailcow.", release=release), told(rule.reason))
        advice = say("Install a newer kernel and restart the host. Read more: {source}", source=rule.source)
        remedy = Remedy(advice, _newer_kernel(look))
        yield Finding(status=Status.FAIL, message=text, found=release, evidence=evidence, remedy=remedy)
    elif possible is not None:
        reason = paragraph(say("The distribution is unknown, and this holds for one of them."), told(possible.reason))
        text = say(
            "Whether kernel {release} breaks mailcow depends on the distribution, which could not be read.",
            release=release,
        )
        remedy = Remedy(say("Look into /etc/os-release."), ("cat /etc/os-release",))
        yield Finding(
            status=Status.UNKNOWN, message=text, reason=reason, found=release, evidence=evidence, remedy=remedy
        )
    else:
        text = say("Kernel {release} is none of those that are known to break mailcow.", release=release)
        yield Finding(status=Status.PASS, message=text, found=release, evidence=evidence)


def _newer_kernel(look: Look) -> tuple[str, ...]:
    system = look.host.os_release.value
    if system and system.id == "debian" and system.version_id == "8":
        return ("apt-get install -t jessie-backports linux-image-amd64", "reboot")
    return distro.newer_kernel(look.host)


@check(
    severity=Severity.REQUIRED,
    reads=("kernel_features", "kernel", "os_release"),
    remedy="Run the distribution's own, complete kernel, and restart the host after the kernel was upgraded.",
    sources=(issue(49557, "moby/moby"), issue(4474), issue(4802)),
)
def kernel_features(look: Look) -> Iterator[Finding]:
    """Have all kernel features at hand that mailcow's containers need.

    Docker needs namespaces, control groups, bridges and NAT, and mailcow's netfilter container the tables of iptables.
    After a kernel upgrade without a restart the running kernel's modules are gone, and what is not loaded by then
    fails with "iptables who? (do you need to insmod?)".
    """
    features = look.host.kernel_features.get()
    needs = kernel_needs.sort(features)
    missing = [*needs.grave, *needs.lesser]
    evidence = {
        "missing": missing, "unknown": list(needs.unknown), "absent_modules": list(features.absent),
        "modules_directory": features.modules_directory, "source": features.options_source,
    }  # fmt: skip
    release = look.host.kernel.get() if look.host.kernel.known else "?"
    status, text, advice = kernel_needs.judge(features, needs, release)
    restart = ("reboot",) if needs.gone else _modules(look) if features.absent else ()
    yield Finding(
        status=status,
        message=text,
        evidence=evidence,
        remedy=Remedy(advice, restart) if advice else None,
        reason=text if status is Status.UNKNOWN else None,
        expected=phrase("all"),
        found=_share(len(missing), needs),
    )


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


def _share(missing: int, needs: kernel_needs.Sorted) -> str:
    if missing:
        return phrase("{count} missing", count=missing)
    return phrase("not all known") if needs.unknown else phrase("all")


# --- commands ------------------------------------------------------------------------------------------------

_PACKAGES = {"awk": "gawk", "sha1sum": "coreutils", "cut": "coreutils", "cp": "coreutils"}


def _commands(look: Look) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*look.requirements.commands, *look.requirements.not_busybox)))


@check(
    severity=Severity.REQUIRED,
    reads=("commands", "contact", "engine", "services", "os_release"),
    remedy="Install the program with the distribution's package manager.",
    docs=(PREREQUISITES, INSTALLATION),
    subject="command",
    subjects=_commands,
)
def commands(look: Look, name: str) -> Iterator[Finding]:
    """Have the commands at hand that mailcow's scripts call.

    generate_config.sh and update.sh stop where one is missing, and where grep, cp or sed are BusyBox's, which lack
    options that the scripts use.
    """
    command = look.host.commands.get().get(name)
    gnu = name in look.requirements.not_busybox
    wanted = phrase("installed, not BusyBox's") if gnu else phrase("installed")
    evidence = {"path": command.path if command else None, "busybox": command.busybox if command else None}
    if command is None or (gnu and command.path and command.busybox is None):
        text = say("Whether {name} is there could not be found out.", name=name)
        if gnu:
            text = say("Whether {name} is there and not BusyBox's could not be found out.", name=name)
        reason = say("{name} was not looked at or cannot be read.", name=name)
        remedy = Remedy(say("Look which version it is."), (f"{name} --version",))
        yield Finding(
            status=Status.UNKNOWN, message=text, reason=reason, expected=wanted, evidence=evidence, remedy=remedy
        )
    elif command.path is None and name == "docker" and _comes_with_docker(look):
        reason = say("The docker command comes with Docker (see docker.engine).")
        yield Finding(status=Status.SKIP, message=skipped_because(reason), reason=reason, evidence=evidence)
    elif command.path is None:
        remedy = _docker_command(look) if name == "docker" else _install(look)
        text = say("The command {name} is not on this host; mailcow's scripts need it.", name=name)
        yield Finding(
            status=Status.FAIL, message=text, expected=wanted, found=phrase("missing"), evidence=evidence, remedy=remedy
        )
    elif gnu and command.busybox:
        text = say("{path} is BusyBox's; mailcow's scripts refuse to run with it.", path=command.path)
        remedy = _install(look)
        yield Finding(
            status=Status.FAIL, message=text, expected=wanted, found="BusyBox", evidence=evidence, remedy=remedy
        )
    else:
        text = say("{name} is {path}.", name=name, path=command.path)
        if command.busybox:
            text = say("{name} is {path} (of BusyBox, which is enough).", name=name, path=command.path)
        yield Finding(status=Status.PASS, message=text, expected=wanted, found=command.path, evidence=evidence)


def _install(look: Look) -> Remedy:
    """Install all that is missing at once: one command line, whichever of them is asked for. Docker comes by itself."""
    known, gnu = look.host.commands.get(), look.requirements.not_busybox
    missing = [
        name
        for name in _commands(look)
        if name != "docker"
        and (found := known.get(name)) is not None
        and (found.path is None or (name in gnu and found.busybox))
    ]
    packages = dict.fromkeys(_PACKAGES.get(name, name) for name in missing)
    text = say("Install what is missing, not BusyBox's: {names}.", names=", ".join(missing))
    if not any(known[name].busybox for name in missing):
        text = say("Install what is missing: {names}.", names=", ".join(missing))
    return Remedy(text, distro.install(look.host, default=" ".join(packages)))


def _comes_with_docker(look: Look) -> bool:
    return installation.absent(look.host) and look.told_by("docker.engine")


def _docker_command(look: Look) -> Remedy:
    """Install the docker command beside the engine that is there, or Docker as a whole."""
    daemon = look.host.commands.get().get("dockerd")
    if look.host.engine.known or (daemon is not None and daemon.path is not None):
        return installation.command(look.host)
    return installation.docker(look.host)


# --- security modules and limits -----------------------------------------------------------------------------


@check(
    severity=Severity.RECOMMENDED,
    reads=("security", "engine", "os_release", "services"),
    remedy="Let Docker know of SELinux, or install AppArmor's parser.",
    docs=(PREREQUISITES,),
    sources=(issue(6510), issue(5044)),
)
def security_modules(look: Look) -> Iterator[Finding]:
    """Have Docker and the kernel's security modules know of each other.

    With SELinux enforcing and Docker not told of it, MariaDB's socket is out of reach for the other containers and
    mailcow waits for SQL for ever. With AppArmor in the kernel and no parser on the host, no container starts.
    """
    found = look.host.security.get()
    on = f"SELinux ({found.selinux})" if found.selinux != "disabled" else phrase("none")
    on = "AppArmor" if found.apparmor else on
    evidence = {"selinux": found.selinux, "apparmor": found.apparmor, "apparmor_parser": found.apparmor_parser}
    told = found.selinux != "enforcing" or "name=selinux" in _security_options(look)
    if found.apparmor and not found.apparmor_parser:
        text = say("AppArmor is on in the kernel, but its parser is not installed: Docker cannot load its profile.")
        remedy = Remedy(
            say("Install AppArmor's tools and restart Docker."),
            (
                *distro.install(
                    look.host, debian="apparmor", suse="apparmor-parser", alpine="apparmor", arch="apparmor"
                ),
                *distro.restart(look.host, "docker"),
            ),
        )
    elif not told or (found.selinux == "enforcing" and not found.container_selinux):
        text = say("SELinux is enforcing, but Docker does not label its containers for it.")
        if told:
            text = say("SELinux is enforcing, but the policy for containers (container-selinux) is not installed.")
        remedy = _selinux(look)
    else:
        yield Finding(status=Status.PASS, message=_agreed(found), found=on, evidence=evidence)
        return
    yield Finding(status=Status.WARN, message=text, found=on, evidence=evidence, remedy=remedy)


def _security_options(look: Look) -> set[str]:
    """Return what the engine says it supports, without details ("name=seccomp,profile=builtin")."""
    return {option.partition(",")[0] for option in look.host.engine.get().security_options}


def _selinux(look: Look) -> Remedy:
    return Remedy(
        say('Install container-selinux, set "selinux-enabled": true in /etc/docker/daemon.json, and restart Docker.'),
        (*distro.install(look.host, rhel="container-selinux"), *distro.restart(look.host, "docker")),
    )


def _agreed(found: SecurityModules) -> str:
    if found.selinux == "permissive":
        return say("SELinux is permissive: it stops nothing now, but would when it is set to enforcing.")
    if found.selinux == "enforcing":
        return say("SELinux is enforcing, and Docker labels its containers for it.")
    if found.apparmor:
        return say("AppArmor is on, and its parser is installed.")
    return say("Neither SELinux nor AppArmor is on.")


_LIMITS = ("fs.inotify.max_user_instances", "vm.overcommit_memory", "engine.nofile")


@check(
    severity=Severity.INFO,
    reads=("sysctls",),
    remedy="Raise the limit in /etc/sysctl.d.",
    sources=(issue(453), issue(5300), issue(4055)),
    subject="sysctl",
    subjects=lambda _: _LIMITS,
)
def limits(look: Look, name: str) -> Iterator[Finding]:
    """Know the limits that a busy mailcow meets.

    Dovecot needs more inotify instances than the kernel's default when many clients wait for mail, Redis asks for
    overcommitted memory to save its data, and containers inherit the engine's limit of open files.
    """
    value = look.host.sysctls.get().get(name)
    lowest = {"fs.inotify.max_user_instances": look.requirements.inotify_instances, "vm.overcommit_memory": 1}.get(
        name, look.requirements.engine_open_files
    )
    evidence = {"value": value}
    if value is None:
        reason = say("{name} could not be read.", name=name)
        if name == "engine.nofile":
            reason = say("No engine with the usual pid file runs on the host.")
        yield Finding(status=Status.SKIP, message=skipped_because(reason), reason=reason, evidence=evidence)
        return
    if (value == lowest) if name == "vm.overcommit_memory" else value >= lowest:
        text = say("{name} is {value}.", name=name, value=value)
        yield Finding(status=Status.PASS, message=text, found=str(value), evidence=evidence)
        return
    text, remedy = _limit_advice(name, value, lowest)
    wanted = str(lowest) if name == "vm.overcommit_memory" else phrase("at least {lowest}", lowest=lowest)
    yield Finding(status=Status.PASS, message=text, expected=wanted, found=str(value), evidence=evidence, remedy=remedy)


def _limit_advice(name: str, value: int, lowest: int) -> tuple[str, Remedy]:
    if name == "engine.nofile":
        text = say(
            "Docker passes on a limit of {value} open files; Dovecot's container asks for {lowest}.",
            value=value,
            lowest=lowest,
        )
        return text, Remedy(
            say("Remove LimitNOFILE from Docker's unit and default-ulimits from /etc/docker/daemon.json.")
        )
    file = "/etc/sysctl.d/90-mailcow.conf"
    write = (f"echo '{name} = {{}}' >> {file}", f"sysctl -p {file}")
    if name == "vm.overcommit_memory":
        text = say(
            "{name} is {value}: Redis will warn that saving its data may fail when memory is low.",
            name=name,
            value=value,
        )
        return text, Remedy(say("Let the kernel overcommit memory."), (write[0].format(lowest), write[1]))
    text = say("{name} is {value}: with many mail clients Dovecot may exceed it.", name=name, value=value)
    return text, Remedy(say("Raise it."), (write[0].format(max(1024, lowest)), write[1]))
