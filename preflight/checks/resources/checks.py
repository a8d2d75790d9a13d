"""Resources: processor, memory, swap, disk, inodes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from preflight.checks import Finding, Look, check
from preflight.checks.remedies import daemon_json
from preflight.checks.sources import CLAMAV, PREREQUISITES, issue
from preflight.facts import Fact, Memory, Space
from preflight.mailcow.plan import data_paths
from preflight.report.model import Remedy, Severity, Status
from preflight.text.sentences import noted, paragraph, phrase, say, skipped_because, unknown_because


def _gib(size: float) -> str:
    return f"{size / (1 << 30):.{1 if size >= 1 << 30 or not size else 2}f} GiB"


# --- processor -----------------------------------------------------------------------------------------------


@check(
    severity=Severity.RECOMMENDED,
    reads=("cpu_speed",),
    remedy="Use a faster processor.",
    docs=(PREREQUISITES,),
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
    wanted, found = f"{lowest} MHz", f"{mhz} MHz" if speed.maximum else phrase("{mhz} MHz or more", mhz=mhz)
    if mhz >= lowest:
        text = say("The processor runs at {mhz} MHz or more.", mhz=mhz)
        yield Finding(status=Status.PASS, message=text, expected=wanted, found=found, evidence=evidence)
    elif speed.maximum:
        text = say(
            "The processor runs at {mhz} MHz at most; mailcow's documentation asks for {lowest} MHz.",
            mhz=mhz,
            lowest=lowest,
        )
        remedy = Remedy(say("Move to a machine with a faster processor."))
        yield Finding(status=Status.WARN, message=text, expected=wanted, found=found, evidence=evidence, remedy=remedy)
    else:
        reason = say("The processor runs at {mhz} MHz at the moment, and its maximum is not known.", mhz=mhz)
        yield Finding(
            status=Status.UNKNOWN, message=unknown_because(reason), expected=wanted, found=found,
            evidence=evidence, reason=reason, remedy=Remedy(say("Look the maximum up."), ("lscpu | grep MHz",)),
        )  # fmt: skip


@check(
    severity=Severity.RECOMMENDED,
    reads=("cpu_features", "machine"),
    remedy="Let the hypervisor pass on the real processor's features (CPU type host).",
    sources=(issue(6022, "rspamd/rspamd"), issue(5031)),
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
        reason = say("Nothing is asked of {machine} processors.", machine=machine)
        yield Finding(status=Status.SKIP, message=skipped_because(reason), reason=reason, evidence=evidence)
    elif not found.flags:
        reason = say("/proc/cpuinfo does not list the processor's features.")
        yield Finding(
            status=Status.UNKNOWN, message=unknown_because(reason), reason=reason, evidence=evidence,
            expected=" ".join(wanted), remedy=Remedy(say("Look at the flags."), ("lscpu",)),
        )  # fmt: skip
    elif missing:
        text = say(
            "The processor ({model}) lacks {missing}.",
            model=found.model or "?",
            missing=", ".join(missing),
        )
        remedy = Remedy(
            say(
                "Where this is a virtual machine, give it the real processor's features (on Proxmox: "
                "qm set ID --cpu host) and restart it; else use a newer processor."
            )
        )
        yield Finding(
            status=Status.WARN,
            message=text,
            expected=" ".join(wanted),
            found=phrase("without {missing}", missing=" ".join(missing)),
            evidence=evidence,
            remedy=remedy,
        )
    else:
        text = say("The processor ({model}) has {wanted}.", wanted=", ".join(wanted), model=found.model or "?")
        yield Finding(
            status=Status.PASS, message=text, expected=" ".join(wanted), found=phrase("all"), evidence=evidence
        )


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
    docs=(PREREQUISITES,),
    sources=(issue(3902),),
)
def memory(look: Look) -> Iterator[Finding]:
    """Have enough memory for mailcow's services.

    Where memory runs out the kernel kills ClamAV, MariaDB or Dovecot, and containers restart for ever. The kernel
    shows less than the nominal size, as firmware and the kernel itself keep a part; that is allowed for.
    """
    found, numbers = look.host.memory.get(), look.requirements.memory
    size, share = _usable(found), 1 - numbers.tolerance
    switches = ", ".join(f"{name}=y" for name in numbers.reduced_by)
    better, need = _gib(numbers.better_bytes), _gib(numbers.bytes)
    values = {"size": _gib(size), "need": need, "switches": switches}
    more = say("Give the machine {need} of memory or more.", need=need)
    status = Status.FAIL
    remedy: Remedy | None = Remedy(more, place="provider")
    if enough(look):
        status, remedy = Status.PASS, None
        text = say(_MEMORY, **values)
        if size < numbers.better_bytes * share and not _switched_off(look):
            text = say(
                "This host has {size} of memory. That is enough, but {better} is better.", better=better, **values
            )
            status, remedy = Status.WARN, _do_without(look, say("Give the machine {need} of memory.", need=better))
        elif size < numbers.advised_bytes * share:
            text = say(
                "This host has {size} of memory, and mailcow needs {need}. {advised} is recommended for five users or"
                " more.",
                advised=_gib(numbers.advised_bytes),
                **values,
            )
    elif size < numbers.reduced_bytes * share:
        text = say(
            "This host has {size} of memory, but mailcow needs {need}. That is too little even with {switches}.",
            **values,
        )
    elif _switched_off(look):
        status = Status.WARN
        text = say(
            "This host has {size} of memory, but mailcow needs {need}. With {switches}, less can be enough.", **values
        )
    else:
        text, remedy = say(_MEMORY_SHORT, **values), _do_without(look, more)
    limit = None
    if size < found.total_bytes:
        limit = say("That is a limit; the machine has {total}.", total=_gib(found.total_bytes))
    yield Finding(
        status=status, message=paragraph(text, limit), expected=need, found=_gib(size), remedy=remedy,
        evidence={"bytes": size, "limit_bytes": found.limit_bytes, "available_bytes": found.available_bytes},
    )  # fmt: skip


def enough(look: Look) -> bool:
    """Say whether the memory is enough for all services that mailcow starts by default."""
    numbers = look.requirements.memory
    return _usable(look.host.memory.get()) >= numbers.bytes * (1 - numbers.tolerance)


def _do_without(look: Look, more: str) -> Remedy:
    """Say which services a small machine can do without: in mailcow.conf, or when that is made."""
    names = look.requirements.memory.reduced_by
    switches = ", ".join(f"{name}=y" for name in names)
    path = look.plan.conf_path
    edits = " ".join(f"-e 's/^{name}=.*/{name}=y/'" for name in names)
    if look.plan.conf_present:
        text = say("Or set {switches} in {path}.", switches=switches, path=path)
        return Remedy(paragraph(more, text), (f"sed -i {edits} {shlex.quote(path)}",), place="mailcow.conf")
    text = say("Or set {switches} once mailcow is cloned.", switches=switches)
    # The script takes SKIP_CLAMD alone from its environment.
    make = f"cd {shlex.quote(look.plan.directory)} && SKIP_CLAMD=y ./generate_config.sh"
    rest = [f"-e 's/^{name}=.*/{name}=y/'" for name in names if name != "SKIP_CLAMD"]
    commands = (make, *((f"sed -i {' '.join(rest)} mailcow.conf",) if rest else ()))
    return Remedy(paragraph(more, text), commands, place="mailcow.conf", when="cloned")


_MEMORY = noted("This host has {size} of memory, and mailcow needs {need}.")
_MEMORY_SHORT = noted("This host has {size} of memory, but mailcow needs {need}.")


@check(
    severity=Severity.RECOMMENDED,
    reads=("memory", "spaces"),
    remedy="Add a swap file or a swap partition.",
    docs=(PREREQUISITES,),
)
def swap(look: Look) -> Iterator[Finding]:
    """Have swap space.

    When ClamAV reloads its signatures it needs twice its memory for a moment. With swap the host gets slow then;
    without, the kernel kills a service.
    """
    size, numbers = look.host.memory.get().swap_total_bytes, look.requirements.memory
    exact = numbers.swap_bytes >= 1 << 27
    wanted = _gib(numbers.swap_bytes) if exact else phrase("any")
    evidence = {"bytes": size}
    if size >= max(1, numbers.swap_bytes * (1 - numbers.tolerance)):
        text = say("This host has {size} of swap.", size=_gib(size))
        yield Finding(status=Status.PASS, message=text, expected=wanted, found=_gib(size), evidence=evidence)
        return
    text = say("This host has no swap; mailcow's documentation asks for {wanted}.", wanted=wanted)
    if not exact:
        text = say("This host has no swap; mailcow's documentation asks for some.")
    elif size:
        text = say(
            "This host has {size} of swap; mailcow's documentation asks for {wanted}.", size=_gib(size), wanted=wanted
        )
    yield Finding(
        status=Status.WARN,
        message=text,
        expected=wanted,
        found=_gib(size) if size else phrase("none"),
        evidence=evidence,
        remedy=_swap_file(look),
    )


def _swap_file(look: Look) -> Remedy:
    """Return how swap is added on the file system of the host's root."""
    mebibytes = max(1024, -(-look.requirements.memory.swap_bytes >> 20))
    kind = _root_filesystem(look)
    use = ("swapon /swapfile", "echo '/swapfile none swap defaults 0 0' >> /etc/fstab")
    if kind == "btrfs":
        return Remedy(say("Add a swap file."), (f"btrfs filesystem mkswapfile --size {mebibytes}m /swapfile", *use))
    if kind and kind not in ("ext4", "ext3", "ext2", "xfs", "f2fs"):
        return Remedy(say("Add a swap partition: {kind} is no place for a swap file.", kind=kind), ("lsblk -f",))
    write = f"dd if=/dev/zero of=/swapfile bs=1M count={mebibytes}"  # fallocate leaves holes on some file systems
    return Remedy(say("Add a swap file."), (write, "chmod 600 /swapfile", "mkswap /swapfile", *use))


