"""Play many scenarios side by side, and write down what came of them."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.lab import act, figure
from tests.lab.judge import Verdict
from tests.lab.kinds import CACHE, KINDS
from tests.lab.machine import LIBC, PR_SET_PDEATHSIG, LabError, template_of
from tests.lab.scenario import scenarios

IMAGE = "mailcow-preflight"
RESULTS = Path("build")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def saved_image() -> tuple[Path, str]:
    """Save the image from the engine at DOCKER_HOST; raise `LabError` where there is none."""
    told = subprocess.run(
        ["docker", "image", "inspect", "-f", "{{.Id}}", IMAGE], capture_output=True, text=True, check=False
    )
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


def worker() -> None:
    """Let a worker end with its master, and leave Ctrl-C to clean up in the scenario that it plays."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def run(names: tuple[str, ...], jobs: int) -> int:
    chosen = scenarios(names)
    image, key = saved_image()
    started = time.monotonic()
    verdicts: list[Verdict] = []
    # Spawned, not forked: the workers themselves fork hosts.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, mp_context=context, initializer=worker) as pool:
        kinds = sorted({scenario.host for scenario in chosen})
        say(f"==> lab: {len(chosen)} scenarios on {', '.join(kinds)}; {jobs} at a time; hosts are kept in {CACHE}")
        for done in concurrent.futures.as_completed([pool.submit(prepare, kind, image, key) for kind in kinds]):
            say(f"    {done.result()}")
        plays = [pool.submit(act.play, scenario, image, key) for scenario in chosen]
        for number, future in enumerate(concurrent.futures.as_completed(plays), 1):
            verdict = future.result()
            verdicts.append(verdict)
            report(verdict, f"{number}/{len(plays)}")
    order = [scenario.name for scenario in chosen]
    verdicts.sort(key=lambda verdict: order.index(verdict.name))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "lab.json").write_text(figure.document(verdicts))
    (RESULTS / "lab.md").write_text(figure.table(verdicts, {one.name: one.title for one in chosen}))
    print(f"lab: {figure.line(verdicts)} ({time.monotonic() - started:.0f} s)")
    return 0 if all(verdict.good for verdict in verdicts) else 1


def prepare(kind: str, image: Path, key: str) -> str:
    """Make a kind's root and its engine's data, where the cache has none."""
    started = time.monotonic()
    template_of(KINDS[kind], image, key)
    return f"{kind} is there ({time.monotonic() - started:.1f} s)"


def report(verdict: Verdict, number: str) -> None:
    word = "ok  " if verdict.good else "BAD "
    say(f"    {word}{number} {verdict.name} ({verdict.seconds:.1f} s)")
    for title, rows in (("missed", verdict.missed), ("alarm", verdict.alarms), ("differs", verdict.differs)):
        for row in rows:
            say(f"         {title}: {row}")
    if verdict.broken:
        say(f"         not run: {verdict.broken}")
