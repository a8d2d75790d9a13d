"""Resources: processor, memory, swap, disk, inodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from preflight.checks import Finding, Look, check
from preflight.facts import Fact, Memory, Space
from preflight.model import Remedy, Severity, Status
from preflight.plan import data_paths, space_paths

_PAGE = "https://docs.mailcow.email/getstarted/prerequisite-system/"
_ISSUES = "https://github.com/mailcow/mailcow-dockerized/issues"


def _gib(size: float) -> str:
    return f"{size / (1 << 30):.{1 if size >= 1 << 30 or not size else 2}f} GiB"


# --- processor -----------------------------------------------------------------------------------------------


@check(
    severity=Severity.RECOMMENDED,
    reads=("cpu_speed",),
    remedy="Use a faster processor.",
    docs=(_PAGE,),
)
def cpu_frequency(look: Look) -> Iterator[Finding]:
    """Have a processor of the documented speed.

    Rspamd, ClamAV and SOGo work on every message; on a processor below the documented rate mail queues up. The
    highest rate counts: an idle processor runs far below it.
    """
    speed = look.host.cpu_speed.get()
    lowest = look.requirements.cpu_mhz
    mhz = round(speed.mhz)
    evidence = {"mhz": speed.mhz, "source": speed.source}
    wanted, found = f"{lowest} MHz", f"{mhz} MHz" if speed.maximum else f"{mhz} MHz or more"
    if mhz >= lowest:
        text = f"The processor runs at {mhz} MHz or more."
        yield Finding(status=Status.PASS, message=text, expected=wanted, found=found, evidence=evidence)
    elif speed.maximum:
        text = f"The processor runs at {mhz} MHz at most; mailcow's documentation asks for {lowest} MHz."
        remedy = Remedy("Move to a machine with a faster processor.")
        yield Finding(status=Status.WARN, message=text, expected=wanted, found=found, evidence=evidence, remedy=remedy)
    else:
        reason = f"the processor runs at {mhz} MHz at the moment, and its maximum is not known"
        yield Finding(
            status=Status.UNKNOWN, message=f"This could not be found out: {reason}.", expected=wanted, found=found,
            evidence=evidence, reason=reason, remedy=Remedy("Look the maximum up.", ("lscpu | grep MHz",)),
        )  # fmt: skip


@check(
    severity=Severity.RECOMMENDED,
    reads=("cpu_features", "machine"),
    remedy="Let the hypervisor pass on the real processor's features (CPU type host).",
    docs=("https://github.com/rspamd/rspamd/issues/6022", f"{_ISSUES}/5031"),
)
def cpu_features(look: Look) -> Iterator[Finding]:
    """Have the processor features that Rspamd's pattern matcher uses.

    Without them Rspamd falls back to slow expressions or dies with "invalid opcode". Virtual machines of the type
    kvm64 or qemu64 hide these features although the real processor has them.
    """
    found, machine = look.host.cpu_features.get(), look.host.machine.get()
    wanted = look.requirements.cpu_features.get(machine, ())
    missing = [flag for flag in wanted if flag not in found.flags]
    evidence = {"missing": missing, "model": found.model}
    if not wanted:
        reason = f"nothing is asked of {machine} processors"
        yield Finding(status=Status.SKIP, message=f"This was not checked: {reason}.", reason=reason, evidence=evidence)
    elif not found.flags:
        reason = "/proc/cpuinfo does not list the processor's features"
        yield Finding(
            status=Status.UNKNOWN, message=f"This could not be found out: {reason}.", reason=reason, evidence=evidence,
            expected=" ".join(wanted), remedy=Remedy("Look at the flags.", ("lscpu",)),
        )  # fmt: skip
    elif missing:
        text = f"The processor ({found.model or 'without a name'}) lacks {', '.join(missing)}."
        remedy = Remedy(
            "Where this is a virtual machine, give it the real processor's features (on Proxmox: qm set ID --cpu host)"
            " and restart it; else use a newer processor."
        )
        yield Finding(
            status=Status.WARN, message=text, expected=" ".join(wanted), found=f"without {' '.join(missing)}",
            evidence=evidence, remedy=remedy,
        )  # fmt: skip
    else:
        text = f"The processor ({found.model or 'without a name'}) has {', '.join(wanted)}."
        yield Finding(status=Status.PASS, message=text, expected=" ".join(wanted), found="all", evidence=evidence)


# --- memory --------------------------------------------------------------------------------------------------


def _usable(memory: Memory) -> int:
    """Return the bytes that the host can really use: a container around it may set a limit."""
    return memory.total_bytes if memory.limit_bytes is None else min(memory.total_bytes, memory.limit_bytes)


def _switched_off(look: Look) -> bool:
    """Say whether mailcow.conf switches off all that a small machine has to do without."""
    off = {"SKIP_CLAMD": look.plan.skip_clamd, "SKIP_FTS": look.plan.skip_fts}
    return all(off[name] for name in look.requirements.memory.reduced_by)


@check(
    severity=Severity.REQUIRED,
    reads=("memory",),
    remedy="Give the machine more memory, or switch ClamAV and full-text search off in mailcow.conf.",
    docs=(_PAGE, f"{_ISSUES}/3902"),
)
def memory(look: Look) -> Iterator[Finding]:
    """Have enough memory for mailcow's services.

    Where memory runs out the kernel kills ClamAV, MariaDB or Dovecot, and containers restart for ever. The kernel
    shows less than the nominal size, as firmware and the kernel itself keep a part; that is allowed for.
    """
    found, numbers = look.host.memory.get(), look.requirements.memory
    size, share = _usable(found), 1 - numbers.tolerance
    limited = f" (a limit; the machine has {_gib(found.total_bytes)})" if size < found.total_bytes else ""
    evidence = {"bytes": size, "limit_bytes": found.limit_bytes, "available_bytes": found.available_bytes}
    switches = " and ".join(f"{name}=y" for name in numbers.reduced_by)
    remedy: Remedy | None = Remedy(f"Give the machine {_gib(numbers.bytes)} of memory or more.")
    have, need = f"This host has {_gib(size)} of memory{limited}", f"mailcow needs {_gib(numbers.bytes)}"
    if size >= numbers.bytes * share and size < numbers.better_bytes * share:
        status, text = Status.WARN, f"{have}, which is enough; {_gib(numbers.better_bytes)} are better."
        remedy = Remedy(f"Give the machine {_gib(numbers.better_bytes)} of memory, or set {switches} in mailcow.conf.")
    elif size >= numbers.bytes * share:
        status, text, remedy = Status.PASS, f"{have}, {need}.", None
        if size < numbers.advised_bytes * share:
            text = f"{have}, {need}; {_gib(numbers.advised_bytes)} are advised for five users and more."
    elif size < numbers.reduced_bytes * share:
        status, text = Status.FAIL, f"{have}, {need}; that is too little even with {switches}."
    elif _switched_off(look):
        status, text = Status.WARN, f"{have}, {need}; with {switches}, as mailcow.conf has it, less may do."
    else:
        status, text = Status.FAIL, f"{have}, {need}."
        do = (
            f"Give the machine {_gib(numbers.bytes)} of memory, or do without: set {switches} in {look.plan.conf_path}."
        )
        remedy = Remedy(do)
    yield Finding(
        status=status, message=text, expected=_gib(numbers.bytes), found=_gib(size), evidence=evidence, remedy=remedy
    )


@check(
    severity=Severity.RECOMMENDED,
    reads=("memory", "spaces"),
    remedy="Add a swap file or a swap partition.",
    docs=(_PAGE,),
)
def swap(look: Look) -> Iterator[Finding]:
    """Have swap space.

    When ClamAV reloads its signatures it needs twice its memory for a moment. With swap the host gets slow then;
    without, the kernel kills a service.
    """
    size, numbers = look.host.memory.get().swap_total_bytes, look.requirements.memory
    wanted = _gib(numbers.swap_bytes) if numbers.swap_bytes >= 1 << 27 else "any"
    evidence = {"bytes": size}
    if size >= max(1, numbers.swap_bytes * (1 - numbers.tolerance)):
        text = f"This host has {_gib(size)} of swap."
        yield Finding(status=Status.PASS, message=text, expected=wanted, found=_gib(size), evidence=evidence)
        return
    asked = "" if wanted == "any" else f" of {wanted}"
    text = f"This host has {_gib(size)} of swap" if size else "This host has no swap"
    yield Finding(
        status=Status.WARN, message=f"{text}; mailcow's documentation asks for swap{asked}.", expected=wanted,
        found=_gib(size) if size else "none", evidence=evidence, remedy=_swap_file(look),
    )  # fmt: skip


def _swap_file(look: Look) -> Remedy:
    """Return how swap is added on the file system of the host's root."""
    mebibytes = max(1024, -(-look.requirements.memory.swap_bytes >> 20))
    kind = _root_filesystem(look)
    use = ("swapon /swapfile", "echo '/swapfile none swap defaults 0 0' >> /etc/fstab")
    if kind == "btrfs":
        return Remedy("Add a swap file.", (f"btrfs filesystem mkswapfile --size {mebibytes}m /swapfile", *use))
    if kind and kind not in ("ext4", "ext3", "ext2", "xfs", "f2fs"):
        return Remedy(f"Add a swap partition: {kind} is no place for a swap file.", ("lsblk -f",))
    write = f"dd if=/dev/zero of=/swapfile bs=1M count={mebibytes}"  # fallocate leaves holes on some file systems
    return Remedy("Add a swap file.", (write, "chmod 600 /swapfile", "mkswap /swapfile", *use))