def _root_filesystem(look: Look) -> str:
    spaces = look.host.spaces.get().values() if look.host.spaces.known else ()
    return next((space.get().filesystem for space in spaces if space.known and space.get().mount == "/"), "")


@check(
    severity=Severity.RECOMMENDED,
    reads=("memory",),
    remedy="Set SKIP_CLAMD=y in mailcow.conf.",
    docs=(CLAMAV,),
    sources=(issue(3761),),
)
def antivirus(look: Look) -> Iterator[Finding]:
    """Switch ClamAV off where memory is small.

    ClamAV keeps all its signatures in memory, more than 1 GiB. On a small machine the kernel kills it over and over,
    and takes other services with it.
    """
    size, most = _usable(look.host.memory.get()), look.requirements.memory.antivirus_bytes
    evidence = {"bytes": size, "skip_clamd": look.plan.skip_clamd}
    wanted = phrase("SKIP_CLAMD=y, or more than {most}", most=_gib(most))
    found = "SKIP_CLAMD=y" if look.plan.skip_clamd else _gib(size)
    if look.plan.skip_clamd or (size > most and enough(look)):
        text = say("{size} of memory is enough for ClamAV.", size=_gib(size))
        if look.plan.skip_clamd:
            text = say("ClamAV is switched off.")
        yield Finding(status=Status.PASS, message=text, expected=wanted, found=found, evidence=evidence)
        return
    if size > most:  # not by much: whether ClamAV fits depends on what else is switched off
        reason = say(
            "There is too little memory for all of mailcow's services, ClamAV included (see resources.memory)."
        )
        yield Finding(status=Status.SKIP, message=skipped_because(reason), reason=reason, evidence=evidence)
        return
    path = look.plan.conf_path
    text = say("{size} of memory is too little for ClamAV, and mailcow.conf does not switch it off.", size=_gib(size))
    command = f"sed -i 's/^SKIP_CLAMD=.*/SKIP_CLAMD=y/' {shlex.quote(path)}"
    remedy = Remedy(say("Set SKIP_CLAMD=y in {path}.", path=path), (command,), place="mailcow.conf")
    if not look.plan.conf_present:
        text = say("{size} of memory is too little for ClamAV.", size=_gib(size))
        command = f"cd {shlex.quote(look.plan.directory)} && SKIP_CLAMD=y ./generate_config.sh"
        remedy = Remedy(
            say("Switch ClamAV off when you create mailcow.conf."), (command,), place="mailcow.conf", when="cloned"
        )
    yield Finding(status=Status.WARN, message=text, expected=wanted, found=found, evidence=evidence, remedy=remedy)


