"""The lab.

python3 -m tests.lab run [--jobs N] [SCENARIO...]   play scenarios, print the figure; exit code 0: all as expected
python3 -m tests.lab shell HOST [dual]              boot a host and open a shell in it
python3 -m tests.lab list
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.lab import act, stack
from tests.lab.kinds import KINDS
from tests.lab.machine import LabError, Machine, remove_forgotten, template_of
from tests.lab.runner import TASKS, run, saved_image, say
from tests.lab.scenario import Scenario, scenarios

NO_LAB = 77


def shell(name: str, network: str) -> int:
    """Boot a host and open a shell in it; the host ends with the shell."""
    kind = KINDS[name]
    image, key = saved_image()
    with Machine(kind, network, template_of(kind, image, key)) as machine:
        act.furnish(machine, kind)
        stack.place(machine, Scenario("shell", "", name, network).plain_conf)
        say(f"==> {name} ({network}): mailcow's place is {stack.DIRECTORY}; leave with exit")
        enter = ["nsenter", "-t", str(machine.pid), "-m", "-u", "-i", "-n", "-p", "-C"]
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        terminal = f"TERM={os.environ.get('TERM', 'dumb')}"
        return subprocess.run([*enter, "env", "-i", path, terminal, "HOME=/root", "bash", "-i"], check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tests.lab")
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run")
    runner.add_argument("--jobs", type=int, default=2)
    runner.add_argument("names", nargs="*")
    opener = commands.add_parser("shell")
    opener.add_argument("host", choices=KINDS)
    opener.add_argument("network", nargs="?", default="ipv4", choices=("ipv4", "dual"))
    commands.add_parser("list")
    for task in TASKS:  # what `run` starts
        worker = commands.add_parser(task)
        worker.add_argument("name")
        worker.add_argument("image", type=Path)
        worker.add_argument("key")
    asked = parser.parse_args()
    if asked.command == "list":
        for scenario in scenarios():
            print(f"{scenario.name:32} {scenario.host:18} {scenario.title}")
        return 0
    if os.geteuid() != 0:
        say("lab: skipped, only root can boot hosts")
        return NO_LAB
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may start its background jobs deaf to it
    if asked.command in TASKS:
        print(TASKS[asked.command](asked.name, asked.image, asked.key))
        return 0
    try:
        remove_forgotten()
        return shell(asked.host, asked.network) if asked.command == "shell" else run(tuple(asked.names), asked.jobs)
    except KeyboardInterrupt:
        return 130
    except (LabError, ValueError) as error:
        say(f"lab: {error}")
        return 2
    finally:
        remove_forgotten()


if __name__ == "__main__":
    sys.exit(main())
