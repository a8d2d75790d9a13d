"""Swap space, for the moments in which a service needs more memory than there is."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import Measured
from preflight.checks.resources.sizes import gib
from preflight.checks.sources import PREREQUISITES
from preflight.report.evidence.host import SizeEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import phrase, say

_TAKES_SWAP_FILES = ("ext4", "ext3", "ext2", "xfs", "f2fs")
_NAMED = 1 << 27  # requirements that ask for less than these bytes of swap ask for any


@check(
    severity=Severity.RECOMMENDED,
    reads=("memory", "spaces"),
    remedy="Add a swap file or a swap partition.",
    docs=(PREREQUISITES,),
)
def swap(look: Look) -> Iterator[Finding]:
    """There is swap space

    When ClamAV reloads its signatures, it briefly needs twice as much memory. With swap, the host is slow during that
    time. Without swap, the kernel may kill a service.
    """
    size, requirements = look.host.memory.get().swap_total_bytes, look.requirements.memory
    exact = requirements.swap_bytes >= _NAMED
    measured = Measured(
        expected=gib(requirements.swap_bytes) if exact else phrase("any"),
        found=gib(size) if size else phrase("none"),
        evidence=SizeEvidence(bytes=size, needed_bytes=requirements.swap_bytes if exact else None),
    )
    if size >= max(1, requirements.swap_bytes * (1 - requirements.tolerance)):
        yield measured.judged(Status.PASS, say("This host has {size} of swap.", size=gib(size)))
    else:
        text = _too_little(size, requirements.swap_bytes)
        yield measured.judged(Status.WARN, text, _swap_file(look))


def _too_little(size: int, wanted: int) -> str:
    if wanted < _NAMED:
        return say("This host has no swap. mailcow's documentation asks for some.")
    if not size:
        return say("This host has no swap. mailcow's documentation asks for {wanted}.", wanted=gib(wanted))
    return say(
        "This host has {size} of swap. mailcow's documentation asks for {wanted}.", size=gib(size), wanted=gib(wanted)
    )


def _swap_file(look: Look) -> Remedy:
    """Return how swap is added on the file system of the host's root."""
    mebibytes = max(1024, -(-look.requirements.memory.swap_bytes >> 20))
    kind = _root_filesystem(look)
    use = ("swapon /swapfile", "echo '/swapfile none swap defaults 0 0' >> /etc/fstab")
    if kind == "btrfs":
        return Remedy(say("Add a swap file."), (f"btrfs filesystem mkswapfile --size {mebibytes}m /swapfile", *use))
    if kind and kind not in _TAKES_SWAP_FILES:
        return Remedy(say("Add a swap partition: {kind} is not suitable for a swap file.", kind=kind), ("lsblk -f",))
    write = f"dd if=/dev/zero of=/swapfile bs=1M count={mebibytes}"  # fallocate leaves holes on some file systems
    # dd keeps the mode of a file from an earlier try, which anybody may be able to read.
    return Remedy(say("Add a swap file."), (write, "chmod 600 /swapfile", "mkswap /swapfile", *use))


def _root_filesystem(look: Look) -> str:
    """Return the kind of file system that the host's root is on; '' = not known."""
    known = (space.value for space in look.host.spaces.or_({}).values())
    return next((space.filesystem for space in known if space and space.mount == "/"), "")
