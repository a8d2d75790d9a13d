"""The kernel's word on its clock, the time zone and the hardware clock of a host below a root."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import Clock, Fact, Timezone, View
from preflight.gather.access.roots import Roots
from preflight.gather.access.view import find_roots
from preflight.gather.machine import clock
from tests.gather.trees import copy, out_of_reach, write

TZIF = b"TZif2" + b"\0" * 39 + b"TZif2" + b"\0" * 39 + b"\nCET-1CEST,M3.5.0,M10.5.0/3\n"
BERLIN = "/usr/share/zoneinfo/Europe/Berlin"
ADJTIME = "0.000000 1479823420 0.000000\n1479823420\n{}\n"


def unknown(fact: Fact[Any]) -> tuple[str, str]:
    """Return why a fact is unknown, and what would help."""
    assert fact.missing is not None
    assert fact.missing.kind == "unknown"
    return fact.missing.reason, fact.missing.help


# --- the kernel ----------------------------------------------------------------------------------------------


class Kernel:
    """Stands in for the C library: answers adjtimex(2)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, returns: int = 0, error: int = 0, **fields: int) -> None:
        self.modes: list[int] = []
        self.returns, self.error, self.fields = returns, error, fields
        monkeypatch.setattr(ctypes, "CDLL", lambda name, use_errno=False: self)

    def adjtimex(self, pointer: Any) -> int:
        buffer = pointer._obj
        self.modes.append(buffer.modes)
        for name, value in self.fields.items():
            setattr(buffer, name, value)
        ctypes.set_errno(self.error)
        return self.returns


def live(*, container: bool = False) -> Roots:
    return Roots("/", View(container=container, root="/", live=True, network=True, privileged=None), anchor="self")


@pytest.mark.parametrize(
    ("returns", "status", "maxerror", "clock_"),
    [
        (0, 0x2001, 12_345, Clock(12_345, False)),  # TIME_OK, STA_NANO | STA_PLL: kept in step
        (5, 0x40, 16_000_000, Clock(16_000_000, True)),  # TIME_ERROR, STA_UNSYNC: nobody keeps it
        (5, 0x41, 500_000, Clock(500_000, True)),  # kept in step, but not written to the hardware clock
        (5, 0x2040, 0, Clock(0, True)),
        (1, 0x11, 20_000, Clock(20_000, False)),  # TIME_INS: a leap second is to come
        (4, 0, 15_999_999, Clock(15_999_999, False)),  # TIME_WAIT
    ],
)
def test_the_kernels_states(
    monkeypatch: pytest.MonkeyPatch, returns: int, status: int, maxerror: int, clock_: Clock
) -> None:
    kernel = Kernel(monkeypatch, returns=returns, status=status, maxerror=maxerror)
    assert clock.clock(live()).get() == clock_
    assert kernel.modes == [0]  # it only asks


@pytest.mark.parametrize(
    ("error", "container", "help"),
    [
        (errno.EPERM, False, "Run the check as root."),
        (errno.EPERM, True, "Add --privileged to docker run."),
        (errno.EACCES, True, "Add --privileged to docker run."),
        (errno.ENOSYS, True, ""),
        (errno.EFAULT, False, ""),
    ],
)
def test_a_refusal_is_unknown(monkeypatch: pytest.MonkeyPatch, error: int, container: bool, help: str) -> None:
    Kernel(monkeypatch, returns=-1, error=error)
    fact = clock.clock(live(container=container))
    assert unknown(fact) == ("The kernel did not report how accurate its clock is.", help)
    assert fact.missing is not None
    assert fact.missing.detail == os.strerror(error)


def test_another_architectures_structure_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch)
    monkeypatch.setattr(clock, "_TIMEX", 128)
    reason, _ = unknown(clock.clock(live()))
    assert "not supported on this architecture" in reason
    assert kernel.modes == []


def test_this_kernel_answers_and_is_left_as_it_was() -> None:
    first, second = clock.clock(find_roots({})).get(), clock.clock(find_roots({})).get()
    assert 0 <= first.maxerror_us < 1 << 31
    assert first.unsynchronized == second.unsynchronized


def test_the_clock_of_a_copy_is_unknown_never_this_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = find_roots({}, str(tmp_path))
    kernel = Kernel(monkeypatch, maxerror=1)
    reason, _ = unknown(clock.clock(roots))
    assert "The root is a copy" in reason
    assert kernel.modes == []


