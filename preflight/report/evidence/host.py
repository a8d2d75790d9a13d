"""What the checks of system and resources measured."""

from __future__ import annotations

from preflight.report.model import Evidence


class ReleaseEvidence(Evidence, frozen=True, kw_only=True):
    """The distribution, by os-release(5)."""

    id: str
    version_id: str


class MachineEvidence(Evidence, frozen=True, kw_only=True):
    """The architecture, as `uname -m` names it."""

    machine: str


class VirtualizationEvidence(Evidence, frozen=True, kw_only=True):
    """What the host itself runs in, as systemd-detect-virt names it; `hints`: the files that say so."""

    container: str | None
    vm: str | None
    nas: str | None
    hints: tuple[str, ...]


class KernelEvidence(Evidence, frozen=True, kw_only=True):
    """The running kernel, as `uname -r` names it."""

    release: str


class KernelFeaturesEvidence(Evidence, frozen=True, kw_only=True):
    """Options that the kernel lacks or that are not known, and modules that are not installed for it."""

    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    absent_modules: tuple[str, ...]
    modules_directory: bool | None
    source: str | None


class CommandEvidence(Evidence, frozen=True, kw_only=True):
    """A program of the host; `path` None: not there."""

    path: str | None
    busybox: bool | None


class SecurityModulesEvidence(Evidence, frozen=True, kw_only=True):
    """SELinux: enforcing, permissive or disabled. AppArmor: enabled in the kernel; its parser on the host."""

    selinux: str
    apparmor: bool
    apparmor_parser: bool


class LimitEvidence(Evidence, frozen=True, kw_only=True):
    """A limit's value; None: it could not be read."""

    value: int | None


class ProcessorSpeedEvidence(Evidence, frozen=True, kw_only=True):
    """The processor's rate in MHz, and where it was read."""

    mhz: float
    source: str


class ProcessorFeaturesEvidence(Evidence, frozen=True, kw_only=True):
    """The features that the processor lacks."""

    missing: tuple[str, ...]
    model: str


class SizeEvidence(Evidence, frozen=True, kw_only=True):
    """A size of which there is `bytes`, where mailcow asks for `needed_bytes` (None: for no certain size)."""

    bytes: int
    needed_bytes: int | None = None


class MemoryEvidence(SizeEvidence, frozen=True, kw_only=True):
    """Memory, by the limit of a container around the host where there is one."""

    limit_bytes: int | None
    available_bytes: int | None


class AntivirusEvidence(Evidence, frozen=True, kw_only=True):
    """Memory in bytes, and whether mailcow.conf switches ClamAV off."""

    bytes: int
    skip_clamd: bool


class SpaceEvidence(Evidence, frozen=True, kw_only=True):
    """A file system at a path, where mailcow asks for `needed_bytes` to be available."""

    path: str
    mount: str
    filesystem: str
    available_bytes: int
    total_bytes: int
    needed_bytes: int | None = None


class InodesEvidence(Evidence, frozen=True, kw_only=True):
    """Inodes of a file system at a path; `total` 0: it has no fixed number. `needed`: what mailcow asks for."""

    path: str
    available: int
    total: int
    needed: int | None = None
