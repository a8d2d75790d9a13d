"""What is told of progress, by a clock of the test's own: the display's lines, lines without one, and their moments."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace

import pytest

from preflight.cli import progress as module
from preflight.cli.progress import Progress
from preflight.gathering.stages import STAGES

PATIENCE = 60.0  # seconds until a test gives up; nothing takes that long


class Clock:
    """A clock that is set by hand, and tells how often it was looked at."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.looks = threading.Semaphore(0)

    def monotonic(self) -> float:
        self.looks.release()
        return self.now

    def looked_at(self, times: int) -> None:
        """Wait until others have looked at it so often again."""
        while self.looks.acquire(blocking=False):
            pass
        for _ in range(times):
            assert self.looks.acquire(timeout=PATIENCE)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=made.monotonic))
    monkeypatch.setattr(module, "TICK", 0.001)
    return made


def begun(progress: Progress, *parts: str) -> None:
    for part in parts:
        progress.tell(part, done=False)


# --- the display -----------------------------------------------------------------------------------------------


def test_the_rest_of_the_deadline_is_told_and_never_less_than_none(clock: Clock) -> None:
    progress = Progress(None, ("memory",), 30.0)
    for passed, left in ((0.0, 30), (0.6, 29), (29.4, 1), (30.0, 0), (99.0, 0)):
        clock.now = 1000.0 + passed
        assert progress.lines() == [f"Examining this host (up to {left} s more)."]


def test_stages_stand_in_one_order_with_the_time_of_what_takes_longest(clock: Clock) -> None:
    progress = Progress(None, ("answers", "contact", "compose", "memory"), 30.0)
    begun(progress, "answers")
    clock.now += 2
    begun(progress, "compose", "memory")
    clock.now += 3.4
    begun(progress, "contact")
    assert progress.lines()[1:] == [
        "files of the host (memory) · 3 s", "Docker engine (contact) · 0 s", "Docker Compose · 3 s",
        "name servers · 5 s",
    ]  # fmt: skip


def test_of_many_parts_the_first_three_are_named(clock: Clock) -> None:
    parts = ("name", "os_release", "cpu_speed", "memory")
    progress = Progress(None, parts, 30.0)
    begun(progress, *parts[:3])
    assert progress.lines()[1] == "files of the host (name, os release, cpu speed) · 0 s"
    begun(progress, parts[3])
    assert progress.lines()[1] == "files of the host (name, os release, cpu speed, …) · 0 s"
    progress.tell("name", done=True)
    assert progress.lines()[1] == "files of the host (os release, cpu speed, memory) · 0 s"


def test_what_is_done_is_not_told_and_nor_is_what_nobody_asked_for(clock: Clock) -> None:
    progress = Progress(None, ("memory",), 30.0)
    begun(progress, "memory", "name", "no part at all")
    assert progress.lines()[1:] == ["files of the host (memory) · 0 s"]
    progress.tell("memory", done=True)
    progress.tell("name", done=True)
    assert progress.lines()[1:] == []
    begun(progress, "memory")  # it is done, and stays so
    assert progress.lines()[1:] == []


@pytest.mark.parametrize(
    ("waits", "for_"),
    [("spaces", "engine"), ("probes.healthcheck", "contact"), ("probes.limits", "engine"), ("twin", "daemon_config")],
)
def test_what_only_waits_for_the_engine_is_told_once_that_is_there(waits: str, for_: str, clock: Clock) -> None:
    progress = Progress(None, (waits, for_), 30.0)
    begun(progress, waits, for_)
    assert [line.startswith("Docker engine") for line in progress.lines()[1:]] == [True]
    progress.tell(for_, done=True)
    assert [line.startswith("Docker engine") for line in progress.lines()[1:]] == [False]


def test_a_run_that_is_being_ended_says_so(clock: Clock) -> None:
    stop = threading.Event()
    progress = Progress(None, ("memory",), 30.0, stop=stop)
    begun(progress, "memory")
    stop.set()
    head, row = progress.lines()
    assert head == "Stopping and cleaning up. Press Ctrl-C again to stop at once."
    assert row == "files of the host (memory) · 0 s"


# --- lines, where there is no display --------------------------------------------------------------------------


def told_while(progress: Progress, written: list[str], block: Callable[[], None]) -> list[str]:
    with progress.shown() as same:
        assert same is progress
        block()
    return written


def test_a_stage_that_takes_long_is_told_and_again_after_a_while(clock: Clock) -> None:
    written: list[str] = []
    progress = Progress(written.append, ("contact", "memory"), 30.0)

    def passes() -> None:
        begun(progress, "contact", "memory")
        for seconds in (1.9, 2.1, 6.0, 12.0, 12.2):
            clock.now = 1000.0 + seconds
            clock.looked_at(3)
            if seconds == 2.1:
                progress.tell("memory", done=True)

    stage = "Docker engine (contact)."
    assert told_while(progress, written, passes) == [
        "preflight: Examining this host (up to 30 s).",
        "preflight: Still waiting (2 s, gives up in 28 s): files of the host (memory).",
        f"preflight: Still waiting (2 s, gives up in 28 s): {stage}",
        f"preflight: Still waiting (12 s, gives up in 18 s): {stage}",
    ]


def test_a_quick_run_is_one_line(clock: Clock) -> None:
    written: list[str] = []
    progress = Progress(written.append, ("memory", "name"), 2.5)
    assert told_while(progress, written, lambda: None) == ["preflight: Examining this host (up to 2.5 s)."]


