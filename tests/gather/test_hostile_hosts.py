"""Every reader of a host's files, on files that are none, endless, binary or false: it comes back, and says so."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from preflight.facts import Fact
from preflight.gather.access.roots import FILE_BYTES, Roots
from preflight.gather.conf import mailcow_conf, override
from preflight.gather.engine.compose import compose
from preflight.gather.engine.daemon import daemon_config
from preflight.gather.engine.next_start import engine_start
from preflight.gather.machine import clock, distribution, hostname, kernel, kernel_features, memory, processor, security
from preflight.gather.machine.commands import commands
from preflight.gather.machine.userland import userland
from preflight.gather.machine.virtualization import virtualization
from preflight.gather.names.hosts import hosts_file
from preflight.gather.names.nameservers import find_servers, handed
from preflight.gather.services.mail_traces import mail_traces
from preflight.gather.services.services import services
from tests.gather.trees import copy
from tests.sockets import bound

CLONE = "/opt/mailcow-dockerized"
CONF, OVERRIDE = f"{CLONE}/mailcow.conf", f"{CLONE}/docker-compose.override.yml"
DAEMON = "/etc/docker/daemon.json"
Reader = Callable[[Roots], Fact[Any]]

# Each reader with the files that it reads.
READERS: dict[str, tuple[Reader, tuple[str, ...]]] = {
    "name": (hostname.name, ("/etc/hostname",)),
    "os_release": (distribution.os_release, ("/etc/os-release", "/usr/lib/os-release")),
    "kernel": (kernel.kernel, ("/proc/sys/kernel/osrelease",)),
    "machine": (kernel.machine, ("/proc/cpuinfo", "/bin/sh", "/var/lib/dpkg/arch")),
    "security": (security.security, ("/sys/fs/selinux/enforce", "/sys/module/apparmor/parameters/enabled")),
    "sysctls": (security.sysctls, ("/proc/sys/vm/overcommit_memory", "/proc/sys/fs/inotify/max_user_instances")),
    "userland": (userland, ("/bin/sh", "/usr/bin/dockerd", "/var/lib/dpkg/status")),
    "virtualization": (virtualization, ("/proc/version", "/proc/1/environ", "/proc/cpuinfo", "/proc/1/cgroup")),
    "kernel_features": (kernel_features.kernel_features, ("/proc/config.gz", "/proc/sys/kernel/osrelease")),
    "cpu_speed": (processor.cpu_speed, ("/proc/cpuinfo",)),
    "cpu_features": (processor.cpu_features, ("/proc/cpuinfo",)),
    "memory": (memory.memory, ("/proc/meminfo", "/proc/1/cgroup")),
    "timezone": (clock.timezone, ("/etc/localtime", "/etc/timezone", "/etc/adjtime")),
    "commands": (lambda roots: commands(roots, ("grep", "docker")), ("/usr/bin/grep", "/bin/docker")),
    "services": (services, ("/lib/systemd/system/exim4.service", "/var/lib/dpkg/status", "/etc/inittab")),
    "mail_traces": (mail_traces, ("/usr/local/psa/version", "/var/spool/postfix/active/A1")),
    "daemon_config": (lambda roots: daemon_config(roots, None, ""), (DAEMON,)),
    "engine_start": (lambda roots: engine_start(roots, None, None), (DAEMON, "/lib/systemd/system/docker.service")),
    "compose": (compose, ("/usr/libexec/docker/cli-plugins/docker-compose", "/usr/bin/docker-compose")),
    "mailcow_conf": (lambda roots: mailcow_conf.mailcow_conf(roots, CONF), (CONF, f"{CLONE}/.env")),
    "override": (lambda roots: override.override(roots, CLONE), (OVERRIDE,)),
    "hosts_file": (lambda roots: hosts_file(roots, "mail.example.org"), ("/etc/hosts",)),
    "handed": (handed, ("/etc/resolv.conf", DAEMON)),
    "name servers": (lambda roots: find_servers(roots, ()), ("/etc/resolv.conf",)),
}  # fmt: skip


def circle(path: Path) -> None:
    other = path.with_name(path.name + ".other")
    other.symlink_to(path.name)
    path.symlink_to(other.name)


def chain(path: Path) -> None:
    """More links one behind another than any kernel follows."""
    for number in range(60):
        path.with_name(f"link{number}").symlink_to(f"link{number + 1}")
    path.with_name("link60").write_text("end\n")
    path.symlink_to("link0")


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


NO_FILES: dict[str, Callable[[Path], object]] = {
    "a directory": Path.mkdir,
    "a FIFO": os.mkfifo,
    "a socket": bound,
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a circle of links": circle,
    "a long chain of links": chain,
    "a link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "a link out of the root": lambda path: path.symlink_to("../" * 40 + "etc/passwd"),
    "a link to nothing": lambda path: path.symlink_to("/nowhere/at/all"),
    "a link with a control character": lambda path: path.symlink_to("/a\x1b[31m\nb"),
}
NOISE = random.Random(19).randbytes(1 << 14)
CONTENTS: dict[str, bytes] = {
    "empty": b"",
    "a line end": b"\n",
    "zeros": bytes(1 << 14),
    "noise": NOISE,
    "an endless line": b"A" * (FILE_BYTES + 100),
    "an endless value": b"ID=" + b"A" * (FILE_BYTES + 100),
    "endless lines": b"=\n" * (1 << 17),
    "no line end": b"ID=debian",
    "UTF-16": "ID=debian\nnameserver 192.0.2.1\n".encode("utf-16"),
    "Latin-1": "ID=debian\nNAME=Fr\u00fchling\n".encode("latin-1"),
    "a byte-order mark": b"\xef\xbb\xbfID=debian\n",
    "line ends of Windows": b"ID=debian\r\nVERSION_ID=12\r\n",
    "line ends of old Macs": b"ID=debian\rVERSION_ID=12\r",
    "control characters": b"ID=\x1b[31m\x07\x00\x7f\n",
    "lone surrogates": "ID=\ud800\n".encode("utf-8", "surrogatepass"),
    "deep brackets": b"[" * 100_000,
    "deep braces": b'{"a":' * 100_000,
    "quotes that nothing closes": b"ID=\"'\"'\nNAME='\n",
    "numbers beyond all": b"MemTotal: " + b"9" * 5000 + b" kB\ncpu MHz : 1e999\n",
    "negative numbers": b"MemTotal: -1 kB\nSwapTotal: -1 kB\ncpu MHz : -1\n-1\n",
    "words for numbers": b"MemTotal: NaN kB\ncpu MHz : nan\ninf\n",
    "ELF without the rest": b"\x7fELF",
    "gzip without the rest": b"\x1f\x8b\x08",
    "a bomb of gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + NOISE,
}
ROWS = [(name, path) for name, (_, paths) in READERS.items() for path in paths]


def holds(fact: Fact[Any]) -> None:
    """Hold that a fact is one: a value or a reason in a sentence that a document can hold, and no novel."""
    if fact.missing is not None:
        assert fact.missing.reason.endswith(".")
        assert fact.missing.reason.isprintable()
    document = msgspec.json.encode(fact)
    assert msgspec.json.decode(document)["source"] == fact.source
    assert len(document) < 4 << 20


def place(root: Path, path: str) -> Path:
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.parametrize(("name", "path"), ROWS)
def test_what_is_no_file_holds_no_reader_up(name: str, path: str, kind: str, tmp_path: Path) -> None:
    NO_FILES[kind](place(tmp_path, path))
    holds(READERS[name][0](copy(tmp_path)))


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize(("name", "path"), ROWS)
def test_what_is_written_there_is_no_trap(name: str, path: str, content: str, tmp_path: Path) -> None:
    place(tmp_path, path).write_bytes(CONTENTS[content])
    holds(READERS[name][0](copy(tmp_path)))


@pytest.mark.parametrize(("name", "path"), ROWS)
def test_a_file_without_an_end_is_read_to_its_bound(name: str, path: str, tmp_path: Path) -> None:
    sparse(place(tmp_path, path))
    holds(READERS[name][0](copy(tmp_path)))


# Readers of one file: what cannot be read is no value.
ALONE = (
    "os_release",
    "kernel",
    "cpu_speed",
    "cpu_features",
    "memory",
    "hosts_file",
    "mailcow_conf",
    "override",
    "name",
)


@pytest.mark.parametrize("kind", ["a directory", "a FIFO", "a socket", "a link to itself", "a long chain of links"])
@pytest.mark.parametrize("name", ALONE)
def test_what_cannot_be_read_is_unknown_with_its_path(name: str, kind: str, tmp_path: Path) -> None:
    reader, (path, *_) = READERS[name]
    NO_FILES[kind](place(tmp_path, path))
    fact = reader(copy(tmp_path))
    assert fact.missing is not None, fact
    assert fact.missing.kind == "unknown"
    assert fact.missing.reason


@pytest.mark.parametrize("content", ["empty", "zeros", "noise", "deep brackets", "an endless line", "UTF-16"])
@pytest.mark.parametrize("name", ["cpu_speed", "cpu_features", "memory"])
def test_numbers_are_not_made_up_of_nonsense(name: str, content: str, tmp_path: Path) -> None:
    reader, (path, *_) = READERS[name]
    place(tmp_path, path).write_bytes(CONTENTS[content])
    assert not reader(copy(tmp_path)).known


@pytest.mark.parametrize("content", ["numbers beyond all", "negative numbers", "words for numbers"])
def test_sizes_of_memory_are_sizes(content: str, tmp_path: Path) -> None:
    place(tmp_path, "/proc/meminfo").write_bytes(CONTENTS[content])
    fact = memory.memory(copy(tmp_path))
    assert not fact.known or 0 <= fact.get().total_bytes < 1 << 63


@pytest.mark.parametrize(
    "content",
    ["zeros", "noise", "deep brackets", "deep braces", "an endless line", "UTF-16", "no line end", "empty"],
)
def test_a_daemon_json_of_nonsense_is_an_error_and_no_settings(content: str, tmp_path: Path) -> None:
    place(tmp_path, DAEMON).write_bytes(CONTENTS[content])
    fact = daemon_config(copy(tmp_path), None, "")
    if content == "empty":  # the engine itself takes an empty file for none
        assert (fact.known, fact.get().settings) == (True, {})
    else:
        assert not fact.known or (fact.get().fault and fact.get().settings == {})


def test_a_link_out_of_the_root_stays_in_it(tmp_path: Path) -> None:
    """`..` at the root is the root, as it is on the host itself: this machine's file is never shown for the host's."""
    place(tmp_path, "/etc/secret").write_text("ID=inside\n")
    place(tmp_path, "/etc/os-release").symlink_to("../" * 40 + "etc/secret")
    assert distribution.os_release(copy(tmp_path)).get().id == "inside"