def _root_filesystem(look: Look) -> str:
    spaces = look.host.spaces.get().values() if look.host.spaces.known else ()
    return next((space.get().filesystem for space in spaces if space.known and space.get().mount == "/"), "")


@check(
    severity=Severity.RECOMMENDED,
    reads=("memory",),
    remedy="Set SKIP_CLAMD=y in mailcow.conf.",
    docs=("https://docs.mailcow.email/manual-guides/ClamAV/u_e-clamav-additional_dbs/", f"{_ISSUES}/3761"),
)
def antivirus(look: Look) -> Iterator[Finding]:
    """Switch ClamAV off where memory is small.

    ClamAV keeps all its signatures in memory, more than 1 GiB. On a small machine the kernel kills it over and over,
    and takes other services with it.
    """
    size, most = _usable(look.host.memory.get()), look.requirements.memory.antivirus_bytes
    evidence = {"bytes": size, "skip_clamd": look.plan.skip_clamd}
    wanted = f"SKIP_CLAMD=y, or more than {_gib(most)}"
    found = "SKIP_CLAMD=y" if look.plan.skip_clamd else _gib(size)
    if size > most or look.plan.skip_clamd:
        text = f"{_gib(size)} of memory are enough for ClamAV."
        if size <= most:
            text = "ClamAV is switched off, as it should be with so little memory."
        yield Finding(status=Status.PASS, message=text, expected=wanted, found=found, evidence=evidence)
        return
    path = look.plan.conf_path
    text = f"{_gib(size)} of memory are too small for ClamAV, and mailcow.conf does not switch it off."
    remedy = Remedy(f"Set SKIP_CLAMD=y in {path}.", (f"sed -i 's/^SKIP_CLAMD=.*/SKIP_CLAMD=y/' {path}",))
    if not look.plan.conf_present:
        text = f"{_gib(size)} of memory are too small for ClamAV."
        command = f"cd {look.plan.directory} && SKIP_CLAMD=y ./generate_config.sh"
        remedy = Remedy("Switch ClamAV off when mailcow.conf is made.", (command,))
    yield Finding(status=Status.WARN, message=text, expected=wanted, found=found, evidence=evidence, remedy=remedy)


