"""The machine and its operating system."""

from __future__ import annotations

from msgspec import Struct

from preflight.facts.kinds import FilePath, PackageName, Text, Version, Word


class OsRelease(Struct, frozen=True):
    """Fields of os-release(5), '' where missing."""

    id: Word
    version_id: Version
    id_like: tuple[Word, ...]
    pretty_name: Text
    codename: Word
    name: Text = ""
    variant: Word = ""  # VARIANT_ID: coreos, server …
    base: Word = ""  # code name of the release of Ubuntu or Debian that a derivative is made of


class Virtualization(Struct, frozen=True):
    """What the host itself runs in. None = none seen; names as systemd-detect-virt gives them."""

    container: Word | None  # lxc, openvz, wsl, docker, podman, systemd-nspawn …
    vm: Word | None  # kvm, vmware, microsoft, xen, …
    nas: Word | None  # synology, qnap, unraid, truenas …
    hints: tuple[Text, ...] = ()  # file: what it said


class Command(Struct, frozen=True):
    """A program on the host's PATH; `path` None = not there; `busybox` None = cannot be told."""

    path: FilePath | None
    busybox: bool | None = None
    package: PackageName | None = None  # that brought it; of Docker's programs alone. None as well: not known


class Userland(Struct, frozen=True, kw_only=True):
    """What the host's programs are made for, whatever its kernel is; names as `uname -m` gives them, '' = not known.

    `packages`: the package manager's own architecture, not the foreign ones that it takes too.
    """

    shell: Word = ""
    engine: Word = ""  # the program dockerd
    packages: Word = ""


class KernelFeatures(Struct, frozen=True):
    """Kernel options by their state (y, m, n), and whether modules for the running release are installed."""

    options: dict[Word, Word]
    options_source: FilePath | None  # None = the kernel's configuration was not found
    modules_directory: bool | None  # /lib/modules/RELEASE exists; None = cannot be told
    loaded: tuple[Word, ...] = ()  # of the modules that matter: in /proc/modules or built in
    tables: tuple[Word, ...] = ()  # ip_tables_names and ip6_tables_names, as ip:nat, ip6:filter
    absent: tuple[Word, ...] = ()  # options that are m whose module is neither loaded nor installed


class SecurityModules(Struct, frozen=True):
    """SELinux: enforcing, permissive or disabled. AppArmor: enabled in the kernel; its parser on the host."""

    selinux: Word
    apparmor: bool
    apparmor_parser: bool
    container_selinux: bool  # the policy package for containers is installed
