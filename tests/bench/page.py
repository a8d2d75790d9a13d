"""Time the whole check against the prerequisite page's own commands, run by hand one after the other.

    python tests/bench/page.py [RUNS]

Whole processes, in turn, after one warm-up of each; prints medians and the ratio pair by pair. No part of the test
run, as a busy machine would make it lie. A command that is not on this machine costs its failure to start, no more.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

BY_HAND = (
    ("ss", "-tlnp"),
    ("timedatectl", "status"),
    ("free", "-b"),
    ("df", "-B1"),
    ("uname", "-a"),
    ("docker", "version"),
    ("docker", "compose", "version"),
)
PREFLIGHT = (
    str(Path(sysconfig.get_path("scripts")) / "preflight"),
    *("check", "--offline", "--no-probe", "--format", "json", "--quiet"),
)


def run(command: tuple[str, ...]) -> None:
    with contextlib.suppress(FileNotFoundError):
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)


def timed(*commands: tuple[str, ...]) -> float:
    began = time.perf_counter()
    for command in commands:
        run(command)
    return time.perf_counter() - began


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    pairs = [(timed(PREFLIGHT), timed(*BY_HAND)) for _ in range(runs + 1)][1:]
    ours, theirs = (sorted(column) for column in zip(*pairs, strict=True))
    ratios = sorted(one / other for one, other in pairs)
    print(f"{runs} runs, {os.cpu_count()} processors; milliseconds: minimum, median, maximum")
    for name, row in (("preflight", ours), ("by hand", theirs)):
        print(f"{name:10}", *(f"{1000 * value:8.1f}" for value in (row[0], statistics.median(row), row[-1])))
    print(f"{'ratio':10}", *(f"{value:8.2f}" for value in (ratios[0], statistics.median(ratios), ratios[-1])))
    for command in BY_HAND:
        print(f"  {' '.join(command):24}{1000 * statistics.median(timed(command) for _ in range(5)):8.1f}")


if __name__ == "__main__":
    main()
