"""Time the whole check against the prerequisite page's own commands, run by hand one after the other.

    python tests/bench/page.py [RUNS]           on this machine
    python tests/bench/page.py [RUNS] HOST      on a host of the lab (debian13), as root

Whole processes, in turn, after one warm-up of each; prints medians and the ratio pair by pair. No part of the test
run, as a busy machine would make it lie. A command that is not on this machine costs its failure to start, no more:
a machine without systemd, engine or Compose flatters the hand, so the figure to quote is that of a host of the lab.

There, preflight is what `pip install` into a virtual environment of the host's own Python makes: the locked
dependencies for that Python, the package, all of it compiled, and a script. Both sides run in the host's own
namespaces, with its systemd, its engine and its Compose.
"""

from __future__ import annotations

import contextlib
import io
import os
import statistics
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = "/opt/preflight"  # on a host of the lab
BY_HAND = (
    ("ss", "-Htlnp"),
    ("timedatectl",),
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
# The page has no command that says whether packets arrive, so the twin's cost is told apart.
TWIN = ("firewall.inbound", "firewall.forwarding", "firewall.backend")
WITHOUT_TWIN = (*PREFLIGHT, *(word for check in TWIN for word in ("--skip", check)))
# An installed package is compiled, and so is this one after the warm-up, unless the environment forbids it.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run(command: tuple[str, ...]) -> None:
    with contextlib.suppress(FileNotFoundError):
        subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False, env=ENVIRONMENT
        )  # fmt: skip


def timed(*commands: tuple[str, ...]) -> float:
    began = time.perf_counter()
    for command in commands:
        run(command)
    return time.perf_counter() - began


def compare(runs: int) -> None:
    rounds = [(timed(WITHOUT_TWIN), timed(PREFLIGHT), timed(*BY_HAND)) for _ in range(runs + 1)][1:]
    columns = dict(
        zip(("without the twin", "preflight", "by hand"), map(sorted, zip(*rounds, strict=True)), strict=True)
    )
    print(f"{runs} runs, {os.cpu_count()} processors; milliseconds: minimum, median, maximum")
    for name, row in columns.items():
        print(f"{name:18}", *(f"{1000 * value:8.1f}" for value in (row[0], statistics.median(row), row[-1])))
    for column, name in enumerate(("without the twin", "preflight")):
        ratios = sorted(one[column] / one[-1] for one in rounds)
        shown = " ".join(f"{value:8.2f}" for value in (ratios[0], statistics.median(ratios), ratios[-1]))
        print(f"{name:18} {shown}  times by hand")
    for command in BY_HAND:
        print(f"  {' '.join(command):24}{1000 * statistics.median(timed(command) for _ in range(5)):8.1f}")


def compare_in_lab(runs: int, name: str) -> None:
    sys.path.insert(0, str(ROOT))
    from tests.lab.kinds import KINDS
    from tests.lab.machine import Machine

    with Machine(KINDS[name]) as machine, tempfile.TemporaryDirectory() as folder:
        version = machine.run("python3 -c 'import sys; print(*sys.version_info[:2], sep=\".\")'").stdout.strip()
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile"]
        place = ["--target", folder, "--python-version", version, "--only-binary", ":all:"]
        subprocess.run([*pip, *place, "-r", str(ROOT / "requirements.lock")], check=True)
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as packed:
            packed.add(folder, ".")
            packed.add(ROOT / "preflight", "preflight", filter=lambda f: None if "__pycache__" in f.name else f)
        machine.run(f"python3 -m venv --without-pip {HOME}")
        machine.run(f"cd {HOME}/lib/python{version}/site-packages; tar -xf -", input=data.getvalue())
        machine.run(f"{HOME}/bin/python -m compileall -q {HOME}", check=False)
        script = f"#!{HOME}/bin/python3\nfrom preflight.__main__ import main\n\nmain()\n"
        machine.write(PREFLIGHT[0].replace(sysconfig.get_path("scripts"), f"{HOME}/bin"), script, 0o755)
        machine.write(f"{HOME}/bench/page.py", Path(__file__).read_text())
        print(machine.run(f"{HOME}/bin/python {HOME}/bench/page.py {runs}", seconds=600).stdout, end="")


def main() -> None:
    runs = next((int(word) for word in sys.argv[1:] if word.isdecimal()), 11)
    hosts = [word for word in sys.argv[1:] if not word.isdecimal()]
    compare_in_lab(runs, hosts[0]) if hosts else compare(runs)


if __name__ == "__main__":
    main()
