"""Random sets of sockets and published ports: what the check says beforehand against what the engine then does.

    python -m tests.engine.published [--cases N] [--seed N] [--docker-host URL] [--no-userland-proxy] [--lab KIND]

In the network that the engine works in, as root; `--lab` boots a host of the lab for it (debian12: engine 20.10,
debian13: 26.1, sid: 28.5). Eight cases at a time are one mailcow.conf, on ports of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError

from preflight.checks import Look
from preflight.facts import DaemonConfig
from preflight.gather.access.view import find_roots
from preflight.gather.engine import engine
from preflight.gather.network import network
from preflight.gather.sockets import binds, sockets
from preflight.mailcow.layout import SHAPE
from preflight.report.model import Result, Status
from tests.build import look, run

RIVAL = "mailcow-preflight-test-rival-"
IDLE = "import signal; signal.pause()"
LABEL = {"mailcow-preflight.test": "published"}
VARIABLES = tuple(entry.variable for entry in SHAPE if entry.kind == "mail")
SUBNETS = ("172.31.251.0/24", "fd4d:6169:6c63:6f99::/64")
ABSENT = ("198.51.100.77", "2001:db8:77::77")  # addresses that the host does not have
STATES = ("listening",) * 6 + ("bound",) * 3 + ("client",) * 2 + ("time-wait",) * 2 + ("fin-wait", "close-wait", "left")
WITHOUT_PROXY = """f=/etc/docker/daemon.json; test -s $f || echo '{}' > $f
jq '."userland-proxy" = false' $f > $f.new; mv $f.new $f; systemctl restart docker"""
REFUSALS = ("address already in use", "port is already allocated", "cannot assign requested address")


@dataclass(frozen=True)
class Spec:
    """A socket to open. `reuse`, `share`: SO_REUSEADDR, SO_REUSEPORT; `alone`: V6ONLY."""

    address: str
    state: str
    reuse: bool
    share: bool
    alone: bool


@dataclass
class Case:
    """A port that mailcow publishes on an address ('' = everywhere), what is in its way, and what came of it."""

    address: str
    port: int
    specs: tuple[Spec, ...]
    rival: str | None = None  # where another container publishes the port
    opened: list[Spec] = field(default_factory=list)
    said: Result | None = None
    engine: str = ""  # what the engine said; '' where it published the port

    @property
    def value(self) -> str:
        """Write it as mailcow.conf does."""
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{shown}{':' if shown else ''}{self.port}"

    def wrong(self) -> str:
        """Say how verdict and outcome disagree; '': they do not."""
        assert self.said is not None
        status = self.said.status
        refused = next((words for words in REFUSALS if words in self.engine), "")
        if self.engine and not refused:
            return f"the engine failed otherwise: {self.engine}"
        if (status is Status.FAIL) != bool(refused) or status in (Status.UNKNOWN, Status.ERROR):
            return f"{status}, yet the engine says {self.engine or 'nothing'}"
        # Engines differ in what they look at first: whether they know a port to be theirs, or whether they can bind it.
        nowhere = refused == REFUSALS[2] or (bool(refused) and self.rival is not None and self.address in ABSENT)
        if nowhere != ("cannot assign" in self.said.message):
            return f"another error: {self.engine}"
        return self._misnamed() if refused and not nowhere else ""

    def _misnamed(self) -> str:
        """Say where the holder is not one of the sockets that were opened, all of them our own."""
        assert self.said is not None
        named = self.said.evidence.holders
        rival = f"{RIVAL}{self.port}" if self.rival is not None else None
        strangers = [entry for entry in named if entry.pid not in (os.getpid(), None) and entry.container != rival]
        if strangers:
            return f"strangers are named: {strangers}"
        if rival and not self.opened and [entry.container for entry in named[:1]] != [rival]:
            return "the container is not named"
        kept = [spec for spec in self.opened if spec.state in ("listening", "bound")]
        if kept and not named and not any(spec.state not in ("listening", "bound") for spec in self.opened):
            return "nobody is named"
        return ""

    def __str__(self) -> str:
        said = self.said.message if self.said else ""
        rival = "" if self.rival is None else f" and a container on {self.rival or 'every address'}"
        return f"{self.value} with {self.opened}{rival}: {said}"


def addresses() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return this network's own IPv4 and IPv6 addresses, loopback ones first."""
    held = [
        entry.address
        for link in network.links(find_roots({})).get()
        for entry in link.addresses
        if entry.scope != "link"
    ]
    ipv4 = [address for address in held if ":" not in address and not address.startswith("127.")]
    ipv6 = [address for address in held if ":" in address and address != "::1"]
    return ("127.0.0.1", "127.0.0.2", *ipv4[:3]), (("::1",) if "::1" in held else ()) + tuple(ipv6[:2])


