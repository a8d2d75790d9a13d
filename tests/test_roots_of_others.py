"""Roots of other machines, through the command line: copies of hosts of many kinds, whole and damaged."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import posix
import random
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from markdown_it import MarkdownIt

from preflight import gathering
from preflight.checks import catalogue
from tests.line import Run, line
from tests.machines import MACHINES, Tree, plant

CODES = {"ready": 0, "ready-with-warnings": 0, "not-ready": 1, "undetermined": 3}
PROFILES = ("current", "2017-07")
SECONDS = 10  # a run takes some 0.1 s; a FIFO that is waited for, or a file without an end, takes for ever
TODAY = datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)

ALMA = MACHINES["alma-9"].tree
JUDGED = MACHINES["nothing"].statuses  # the checks that every machine here has a status for
# What only a running kernel or engine knows.
OF_THE_RUNNING = {
    "resources.disk", "resources.inodes", "docker.engine", "docker.packaging", "docker.storage", "docker.privileged",
    "docker.healthcheck", "docker.leftovers", "ports.free", "clock.synchronized", "network.subnet", "network.mtu",
    "network.ipv6", "firewall.backend", "firewall.inbound", "firewall.forwarding",
}  # fmt: skip
# What the programs and settings of a tree decide, if it has any; and what name servers, time servers and others tell,
# who are not asked.
OF_THE_TREE = {
    "system.commands", "system.limits", "system.security-modules", "docker.compose", "docker.daemon-config",
    "docker.limits", "ports.configuration", "dns.hostname", "dns.address", "dns.reverse", "dns.mx", "dns.autodiscover",
    "dns.autoconfig", "dns.spf", "dns.dkim", "dns.dmarc", "dns.srv", "dns.tlsa", "dns.caa", "clock.offset",
    "network.outbound", "network.smtp-out", "network.public-address", "network.blocklists",
    "network.recursion", "network.ping",
    "rehearsal.network", "rehearsal.publish", "rehearsal.health", "rehearsal.egress",
}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """A run's document and its two other reports."""

    run: Run
    document: dict[str, Any]
    markdown: str
    seconds: float

    @property
    def statuses(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for row in self.document["results"]:
            found.setdefault(row["check"], set()).add(row["status"])
        return found

    @property
    def all(self) -> str:
        return json.dumps(self.document, ensure_ascii=False) + self.markdown + self.run.out


Look = Callable[..., Told]


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Look:
    """Return a function that checks a copied root, on a machine whose own values must turn up nowhere."""
    own = posix.uname_result(("Linux", "this-machine", "9.9.9-this-machine", "#1", "this-machine"))
    touched: list[object] = []
    monkeypatch.setattr(os, "uname", lambda: own)
    monkeypatch.setattr(os, "statvfs", touched.append)
    monkeypatch.setattr(gathering, "datetime", SimpleNamespace(
        UTC=datetime.UTC, datetime=SimpleNamespace(now=lambda _: TODAY),
    ))  # fmt: skip
    preflight = line(monkeypatch, capsys)

    def checked(root: Path, *options: str, profile: str = "current") -> Told:
        files = tmp_path / "report.json", tmp_path / "report.md"
        with monkeypatch.context() as only_now:
            only_now.setattr(socket, "socket", touched.append)
            began = time.monotonic()
            run = preflight(
                "--root", str(root), "--requirements", profile, "--offline", "--quiet", *options,
                "--output", str(files[0]), "--output", str(files[1]), *("--format", "json", "--format", "markdown"),
                "--format", "text",
            )  # fmt: skip
            seconds = time.monotonic() - began
        assert run.err == ""
        told = Told(run, json.loads(files[0].read_text()), files[1].read_text(), seconds)
        assert touched == []
        assert "this-machine" not in told.all
        assert "Traceback" not in told.all
        assert told.document["counts"]["error"] == 0, told.document
        assert run.code == CODES[told.document["verdict"]]
        assert seconds < SECONDS
        return told

    return checked


def test_no_check_is_left_out_here() -> None:
    named = [*JUDGED, *OF_THE_RUNNING, *OF_THE_TREE]
    assert sorted(named) == sorted(check.id for check in catalogue())


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", MACHINES)
def test_a_copy_of_another_machine_is_judged_as_that_machine(
    name: str, profile: str, look: Look, tmp_path: Path
) -> None:
    machine = MACHINES[name]
    told = look(plant(tmp_path / "root", machine.tree), profile=profile)
    found = {check: "/".join(told.statuses[check]) for check in machine.statuses}
    assert found == machine.expected(profile)
    assert told.document["requirements"]["name"] == profile
    assert {key: told.document["host"][key] for key in machine.host} == machine.host


@pytest.mark.parametrize(
    ("name", "check", "words"),
    [
        ("debian-8", "system.os", "mailcow supports Debian 11/12/13, not Debian GNU/Linux 8 (jessie)"),
        ("debian-8", "system.kernel", "health checks make kernel 3.16 panic"),
        ("debian-8", "resources.memory", "This host has 2.0 GiB of memory; mailcow needs 6.0 GiB."),
        ("ubuntu-16.04", "system.os", "mailcow supports Ubuntu ≥ 22.04"),
        ("ubuntu-16.04", "system.kernel", "refuses Ubuntu's kernel 4.4"),
        ("ubuntu-16.04", "resources.cpu-features", "lacks ssse3, sse4_2"),
        ("centos-7", "system.os", "does not list CentOS Linux 7 (Core)"),
        ("alma-9", "system.os", "mailcow supports AlmaLinux 9.5 (Teal Serval)"),
        ("alma-9", "clock.timezone", "The time zone is Europe/Berlin. The hardware clock runs in UTC."),
        ("rocky-10", "system.os", "mailcow supports Rocky Linux 9, not Rocky Linux 10.0"),
        ("rocky-10", "system.kernel-features", "lacks: the addrtype match of iptables"),
        ("alpine-3.20", "system.os", "mailcow supports Alpine Linux v3.20. It needs manual adjustments."),
        ("alpine-3.20", "clock.service", "NTP enabled: yes. chrony is enabled"),
        ("alpine-3.20", "clock.timezone", "No time zone is set, so the host uses UTC"),
        ("raspberry-pi", "resources.cpu-frequency", "1800 MHz"),
        ("raspberry-pi", "system.virtualization", "No virtual machine or container was detected."),
        ("ubuntu-s390x", "system.architecture", "This machine is s390x"),
        ("ubuntu-s390x", "resources.cpu-frequency", "5200 MHz"),
        ("debian-ppc64le", "resources.cpu-frequency", "2500 MHz"),
        ("synology", "system.virtualization", "This host is a NAS (synology)"),
        ("synology", "clock.timezone", "CET-1CEST"),
        ("openvz", "system.virtualization", "a container of OpenVZ"),
    ],
)
def test_a_copy_is_told_of_in_its_own_words(name: str, check: str, words: str, look: Look, tmp_path: Path) -> None:
    row = rows(look(plant(tmp_path / "root", MACHINES[name].tree)), check)[None]
    assert words in row["message"]


@pytest.mark.parametrize("name", MACHINES)
def test_what_only_the_running_kernel_knows_is_unknown_in_a_copy(name: str, look: Look, tmp_path: Path) -> None:
    told = look(plant(tmp_path / "root", MACHINES[name].tree))
    assert {check: told.statuses[check] for check in OF_THE_RUNNING} == {check: {"unknown"} for check in OF_THE_RUNNING}
    assert told.document["host"]["engine"] is None


@pytest.mark.parametrize("name", MACHINES)
def test_every_format_says_the_same_of_a_copy(name: str, look: Look, tmp_path: Path) -> None:
    told = look(plant(tmp_path / "root", MACHINES[name].tree))
    heading = {"not-ready": "Not ready for mailcow", "undetermined": "Undetermined"}[told.document["verdict"]]
    assert told.markdown.splitlines()[0].partition(" ")[2].partition(" ")[2].startswith(heading)
    assert told.run.out.startswith(heading.upper())
    for check, statuses in told.statuses.items():
        if statuses & {"fail", "warn"}:
            assert f"`{check}`" in told.markdown
            assert check in told.run.out


def rows(told: Told, check: str) -> dict[str | None, dict[str, Any]]:
    return {row["subject"]: row for row in told.document["results"] if row["check"] == check}


def test_programs_are_those_of_the_copy(look: Look, tmp_path: Path) -> None:
    alma = rows(look(plant(tmp_path / "alma", ALMA)), "system.commands")
    assert {row["status"] for row in alma.values()} == {"pass"}
    alpine = rows(look(plant(tmp_path / "alpine", MACHINES["alpine-3.20"].tree)), "system.commands")
    assert {name: alpine[name]["status"] for name in ("git", "awk", "grep", "jq")} == {
        "git": "pass", "awk": "pass", "grep": "fail", "jq": "fail",
    }  # fmt: skip
    assert alpine["grep"]["remedy"]["commands"] == ["apk add openssl curl coreutils grep jq sed"]


@pytest.mark.parametrize(
    ("name", "check", "subject", "command"),
    [
        ("debian-8", "system.kernel", None, "jessie-backports linux-image-amd64"),
        ("debian-8", "services.mail", "exim4.service", "systemctl disable --now exim4.service"),
        ("alpine-3.20", "services.mail", "nginx", "rc-update del nginx"),
        ("rocky-10", "system.kernel-features", None, "dnf install -y kernel-modules-extra"),
    ],
)
def test_remedies_are_for_the_copys_own_distribution(
    name: str, check: str, subject: str | None, command: str, look: Look, tmp_path: Path
) -> None:
    row = rows(look(plant(tmp_path / "root", MACHINES[name].tree)), check)[subject]
    assert command in "\n".join(row["remedy"]["commands"])


def test_the_hardware_clock_in_local_time_is_a_remark(look: Look, tmp_path: Path) -> None:
    row = rows(look(plant(tmp_path / "root", MACHINES["centos-7"].tree)), "clock.timezone")[None]
    assert row["evidence"] == {"zone": "Europe/Berlin", "rtc_local": True}
    assert row["remedy"]["commands"] == ["timedatectl set-local-rtc 0"]


# --- damaged trees -------------------------------------------------------------------------------------------

NOISE = random.Random(1).randbytes(20_000)


def sparse(place: Path) -> None:
    with place.open("wb") as file:
        file.truncate(1 << 36)


def bound(place: Path) -> None:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as made, contextlib.chdir(place.parent):
        made.bind(place.name)  # from within: paths of sockets are short


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda place: place.write_bytes(b""),
    "noise": lambda place: place.write_bytes(NOISE),
    "zeros": lambda place: place.write_bytes(bytes(5000)),
    "one long line": lambda place: place.write_bytes(b"A" * 3_000_000),
    "huge and sparse": sparse,
    "a FIFO": lambda place: os.mkfifo(place),
    "a socket": bound,
    "a directory": lambda place: place.mkdir(),
    "a link to itself": lambda place: place.symlink_to(place.name),
    "a link to /dev/zero": lambda place: place.symlink_to("/dev/zero"),
    "a link out of the root": lambda place: place.symlink_to("../" * 40 + "dev/zero"),
    "a link to this machine's file": lambda place: place.symlink_to(f"{'../' * 40}etc/os-release"),
}
READ = {
    "/usr/lib/os-release": ("system.os",),
    "/proc/sys/kernel/osrelease": ("system.kernel", "system.kernel-features"),
    "/proc/cpuinfo": ("resources.cpu-frequency", "resources.cpu-features"),
    "/proc/meminfo": ("resources.memory", "resources.swap", "resources.antivirus"),
    "/usr/share/zoneinfo/Europe/Berlin": (),  # the link's name tells the zone
}


