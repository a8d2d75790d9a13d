"""Hosts of many shapes: namespaces whose interfaces, addresses and routes are made by iproute2."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from preflight.twin import stage, surroundings
from preflight.twin.request import Port, Request
from preflight.twin.spaces import Space
from preflight.twin.stage import Stage
from preflight.twin.surroundings import Surroundings
from preflight.twin.wire import ROUTE, Wire

SUBNET4, SUBNET6 = "172.22.1.0/24", "fd4d:6169:6c63:6f77::/64"
REQUEST = Request(
    ports=(
        Port("", 25, "postfix-mailcow", 25, "172.22.1.253", "fd4d:6169:6c63:6f77::fd"),
        Port("", 993, "dovecot-mailcow", 993, "172.22.1.250", "fd4d:6169:6c63:6f77::fa"),
    ),
    bridge="br-mailcow",
    subnet4=SUBNET4,
    subnet6=SUBNET6,
)
# A cable whose both ends stay here, in the place of a network card: its carrier is there.
CARD = "link add {0} address {1} type veth peer name {0}x\nlink set {0}x up\nlink set {0} up"
ETH0 = CARD.format("eth0", "52:54:00:12:34:56")
GATE = "neigh replace {} dev eth0 lladdr 52:54:00:ab:cd:ef nud reachable"


def run(space: Space, *lines: str) -> None:
    """Give lines to `ip -batch`; those that begin with 'sysctl', to sysctl."""
    quiet = ("accept_dad=0", "addr_gen_mode=1")
    switches = [f"net.ipv6.conf.{group}.{one}" for group in ("all", "default") for one in quiet]
    later = [line.removeprefix("sysctl ") for line in lines if line.startswith("sysctl ")]
    others = "\n".join(line for line in lines if not line.startswith("sysctl "))
    with space.entered():
        subprocess.run(["sysctl", "-qw", *switches], check=True)
        subprocess.run(["ip", "-batch", "-"], input=f"link set lo up\n{others}\n", text=True, check=True)
        if later:
            subprocess.run(["sysctl", "-qw", *later], check=True)


def read(space: Space) -> Surroundings:
    """Read a host."""
    with space.entered(), Wire(ROUTE) as wire:
        return surroundings.read(wire)


@contextmanager
def built(
    space: Space, request: Request = REQUEST, ordinary: Callable[[str], bool] = lambda _: True
) -> Iterator[Stage]:
    """Build the stage of a host."""
    with space.entered():
        made = stage.build(request, read(space), ordinary)
    try:
        yield made
    finally:
        made.close()


def told(space: Space, words: str) -> list[str]:
    """Return what `ip` prints, in lines."""
    with space.entered():
        return subprocess.run(["ip", *words.split()], capture_output=True, text=True, check=True).stdout.splitlines()
