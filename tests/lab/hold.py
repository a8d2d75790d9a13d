"""Keep a rehearsal's ports up on a host, and try them from the other end of its cable with `preflight reach`.

One kernel runs both ends here, and both are in one small network: the client gets an address from elsewhere for the
while, and is made to believe that it does not know its own kernel.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.lab.machine import ADDRESS, ADDRESS6, LabError, Machine
from tests.lab.stack import Outcome

NAME = "lab-hold"
SECONDS = 60
START = f"""docker run -d --name {NAME} --privileged --pid=host --network=host mailcow-preflight \
check --only rehearsal.publish --rehearse --hold {SECONDS} --offline --format json"""
CLIENTS = ((ADDRESS, "203.0.113.99/32"), (ADDRESS6, "2001:db8:99::99/128"))
ELSEWHERE = """
import sys
from preflight.reach import hearing
hearing.BOOT = "/dev/null"
from preflight.cli.commands import cli
sys.exit(cli.main(["reach", *sys.argv[1:], "--format", "json", "--quiet"], standalone_mode=False) or 0)
"""


def tried(machine: Machine) -> dict[str, Any]:
    """Return what a client elsewhere met; raise `LabError` where there was no line to copy, or something is left."""
    machine.run(START)
    try:
        line = _line(machine)
        found = _reach(machine, line)
        machine.run(f"docker kill -s INT {NAME}")
        machine.run(f"docker wait {NAME}", seconds=40)
    finally:
        machine.run(f"docker rm -f {NAME}", check=False)
    for objects in ("docker ps -aq", "docker network ls -q"):
        if machine.run(f"{objects} --filter label=mailcow-preflight.run").stdout.split():
            raise LabError(f"the hold left something that `{objects}` shows")
    return found


def _line(machine: Machine) -> str:
    limit = time.monotonic() + 40
    while time.monotonic() < limit:
        said = machine.run(f"docker logs {NAME} 2>&1").stdout
        if match := re.search(r"^ *preflight reach (\S+)$", said, re.MULTILINE):
            return match[1]
        time.sleep(0.5)
    raise LabError(f"the hold told no line: {said[-1500:]}")


def _reach(machine: Machine, line: str) -> dict[str, Any]:
    pairs = CLIENTS if machine.network == "dual" else CLIENTS[:1]
    for host, client in pairs:
        machine.outside_run(f"ip addr add {client} dev lo; ip route add {host} dev up0 src {client.partition('/')[0]}")
    root = Path(__file__).parents[2]
    program = "'" + ELSEWHERE.replace("'", "'\\''") + "'"
    told = machine.outside_run(f"cd {root}; {sys.executable} -c {program} {line}", check=False)
    for host, client in pairs:
        machine.outside_run(f"ip route del {host} dev up0; ip addr del {client} dev lo")
    if not told.stdout:
        raise LabError(f"reach said nothing: {told.stderr[-1500:]}")
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def strays(reach: Mapping[str, Any], outcome: Outcome) -> Iterator[str]:
    """List the ports that the stack answers on and its rehearsal did not, or the other way round; and open local ones.

    `reach`: the document. A stack that did not come up tells nothing.
    """
    if not outcome.up:
        yield "the stack did not come up, so that nothing is known of what was reached"
        return
    rows = {f"{row['address']}={row['port']}": row for row in reach["results"]}
    for place, said in outcome.answers.items():
        row = rows.get(place)
        if row is None:
            yield f"{place} was not tried by reach"
        elif bool(re.match(r"[a-z]+-mailcow ", said)) is not (row["outcome"] == "reached"):
            yield f"{place} is {row['outcome']} to reach, and then {said}"
    for place, row in rows.items():
        if row["local"] and row["outcome"] == "reached":
            yield f"{place} is for the host alone, and was reached"
        if row["status"] == "unknown" and row["outcome"] == "reached":
            yield f"{place} is not known to reach: {row['message']}"