# --- disk ----------------------------------------------------------------------------------------------------


def _data(look: Look) -> tuple[str, ...]:
    """Return where the engine keeps volumes, and where containerd keeps images if it does.

    Facts of older versions did not look at containerd's place before there was an engine: they are judged without.
    """
    engine, spaces = look.host.engine.value, look.host.spaces.value
    paths = data_paths(engine, look.host.daemon_config.value, look.host.engine_start.value)
    return paths if engine or spaces is None else tuple(p for p in paths if p == paths[0] or p in spaces)


def _disk(look: Look) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*_data(look), look.plan.directory)))


def _space(look: Look, path: str) -> Space:
    """Return what is known of a path; raise `MissingFact` where it was not measured."""
    not_measured: Fact[Space] = Fact.unknown(
        "statvfs", say("{path} was not measured.", path=path), say("Run the check again on the host.")
    )
    return look.host.spaces.get().get(path, not_measured).get()


def _evidence(space: Space) -> dict[str, object]:
    return {
        "path": space.path,
        "mount": space.mount,
        "filesystem": space.filesystem,
        "available_bytes": space.available_bytes,
        "total_bytes": space.total_bytes,
    }


def _installed(look: Look) -> bool:
    """Say whether mailcow's own containers are on the engine already: then its images take their space by now."""
    engine = look.host.engine.value
    return engine is not None and any(container.project == look.plan.project for container in engine.containers)


