"""Time servers on loopback: good ones, liars, dead ones, ones that refuse, and what becomes of each."""

from __future__ import annotations

import contextlib
import email.utils
import getpass
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from preflight.facts import Times, TimeServer
from preflight.gather.access.roots import Roots
from preflight.gather.time import dates, times
from preflight.gather.time.exchange import Pace
from preflight.net.targets import place, shown
from tests.build import VIEW
from tests.gather import nameserver
from tests.gather.timeserver import Script, Served, answer, good, jumping, kiss, nonce, serve, silent
from tests.tools import CHRONYD, lacking

ROOTS = Roots("/nowhere", VIEW)
QUICK = Pace(samples=3, gap=0.01, patience=0.15)
LATE = 30.0  # seconds of a deadline that no test waits for


def ask(*servers: str, web: tuple[str, ...] = (), resolvers: tuple[str, ...] = (), **given: Any) -> Times:
    deadline = time.monotonic() + given.get("seconds", LATE)
    fact = times.times(given.get("roots", ROOTS), servers, web, resolvers, deadline, given.get("pace", QUICK))
    return fact.get()


@contextlib.contextmanager
def asked(script: Script, address: str = "127.0.0.1", **given: Any) -> Iterator[tuple[TimeServer, Served]]:
    """Ask one server, and return what became of it."""
    with serve(script, address, **given) as served:
        (found,) = ask(served.name).servers
        yield found, served


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("shift", [0.0, 75.0, -4000.0])
def test_a_good_server_is_measured(address: str, shift: float) -> None:
    with asked(good(shift), address) as (found, served):
        assert (found.server, found.address, found.outcome, found.stratum) == (served.name, address, "measured", 2)
        assert found.seconds == pytest.approx(shift, abs=0.5)
        assert found.distance == pytest.approx(0.025, abs=0.001)
        assert (found.samples, len(served.asked)) == (3, 3)


def test_every_question_has_a_number_of_its_own() -> None:
    with asked(good()) as (_, served):
        numbers = [nonce(question) for question in served.asked]
    assert len(set(numbers)) == 3
    now = time.time() + 2_208_988_800
    assert not [number for number in numbers if abs(number / (1 << 32) - now) < 60]


def spoofed(question: bytes, number: int) -> list[bytes]:
    """Send answers of somebody who has not seen the question, and then the true one."""
    return [answer(question, 900.0, origin=nonce(question) ^ 1), b"", answer(question, 900.0)[:20], answer(question)]


def test_answers_of_strangers_are_passed_over() -> None:
    with asked(spoofed) as (found, _):
        assert (found.outcome, found.samples) == ("measured", 3)
        assert found.seconds == pytest.approx(0.0, abs=0.5)


@pytest.mark.parametrize(
    ("script", "outcome", "fault"),
    [
        (silent, "silent", ""),
        (good(origin=5), "invalid", "origin"),
        (lambda question, number: [answer(question)[:40]], "invalid", "short"),
        (lambda question, number: [question], "invalid", "origin"),
        (good(mode=1), "invalid", "mode"),
        (good(version=1), "invalid", "version"),
        (good(stratum=100), "invalid", "stratum"),
        (good(transmit=0), "invalid", "times"),
        (good(leap=3), "unsynchronized", ""),
        (good(stratum=16), "unsynchronized", ""),
        (good(dispersion=5.0), "distant", ""),
        (jumping(0.0, 60.0), "jumping", ""),
        (jumping(0.0, 0.0, -0.5), "jumping", ""),
    ],
)  # fmt: skip
def test_what_is_no_measurement(script: Script, outcome: str, fault: str) -> None:
    with asked(script) as (found, _):
        assert (found.outcome, found.fault, found.seconds) == (outcome, fault, None)


def test_who_is_answered_for_by_strangers_alone_is_asked_again() -> None:
    with asked(good(origin=5)) as (found, served):
        assert (found.samples, len(served.asked)) == (0, 3)


def test_an_address_without_a_way_is_unreachable() -> None:
    """A link-local one without its link: no socket can be connected there, whatever routes there are."""
    (found,) = ask("[fe80::1]:9").servers
    assert (found.outcome, found.detail != "") == ("unreachable", True)


def test_an_answer_from_another_port_is_nobodys() -> None:
    with asked(good(), elsewhere=True) as (found, served):
        assert (found.outcome, found.seconds) == ("silent", None)
        assert len(served.asked) == 3