def cases(count: int, seed: int) -> Iterator[Case]:
    """Make cases: a third without any socket would prove little, so that is one in ten."""
    chosen = random.Random(seed)
    ipv4, ipv6 = addresses()
    low, high = (int(word) for word in Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    ports = [port for port in range(10_000, 65_000) if not low <= port <= high]
    for port in chosen.sample(ports, count):
        bound = chosen.choice(
            ("",) * 8 + ("0.0.0.0", *ipv4) + (("::", *ipv6) if ipv6 else ()) + ABSENT[: 1 + bool(ipv6)]
        )
        most = chosen.choice((0, 1, 1, 1, 1, 1, 2, 2, 3, 4))
        places = ["0.0.0.0", *ipv4] + (["::", "::", *ipv6, "::ffff:127.0.0.1", "::ffff:0.0.0.0"] if ipv6 else [])
        specs = tuple(
            Spec(
                chosen.choice(places), chosen.choice(STATES), chosen.random() < 0.6, chosen.random() < 0.25,
                chosen.random() < 0.4,
            )
            for _ in range(most)
        )  # fmt: skip
        rival = chosen.choice(("", "", "0.0.0.0", *ipv4, *ipv6)) if chosen.random() < 0.1 else None
        yield Case(bound, port, specs if rival is None or chosen.random() < 0.3 else (), rival)


@contextlib.contextmanager
def opened(batch: list[Case]) -> Iterator[None]:
    """Open the sockets of the cases, as far as they do not exclude each other."""
    with contextlib.ExitStack() as kept:
        for case in batch:
            for spec in case.specs:
                try:
                    held = create(spec, case.port)
                except OSError as error:
                    if error.errno not in (errno.EADDRINUSE, errno.EINVAL, errno.EADDRNOTAVAIL, errno.ENETUNREACH):
                        raise
                    continue
                case.opened.append(spec)
                for one in held:
                    kept.callback(one.close)
        time.sleep(0.02)  # closing connections come into their last states
        yield


def create(spec: Spec, port: int) -> list[socket.socket]:
    """Open a socket on a port and bring it into its state; return what must stay open for that."""
    family = socket.AF_INET6 if ":" in spec.address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, spec.alone and "ffff" not in spec.address)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, spec.reuse)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, spec.share)
        made.bind((spec.address, port))
        if spec.state == "bound":
            return [made]
        if spec.state in ("listening", "left"):
            made.listen(8)
            return [made] if spec.state == "listening" else left(made)
        return connected(made, spec)
    except BaseException:
        made.close()
        raise


def left(made: socket.socket) -> list[socket.socket]:
    """Leave a connection that was taken by a server which has ended."""
    client = socket.socket(made.family, socket.SOCK_STREAM)
    place = made.getsockname()[0]
    client.connect((loopback(place), made.getsockname()[1]))
    server = made.accept()[0]
    made.close()
    return [client, server]


def loopback(address: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "::ffff:0.0.0.0": "::ffff:127.0.0.1"}.get(address, address)


