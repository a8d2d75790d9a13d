"""Time who holds mailcow's ports on a busy host: whole command against whole command.

    python tests/bench/ports.py [RUNS] [FACTOR...]

A host of its own (network and processes in namespaces, as root) with 2,000 processes and 20,000 TCP sockets, times
FACTOR (default 1 and 2); mailcow's ports are held by processes with random ids. Whole processes, in turn, after one
warm-up; prints medians and the ratios round by round. No part of the test run, as a busy machine would make it lie.
Everything ends with the first process of the namespace. Whoever is not on this machine is named and left out; goss,
which older releases of Debian do not have, is taken from trixie and kept with the lab's hosts.
"""

from __future__ import annotations

import gc
import os
import random
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from preflight.mailcow.layout import SHAPE

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mailcow-preflight" / "lab"
# An installed package is compiled, and so is this one after the warm-up, unless the environment forbids it.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
PROCESSES, SOCKETS = 2_000, 20_000
PSUTIL = """
import psutil
for found in psutil.net_connections("inet"):
    if found.status == "LISTEN":
        print(found.laddr, found.pid, psutil.Process(found.pid).name() if found.pid else None)
"""
# An installation has no typing_extensions, which msgspec loads where it is, and that loads inspect.
START = "import sys; sys.modules['typing_extensions'] = None; from preflight.__main__ import main; main()"
PREFLIGHT = (
    *(sys.executable, "-c", START),
    *("check", "--only", "ports.*", "--no-probe", "--offline", "--format", "json", "--quiet"),
)


def commands(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the commands to compare that are here, by name; ours first."""
    rules = folder / "goss.yaml"
    rows = [f"  tcp:{published.port}: {{listening: true, skip: false}}\n" for published in SHAPE]
    rules.write_text("port:\n" + "".join(rows) + "process:\n  python3: {running: true}\n")
    found = {
        "preflight": PREFLIGHT,
        "ss -tlnp": ("ss", "-tlnp"),
        "netstat -tulpn": ("netstat", "-tulpn"),
        "psutil": (sys.executable, "-c", PSUTIL),
        "goss": (goss(), "-g", str(rules), "validate"),
    }
    for name, words in found.items():
        if not shutil.which(words[0]):
            print(f"left out, as it is not here: {name}")
    return {name: words for name, words in found.items() if shutil.which(words[0])}


def goss() -> str:
    """Return the path of goss, fetched where the machine has none and mmdebstrap can."""
    kept = CACHE / "goss"
    if shutil.which("goss") or not shutil.which("mmdebstrap"):
        return "goss"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            fetch = ("mmdebstrap", "-q", "--variant=extract", "--include=goss", "trixie", f"{folder}/root")
            if subprocess.run(fetch, check=False).returncode:
                return "goss"
            os.rename(f"{folder}/root/usr/bin/goss", kept)
    return str(kept)


def hold(ports: tuple[int, ...], sockets: int, ready: int) -> None:
    """Be one process of the host: open sockets, a fifth of them listeners, the others connections; then wait."""
    kept = [listening("0.0.0.0", port) for port in ports]
    listeners = [listening("127.0.0.1", 0) for _ in range(sockets // 5)]
    place = listeners[0].getsockname()
    for _ in range((sockets - len(listeners)) // 2):
        kept += [socket.create_connection(place), listeners[0].accept()[0]]
    os.write(ready, b"+")
    while True:
        signal.pause()


def listening(address: str, port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, port))
    made.listen(8)
    return made


def populate(first: int, count: int, held: dict[int, tuple[int, ...]]) -> None:
    """Start processes number `first` to `first + count`, each with a random id; `held`: number -> mailcow's ports."""
    ids = random.Random(first).sample(range(1_000, 32_000), count)
    ready, told = os.pipe()
    for number, pid in enumerate(ids, first):
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
        if os.fork() == 0:
            try:
                hold(held.get(number, ()), SOCKETS // PROCESSES, told)
            finally:
                os._exit(1)
    seen = 0
    while seen < count:
        seen += len(os.read(ready, 4096))
    os.close(ready)
    os.close(told)


def timed(command: tuple[str, ...]) -> tuple[float, float]:
    """Run a command; return the seconds that it took, and those of a processor that it used."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False, env=ENVIRONMENT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, used


Times = dict[str, list[tuple[float, float]]]


def measure(runs: int, named: dict[str, tuple[str, ...]]) -> Times:
    rounds = [{name: timed(command) for name, command in named.items()} for _ in range(runs + 1)][1:]
    return {name: [row[name] for row in rounds] for name in named}


def proven() -> None:
    """Stop where the report does not name the holder of every port: then there is nothing to compare."""
    told = subprocess.run(PREFLIGHT, capture_output=True, text=True, check=False).stdout
    if told.count('"message": "') < len(SHAPE) or told.count("is held by python") != len(SHAPE):
        sys.exit(f"the report does not name all holders:\n{told[:3000]}")


def inside(runs: int, factors: list[int]) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    gc.freeze()
    held: dict[int, tuple[int, ...]] = {}
    for published, number in zip(SHAPE, random.Random(7).sample(range(PROCESSES), len(SHAPE)), strict=True):
        held[number] = (published.port,)
    ours: dict[int, float] = {}
    there = 0
    with tempfile.TemporaryDirectory() as folder:
        named = commands(Path(folder))
        for factor in factors:
            populate(there, PROCESSES * factor - there, held)
            there = PROCESSES * factor
            proven()
            table = measure(runs, named)
            ours[factor] = statistics.median(used for _, used in table["preflight"])
            show(factor, runs, table)
    for factor in factors[1:]:
        print(
            f"{factor / factors[0]:g} times the host: {ours[factor] / ours[factors[0]]:.2f} times the processor's time"
        )


def show(factor: int, runs: int, table: Times) -> None:
    print(f"{PROCESSES * factor} processes, {SOCKETS * factor} sockets; {runs} rounds, {os.cpu_count()} processors")
    print(f"{'':16}{'min':>8}{'median':>8}{'max':>8} ms   preflight / it          processor ms   preflight / it")
    for name, column in table.items():
        print(f"{name:16}", end="")
        for number in (0, 1):  # what it took; what it used, which a busy machine changes little
            values = [row[number] for row in column]
            ratios = [one[number] / other for one, other in zip(table["preflight"], values, strict=True)]
            spread = (min(values), statistics.median(values), max(values))
            shown = "".join(f"{1000 * value:8.0f}" for value in (spread if number == 0 else spread[1:2]))
            print(f"{shown}      {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})", end="  ")
        print()


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["--inside"]:
        inside(int(words[1]), [int(word) for word in words[2:]])
        return
    if os.geteuid() != 0:
        sys.exit("only root can make a host of its own for this")
    goss()  # while there is a network
    runs, factors = (words or ["9"])[0], words[1:] or ["1", "2"]
    apart = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc"]
    os.execvp("unshare", [*apart, sys.executable, __file__, "--inside", runs, *factors])


if __name__ == "__main__":
    main()
