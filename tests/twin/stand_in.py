"""A small stage: a host with an outer interface and mailcow's bridge, the world beyond it, and containers."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import time
from collections.abc import Callable

from msgspec import Struct

from preflight.twin import spaces
from preflight.twin.request import Port

GATE = {4: "203.0.113.1", 6: "2001:db8:1::1"}
HOST = {4: "203.0.113.5", 6: "2001:db8:1::5"}
SOURCES = {
    4: ("198.41.0.4", "192.5.5.241", "199.7.83.42"),
    6: ("2001:503:ba3e::2:30", "2001:500:2f::f", "2001:500:9f::42"),
}
NEIGHBOUR = {4: "203.0.113.77", 6: "2001:db8:1::77"}
TARGETS = {4: ("193.0.14.129", "202.12.27.33"), 6: ("2001:7fd::1", "2001:dc3::35")}
BRIDGE = {4: "172.22.1.1", 6: "fd4d:6169:6c63:6f77::1"}
CONTAINERS = {
    4: {"postfix-mailcow": "172.22.1.253", "dovecot-mailcow": "172.22.1.250", "unbound-mailcow": "172.22.1.254"},
    6: {
        "postfix-mailcow": "fd4d:6169:6c63:6f77::253",
        "dovecot-mailcow": "fd4d:6169:6c63:6f77::250",
        "unbound-mailcow": "fd4d:6169:6c63:6f77::254",
    },
}
SUBNET = {4: "172.22.1.0/24", 6: "fd4d:6169:6c63:6f77::/64"}
NAME = {4: "ip", 6: "ip6"}


def port(number: int, service: str = "postfix-mailcow", *, address: str = "", inside: int = 0) -> Port:
    """Return a port that mailcow publishes."""
    return Port(address, number, service, inside or number, CONTAINERS[4][service], CONTAINERS[6][service])


PORTS = (
    *(port(number) for number in (25, 465, 587)),
    *(port(number, "dovecot-mailcow") for number in (110, 143, 993, 995, 4190)),
)


class Side(Struct):
    """A family's side of the stage."""

    version: int
    host: str
    sources: tuple[str, ...]
    neighbour: str
    targets: tuple[str, ...]
    containers: dict[str, str]


def side(version: int) -> Side:
    """Return a family's side of the stage."""
    return Side(
        version, HOST[version], SOURCES[version], NEIGHBOUR[version], TARGETS[version], dict(CONTAINERS[version])
    )


class Stage(Struct):
    """Three namespaces, joined by links, with both families and no rules."""

    twin: spaces.Space
    world: spaces.Space
    inner: spaces.Space
    tracked: bool = True


def run(space: spaces.Space, program: str, *lines: str) -> None:
    """Give lines to a program that reads them, in a namespace."""
    with space.entered():
        subprocess.run(program.split(), input="\n".join(lines) + "\n", text=True, check=True)


def built(make: Callable[[], spaces.Space] = spaces.make) -> Stage:
    """Build the stage."""
    stage = Stage(make(), make(), make())
    quiet = ("sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0",)
    for space in (stage.twin, stage.world, stage.inner):
        run(space, "sh", *quiet)
    forward = "net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0"
    run(stage.twin, "sh", f"sysctl -qw {forward} net.ipv4.conf.default.rp_filter=0")
    run(
        stage.twin,
        "ip -batch -",
        "link set lo up",
        "link add eth0 type veth peer name up0",
        "link add br-mailcow type veth peer name in0",
        f"link set up0 netns /proc/{os.getpid()}/fd/{stage.world.descriptor}",
        f"link set in0 netns /proc/{os.getpid()}/fd/{stage.inner.descriptor}",
        "link set eth0 up",
        "link set br-mailcow up",
    )
    for version, long in ((4, 24), (6, 64)):
        nodad = "nodad" if version == 6 else ""
        widest = "0.0.0.0/0" if version == 4 else "::/0"
        run(
            stage.world,
            "ip -batch -",
            "link set lo up",
            "link set up0 up",
            *(f"address add {one}/{long} dev up0 {nodad}" for one in (GATE[version], NEIGHBOUR[version])),
            *(f"address add {one} dev up0 {nodad}" for one in (*SOURCES[version], *TARGETS[version])),
        )
        run(
            stage.twin,
            "ip -batch -",
            f"address add {HOST[version]}/{long} dev eth0 {nodad}",
            f"address add {BRIDGE[version]}/{long} dev br-mailcow {nodad}",
            f"route add {widest} via {GATE[version]} dev eth0",
        )
        run(
            stage.inner,
            "ip -batch -",
            "link set in0 up",
            *(f"address add {one}/{long} dev in0 {nodad}" for one in CONTAINERS[version].values()),
            f"route add {widest} via {BRIDGE[version]} dev in0",
        )
    for version in (4, 6):
        for one in (GATE[version], NEIGHBOUR[version], *SOURCES[version], *TARGETS[version]):
            reached(stage.twin, one)
        for one in CONTAINERS[version].values():
            reached(stage.twin, one)
    return stage


def reached(space: spaces.Space, address: str) -> None:
    """Wait until an address refuses a connection, as one does where nobody listens: carriers come up in their time."""
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        with space.entered(), socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as asked:
            asked.settimeout(0.3)
            if asked.connect_ex((address, 9)) == errno.ECONNREFUSED:
                return
        time.sleep(0.01)
    raise TimeoutError(address)


def published(version: int, *, masquerade: bool = True, accept: bool = True) -> str:
    """Return what an engine adds for the ports, as nft reads it: DNAT, masquerade, a chain FORWARD."""
    name = NAME[version]
    nat = "\n".join(
        f"iifname != br-mailcow {name} daddr {HOST[version]} tcp dport {one.port} dnat to "
        + (f"{one.container4}:{one.inside}" if version == 4 else f"[{one.container6}]:{one.inside}")
        for one in PORTS
    )
    out = f"{name} saddr {SUBNET[version]} oifname != br-mailcow masquerade" if masquerade else ""
    return f"""
table {name} nat {{
    chain PREROUTING {{ type nat hook prerouting priority dstnat; {nat}
    }}
    chain POSTROUTING {{ type nat hook postrouting priority srcnat; {out}
    }}
}}
table {name} filter {{
    chain FORWARD {{ type filter hook forward priority filter; policy {"accept" if accept else "drop"};
    }}
    chain INPUT {{ type filter hook input priority filter; }}
    chain OUTPUT {{ type filter hook output priority filter; }}
}}
"""