def connected(made: socket.socket, spec: Spec) -> list[socket.socket]:
    """Connect from the port to a server of our own, and close what the state wants closed."""
    with socket.socket(made.family, socket.SOCK_STREAM) as server:
        server.bind((loopback(spec.address), 0))
        server.listen(1)
        made.connect(server.getsockname())
        other = server.accept()[0]
    if spec.state == "client":
        return [made, other]
    if spec.state == "close-wait":
        other.close()
        return [made]
    made.close()
    if spec.state == "time-wait":
        other.close()
        return []
    return [other]  # FIN_WAIT2


def verdicts(batch: list[Case], url: str, *, ipv6: bool, proxy: bool) -> None:
    """Ask the check what will come of each case, from what the adapters see here and now."""
    roots = find_roots({})
    conf = dict(zip(VARIABLES, (case.value for case in batch), strict=False))
    conf["ENABLE_IPV6"] = "true" if ipv6 else "false"
    settings = DaemonConfig("/etc/docker/daemon.json", True, {} if proxy else {"userland-proxy": False})
    facts: dict[str, Any] = {"ipv6": network.ipv6(roots), "daemon_config": settings}
    plan = look(conf=conf).plan
    mine = {case.port for case in batch}
    wanted = tuple((entry.address, entry.port) for entry in plan.bindings if entry.port in mine)
    facts["binds"] = binds.binds(roots, wanted)
    facts["sockets"] = sockets.sockets(roots, tuple(mine))
    if any(case.rival is not None for case in batch):
        facts["engine"] = engine.engine(url)[1]
    rows = said(look(conf=conf, **facts))
    for case in batch:
        case.said = rows[f"{case.value}/tcp"]


def said(given: Look) -> dict[str | None, Result]:
    return {row.subject: row for row in run("ports.free", given)}


class Publisher:
    """Publishes ports as mailcow does: on a bridge of its own, with IPv6 or without."""

    def __init__(self, url: str | None) -> None:
        self.url = url or os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
        self.api = docker.APIClient(self.url, timeout=60)
        self.name = f"mailcow-preflight-test-{os.getpid()}"

    def __enter__(self) -> Publisher:
        self.networks = {wanted: self._network(ipv6=wanted) for wanted in (True, False)}
        return self

    def __exit__(self, *_: object) -> None:
        for container in self.api.containers(all=True, filters={"label": "mailcow-preflight.test"}):
            self._remove(container["Id"])
        for identity in self.networks.values():
            self.api.remove_network(identity)
        self.api.close()

    def _network(self, *, ipv6: bool) -> str:
        third = 251 if ipv6 else 252
        pools = [docker.types.IPAMPool(subnet=f"172.31.{third}.0/24")]
        pools += [docker.types.IPAMPool(subnet=SUBNETS[1])] if ipv6 else []
        ipam = docker.types.IPAMConfig(pool_configs=pools)
        made = self.api.create_network(f"{self.name}-{third}", "bridge", ipam=ipam, enable_ipv6=ipv6, labels=LABEL)
        return str(made["Id"])

    def _remove(self, identity: str) -> None:
        with contextlib.suppress(APIError):
            self.api.remove_container(identity, force=True)

    def publish(self, group: list[Case], *, ipv6: bool) -> str:
        """Start one container that publishes the ports of all these cases; return what the engine said against it."""
        made = self._container([(case.address, case.port) for case in group], "pass", ipv6=ipv6)
        try:
            self.api.start(made)
        except APIError as error:
            return str(error.explanation)
        finally:
            self._remove(made)
        return ""

    def _container(self, places: list[tuple[str, int]], program: str, name: str | None = None, *, ipv6: bool) -> str:
        ports = dict(enumerate(places, 1000))
        config = self.api.create_host_config(
            port_bindings={inner: place if place[0] else place[1] for inner, place in ports.items()},
            network_mode=self.networks[ipv6],
        )
        made = self.api.create_container(
            "mailcow-preflight", ["-I", "-S", "-c", program], name=name, ports=list(ports), host_config=config,
            labels=LABEL, entrypoint=["/usr/bin/python3"],
        )  # fmt: skip
        return str(made["Id"])

    @contextlib.contextmanager
    def rivals(self, batch: list[Case], *, ipv6: bool) -> Iterator[None]:
        """Run the containers that publish the cases' ports already."""
        made = []
        try:
            for case in batch:
                if case.rival is not None:
                    name = f"{RIVAL}{case.port}"
                    made.append(self._container([(case.rival, case.port)], IDLE, name, ipv6=ipv6))
                    self.api.start(made[-1])
            yield
        finally:
            for identity in made:
                self._remove(identity)

    def outcomes(self, batch: list[Case], *, ipv6: bool) -> None:
        """Publish each case. Those that are said to be free go together: where one of them fails, each alone."""
        free = [case for case in batch if case.said and case.said.status is not Status.FAIL]
        rest = [case for case in batch if case not in free]
        with ThreadPoolExecutor(3) as threads:
            if free and self.publish(free, ipv6=ipv6):
                rest = batch
            for case, words in zip(rest, threads.map(lambda case: self.publish([case], ipv6=ipv6), rest), strict=True):
                case.engine = words