@check(
    severity=Severity.REQUIRED,
    reads=("spaces", "engine", "daemon_config", "engine_start", "commands", "services", "os_release"),
    remedy="Free or add space, or move the engine's data (data-root in daemon.json) to a larger file system.",
    docs=(PREREQUISITES,),
    sources=(issue(1139),),
    subject="path",
    subjects=_disk,
)
def disk(look: Look, path: str) -> Iterator[Finding]:
    """Have free space where the engine keeps its data and where mailcow is cloned.

    Images, databases and mail lie in the engine's directory, not in mailcow's. When its file system is full, images
    are not unpacked, MariaDB stops and mail is refused. Mail itself needs space on top.
    """
    space, numbers, data = _space(look, path), look.requirements.disk, _data(look)
    need = _need(look, path, data)
    mount = space.mount or "?"
    available = _gib(space.available_bytes)
    values: dict[str, Any] = {
        "expected": phrase("{size} free", size=_gib(need)),
        "found": phrase("{size} free", size=available),
        "evidence": _evidence(space),
    }
    if space.read_only:
        text, values["found"] = (
            say("The file system of {path} (on {mount}) is read-only.", path=path, mount=mount),
            phrase("read-only"),
        )
        remount = ("dmesg | tail -50", f"mount -o remount,rw {space.mount or space.existing}")
        remedy = Remedy(say("Mount it writable; look for disk errors first."), remount)
        yield Finding(status=Status.FAIL, message=text, remedy=remedy, **values)
    elif path in data[1:] and _same_mount(look, path, data[0]):
        reason = say("{path} lies on the same file system as {data} and is judged there.", path=path, data=data[0])
        yield Finding(status=Status.SKIP, message=skipped_because(reason), reason=reason, **values)
    elif space.available_bytes >= need * (1 - numbers.tolerance):
        text = say("{size} are free at {path} (on {mount}).", size=available, path=path, mount=mount)
        yield Finding(status=Status.PASS, message=text, **values)
    else:
        lesser = path in data and _installed(look)
        text = say(
            "Only {size} are free at {path} (on {mount}); mailcow needs {need} without mails.",
            size=available,
            path=path,
            mount=mount,
            need=_gib(need),
        )
        if lesser:
            text = paragraph(text, say("Less can be enough, because mailcow's images are on this host already."))
        elif path in data[1:]:
            text = paragraph(text, say("containerd keeps the images there, wherever the engine's data-root is."))
        remedy = _more_space(look, space, data)
        yield Finding(status=Status.WARN if lesser else Status.FAIL, message=text, remedy=remedy, **values)