# --- disk ----------------------------------------------------------------------------------------------------


def _data(look: Look) -> tuple[str, ...]:
    return data_paths(look.host.engine.value, look.host.daemon_config.value)


def _disk(look: Look) -> tuple[str, ...]:
    return space_paths(look.plan, look.host.engine.value, look.host.daemon_config.value)


def _space(look: Look, path: str) -> Space:
    """Return what is known of a path; raise `MissingFact` where it was not measured."""
    not_measured: Fact[Space] = Fact.unknown("statvfs", f"{path} was not measured", "Run the check again on the host.")
    return look.host.spaces.get().get(path, not_measured).get()


def _evidence(space: Space) -> dict[str, object]:
    return {
        "path": space.path, "mount": space.mount, "filesystem": space.filesystem,
        "available_bytes": space.available_bytes, "total_bytes": space.total_bytes,
    }  # fmt: skip


def _installed(look: Look) -> bool:
    """Say whether mailcow's own containers are on the engine already: then its images take their space by now."""
    engine = look.host.engine.value
    return engine is not None and any(container.project == look.plan.project for container in engine.containers)


@check(
    severity=Severity.REQUIRED,
    reads=("spaces", "engine", "daemon_config"),
    remedy="Free or add space, or move the engine's data (data-root in daemon.json) to a larger file system.",
    docs=(_PAGE, f"{_ISSUES}/1139"),
    subject="path",
    subjects=_disk,
)
def disk(look: Look, path: str) -> Iterator[Finding]:
    """Have free space where the engine keeps its data and where mailcow is cloned.

    Images, databases and mail lie in the engine's directory, not in mailcow's. When its file system is full, images
    are not unpacked, MariaDB stops and mail is refused. Mail itself needs space on top.
    """
    space, numbers, data = _space(look, path), look.requirements.disk, _data(look)
    need = numbers.bytes if path in data else numbers.clone_bytes
    where = f"{path} (on {space.mount})" if space.mount else path
    found = f"{_gib(space.available_bytes)} free"
    values: dict[str, Any] = {"expected": f"{_gib(need)} free", "found": found, "evidence": _evidence(space)}
    if space.read_only:
        text, values["found"] = f"The file system of {where} is read-only.", "read-only"
        remount = ("dmesg | tail -50", f"mount -o remount,rw {space.mount or space.existing}")
        remedy = Remedy("Mount it writable; look for disk errors first.", remount)
        yield Finding(status=Status.FAIL, message=text, remedy=remedy, **values)
    elif path in data[1:] and _same_mount(look, path, data[0]):
        reason = f"it lies on the same file system as {data[0]} and is judged there"
        yield Finding(status=Status.SKIP, message=f"{path} was not judged: {reason}.", reason=reason, **values)
    elif space.available_bytes >= need * (1 - numbers.tolerance):
        yield Finding(status=Status.PASS, message=f"{_gib(space.available_bytes)} are free at {where}.", **values)
    else:
        lesser = path in data and (_installed(look) or path != data[0])
        text = f"Only {_gib(space.available_bytes)} are free at {where}; mailcow needs {_gib(need)} without mails."
        if lesser:
            text += " Less may do, as a part lies elsewhere or is there already."
        look_at = (f"df -h {space.existing}", "docker system df") if path in data else (f"df -h {space.existing}",)
        remedy = Remedy(f"Free or add space at {space.mount or path}.", look_at)
        yield Finding(status=Status.WARN if lesser else Status.FAIL, message=text, remedy=remedy, **values)