@pytest.mark.parametrize("code", [b"RATE", b"DENY", b"RSTD"])
def test_who_does_not_want_to_be_asked_is_not_asked_again(code: bytes) -> None:
    with asked(kiss(code)) as (found, served):
        assert (found.outcome, found.kiss) == ("kiss", code.decode())
        assert len(served.asked) == 1
    with asked(kiss(code, after=1)) as (found, served):  # what it told before still counts
        assert (found.outcome, found.samples, len(served.asked)) == ("measured", 1, 2)


def test_another_kiss_is_only_no_measurement() -> None:
    with asked(kiss(b"INIT")) as (found, served):
        assert (found.outcome, found.kiss, len(served.asked)) == ("kiss", "INIT", 3)


def test_a_server_that_says_once_that_it_is_not_synchronised_tells_nothing() -> None:
    with asked(lambda question, number: [answer(question, leap=3 if number == 1 else 0)]) as (found, _):
        assert (found.outcome, found.seconds) == ("unsynchronized", None)


def test_a_packet_that_is_lost_costs_one_sample() -> None:
    with asked(lambda question, number: [answer(question)] if number else []) as (found, _):
        assert (found.outcome, found.samples) == ("measured", 2)


def test_a_closed_port_is_told_at_once() -> None:
    with serve(good()) as served:
        pass
    (found,) = ask(served.name, pace=Pace(gap=LATE, patience=LATE)).servers
    assert (found.outcome, found.detail) == ("refused", "Connection refused")


def test_the_slow_sample_is_not_the_one_that_counts() -> None:
    def slow(question: bytes, number: int) -> list[bytes]:
        if number == 0:
            time.sleep(0.1)
        return [answer(question)]

    with asked(slow) as (found, _):
        assert found.samples == 3
        assert found.delay < 0.1


def test_all_are_asked_side_by_side_and_none_costs_another() -> None:
    pace = Pace(samples=2, gap=0.6, patience=0.6)
    with contextlib.ExitStack() as stack:
        names = [stack.enter_context(serve(script)).name for script in (silent, good(), silent, good(30.0), silent)]
        began = time.monotonic()
        found = ask(*names, pace=pace).servers
        assert time.monotonic() - began < 4.0  # one after another: 6 s
    assert [one.outcome for one in found] == ["silent", "measured", "silent", "measured", "silent"]


def test_the_deadline_of_the_run_ends_the_waiting_and_keeps_what_is_known() -> None:
    with serve(good()) as served, serve(silent) as dead:
        found = ask(served.name, dead.name, seconds=0.8, pace=Pace(gap=LATE, patience=LATE)).servers
    assert [(one.outcome, one.samples) for one in found] == [("measured", 1), ("silent", 0)]


def test_a_server_given_twice_is_asked_once() -> None:
    with serve(good()) as served:
        assert len(ask(served.name, served.name).servers) == 1


# --- names -------------------------------------------------------------------------------------------------------


def test_names_are_looked_up_with_the_name_servers_that_were_given() -> None:
    records = ("good.example. A 127.0.0.1", "good.example. AAAA ::1", "alias.example. CNAME good.example.")
    with serve(good()) as four, nameserver.serve(nameserver.zone(*records)) as names:
        resolver = shown(names.server, 53)
        there = [f"{name}:{four.port}" for name in ("good.example", "alias.example", "gone.example")]
        found = ask(*there, resolvers=(resolver,)).servers
    by_name: dict[str, list[str]] = {}
    for one in found:
        by_name.setdefault(one.server.partition(".")[0], []).append(one.address)
    assert by_name == {"good": ["127.0.0.1", "::1"], "alias": ["127.0.0.1", "::1"], "gone": [""]}
    (gone,) = [one for one in found if one.outcome == "unresolved"]
    assert gone.detail == "NXDOMAIN"
    assert {one.outcome for one in found if one.address == "127.0.0.1"} == {"measured"}


