"""The kinds of hosts: which packages, what is switched off; built once and kept outside the tree."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mailcow-preflight" / "lab"
UNREAD = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "locale", "man")]
SYSTEM = (
    "systemd", "systemd-sysv", "dbus", "iproute2", "procps", "python3", "tzdata", "kmod", "util-linux",
    "openssh-server",  # the way in, which no advice may cut
)  # fmt: skip
MAILCOW = ("openssl", "curl", "git", "jq", "ca-certificates")  # the commands of its installer
ENGINE = ("docker.io", "iptables", "nftables")
FIREWALLS = ("firewalld", "iptables-persistent")  # the latter cannot be beside ufw
SERVICES = ("exim4-daemon-light", "nginx-light", "dovecot-imapd", "ufw", "chrony", "cron")
# What a host in namespaces must not do to the machine below it, or cannot.
MASKED = (
    "systemd-sysctl.service", "systemd-modules-load.service", "systemd-udevd.service", "systemd-udev-trigger.service",
    "systemd-timesyncd.service", "systemd-hwdb-update.service", "systemd-networkd.service", "systemd-resolved.service",
    "systemd-binfmt.service", "systemd-random-seed.service", "systemd-pcrphase.service", "console-getty.service",
    "getty@tty1.service", "getty-static.service", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer",
    "systemd-logind.service", "fstrim.timer", "dpkg-db-backup.timer", "logrotate.timer", "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount", "dev-hugepages.mount", "dev-mqueue.mount", "proc-sys-fs-binfmt_misc.automount",
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A kind of host. `known` are findings that hold for every host of it, by nature: check id -> why."""

    name: str
    suite: str
    packages: tuple[str, ...]
    disabled: tuple[str, ...] = ()  # services that the packages would start
    compose_from: str = ""  # the kind whose Compose the truth is made with, where this one has none of today's
    podman: bool = False
    known: tuple[tuple[str, str], ...] = ()

    @property
    def digest(self) -> str:
        """Tell this description of a root from an earlier one of the same name."""
        content = {**asdict(self), "masked": MASKED, "known": None}
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]

    @property
    def root(self) -> Path:
        return CACHE / f"{self.name}-{self.digest}"


# True of every host in the lab, whatever its kind.
LAB = (
    ("system.virtualization", "the host is a container itself"),
    ("clock.synchronized", "the clock is the machine's below, and nobody here may set it"),
    ("clock.service", "for the same reason there is no time service"),
    ("network.outbound", "the lab has no Internet, and its name server knows the host alone"),
    ("network.smtp-out", "for the same reason no mail server greets"),
    ("network.public-address", "nor is there a service that sees the host"),
    ("network.blocklists", "nor a block list"),
    ("resources.*", "processor, memory, swap and disk are the machine's below"),
    ("system.security-modules", "the machine's below"),
    ("docker.limits", "the machine below may have a lower limit of open files than mailcow's Dovecot asks for"),
)
OLD = (
    ("docker.engine", "Debian 12 has engine 20.10; mailcow's installer refuses what is older than 24"),
    ("docker.compose", "Debian 12 has no Compose 2"),
)
KINDS = {
    kind.name: kind
    for kind in (
        Kind("debian12", "bookworm", (*SYSTEM, *MAILCOW, *ENGINE), compose_from="debian13", known=(*LAB, *OLD)),
        Kind("debian13", "trixie", (*SYSTEM, *MAILCOW, *ENGINE, "docker-cli", "docker-compose"), known=LAB),
        Kind(
            "debian13-services", "trixie", (*SYSTEM, *MAILCOW, *ENGINE, "docker-cli", "docker-compose", *SERVICES),
            disabled=("exim4", "nginx", "dovecot", "dovecot.socket", "ufw", "chrony", "cron"), known=LAB,
        ),
        Kind(
            "debian13-firewalls", "trixie", (*SYSTEM, *MAILCOW, *ENGINE, "docker-cli", "docker-compose", *FIREWALLS),
            disabled=("firewalld", "netfilter-persistent"), known=LAB,
        ),
        Kind(
            "sid", "sid", (*SYSTEM, *MAILCOW, *ENGINE, "docker-cli", "docker-compose"),
            known=(*LAB, ("system.os", "sid is no release, and none that mailcow supports")),
        ),
        Kind(
            "debian13-podman", "trixie",
            (*SYSTEM, *MAILCOW, "podman", "netavark", "aardvark-dns", "runc", "iptables", "nftables", "docker-cli",
             "docker-compose"),
            podman=True, known=LAB,
        ),
    )
}  # fmt: skip


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Let one process at a time make what the name stands for."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def root_of(kind: Kind) -> Path:
    """Return the kind's root file system, made where the cache has none; raises CalledProcessError."""
    with locked(kind.name):
        if kind.root.is_dir():
            return kind.root
        for old in CACHE.glob(f"{kind.name}-{'?' * 12}"):
            shutil.rmtree(old)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            made = Path(folder) / "root"
            unsigned = ['--aptopt=Acquire::Check-Valid-Until "false"'] if kind.suite == "sid" else []
            subprocess.run(
                ["mmdebstrap", "-q", "--variant=minbase", *UNREAD, *unsigned, f"--include={','.join(kind.packages)}",
                 kind.suite, str(made)],
                check=True,
            )  # fmt: skip
            furnish(kind, made)
            made.rename(kind.root)
        return kind.root


def furnish(kind: Kind, root: Path) -> None:
    """Switch off what must not run, and give the host its own name, names and time zone."""
    systemctl = ["systemctl", f"--root={root}", "-q"]
    subprocess.run([*systemctl, "mask", *MASKED], check=True, stderr=subprocess.DEVNULL)
    for unit in kind.disabled:
        subprocess.run(["chroot", str(root), "systemctl", "-q", "disable", unit], check=True, stderr=subprocess.DEVNULL)
    etc = root / "etc"
    (etc / "hostname").write_text("mail.example.org\n")
    (etc / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n198.51.100.10 mail.example.org mail\n")
    (etc / "machine-id").write_text(hashlib.md5(kind.name.encode()).hexdigest() + "\n")
    for name, text in (("resolv.conf", "nameserver 198.51.100.1\n"), ("timezone", "Europe/Berlin\n")):
        (etc / name).unlink(missing_ok=True)
        (etc / name).write_text(text)
    (etc / "localtime").unlink(missing_ok=True)
    (etc / "localtime").symlink_to("/usr/share/zoneinfo/Europe/Berlin")