def _same_mount(look: Look, path: str, other: str) -> bool:
    first, second = look.host.spaces.get().get(path), look.host.spaces.get().get(other)
    if first is None or second is None or not (first.known and second.known):
        return False
    return bool(first.get().mount) and first.get().mount == second.get().mount


@check(
    severity=Severity.RECOMMENDED,
    reads=("spaces", "engine", "daemon_config"),
    remedy="Remove many small files from the file system, or make it anew with more inodes.",
    docs=(f"{_ISSUES}/3348",),
    subject="path",
    subjects=_data,
)
def inodes(look: Look, path: str) -> Iterator[Finding]:
    """Have inodes left where the engine keeps its data.

    mailcow's images hold some hundred thousand files, and each mail is a file. A file system without free inodes is
    full although df shows space.
    """
    space, least = _space(look, path), look.requirements.disk.inodes
    evidence = {"path": path, "available": space.inodes_available, "total": space.inodes_total}
    if not space.inodes_total:
        text = f"The file system of {path} has no fixed number of inodes."
        yield Finding(status=Status.PASS, message=text, found="no fixed number", evidence=evidence)
        return
    values: dict[str, Any] = {"expected": f"{least:,}", "found": f"{space.inodes_available:,}", "evidence": evidence}
    text = f"{space.inodes_available:,} inodes are free at {path}"
    if space.inodes_available >= least:
        yield Finding(status=Status.PASS, message=f"{text}.", **values)
        return
    look_for = (f"df -i {space.existing}", f"du --inodes -xS {space.mount or space.existing} | sort -n | tail")
    remedy = Remedy("Find where many small files lie and remove them, or use a file system with more inodes.", look_for)
    text = f"Only {text}; mailcow's images alone need {least:,}."
    yield Finding(status=Status.WARN, message=text, remedy=remedy, **values)