def test_the_hosts_file_is_asked_first(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hosts").write_text("127.0.0.1 ntp.lan\n")
    with serve(good()) as served:
        (found,) = ask(f"NTP.lan:{served.port}", roots=Roots(str(tmp_path), VIEW)).servers
        assert (found.server, found.outcome) == (f"ntp.lan:{served.port}", "measured")
        with nameserver.serve(nameserver.zone("ntp.lan. A 127.0.0.9")) as names:
            given = (shown(names.server, 53),)
            (other,) = ask(f"ntp.lan:{served.port}", roots=Roots(str(tmp_path), VIEW), resolvers=given).servers
    assert other.address == "127.0.0.9"


def test_without_a_name_server_the_names_have_no_address(tmp_path: Path) -> None:
    (found,) = ask("ntp.example.org", roots=Roots(str(tmp_path), VIEW)).servers
    assert (found.outcome, found.address) == ("unresolved", "")
    assert "resolv.conf" in found.detail


def test_a_copy_has_no_clock() -> None:
    copy = Roots("/nowhere", msgspec.structs.replace(VIEW, live=False))
    missing = times.times(copy, ("192.0.2.1",), (), (), time.monotonic() + LATE).missing
    assert missing is not None
    assert (missing.kind, missing.cause) == ("unknown", "copy")


@pytest.mark.parametrize(
    ("text", "there", "written"),
    [
        ("192.0.2.1", ("192.0.2.1", 123), "192.0.2.1"),
        ("192.0.2.1:123", ("192.0.2.1", 123), "192.0.2.1"),
        ("192.0.2.1:1123", ("192.0.2.1", 1123), "192.0.2.1:1123"),
        ("2001:DB8::1", ("2001:db8::1", 123), "2001:db8::1"),
        ("[2001:db8::1]", ("2001:db8::1", 123), "2001:db8::1"),
        ("[2001:db8::1]:1123", ("2001:db8::1", 1123), "[2001:db8::1]:1123"),
        ("fe80::1%eth0", ("fe80::1%eth0", 123), "fe80::1%eth0"),
        ("NTP.Example.org.", ("ntp.example.org", 123), "ntp.example.org"),
        ("ntp.example.org:1123", ("ntp.example.org", 1123), "ntp.example.org:1123"),
        ("zeit.müller.example", ("zeit.xn--mller-kva.example", 123), "zeit.xn--mller-kva.example"),
        ("ntp", ("ntp", 123), "ntp"),
        ("ntp:1", ("ntp", 1), "ntp:1"),
        ("ntp:65535", ("ntp", 65535), "ntp:65535"),
    ],
)
def test_how_servers_are_written(text: str, there: tuple[str, int], written: str) -> None:
    assert place(text, 123) == there
    assert shown(there, 123) == written


@pytest.mark.parametrize(
    "text",
    ["", ":123", "a b", "ntp..org", "ntp.example.org:0", "ntp:65536", "192.0.2.300", "1.2.3", "[192.0.2.1]:123", "[::1",
     "http://ntp.example.org", "ntp.example.org:x", "x" * 300],
)  # fmt: skip
def test_what_is_no_server_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a server: write|outside 1 to 65535"):
        place(text, 123)


# --- the Date of web servers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "age", "seconds"),
    [
        ("Sat, 28 Nov 2026 17:00:00 GMT", "", 1_795_885_200.5),
        ("Sat, 28 Nov 2026 17:00:00 GMT", "90", 1_795_885_290.5),
        ("Saturday, 28-Nov-26 17:00:00 GMT", "", 1_795_885_200.5),
        ("Sat, 28 Nov 2026 17:00:00 GMT", "-5", 1_795_885_200.5),
    ],
)
def test_a_date_stands_for_the_middle_of_its_second(date: str, age: str, seconds: float) -> None:
    assert dates.parse(date, age) == seconds


@pytest.mark.parametrize("date", ["", "yesterday", "Sat, 99 Nov 2026 17:00:00 GMT"])
def test_what_is_no_date(date: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        dates.parse(date)


def test_web_servers_are_asked_only_where_no_time_server_tells_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, ...]] = []
    monkeypatch.setattr(dates, "dates", lambda places, deadline: told.append(tuple(places)) or ())
    with serve(good()) as served, serve(good(leap=3)) as alarmed:
        ask(alarmed.name, served.name, web=("192.0.2.80",))
        assert told == []
        ask(alarmed.name, web=("192.0.2.80",))
        assert told == [("192.0.2.80",)]
        ask(alarmed.name)
        ask("ntp.example.org", web=("192.0.2.80",))
        assert len(told) == 1


