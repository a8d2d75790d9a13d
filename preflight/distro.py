"""Commands for the host's own distribution: how a package is installed, a service stopped for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from preflight.facts import Host

_FAMILIES = {
    "debian": "debian", "ubuntu": "debian", "raspbian": "debian", "linuxmint": "debian", "devuan": "debian",
    "rhel": "rhel", "centos": "rhel", "fedora": "rhel", "almalinux": "rhel", "rocky": "rhel", "ol": "rhel",
    "amzn": "rhel",
    "alpine": "alpine",
    "suse": "suse", "opensuse": "suse", "sles": "suse",
    "arch": "arch",
}  # fmt: skip

_INSTALL = {
    "debian": "apt-get update && apt-get install -y {}",
    "rhel": "dnf install -y {}",
    "alpine": "apk add {}",
    "suse": "zypper install -y {}",
    "arch": "pacman -S --noconfirm {}",
}

_REMOVE = {
    "debian": "apt-get purge {}",
    "rhel": "dnf remove {}",
    "alpine": "apk del {}",
    "suse": "zypper remove {}",
    "arch": "pacman -R {}",
}


def family(host: Host) -> str | None:
    """Return the family whose package manager the host has: debian, rhel, alpine, suse, arch; None: unknown."""
    if not host.os_release.known:
        return None
    release = host.os_release.get()
    for name in (release.id, *release.id_like):
        if name in _FAMILIES:
            return _FAMILIES[name]
        if name.startswith("opensuse"):
            return "suse"
    return None


def install(host: Host, **packages: str) -> tuple[str, ...]:
    """Return the command that installs packages, given by family (`debian="cron"`), or for all as `default`."""
    kind = family(host)
    names = packages.get(kind or "", packages.get("default", ""))
    return (_INSTALL[kind].format(names),) if kind and names else ()


def remove(host: Host, packages: str) -> tuple[str, ...]:
    """Return the command that removes packages (separated by spaces); it asks before it does."""
    kind = family(host)
    return (_REMOVE[kind].format(packages),) if kind and packages else ()


def init_system(host: Host) -> str:
    """Return the host's init system: systemd where it cannot be told, as all supported systems but Alpine have it."""
    if host.services.known:
        return host.services.get().init
    return "openrc" if family(host) == "alpine" else "systemd"


def disable(host: Host, unit: str, *sockets: str) -> tuple[str, ...]:
    """Return the commands that stop a service now and keep it from starting at boot."""
    kind = init_system(host)
    plain = unit.removesuffix(".service")
    if kind == "systemd":
        return (f"systemctl disable --now {' '.join([*sockets, unit])}",)
    if kind == "openrc":
        return (f"rc-service {plain} stop", f"rc-update del {plain}")
    return (f"service {plain} stop", f"update-rc.d {plain} disable")


def disable_unit(unit: str) -> tuple[str, ...]:
    """Return the commands that stop what a process belongs to; only systemd's units have an ending in their names."""
    if unit.strip("'").endswith((".service", ".socket")):
        return (f"systemctl disable --now {unit}",)
    return f"rc-service {unit} stop", f"rc-update del {unit}"


def owner(host: Host, path: str) -> str:
    """Return the command that names the package of a file, where the database cannot be read without it; '': none."""
    asked = {"rhel": "rpm -qf {}", "suse": "rpm -qf {}", "arch": "pacman -Qo {}"}
    return asked.get(family(host) or "", "").format(path)


def enable(host: Host, unit: str) -> tuple[str, ...]:
    """Return the commands that start a service now and at every boot."""
    kind = init_system(host)
    plain = unit.removesuffix(".service")
    if kind == "systemd":
        return (f"systemctl enable --now {unit}",)
    if kind == "openrc":
        return (f"rc-update add {plain}", f"rc-service {plain} start")
    return (f"update-rc.d {plain} enable", f"service {plain} start")


def restart(host: Host, unit: str) -> tuple[str, ...]:
    """Return the command that restarts a service."""
    kind = init_system(host)
    plain = unit.removesuffix(".service")
    if kind == "systemd":
        return (f"systemctl restart {unit}",)
    return (f"rc-service {plain} restart",) if kind == "openrc" else (f"service {plain} restart",)


def mount_cgroups(host: Host) -> tuple[str, ...]:
    """Return the commands that mount the control groups, now and at boot where the init system has a service for it."""
    init = init_system(host)
    if init == "openrc":
        return ("rc-update add cgroups sysinit", "rc-service cgroups start")
    if init == "sysv" and family(host) == "debian":
        return install(host, default="cgroupfs-mount")
    return ("mount -t cgroup2 cgroup2 /sys/fs/cgroup",)
