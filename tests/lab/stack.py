"""The truth: what happens on a host when a stack of mailcow's shape is brought up there."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from preflight.facts import Asked
from preflight.gather.conf.mailcow_conf import parse
from preflight.mailcow import plan
from preflight.mailcow.layout import CONTAINERS
from tests.lab.kinds import KINDS, root_of
from tests.lab.machine import ADDRESS, ADDRESS6, Machine

COMPOSE_FILE = Path(__file__).parents[2] / "compose" / "stand-in.yml"
DIRECTORY = "/opt/mailcow-dockerized"
PLUGIN = "usr/libexec/docker/cli-plugins/docker-compose"
FOREIGN = "/usr/local/lib/lab-compose"  # not where the check looks: such a host has no Compose of its own
CLIENT = Path(__file__).parent / "client.py"
SERVICES = tuple(container.name for container in CONTAINERS)


@dataclass(frozen=True)
class Outcome:
    """What came of it. `failing`: services that do not run, or are not healthy where they should be."""

    error: str  # what Compose said where it failed, '' where it did not
    failing: tuple[str, ...]
    answers: dict[str, str] = field(default_factory=dict)  # `198.51.100.10=25` -> service, and the client's address
    inside: dict[str, str] = field(default_factory=dict)  # the same, tried from the host itself

    @property
    def up(self) -> bool:
        return not self.error and not self.failing

    @property
    def error_of_conf(self) -> bool:
        """Say whether Compose refused mailcow.conf itself, before the engine was asked for anything."""
        words = r"invalid (?:containerPort|hostPort|interpolation|IP|project name|port|proto)|decoding|parse"
        return re.search(words, self.error) is not None

    @property
    def held(self) -> tuple[int, ...]:
        """Name the ports that the engine could not bind, as far as it said."""
        words = r"(?:address already in use|port is already allocated|cannot assign requested address)"
        lines = [line for line in self.error.splitlines() if re.search(words, line)]
        # The first address and port of the line; those of the container's side follow them.
        return tuple(
            sorted({int(port) for line in lines for port in re.findall(r":(\d+)(?::tcp| failed|:|/)", line)[:1]})
        )


def place(machine: Machine, conf: str) -> None:
    """Put mailcow's directory where its documentation does, with its configuration and the stand-in's shape."""
    machine.write(f"{DIRECTORY}/docker-compose.yml", COMPOSE_FILE.read_text())
    machine.write(f"{DIRECTORY}/mailcow.conf", conf)
    machine.run(f"ln -sf mailcow.conf {DIRECTORY}/.env")


def compose(machine: Machine) -> str:
    """Return the command for Compose on this host: its own, or a newer host's where it has none of today's."""
    if not machine.kind.compose_from:
        return "docker compose"
    machine.run(
        f"test -e {FOREIGN} || cat > {FOREIGN}", input=(root_of(KINDS[machine.kind.compose_from]) / PLUGIN).read_bytes()
    )
    machine.run(f"chmod 755 {FOREIGN}")
    return FOREIGN


def lower(machine: Machine) -> None:
    """Ask for no more open files than this machine can give, where that is less than mailcow asks for."""
    hard = int(machine.run("prlimit --pid 1 --nofile --noheadings --output HARD").stdout)
    rows = [
        f"  {container.name}: {{ulimits: {{nofile: {{soft: {min(soft, hard)}, hard: {hard}}}}}}}"
        for container in CONTAINERS
        for name, soft, most in container.ulimits
        if name == "nofile" and most > hard
    ]
    if rows:
        machine.write(f"{DIRECTORY}/docker-compose.override.yml", "\n".join(["services:", *rows, ""]))


def public(conf: str, addresses: tuple[str, ...]) -> list[tuple[str, int]]:
    """List the addresses and ports of the host on which this mailcow.conf lets mailcow answer."""
    bindings = plan.make(parse(conf, ""), Asked()).bindings
    return [
        (address, binding.port)
        for binding in bindings
        for address in addresses
        if binding.address in ("", address, "0.0.0.0" if "." in address else "::")
    ]


def bring_up(machine: Machine, conf: str, *, lowered: bool = True) -> Outcome:
    """Bring the stack up and say what came of it; `lowered`: within this machine's own limits."""
    if lowered:
        lower(machine)
    token = secrets.token_hex(8)
    command = compose(machine)
    # A condition that never holds would be waited for without an end.
    up = machine.run(
        f"cd {DIRECTORY}; PREFLIGHT_TOKEN={token} timeout 25 {command} --ansi never --progress quiet up -d",
        check=False,
        seconds=90,
    )
    error = "" if up.returncode == 0 else (up.stderr + up.stdout).strip() or f"ended with {up.returncode}"
    return Outcome(error, failing(machine), answers(machine, token, conf), inside(machine, token, conf))


def failing(machine: Machine) -> tuple[str, ...]:
    """Name the services that do not run as they should."""
    listed = machine.run("timeout 15 docker ps -aq --filter label=com.docker.compose.project", check=False)
    running = set()
    if listed.stdout.split():
        told = json.loads(machine.run(f"docker inspect {' '.join(listed.stdout.split())}").stdout)
        for container in told:
            state = container["State"]
            healthy = (state.get("Health") or {}).get("Status", "healthy") in ("healthy", "starting")
            if state["Running"] and not state.get("Restarting") and healthy:
                running.add(container["Config"]["Labels"]["com.docker.compose.service"])
    return tuple(name for name in SERVICES if name not in running)


def answers(machine: Machine, token: str, conf: str) -> dict[str, str]:
    """Try every public port from the other end of the cable, and say who answered and whom it saw."""
    addresses = (ADDRESS, ADDRESS6) if machine.network == "dual" else (ADDRESS,)
    places = [f"{address}={port}" for address, port in public(conf, addresses)]
    found = json.loads(machine.outside_run(f"python3 {CLIENT} {token} {' '.join(places)}").stdout)
    return dict(found)


def inside(machine: Machine, token: str, conf: str) -> dict[str, str]:
    """Try every port from the host itself, at its own addresses and at those that only it has."""
    addresses = (ADDRESS, "127.0.0.1", *((ADDRESS6,) * (machine.network == "dual")))
    places = [f"{address}={port}" for address, port in public(conf, addresses)]
    program = CLIENT.read_text().encode()
    return dict(json.loads(machine.run(f"python3 - {token} {' '.join(places)}", input=program).stdout))