CERTIFICATE = (
    "openssl",
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "1",
    "-subj",
    "/CN=elsewhere.example",
)


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """Run a web server on loopback, with a certificate of another name; a test says what it answers."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate, and is not here")
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    files = ("-keyout", str(key), "-out", str(certificate))
    subprocess.run([*CERTIFICATE, *files], check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    said = [b""]

    def answer_one() -> None:
        with (
            contextlib.suppress(OSError),
            listener.accept()[0] as tcp,
            context.wrap_socket(tcp, server_side=True) as tls,
        ):
            assert tls.recv(4096).startswith(b"HEAD / HTTP/1.1\r\nHost: web.example\r\n")
            tls.sendall(said[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(dates, "PORT", listener.getsockname()[1])
        thread = threading.Thread(target=answer_one)
        thread.start()
        yield lambda text: said.__setitem__(0, text)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("shift", [0, 3600])
def test_the_date_of_a_web_server(shift: int, web: Callable[[bytes], None]) -> None:
    date = email.utils.formatdate(time.time() + shift, usegmt=True)
    web(f"HTTP/1.1 301 Moved\r\nDate: {date}\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n".encode())
    (found,) = dates.dates({"web.example": ("127.0.0.1",)}, time.monotonic() + LATE)
    assert (found.server, found.detail) == ("web.example", "")
    assert found.seconds == pytest.approx(shift, abs=2.0)
    assert found.delay < dates.SECONDS


@pytest.mark.parametrize(
    "text", [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nDate: now\r\n\r\n", b"\xff\x00"]
)
def test_a_web_server_that_tells_no_date(text: bytes, web: Callable[[bytes], None]) -> None:
    web(text)
    (found,) = dates.dates({"web.example": ("127.0.0.1",)}, time.monotonic() + LATE)
    assert (found.seconds, found.detail != "") == (None, True)


def test_a_web_server_says_how_old_its_answer_is(web: Callable[[bytes], None]) -> None:
    date = email.utils.formatdate(time.time() - 3600, usegmt=True)
    web(f"HTTP/1.1 200 OK\r\nDate: {date}\r\nAge: 3600\r\n\r\n".encode())
    (found,) = dates.dates({"web.example": ("127.0.0.1",)}, time.monotonic() + LATE)
    assert found.seconds == pytest.approx(0.0, abs=2.0)


def test_a_web_server_that_is_silent_ends_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent_one:
        monkeypatch.setattr(dates, "PORT", silent_one.getsockname()[1])
        began = time.monotonic()
        (found,) = dates.dates({"web.example": ("127.0.0.1",)}, began + 0.6)
        assert time.monotonic() - began < 3
    assert (found.server, found.seconds) == ("web.example", None)


def test_a_web_server_that_nobody_reaches() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dates, "PORT", port)
        (found,) = dates.dates({"web.example": ("127.0.0.1", "127.0.0.1")}, time.monotonic() + LATE)
    assert found.seconds is None
    assert "refused" in found.detail


# --- a second implementation -------------------------------------------------------------------------------------


def chronyd(served: Served, seconds: int, folder: Path) -> str:
    """Return what chrony's own client says of a server; it changes no clock. It removes its file when it ends."""
    if not CHRONYD.exists():
        lacking("chronyd")
    pid = f"pidfile {folder}/chronyd.pid"
    lines = (f"server {served.address} port {served.port} iburst maxsamples 3", pid, "cmdport 0")
    command = [CHRONYD, "-Q", "-u", getpass.getuser(), "-t", str(seconds), *lines]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    told = run.stdout + run.stderr
    assert "exiting" in told
    assert served.asked
    return told


@pytest.mark.parametrize("shift", [0.0, 12.5, -90.0])
def test_chronyd_measures_the_same(shift: float, tmp_path: Path) -> None:
    with serve(good(shift)) as served:
        theirs = re.search(r"System clock wrong by (-?[0-9.]+) seconds", chronyd(served, 20, tmp_path))
        (ours,) = ask(served.name).servers
    assert theirs is not None
    assert ours.seconds == pytest.approx(float(theirs[1]), abs=0.05)
    assert ours.seconds == pytest.approx(shift, abs=0.05)


@pytest.mark.parametrize(
    "script",
    [
        good(leap=3),
        good(stratum=16),
        good(dispersion=16.0),
        good(mode=5),
        good(origin=7),
        good(transmit=0),
        kiss(b"DENY"),
    ],
    ids=["alarm", "stratum 16", "dispersion", "broadcast", "wrong origin", "no time", "denied"],
)
def test_chronyd_takes_no_measurement_either(script: Script, tmp_path: Path) -> None:
    with serve(script) as served:
        assert "wrong by" not in chronyd(served, 3, tmp_path)
        (ours,) = ask(served.name).servers
    assert ours.seconds is None