def test_who_wants_no_line_gets_none(clock: Clock) -> None:
    stop = threading.Event()
    drawn: list[object] = []
    progress = Progress(None, ("memory",), 30.0, draw=lambda *given: drawn.append(given), verbose=True, stop=stop)

    def passes() -> None:
        begun(progress, "memory")
        clock.now += 60
        progress.tell("memory", done=True)
        stop.set()

    assert told_while(progress, [], passes) == []
    assert drawn == []


def test_how_long_each_fact_took_is_told_where_that_is_asked_for(clock: Clock) -> None:
    written: list[str] = []
    progress = Progress(written.append, ("cpu_speed", "probes.healthcheck", "memory"), 30.0, verbose=True)

    def passes() -> None:
        begun(progress, "cpu_speed", "probes.healthcheck")
        clock.now += 0.1254
        progress.tell("cpu_speed", done=True)
        clock.now += 1
        progress.tell("probes.healthcheck", done=True)
        progress.tell("memory", done=True)  # nobody heard of its beginning
        progress.tell("memory", done=True)

    assert told_while(progress, written, passes)[1:] == [
        "preflight: cpu speed: 0.125 s", "preflight: healthcheck: 1.125 s", "preflight: memory: 0.000 s",
    ]  # fmt: skip


def test_the_end_of_a_run_that_was_ended_early_is_told_also_where_it_breaks(clock: Clock) -> None:
    written: list[str] = []
    stop = threading.Event()
    progress = Progress(written.append, ("memory",), 30.0, stop=stop)
    with suppress(ValueError), progress.shown():
        stop.set()
        raise ValueError
    assert written[-1] == "preflight: The run was stopped early. The report shows what was known by then."


# --- the display is drawn --------------------------------------------------------------------------------------


def test_a_display_comes_after_a_moment_and_goes_with_the_run(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOMENT", 0.0)
    written: list[str] = []
    seen: list[list[str]] = []
    drawing, gone = threading.Event(), threading.Event()

    def draw(lines: Callable[[], list[str]], over: threading.Event, _news: object) -> None:
        seen.append(lines())
        drawing.set()
        assert over.wait(PATIENCE)
        gone.set()

    progress = Progress(written.append, ("memory",), 30.0, draw=draw)
    assert told_while(progress, written, lambda: None if drawing.wait(PATIENCE) else pytest.fail("nothing")) == []
    assert seen == [["Examining this host (up to 30 s more)."]]
    assert gone.is_set()


def test_a_run_that_is_over_by_then_has_no_display(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOMENT", PATIENCE)
    drawn: list[object] = []
    written: list[str] = []
    progress = Progress(written.append, ("memory",), 30.0, draw=lambda *given: drawn.append(given))
    assert told_while(progress, written, lambda: None) == []
    assert drawn == []


def test_a_cursor_that_was_not_taken_is_not_given_back(clock: Clock, capfd: pytest.CaptureFixture[str]) -> None:
    progress = Progress(None, ("memory",), 30.0)
    progress.leave()
    with progress.shown():
        progress.leave()
    progress.leave()
    assert capfd.readouterr() == ("", "")


# --- a rehearsal that is held ----------------------------------------------------------------------------------


def test_what_is_announced_is_told_whole_even_where_no_progress_is_wished_for(
    clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    line = "preflight reach mail.example.org/" + "x" * 600
    progress = Progress(None, ("memory",), 30.0)
    with progress.shown():
        progress.announce(line + "\x1b[31m")
        progress.arrived("25/tcp was reached from 203.0.113.9.", ["25/tcp · 203.0.113.9"])
    assert capfd.readouterr().err == line + " [31m\n"


def test_arrivals_are_lines_where_there_is_no_display(clock: Clock) -> None:
    written: list[str] = []
    progress = Progress(written.append, ("memory",), 30.0)
    progress.arrived("25/tcp was reached from 203.0.113.9.", ["25/tcp · 203.0.113.9"])
    assert written == ["preflight: 25/tcp was reached from 203.0.113.9."]


def test_a_display_shows_arrivals_and_what_is_announced_stays_above_it(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "MOMENT", 0.0)
    drawing, announced = threading.Event(), threading.Event()
    written: list[str] = []
    above: list[str] = []
    below: list[list[str]] = []

    def draw(lines: Callable[[], list[str]], over: threading.Event, news: Callable[[], list[str]]) -> None:
        drawing.set()
        assert announced.wait(PATIENCE)
        above.extend(news())
        below.append(lines())
        assert over.wait(PATIENCE)

    def hold() -> None:
        assert drawing.wait(PATIENCE)
        progress.announce("preflight reach x/y")
        progress.arrived("25/tcp was reached from 203.0.113.9.", ["25/tcp · 203.0.113.9"])
        announced.set()
        while not below:
            threading.Event().wait(0.01)
        progress.announce("too late for the display")

    progress = Progress(written.append, ("memory",), 30.0, draw=draw)
    assert told_while(progress, written, hold) == []
    assert above == ["preflight reach x/y"]
    assert below[0][-1] == "25/tcp · 203.0.113.9"
    assert capfd.readouterr().err == "too late for the display\n"


def test_every_stage_has_words_of_its_own() -> None:
    assert len(set(STAGES)) == len(STAGES)
    assert not [stage for stage in STAGES if "_" in stage or stage.endswith(".")]
