"""How the engine stores its layers: the storage driver, and the file system below."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.docker.packaging import podman
from preflight.checks.findings import unknown
from preflight.checks.sources import STORAGE_DRIVERS, issue
from preflight.facts import Engine
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import noted, paragraph, phrase, say

_DRIVERS_BAD = {
    "vfs": noted(
        "The storage driver vfs is not suitable: it keeps a full copy of every layer, about 30 GB for mailcow alone."
    ),
    "devicemapper": noted("The storage driver devicemapper is not suitable: it was removed in Docker 25."),
    "aufs": noted("The storage driver aufs is not suitable: it was removed in Docker 24."),
}
_DRIVERS_GOOD = ("overlay2", "overlayfs")
_BACKING_BAD = ("nfs", "nfs4", "cifs", "smb", "smb2", "fuseblk", "ntfs", "vfat")
_BACKING_ODD = ("btrfs", "zfs", "tmpfs", "fuse", "overlayfs", "aufs")
_MOVE = noted(
    "Before you install mailcow, move the engine's data to ext4 or XFS and use the default storage driver. Everything "
    "in it must be recreated."
)


@check(
    severity=Severity.REQUIRED,
    reads=("engine",),
    remedy="Put the engine's data on ext4 or XFS with the overlay2 storage driver. Containers must be recreated.",
    docs=(STORAGE_DRIVERS,),
    sources=(issue(840), issue(711)),
)
def storage(look: Look) -> Iterator[Finding]:
    """The engine's storage driver and file system suit mailcow

    With vfs, mailcow's images alone need about 30 GB. Its databases have failed on ZFS and network file systems.
    """
    engine = look.host.engine.get()
    if other := podman(engine):
        yield other
    elif not engine.driver:
        reason = say("The engine does not report which storage driver it uses.")
        yield unknown(reason, say("Check the output of docker info."), "docker info")
    else:
        yield _judged(engine)


def _judged(engine: Engine) -> Finding:
    driver, backing = engine.driver, engine.driver_status.get("Backing Filesystem", "").lower()
    on = f"{driver} ({backing})" if backing and backing != "<unknown>" else driver
    bad, odd = list(_bad(engine, backing)), list(_odd(driver, backing))
    return Finding(
        status=Status.FAIL if bad else Status.WARN if odd else Status.PASS,
        message=paragraph(*bad, *odd) or say("The engine stores its layers with {driver}.", driver=on),
        expected=phrase("overlay2 or overlayfs"),
        found=on,
        remedy=Remedy(say(_MOVE), ("docker info --format '{{.Driver}} {{.DockerRootDir}}'",)) if bad or odd else None,
    )


def _bad(engine: Engine, backing: str) -> Iterator[str]:
    """Say what makes mailcow fail."""
    if engine.driver in _DRIVERS_BAD:
        yield say(_DRIVERS_BAD[engine.driver])
    if backing in _BACKING_BAD:
        yield say(
            "The engine's data is on {backing}, where databases lose locks and layers lose ownership.",
            backing=backing,
        )
    if engine.driver_status.get("Supports d_type", "").lower() == "false":
        yield say("The underlying file system lacks d_type (XFS with ftype=0), so files in layers cannot be removed.")


def _odd(driver: str, backing: str) -> Iterator[str]:
    """Say what few mailcow hosts have."""
    if driver not in (*_DRIVERS_BAD, *_DRIVERS_GOOD):
        yield say("The storage driver {driver} is unusual. Few mailcow hosts use it.", driver=driver)
    if backing in _BACKING_ODD and driver != backing:
        yield say("The engine's data is on {backing}. Few mailcow hosts use that.", backing=backing)