def play(count: int, seed: int, url: str | None = None, *, proxy: bool = True) -> tuple[list[Case], list[str]]:
    """Play the cases; return them, and how verdict and outcome disagree."""
    made = list(cases(count, seed))
    wrong = []
    with Publisher(url) as publisher:
        for number in range(0, count, len(VARIABLES)):
            batch = made[number : number + len(VARIABLES)]
            ipv6 = number // len(VARIABLES) % 4 != 3
            with publisher.rivals(batch, ipv6=ipv6), opened(batch):
                verdicts(batch, publisher.url, ipv6=ipv6, proxy=proxy)
                publisher.outcomes(batch, ipv6=ipv6)
            wrong += [f"{case} [IPv6 {ipv6}] {why}" for case in batch if (why := case.wrong())]
    return made, wrong


def in_lab(asked: argparse.Namespace) -> int:
    """Play the cases in the network of a host of the lab, on its engine."""
    from tests.lab import act
    from tests.lab.kinds import KINDS
    from tests.lab.machine import Machine, template_of
    from tests.lab.runner import saved_image

    kind = KINDS[asked.lab]
    image, key = saved_image()
    with Machine(kind, "dual", template_of(kind, image, key)) as machine:
        act.furnish(machine, kind)
        if asked.no_userland_proxy:
            machine.run(WITHOUT_PROXY)
        words = ["--cases", str(asked.cases), "--seed", str(asked.seed)]
        words += ["--docker-host", f"unix:///proc/{machine.pid}/root/run/docker.sock"]
        words += ["--no-userland-proxy"] if asked.no_userland_proxy else []
        inside = ["nsenter", f"--net=/proc/{machine.inside}/ns/net", sys.executable, "-m", "tests.engine.published"]
        return subprocess.run([*inside, *words], check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.engine.published")
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--docker-host")
    parser.add_argument("--no-userland-proxy", action="store_true")
    parser.add_argument("--lab", metavar="KIND")
    asked = parser.parse_args()
    if asked.lab:
        return in_lab(asked)
    began = time.monotonic()
    made, wrong = play(asked.cases, asked.seed, asked.docker_host, proxy=not asked.no_userland_proxy)
    for line in wrong:
        print(line)
    counts = Counter(str(case.said.status) for case in made if case.said)
    states = Counter(spec.state for case in made for spec in case.opened)
    rivals = sum(case.rival is not None for case in made)
    print(f"{len(made)} cases in {time.monotonic() - began:.0f} s: {dict(counts)}, {rivals} with a rival container")
    print(f"sockets: {dict(states)}")
    print(f"{len(wrong)} disagreements")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
