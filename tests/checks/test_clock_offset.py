"""clock.offset: the majority of time servers tells how far off the clock is, and what does not count says why."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.checks.clock.opinions import Opinion, majority
from preflight.facts import Clock, Fact, Service, Times, TimeServer, WebDate
from preflight.facts.time import TimeOutcome
from preflight.report.model import Result, Severity, Status
from preflight.text.durations import duration
from tests.build import check, look, measured, run
from tests.checks.test_clock import ALPINE, BARE, DEBIAN, LOST, LXC, SYNCED, keeper, services

DAY = 86_400.0


def server(seconds: float | None, name: str = "", **more: Any) -> TimeServer:
    """Make a server that was measured, by default with a delay of 20 ms."""
    values: dict[str, Any] = {"outcome": "measured", "delay": 0.02, "distance": 0.01, "samples": 3, "stratum": 2} | more
    return TimeServer(server=name or f"ntp{seconds}.example", address="192.0.2.1", seconds=seconds, **values)


def dead(outcome: TimeOutcome = "silent", name: str = "dead.example", **more: Any) -> TimeServer:
    return TimeServer(server=name, address="192.0.2.9", outcome=outcome, **more)


def many(*offsets: float) -> tuple[TimeServer, ...]:
    return tuple(server(seconds, f"ntp{number}.example") for number, seconds in enumerate(offsets))


def judged(*servers: TimeServer, dates: tuple[WebDate, ...] = (), **facts: Any) -> Result:
    known = {"os_release": DEBIAN, "virtualization": BARE, "services": services(keeper()), "clock": LOST} | facts
    (result,) = run("clock.offset", look(times=Times(servers, dates), **known))
    return result


def test_it_decides_and_may_fail() -> None:
    assert check("clock.offset").severity is Severity.REQUIRED


# --- how far off -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "status", "reason"),
    [
        (0.0, Status.PASS, ""), (4.9, Status.PASS, ""), (5.1, Status.WARN, "Dovecot"), (29.9, Status.WARN, "Dovecot"),
        (30.5, Status.FAIL, "TOTP"), (3599.0, Status.FAIL, "TOTP"), (3601.0, Status.FAIL, "DNSSEC"),
        (20 * 365 * DAY, Status.FAIL, "DNSSEC"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("sign", [1, -1])
def test_thresholds(offset: float, status: Status, reason: str, sign: int) -> None:
    result = judged(*many(*(sign * offset,) * 3))
    assert result.status is status
    assert [word for word in ("Dovecot", "TOTP", "DNSSEC") if word in result.message] == ([reason] if reason else [])
    assert measured(result)["seconds"] == sign * offset
    direction = "correct" if status is Status.PASS else {1: "behind", -1: "ahead"}[sign]
    assert direction in result.message.partition(". ")[0]
    assert (result.remedy is None) is (status is Status.PASS)
    assert (result.found, result.expected) == (duration(offset), "at most 5.0 s")


def test_how_exact_it_is_is_said() -> None:
    result = judged(server(0.5, "a.example", delay=0.3, distance=0.1), server(0.5, "b.example", delay=0.5))
    assert "it is off by 500 ms (± 250 ms)" in result.message
    assert "half of the round-trip time (300 ms)" in result.message
    assert (measured(result)["seconds"], measured(result)["error"]) == (0.5, 0.25)


def test_a_failure_is_one_only_where_no_error_explains_it() -> None:
    slow = [server(31.0, name, delay=3.0) for name in ("a.example", "b.example")]
    assert judged(*slow).status is Status.WARN
    assert judged(server(31.0, "a.example"), *slow[1:]).status is Status.FAIL


# --- who is believed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offsets", "status", "seconds"),
    [
        ((0.0, 0.0, 60.0), Status.PASS, 0.0),
        ((60.0, 60.0, 0.0), Status.FAIL, 60.0),
        ((0.0, 0.0, 0.0, -900.0, 900.0), Status.PASS, 0.0),
        ((0.0, 60.0), Status.UNKNOWN, None),
        ((0.0, 60.0, -60.0), Status.UNKNOWN, None),
        ((0.0, 0.0, 60.0, 60.0), Status.UNKNOWN, None),
        ((60.0, 61.5), Status.UNKNOWN, None),
        ((0.0, 0.4), Status.PASS, 0.0),
    ],
    ids=str,
)
def test_the_majority_tells_the_time(offsets: tuple[float, ...], status: Status, seconds: float | None) -> None:
    result = judged(*many(*offsets))
    assert (result.status, measured(result)["seconds"]) == (status, seconds)
    rows = measured(result)["servers"]
    assert [row["counted"] for row in rows] == [seconds is not None and abs(o - seconds) < 1 for o in offsets]
    if status is Status.UNKNOWN:
        assert "no majority" in (result.reason or "")
        words = ("ahead", "behind")
        told = [f"ntp{n}.example (clock {duration(o)} {words[o > 0]})" for n, o in enumerate(offsets)]
        assert (result.reason or "").endswith(f": {', '.join(told)}.")
    elif len(set(offsets)) > 2 or max(offsets) - min(offsets) > 1:
        assert "(gives a different time)" in result.message


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("silent", "no answer"), ("refused", "port closed"), ("unreachable", "unreachable"),
        ("unresolved", "no address found"), ("unsynchronized", "not synchronised"),
        ("distant", "not accurate enough"), ("kiss", "refuses to answer"), ("invalid", "no valid answer"),
        ("jumping", "its time jumps"),
    ],
)  # fmt: skip
def test_one_that_tells_nothing_does_not_matter_beside_others(outcome: TimeOutcome, words: str) -> None:
    result = judged(*many(0.0, 0.0), dead(outcome))
    assert result.status is Status.PASS
    assert result.message.endswith(f"Not counted: dead.example ({words}).")
    alone = judged(dead(outcome))
    assert (alone.status, alone.severity) == (Status.UNKNOWN, Severity.REQUIRED)
    assert f"dead.example ({words})" in (alone.reason or "")
    assert alone.remedy is not None
    assert measured(alone)["seconds"] is None


def test_nobody_answers() -> None:
    result = judged(dead(name="a.example"), dead("refused", "b.example"))
    assert result.reason == "No time server gave the time: a.example (no answer), b.example (port closed)."
    assert "port 123" in (result.remedy.text if result.remedy else "")


def test_names_that_nobody_resolves_are_one_cause() -> None:
    result = judged(dead("unresolved", "a.example"), dead("unresolved", "b.example"))
    assert "could not be resolved" in (result.reason or "")
    assert "resolv.conf" in (result.remedy.text if result.remedy else "")


def test_a_server_has_one_voice_however_many_addresses() -> None:
    """Two addresses of a liar do not outvote two servers, and one that is at odds with itself has none."""
    liar = (server(60.0, "liar.example"), server(60.0, "liar.example"), server(60.0, "liar.example"))
    assert judged(*many(0.0, 0.0), *liar).status is Status.PASS
    torn = (server(0.0, "torn.example"), server(60.0, "torn.example"))
    assert judged(*torn).status is Status.UNKNOWN
    assert judged(*many(60.0, 60.0), *torn).status is Status.FAIL


def test_an_address_that_is_dead_does_not_silence_the_other() -> None:
    result = judged(*many(0.0, 0.0), server(0.0, "dual.example"), dead("unreachable", "dual.example"))
    assert result.status is Status.PASS
    assert "Not counted" not in result.message


@pytest.mark.parametrize(
    ("offset", "clock", "status"),
    [
        (0.0, LOST, Status.PASS), (0.0, SYNCED, Status.PASS), (60.0, LOST, Status.FAIL),
        (60.0, SYNCED, Status.UNKNOWN), (60.0, None, Status.FAIL), (10.0, SYNCED, Status.UNKNOWN),
    ],
)  # fmt: skip
def test_one_server_alone_against_the_kernels_word(offset: float, clock: Clock | None, status: Status) -> None:
    facts = {} if clock else {"clock": Fact[Clock].unknown("adjtimex(2)", "Not known.")}
    result = judged(server(offset, "only.example"), dead(), **({"clock": clock} if clock else facts))
    assert result.status is status
    assert "nly one time server" in result.message
    assert "only.example" in result.message


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=7), st.integers(0, 3))
def test_liars_in_the_minority_never_change_the_answer(lies: list[float], more: int) -> None:
    honest = [Opinion(f"h{n}", 0.01 * n, 0.05, 0.1) for n in range(len(lies) + 1 + more)]
    liars = [Opinion(f"l{n}", 5000 + 10 * lie, 0.05, 0.1) for n, lie in enumerate(lies)]
    found = majority([*liars, *honest], 0.5)
    assert {one.server for one in found} == {one.server for one in honest}
    assert majority(liars[: len(lies)] + honest[: len(lies)], 0.5) == []


@pytest.mark.parametrize(
    ("first", "second", "agree"),
    [
        ((0.0, 1.0), (1.4, 0.01), True), ((0.0, 1.0), (1.6, 0.01), False), ((0.0, 0.01), (1.4, 1.0), True),
        ((0.0, 0.01), (-1.6, 1.0), False), ((0.0, 0.0), (0.49, 0.0), True), ((0.0, 0.0), (0.51, 0.0), False),
        ((0.0, 0.0), (-0.49, 0.0), True), ((0.0, 0.0), (-0.51, 0.0), False),
    ],
    ids=str,
)  # fmt: skip
def test_who_agrees(first: tuple[float, float], second: tuple[float, float], agree: bool) -> None:
    """Within the errors of both, and half a second."""
    opinions = [Opinion(name, *values, 0.1) for name, values in (("a", first), ("b", second))]
    for order in (opinions, opinions[::-1]):
        assert len(majority(order, 0.5)) == (2 if agree else 0)


def test_a_chain_of_neighbours_is_no_agreement_of_all() -> None:
    chain = [Opinion(f"n{n}", 0.4 * n, 0.01 * (n + 1), 0.1) for n in range(3)]
    assert [one.server for one in majority(chain, 0.3)] == []
    assert [one.server for one in majority(chain, 0.5)] == ["n0", "n1"]  # the two that are more exact
    assert [one.server for one in majority(chain[::-1], 0.9)] == ["n2", "n1", "n0"]


# --- the Date of web servers -------------------------------------------------------------------------------------


def dates(*offsets: float) -> tuple[WebDate, ...]:
    return tuple(WebDate(server=f"web{n}.example", seconds=one, delay=0.2) for n, one in enumerate(offsets))


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (dates(0.3, -0.3), Status.PASS), (dates(40.0, 40.5), Status.FAIL), (dates(30.4, 30.4), Status.WARN),
        (dates(0.0, 60.0), Status.UNKNOWN), ((), Status.UNKNOWN), ((WebDate(server="web.example"),), Status.UNKNOWN),
    ],
    ids=["right", "wrong", "on the edge", "at odds", "none", "silent"],
)  # fmt: skip
def test_the_date_of_web_servers_is_the_last_resort(told: tuple[WebDate, ...], status: Status) -> None:
    result = judged(dead(), dates=told)
    assert result.status is status
    assert ("over HTTPS, accurate to a second" in result.message) is (status is not Status.UNKNOWN)
    assert ("dead.example (no answer)" in result.message) is (told != dates(0.0, 60.0))
    rows = measured(result)["servers"][1:]
    assert [row["outcome"] for row in rows] == ["silent" if one.seconds is None else "date" for one in told]
    assert [row["error"] for row in rows] == [None if one.seconds is None else 0.6 for one in told]
    assert {row["counted"] for row in rows} <= {status is not Status.UNKNOWN}


def test_dates_do_not_count_beside_a_time_server() -> None:
    assert judged(*many(0.0, 0.0), dates=dates(60.0, 60.0)).status is Status.PASS


# --- what is done about it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kept", "commands"),
    [
        (keeper("chrony"), ("systemctl restart chrony.service", "chronyc makestep")),
        (
            keeper("systemd-timesyncd"),
            ("systemctl restart systemd-timesyncd.service", "timedatectl timesync-status"),
        ),
        (keeper("ntpsec"), ("systemctl restart ntpsec.service",)),
        (keeper("openntpd"), ("systemctl restart openntpd.service",)),
        (keeper("VBoxService", unit="virtualbox-guest-utils.service"), ()),
        (keeper("chrony", enabled=False, active=False), ("systemctl enable --now chrony.service",)),
        (keeper("ntpd-rs", active=False), ("systemctl restart ntpd-rs.service",)),
        (keeper("ntp", unit=None, enabled=None), ()),
        (None, ("apt-get update && apt-get install -y chrony",)),
    ],
)
def test_how_the_clock_is_set(kept: Service | None, commands: tuple[str, ...]) -> None:
    result = judged(*many(60.0, 60.0), services=services(*filter(None, [kept])))
    assert result.remedy is not None
    assert result.remedy.commands == commands


@pytest.mark.parametrize(("active", "words"), [(False, "Start it"), (True, "Restart it"), (None, "Restart it")])
def test_a_service_that_does_not_run_is_started(active: bool | None, words: str) -> None:
    result = judged(*many(60.0, 60.0), services=services(keeper("chrony", active=active)))
    assert result.remedy is not None
    assert words in result.remedy.text


def test_the_clock_of_a_container_is_set_below() -> None:
    result = judged(*many(60.0, 60.0), virtualization=LXC)
    assert result.remedy is not None
    assert "lxc container uses the clock of its host" in result.remedy.text


@pytest.mark.parametrize("name", ["clock.offset", "clock.service", "clock.synchronized"])
@pytest.mark.parametrize(("system", "init", "told"), [(DEBIAN, "systemd", True), (ALPINE, "openrc", False)])
def test_the_words_of_timedatectl_old_and_new(name: str, system: Any, init: str, told: bool) -> None:
    kept = () if name == "clock.service" else (keeper(),)
    facts: dict[str, Any] = {"os_release": system, "services": services(*kept, init=init), "clock": LOST}
    (result,) = run(name, look(times=Times(many(60.0, 60.0)), virtualization=BARE, **facts))
    text = result.remedy.text if result.remedy else ""
    words = ("System clock synchronized: yes", "NTP service: active", "NTP synchronized: yes", "NTP enabled: yes")
    assert [word in text for word in words] == [told] * 4


def test_without_knowing_anything_else_the_time_is_judged() -> None:
    (result,) = run("clock.offset", look(times=Times(many(60.0, 60.0))))
    assert result.status is Status.FAIL


@pytest.mark.parametrize("kind", [Fact[Times].unknown, Fact[Times].skipped])
def test_what_is_not_known_never_passes(kind: Any) -> None:
    (result,) = run("clock.offset", look(times=kind("SNTP", "Nobody asked.")))
    assert (result.status in (Status.UNKNOWN, Status.SKIP), result.reason) == (True, "Nobody asked.")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 ms"), (0.0123, "12 ms"), (0.9994, "999 ms"), (0.9996, "1.0 s"), (-31.46, "31.5 s"), (119.9, "119.9 s"),
        (120.0, "2 min"), (3599.0, "59 min 59 s"), (3900.0, "1 h 5 min"), (7200.0, "2 h"), (90_061.0, "1 d 1 h"),
        (86_460.0, "1 d"), (400 * DAY, "400 d"),
    ],
)  # fmt: skip
def test_how_a_time_is_written(seconds: float, text: str) -> None:
    assert duration(seconds) == text
