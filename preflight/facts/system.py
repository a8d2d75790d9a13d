"""The machine and its operating system."""

from __future__ import annotations

from msgspec import Struct


class OsRelease(Struct, frozen=True):
    """Fields of os-release(5), '' where missing."""

    id: str
    version_id: str
    id_like: tuple[str, ...]
    pretty_name: str
    codename: str
    name: str = ""
    variant: str = ""  # VARIANT_ID: coreos, server …
    base: str = ""  # code name of the release of Ubuntu or Debian that a derivative is made of


class Virtualization(Struct, frozen=True):
    """What the host itself runs in. None = none seen; names as systemd-detect-virt gives them."""

    container: str | None  # lxc, openvz, wsl, docker, podman, systemd-nspawn …
    vm: str | None  # kvm, vmware, microsoft, xen, …
    nas: str | None  # synology, qnap, unraid, truenas …
    hints: tuple[str, ...] = ()  # file: what it said


class Command(Struct, frozen=True):
    """A program on the host's PATH; `path` None = not there; `busybox` None = cannot be told."""

    path: str | None
    busybox: bool | None = None
    package: str | None = None  # that brought it; of Docker's programs alone. None as well: not known


class Userland(Struct, frozen=True, kw_only=True):
    """What the host's programs are made for, whatever its kernel is; names as `uname -m` gives them, '' = not known.

    `packages`: the package manager's own architecture, not the foreign ones that it takes too.
    """

    shell: str = ""
    engine: str = ""  # the program dockerd
    packages: str = ""


class KernelFeatures(Struct, frozen=True):
    """Kernel options by their state (y, m, n), and whether modules for the running release are installed."""

    options: dict[str, str]
    options_source: str | None  # None = the kernel's configuration was not found
    modules_directory: bool | None  # /lib/modules/RELEASE exists; None = cannot be told
    loaded: tuple[str, ...] = ()  # of the modules that matter: in /proc/modules or built in
    tables: tuple[str, ...] = ()  # ip_tables_names and ip6_tables_names, as ip:nat, ip6:filter
    absent: tuple[str, ...] = ()  # options that are m whose module is neither loaded nor installed


class SecurityModules(Struct, frozen=True):
    """SELinux: enforcing, permissive or disabled. AppArmor: enabled in the kernel; its parser on the host."""

    selinux: str
    apparmor: bool
    apparmor_parser: bool
    container_selinux: bool  # the policy package for containers is installed
