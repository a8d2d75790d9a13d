"""Commands for the host's own distribution: its package manager and its init system."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from preflight.facts import Host, OsRelease

Family = Literal["debian", "rhel", "suse", "alpine", "arch", "void"]

_FAMILIES: dict[str, Family] = {
    "debian": "debian", "ubuntu": "debian", "raspbian": "debian", "linuxmint": "debian", "devuan": "debian",
    "kali": "debian",
    "rhel": "rhel", "centos": "rhel", "fedora": "rhel", "almalinux": "rhel", "rocky": "rhel", "ol": "rhel",
    "amzn": "rhel",
    "alpine": "alpine",
    "suse": "suse", "opensuse": "suse", "sles": "suse", "sled": "suse",
    "arch": "arch", "manjaro": "arch",
    "void": "void",
}  # fmt: skip
# By os-release(5) VARIANT_ID, or ID: Fedora's systems whose root only rpm-ostree changes.
_OSTREE = ("coreos", "silverblue", "kinoite", "sericea", "onyx", "iot", "cosmic-atomic", "bazzite", "bluefin", "aurora")
# SUSE's systems whose root only transactional-update changes, by what their ID holds.
_TRANSACTIONAL = ("micro", "aeon", "kalpa")
_YUM_ALONE = 8  # the first release of RHEL's family with dnf
# Where jq is no package of the system's own source, the package that adds the source it is in.
_EPEL = {"centos": "epel-release", "scientific": "epel-release", "ol": "oracle-epel-release-el7"}


class Manager(Struct, frozen=True):
    """How packages are installed and removed, and the kernel renewed; `{}` are the names, separated by spaces.

    `restarts`: what it has done counts after a restart of the host.
    """

    install: str
    remove: str
    kernel: str
    restarts: bool = False


_APT = Manager(
    "apt-get update && apt-get install -y {}", "apt-get purge {}", "apt-get update && apt-get dist-upgrade"
)  # fmt: skip
_DNF = Manager("dnf install -y {}", "dnf remove {}", "dnf upgrade kernel")
_YUM = Manager("yum install -y {}", "yum remove {}", "yum update kernel")
_RPM_OSTREE = Manager("rpm-ostree install {}", "rpm-ostree uninstall {}", "rpm-ostree upgrade", restarts=True)
# --continue builds on what an earlier command has prepared, which would be lost otherwise.
_TRANSACTIONAL_UPDATE = Manager(
    "transactional-update -n --continue pkg install {}", "transactional-update --continue pkg remove {}",
    "transactional-update -n --continue up", restarts=True,
)  # fmt: skip
_MANAGERS: dict[Family, Manager] = {
    "debian": _APT,
    "rhel": _DNF,
    "suse": Manager("zypper install -y {}", "zypper remove {}", "zypper update"),
    "alpine": Manager("apk add {}", "apk del {}", "apk update && apk upgrade"),
    "arch": Manager("pacman -S --noconfirm {}", "pacman -R {}", "pacman -Syu"),
    "void": Manager("xbps-install -Sy {}", "xbps-remove {}", "xbps-install -Su"),
}


def family(host: Host) -> Family | None:
    """Return the family by whose names the host's packages go; None: unknown."""
    release = host.os_release.value
    if release is None:
        return None
    for name in (release.id, *release.id_like):
        if name in _FAMILIES:
            return _FAMILIES[name]
        if name.startswith(("opensuse", "sle-", "sl-micro", "sles")):
            return "suse"
    return None


def manager(host: Host) -> Manager | None:
    """Return the package manager that changes this host; None: unknown."""
    kind, release = family(host), host.os_release.value
    if kind is None or release is None:
        return None
    if kind == "rhel" and (release.variant in _OSTREE or release.id in _OSTREE):
        return _RPM_OSTREE
    if kind == "rhel" and _without_dnf(release):
        return _YUM
    if kind == "suse" and any(word in release.id for word in _TRANSACTIONAL):
        return _TRANSACTIONAL_UPDATE
    return _MANAGERS[kind]


def _without_dnf(release: OsRelease) -> bool:
    first = release.version_id.partition(".")[0]
    if not first.isdecimal() or release.id == "fedora":
        return False
    if release.id == "amzn":  # 2 and 2018.03 have yum, 2023 has dnf
        return int(first) < 2023
    return int(first) < _YUM_ALONE


def old(host: Host) -> bool:
    """Say whether the host is of RHEL's family before dnf."""
    return manager(host) is _YUM