# --- the time zone -------------------------------------------------------------------------------------------


def link(root: Path, path: str, target: str) -> None:
    (root / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
    (root / path.lstrip("/")).symlink_to(target)


@pytest.mark.parametrize(
    ("target", "zone"),
    [
        (BERLIN, "Europe/Berlin"),
        ("../usr/share/zoneinfo/Europe/Berlin", "Europe/Berlin"),
        ("../../../../usr/share/zoneinfo/Europe/Berlin", "Europe/Berlin"),
        ("/usr/share/zoneinfo/posix/Europe/Berlin", "Europe/Berlin"),
        ("/usr/share/zoneinfo/right/Europe/Berlin", "Europe/Berlin"),
        ("/usr/share/zoneinfo/Etc/UTC", "Etc/UTC"),
        ("/usr/share/zoneinfo/UTC", "UTC"),
        ("/usr/share/zoneinfo/Etc/GMT+5", "Etc/GMT+5"),
        ("/usr/share/zoneinfo/America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("/etc/zoneinfo/Europe/Berlin", "Europe/Berlin"),  # Alpine, setup-timezone
        ("/usr/share/zoneinfo/uclibc/Europe/Berlin", "uclibc/Europe/Berlin"),
    ],
)
def test_the_zone_is_where_the_link_leads(tmp_path: Path, target: str, zone: str) -> None:
    link(tmp_path, "/etc/localtime", target)
    assert clock.timezone(find_roots({}, str(tmp_path))).get() == Timezone(zone, False)


def test_the_zone_is_found_through_several_links(tmp_path: Path) -> None:
    link(tmp_path, "/etc/localtime", "/etc/static/localtime")
    link(tmp_path, "/etc/static", "/nix/store/abc-etc")
    link(tmp_path, "/nix/store/abc-etc/localtime", BERLIN)
    assert clock.timezone(find_roots({}, str(tmp_path))).get().zone == "Europe/Berlin"


def test_the_zone_is_the_hosts_own_not_the_readers(tmp_path: Path) -> None:
    """A link to nowhere below this root, though it leads somewhere on this machine."""
    link(tmp_path, "/etc/localtime", "/etc/os-release")
    assert clock.timezone(find_roots({}, str(tmp_path))).get().zone is None


@pytest.mark.parametrize(
    ("timezone", "zone"),
    [
        ("Europe/Vienna\n", "Europe/Vienna"),
        ("  Europe/Vienna  ", "Europe/Vienna"),
        (None, "CET-1CEST,M3.5.0,M10.5.0/3"),
        ("", "CET-1CEST,M3.5.0,M10.5.0/3"),
        ("../../etc/passwd\n", "CET-1CEST,M3.5.0,M10.5.0/3"),
        ("Europe/Vi\x1b[2Jenna", "CET-1CEST,M3.5.0,M10.5.0/3"),
    ],
)
def test_the_zone_of_a_copied_file(tmp_path: Path, timezone: str | None, zone: str) -> None:
    write(tmp_path, "/etc/localtime", TZIF)
    if timezone is not None:
        write(tmp_path, "/etc/timezone", timezone)
    assert clock.timezone(find_roots({}, str(tmp_path))).get().zone == zone


@pytest.mark.parametrize(
    "content",
    [b"", b"x\nCET-1CEST\n", b"TZif2", b"TZif\n\xff\xff\xff\n", b"TZif\n\x1b[2J\n", TZIF + b"x", b"\0" * 70000],
)
def test_a_damaged_zone_file_is_unknown(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, "/etc/localtime", content)
    reason, _ = unknown(clock.timezone(find_roots({}, str(tmp_path))))
    assert reason == "/etc/localtime cannot be read: it is not a time zone file."


def test_no_zone_is_utc(tmp_path: Path) -> None:
    assert clock.timezone(copy(tmp_path, **{"/etc/hostname": "mail"})).get() == Timezone(None, False)


def test_a_loop_a_folder_and_a_pipe_are_unknown(tmp_path: Path) -> None:
    roots = copy(tmp_path, **{"/etc/hostname": "mail"})
    link(tmp_path, "/etc/localtime", "/etc/localtime")
    assert "too many links" in unknown(clock.timezone(roots))[0]
    (tmp_path / "etc/localtime").unlink()
    os.mkfifo(tmp_path / "etc/localtime")
    assert "not a regular file" in unknown(clock.timezone(roots))[0]
    (tmp_path / "etc/localtime").unlink()
    (tmp_path / "etc/localtime").mkdir()
    assert "not a regular file" in unknown(clock.timezone(roots))[0]


def test_out_of_reach_it_is_unknown_and_names_the_flag() -> None:
    assert unknown(clock.timezone(out_of_reach())) == ("Out of reach.", "Add --pid=host to docker run.")


@given(st.text(max_size=80))
def test_a_zones_name_has_only_a_names_characters(path: str) -> None:
    for name in (clock.zone_name(path), clock.zone_name(f"/usr/share/zoneinfo/{path}")):
        assert name is None or (name.isascii() and name.isprintable() and ".." not in name and " " not in name)


@given(st.binary(max_size=120))
def test_no_zone_file_brings_it_down(data: bytes) -> None:
    for rule in (clock.posix_rule(data), clock.posix_rule(b"TZif2" + data), clock.posix_rule(b"TZif\n" + data + b"\n")):
        assert rule is None or (rule.isascii() and rule.isprintable() and 3 <= len(rule) <= 80)


# --- the hardware clock --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "local"),
    [
        (ADJTIME.format("UTC"), False),
        (ADJTIME.format("LOCAL"), True),
        ("0.0 0 0.0\n0\nLOCAL", True),
        ("0.0 0 0.0\r\n0\r\nLOCAL\r\n", True),
        ("0.0 0 0.0\n0\n", False),  # two lines: as systemd takes it, UTC
        ("LOCAL\n", False),  # not the third line
        (ADJTIME.format("LOCALTIME"), False),
        (ADJTIME.format("local"), False),
        ("", False),
        ("\x00" * 50, False),
    ],
)
def test_adjtime(tmp_path: Path, content: str, local: bool) -> None:
    assert clock.timezone(copy(tmp_path, **{"/etc/adjtime": content})).get().rtc_local is local


@pytest.mark.parametrize(
    ("line", "local"),
    [
        ('clock="local"', True), ("clock='local'", True), ("clock=local", True), ("  clock=LOCAL", True),
        ('clock="UTC"', False), ('# clock="local"', False), ('clock="localhost"', False), ("", False),
    ],
)  # fmt: skip
def test_the_hardware_clock_of_openrc(tmp_path: Path, line: str, local: bool) -> None:
    roots = copy(tmp_path, **{"/etc/conf.d/hwclock": f"# hwclock\n{line}\nclock_systohc=NO\n"})
    assert clock.timezone(roots).get().rtc_local is local


def test_adjtime_is_believed_before_openrcs_wish(tmp_path: Path) -> None:
    roots = copy(tmp_path, **{"/etc/adjtime": ADJTIME.format("UTC"), "/etc/conf.d/hwclock": "clock=local\n"})
    assert clock.timezone(roots).get().rtc_local is False


def test_an_unreadable_adjtime_leaves_it_unknown_but_not_the_zone(tmp_path: Path) -> None:
    link(tmp_path, "/etc/localtime", BERLIN)
    (tmp_path / "etc/adjtime").mkdir()
    assert clock.timezone(find_roots({}, str(tmp_path))).get() == Timezone("Europe/Berlin", None)


@given(st.text(max_size=100))
def test_no_text_brings_the_parsers_down(text: str) -> None:
    assert clock.adjtime_local(f"0.0 0 0.0\n0\nLOCAL\n{text}") is True
    assert clock.adjtime_local(f"0.0 0 0.0\n0\nUTC\n{text}") is False
    assert clock.adjtime_local(text.replace("LOCAL", "")) is False
    assert clock.conf_local(text.replace("clock", "")) is False


@pytest.mark.parametrize(
    ("held", "written"),
    [
        ("Etc/UTC\n", "Etc/UTC"), ("America/Argentina/Salta", "America/Argentina/Salta"), ("", ""), ("# none\n", ""),
        ("Etc/UTC\nEurope/Berlin\n", ""), ("\xff", ""),
    ],
)  # fmt: skip
def test_what_mailcow_takes_first(tmp_path: Path, held: str, written: str) -> None:
    files = {"/etc/localtime": "/usr/share/zoneinfo/Europe/Berlin", "/etc/timezone": held}  # a link kept as a file
    assert clock.timezone(copy(tmp_path, **files)).get() == Timezone("Europe/Berlin", False, written)