def broken(root: Path, path: str, damage: Callable[[Path], object]) -> None:
    place = root / path.lstrip("/")
    place.unlink()
    damage(place)


@pytest.mark.parametrize("path", READ)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_makes_unknown_what_depends_on_it(path: str, damage: str, look: Look, tmp_path: Path) -> None:
    root = plant(tmp_path / "root", ALMA)
    whole = look(root).statuses
    broken(root, path, DAMAGES[damage])
    told = look(root)
    assert {check: told.statuses[check] for check in READ[path]} == {check: {"unknown"} for check in READ[path]}
    others = set(whole) - set(READ[path])
    assert {check: told.statuses[check] for check in others} == {check: whole[check] for check in others}


@pytest.mark.parametrize("damage", DAMAGES)
def test_nothing_passes_that_is_read_where_every_file_is_damaged(damage: str, look: Look, tmp_path: Path) -> None:
    root = plant(tmp_path / "root", ALMA)
    for place in [place for place in root.rglob("*") if place.is_file() and not place.is_symlink()]:
        broken(root, str(place.relative_to(root)), DAMAGES[damage])
    told = look(root)
    for check in {check for checks in READ.values() for check in checks} | {"system.architecture"}:
        assert told.statuses[check] == {"unknown"}, check


@pytest.mark.parametrize(
    ("change", "statuses"),
    [
        ({"/proc/meminfo": "MemFree: 1 kB\nSwapTotal: 0 kB\n"}, {"resources.memory": "unknown"}),
        ({"/proc/meminfo": "MemTotal: 8000000 kB\n"}, {"resources.memory": "unknown", "resources.swap": "unknown"}),
        ({"/proc/meminfo": "MemTotal: -1 kB\nSwapTotal: 0 kB\n"}, {"resources.memory": "unknown"}),
        (
            {"/proc/cpuinfo": "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel na"},
            {"resources.cpu-features": "unknown", "resources.cpu-frequency": "unknown", "system.architecture": "pass"},
        ),
        ({"/etc/localtime": "no zone"}, {"clock.timezone": "unknown"}),
        ({"/etc/localtime": "-> localtime"}, {"clock.timezone": "unknown"}),
        ({"/etc/localtime": "-> /dev/zero"}, {"clock.timezone": "pass"}),  # leads to nothing there: UTC
        ({"/var/lib/dpkg/status": NOISE}, {"services.mail": "pass"}),
        ({"/proc/1/environ": NOISE}, {"system.virtualization": "pass"}),  # kthreadd proves a machine
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_damage_within_a_file(change: Tree, statuses: dict[str, str], look: Look, tmp_path: Path) -> None:
    told = look(plant(tmp_path / "root", {**ALMA, **change}))
    assert {check: "/".join(told.statuses[check]) for check in statuses} == statuses


def test_shell_code_in_os_release_is_shown_and_never_run(look: Look, tmp_path: Path) -> None:
    bait = tmp_path / "bait"
    code = f"ID=$(touch {bait})\nPRETTY_NAME=\"`touch {bait}` <script>x</script> | a\"\nVERSION_ID='9'; touch {bait}\n"
    told = look(plant(tmp_path / "root", {**ALMA, "/usr/lib/os-release": code}))
    assert not bait.exists()
    assert told.statuses["system.os"] == {"warn"}
    assert "<script" not in MarkdownIt().render(told.markdown)


@contextlib.contextmanager
def closed(monkeypatch: pytest.MonkeyPatch, path: Path) -> Iterator[None]:
    """Refuse to open a file or a folder and to look into it, as the system does to those who are not root."""

    def refusing(function: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(at: Any, *rest: Any, **more: Any) -> Any:
            if isinstance(at, str) and (at == str(path) or at.startswith(f"{path}/")):
                raise PermissionError(13, "Permission denied", at)
            return function(at, *rest, **more)

        return guarded

    with monkeypatch.context() as patch:
        for name in ("open", "scandir", "lstat", "readlink"):
            if name == "open" or path.is_dir():
                patch.setattr(os, name, refusing(getattr(os, name)))
        yield


@pytest.mark.parametrize(
    ("path", "checks"),
    [
        *((path, checks) for path, checks in READ.items() if checks),
        ("/etc/systemd/system", ("services.mail", "firewall.managers", "clock.service")),
        ("/etc", ("services.mail", "firewall.managers", "clock.timezone")),
        ("/usr/bin", ("system.commands",)),
    ],
)
def test_what_may_not_be_read_is_unknown_and_root_is_the_remedy(
    path: str, checks: tuple[str, ...], look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = plant(tmp_path / "root", ALMA)
    with closed(monkeypatch, root / path.lstrip("/")):
        told = look(root)
    for check in checks:
        assert told.statuses[check] == {"unknown"}, check
        for row in rows(told, check).values():
            assert "ermission denied" in row["reason"] or path == "/proc/sys/kernel/osrelease"


SIDE = (
    "/opt/mailcow-dockerized/mailcow.conf", "/etc/docker/daemon.json", "/etc/hosts", "/etc/resolv.conf",
    "/var/lib/dpkg/status", "/lib/apk/db/installed", "/proc/1/mountinfo", "/proc/1/cgroup", "/proc/1/environ",
    "/proc/modules", "/proc/config.gz", "/etc/nftables.conf", "/etc/adjtime", "/etc/timezone", "/etc/hostname",
    "/lib/modules/5.14.0-503.14.1.el9_5.x86_64/modules.dep", "/usr/lib/systemd/system/firewalld.service",
    "/sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq", "/usr/bin/grep", "/etc/systemd/system/x.service",
)  # fmt: skip


@pytest.mark.parametrize(
    "damage", ["noise", "huge and sparse", "a FIFO", "a socket", "a directory", "a link to itself"]
)
def test_no_file_that_is_read_by_the_way_holds_a_run_up(damage: str, look: Look, tmp_path: Path) -> None:
    root = plant(tmp_path / "root", {**ALMA, **dict.fromkeys(SIDE, "x")})
    for path in SIDE:
        broken(root, path, DAMAGES[damage])
    told = look(root, "--hostname", "mail.example.org")
    assert told.statuses["system.os"] == told.statuses["resources.memory"] == {"pass"}


def test_a_hostile_mailcow_conf_in_a_copy_is_a_finding(look: Look, tmp_path: Path) -> None:
    conf = b"HTTP_PORT=99999\nSMTP_PORT=25\0\xff\nPOP_PORT=$(id)\n"
    told = look(plant(tmp_path / "root", {**ALMA, "/opt/mailcow-dockerized/mailcow.conf": conf}))
    found = {subject: row["status"] for subject, row in rows(told, "ports.configuration").items()}
    assert found == {"HTTP_PORT": "fail", "line 2": "fail", "POP_PORT": "fail"}


@pytest.mark.parametrize("given", ["nothing/there", "file", "file/below", "fifo", "zero", ""])
def test_a_root_that_is_no_directory_is_refused(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "zero").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "fifo")
    preflight = line(monkeypatch, capsys)
    for command in ("check", "facts", "cleanup"):
        run = preflight(command, "--root", given and str(tmp_path / given))
        assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
        assert "not a directory" in run.err


def test_a_root_that_may_not_be_looked_at_is_unknown(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = plant(tmp_path / "root", ALMA)
    with closed(monkeypatch, root):
        told = look(root)
    assert {check: told.statuses[check] for check in JUDGED} == {check: {"unknown"} for check in JUDGED}