def _need(look: Look, path: str, data: tuple[str, ...]) -> int:
    """Return the bytes that are wanted at a path: images and volumes may be on file systems of their own."""
    numbers = look.requirements.disk
    if path not in data:
        return numbers.clone_bytes
    if len(data) == 1 or not numbers.images_bytes or _same_mount(look, data[1], data[0]):
        return numbers.bytes
    return numbers.images_bytes if path in data[1:] else numbers.bytes - numbers.images_bytes


def _more_space(look: Look, space: Space, data: tuple[str, ...]) -> Remedy:
    """Return how space is had: freed, added, or what is kept there moved to a larger file system."""
    at = shlex.quote(space.existing)
    free = say("Free or add space at {mount}.", mount=space.mount or space.path)
    if space.path not in data:
        return Remedy(free, (f"df -h {at}",))
    docker = ("docker system df",) if look.host.engine.value else ()
    if space.path == data[0]:
        return Remedy(free, (f"df -h {at}", *docker))
    return daemon_json.elsewhere(look, space, data[0], free)


def _same_mount(look: Look, path: str, other: str) -> bool:
    first, second = look.host.spaces.get().get(path), look.host.spaces.get().get(other)
    if first is None or second is None or not (first.known and second.known):
        return False
    return bool(first.get().mount) and first.get().mount == second.get().mount


@check(
    severity=Severity.RECOMMENDED,
    reads=("spaces", "engine", "daemon_config", "engine_start"),
    remedy="Remove many small files from the file system, or make it anew with more inodes.",
    sources=(issue(3348),),
    subject="path",
    subjects=_data,
)
def inodes(look: Look, path: str) -> Iterator[Finding]:
    """Have inodes left where the engine keeps its data.

    mailcow's images hold some hundred thousand files, and each mail is a file. A file system without free inodes is
    full although df shows space.
    """
    space, least, data = _space(look, path), look.requirements.disk.inodes, _data(look)
    evidence = {"path": path, "available": space.inodes_available, "total": space.inodes_total}
    if path in data[1:] and _same_mount(look, path, data[0]):
        reason = say("{path} is on the same file system as {data} and is judged there.", path=path, data=data[0])
        yield Finding(status=Status.SKIP, message=skipped_because(reason), reason=reason, evidence=evidence)
        return
    if not space.inodes_total:
        text = say("The file system of {path} has no fixed number of inodes.", path=path)
        yield Finding(status=Status.PASS, message=text, found=phrase("no fixed number"), evidence=evidence)
        return
    values: dict[str, Any] = {"expected": f"{least:,}", "found": f"{space.inodes_available:,}", "evidence": evidence}
    free = f"{space.inodes_available:,}"
    if space.inodes_available >= least:
        text = say("{count} inodes are free at {path}.", count=free, path=path)
        yield Finding(status=Status.PASS, message=text, **values)
        return
    look_for = (f"df -i {space.existing}", f"du --inodes -xS {space.mount or space.existing} | sort -n | tail")
    remedy = Remedy(
        say("Find where many small files lie and remove them, or use a file system with more inodes."), look_for
    )
    text = say(
        "Only {count} inodes are free at {path}; mailcow's images alone need {least}.",
        count=free,
        path=path,
        least=f"{least:,}",
    )
    yield Finding(status=Status.WARN, message=text, remedy=remedy, **values)
