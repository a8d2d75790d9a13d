"""Play many scenarios side by side, and write down what came of them.

Each is a process of its own, started by this one's only thread: whatever ends this one, ends them, and they clean up.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from tests.lab import act, figure
from tests.lab.judge import Verdict
from tests.lab.kinds import CACHE, KINDS
from tests.lab.machine import LIBC, PR_SET_PDEATHSIG, LabError, template_of
from tests.lab.scenario import scenarios

IMAGE = "mailcow-preflight"
RESULTS = Path("build")
STOP_SECONDS = 15
# A busy machine may make an engine late, once. What is wrong is so every time, and more than a few are no accident.
SECOND_TRIES = 3


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def saved_image() -> tuple[Path, str]:
    """Save the image from the engine at DOCKER_HOST; raise `LabError` where there is none."""
    command = ["docker", "image", "inspect", "-f", "{{.Id}}", IMAGE]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    if told.returncode:
        raise LabError(f"the engine has no image {IMAGE}; try: make image")
    key = told.stdout.strip().removeprefix("sha256:")[:12]
    CACHE.mkdir(parents=True, exist_ok=True)
    archive = CACHE / f"image-{key}.tar"
    if not archive.exists():
        for old in CACHE.glob("image-*.tar"):
            old.unlink()
        subprocess.run(["docker", "save", "-o", f"{archive}.partial", f"{IMAGE}:latest"], check=True)
        os.rename(f"{archive}.partial", archive)
    return archive, key


def run(names: tuple[str, ...], jobs: int) -> int:
    """Play the scenarios named, or all; return 0 where all went as expected."""
    chosen = sorted(scenarios(names), key=lambda scenario: bool(scenario.near))
    image, key = saved_image()
    started = time.monotonic()
    kinds = sorted({scenario.host for scenario in chosen})
    say(f"==> lab: {len(chosen)} scenarios on {', '.join(kinds)}; {jobs} at a time; hosts are kept in {CACHE}")
    for kind, _ in side_by_side([("prepare", kind, str(image), key) for kind in kinds], jobs):
        say(f"    {kind} is there ({time.monotonic() - started:.1f} s)")
    verdicts: dict[str, Verdict] = {}
    limit = float(os.environ.get("LAB_UNTIL") or "inf")
    near = {scenario.name for scenario in chosen if scenario.near}
    tasks = [("play", scenario.name, str(image), key) for scenario in chosen]
    for name, printed in side_by_side(tasks, jobs, lambda name: name not in near or time.time() < limit):
        verdicts[name] = verdict_of(name, printed)
        report(verdicts[name], f"{len(verdicts)}/{len(chosen)}")
    for name, printed in side_by_side(list(second(tasks, verdicts)), 1):
        verdicts[name] = verdict_of(name, printed, verdicts[name])
        report(verdicts[name], "once more")
    rows = [verdicts[scenario.name] for scenario in chosen if scenario.name in verdicts]
    if left := [scenario.name for scenario in chosen if scenario.name not in verdicts]:
        say(f"    not played, as the time was over: {len(left)} that are much like others: {', '.join(left)}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "lab.json").write_text(figure.document(rows))
    (RESULTS / "lab.md").write_text(figure.table(rows, {one.name: one.title for one in chosen}))
    for verdict in rows:  # again, as the end is what is kept of a long output
        if verdict.before or not verdict.good:
            report(verdict, "in the end")
    print(f"lab: {figure.line(rows)} ({time.monotonic() - started:.0f} s)")
    return 0 if all(verdict.good for verdict in rows) else 1


def verdict_of(name: str, printed: str, before: Verdict | None = None) -> Verdict:
    """Read what a scenario's process printed; `before` is what came of its first try."""
    verdict = Verdict(**json.loads(printed)) if printed else Verdict(name, broken="it ended without a word")
    return replace(verdict, before=[row for _, row in before.complaints] + [before.broken]) if before else verdict


def second(tasks: Sequence[tuple[str, ...]], verdicts: Mapping[str, Verdict]) -> Iterator[tuple[str, ...]]:
    """Name the tasks to be done once more, with nothing beside them: what was not as expected, unless it is much."""
    again = [task for task in tasks if task[1] in verdicts and not verdicts[task[1]].good]
    if len(again) <= SECOND_TRIES:
        yield from again


def side_by_side(
    tasks: Sequence[tuple[str, ...]], jobs: int, wanted: Callable[[str], bool] = lambda _: True
) -> Iterator[tuple[str, str]]:
    """Run `python -m tests.lab TASK...`, so many at a time; yield each one's name and what it printed, when it ends.

    `wanted` is asked when one could begin: those that are not wanted any more are left out.
    """
    waiting, running = deque(tasks), dict[str, subprocess.Popen[str]]()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                task = waiting.popleft()
                if not wanted(task[1]):
                    continue
                running[task[1]] = subprocess.Popen(
                    [sys.executable, "-m", "tests.lab", *task], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    text=True, preexec_fn=tied,
                )  # fmt: skip
            for name in [name for name, process in running.items() if process.poll() is not None]:
                yield name, running.pop(name).communicate()[0]
            time.sleep(0.05)
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            process.kill()
            process.communicate()


def tied() -> None:
    """End with this process, and by its word alone: Ctrl-C is for this one (between fork and exec)."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    os.setsid()


def prepare(kind: str, image: Path, key: str) -> str:
    """Make a kind's root and its engine's data, where the cache has none."""
    template_of(KINDS[kind], image, key)
    return ""


def play(name: str, image: Path, key: str) -> str:
    """Play one scenario and return its verdict as JSON."""
    (scenario,) = scenarios((name,))
    return json.dumps(asdict(act.play(scenario, image, key)))


TASKS: dict[str, Callable[[str, Path, str], str]] = {"prepare": prepare, "play": play}


def report(verdict: Verdict, number: str) -> None:
    word = "ok  " if verdict.good else "BAD "
    say(f"    {word}{number} {verdict.name} ({verdict.seconds:.1f} s)")
    for title, row in verdict.complaints:
        say(f"         {title}: {row}")
    if verdict.broken:
        say(f"         not run: {verdict.broken}")
    for row in filter(None, verdict.before):
        say(f"         at the first try: {row}")