def install(host: Host, **packages: str) -> tuple[str, ...]:
    """Return the commands that install packages, given by family (`debian="cron"`), or for all as `default`."""
    kind, found = family(host), manager(host)
    names = packages.get(kind or "", packages.get("default", ""))
    if found is None or not names:
        return ()
    release = host.os_release.value
    source = _EPEL.get(release.id if release else "", "") if found is _YUM and "jq" in names.split() else ""
    first = (found.install.format(source),) if source else ()
    return (*first, found.install.format(names), *(("reboot",) if found.restarts else ()))


def remove(host: Host, packages: str) -> tuple[str, ...]:
    """Return the command that removes packages (separated by spaces); it asks before it does."""
    found = manager(host)
    return (found.remove.format(packages),) if found and packages else ()


def newer_kernel(host: Host) -> tuple[str, ...]:
    """Return the commands that install the distribution's newest kernel and start it."""
    found = manager(host)
    return (found.kernel, "reboot") if found else ()


def init_system(host: Host) -> str:
    """Return the host's init system: systemd where it cannot be told, as all supported systems but Alpine have it."""
    if host.services.known:
        said = host.services.get().init
        return "runit" if said == "other" and family(host) == "void" else said
    return {"alpine": "openrc", "void": "runit"}.get(family(host) or "", "systemd")


def disable(host: Host, unit: str, *sockets: str) -> tuple[str, ...]:
    """Return the commands that stop a service now and keep it from starting at boot; () for unknown init systems."""
    plain = unit.removesuffix(".service")
    match init_system(host):
        case "systemd":
            return (f"systemctl disable --now {' '.join([*sockets, unit])}",)
        case "openrc":
            return (f"rc-service {plain} stop", f"rc-update del {plain}")
        case "sysv":
            return (f"service {plain} stop", _at_boot(host, plain, starts=False))
        case "runit":
            return (f"sv down {plain}", f"rm /var/service/{plain}")
    return ()


def disable_unit(unit: str) -> tuple[str, ...]:
    """Return the commands that stop what a process belongs to; only systemd's units have an ending in their names."""
    if unit.endswith((".service", ".socket")):
        return (f"systemctl disable --now {quote(unit)}",)
    return f"rc-service {quote(unit)} stop", f"rc-update del {quote(unit)}"


def owner(host: Host, path: str) -> str:
    """Return the command that names the package of a file, where the database cannot be read without it; '': none."""
    asked: dict[Family | None, str] = {"rhel": "rpm -qf {}", "suse": "rpm -qf {}", "arch": "pacman -Qo {}"}
    return asked.get(family(host), "").format(path)


def enable(host: Host, unit: str) -> tuple[str, ...]:
    """Return the commands that start a service now and at every boot; () for unknown init systems."""
    plain = unit.removesuffix(".service")
    match init_system(host):
        case "systemd":
            return (f"systemctl enable --now {unit}",)
        case "openrc":
            return (f"rc-update add {plain}", f"rc-service {plain} start")
        case "sysv":
            return (_at_boot(host, plain, starts=True), f"service {plain} start")
        case "runit":
            return (f"ln -sf /etc/sv/{plain} /var/service/",)
    return ()


def restart(host: Host, unit: str) -> tuple[str, ...]:
    """Return the command that restarts a service; () for unknown init systems."""
    plain = unit.removesuffix(".service")
    command = {
        "systemd": f"systemctl restart {unit}",
        "openrc": f"rc-service {plain} restart",
        "sysv": f"service {plain} restart",
        "runit": f"sv restart {plain}",
    }.get(init_system(host))
    return (command,) if command else ()


def _at_boot(host: Host, script: str, *, starts: bool) -> str:
    """Return the command by which a script of SysV starts at boot or no longer does."""
    if family(host) in ("rhel", "suse"):
        return f"chkconfig {script} {'on' if starts else 'off'}"
    return f"update-rc.d {script} {'enable' if starts else 'disable'}"


def mount_cgroups(host: Host) -> tuple[str, ...]:
    """Return the commands that mount the control groups, now and at boot where the init system has a service for it."""
    init = init_system(host)
    if init == "openrc":
        return ("rc-update add cgroups sysinit", "rc-service cgroups start")
    if init == "sysv" and family(host) == "debian":
        return install(host, default="cgroupfs-mount")
    return ("mount -t cgroup2 cgroup2 /sys/fs/cgroup",)
