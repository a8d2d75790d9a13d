"""What Docker adds to ip_tables for mailcow's network and its ports: its commands in their order, by its version.

Read from moby/moby, below 20.10 as vendored docker/libnetwork, at the last tags of 20.10, 23.0, 24.0, 25.0, 26.1, 27.5,
at all of 28, at 29.0.0 and 29.7.2. Files below libnetwork/, from 29 on daemon/libnetwork/:
  networks  drivers/bridge/setup_ip_tables(_linux).go; from 28.2 drivers/bridge/internal/iptabler/network.go
  ports     iptables/iptables.go (ChainInfo.Forward); 27 to 28.1 drivers/bridge/port_mapping_linux.go; from 28.2
            drivers/bridge/internal/iptabler/{endpoint,port}.go
  order     drivers/bridge/bridge(_linux).go (createNetwork), controller.go (NewNetwork), firewall_linux.go
The engine's own ip-masq and icc are for its default bridge alone (daemon/daemon_unix.go, initBridgeDriver): mailcow's
network masquerades, and its containers may talk to each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from preflight.twin.derive_state import Changes, State, Underivable
from preflight.twin.derive_wanted import (
    address_of,
    concerned,
    container_of,
    containers_of,
    engine_of,
    host_of,
    loopback,
    ports_of,
    subnet_of,
    target,
)
from preflight.twin.request import Port, Request

ISOLATION1, ISOLATION2 = "DOCKER-ISOLATION-STAGE-1", "DOCKER-ISOLATION-STAGE-2"
USER = "DOCKER-USER"
INGRESS = "DOCKER-INGRESS"
ESTABLISHED = "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
LOCAL = "-m addrtype --dst-type LOCAL -j DOCKER"
NEWEST = (29,)
# All chains of the newest engine that is known. One that has others does something else.
CHAINS = frozenset({"DOCKER", "DOCKER-FORWARD", "DOCKER-CT", "DOCKER-BRIDGE", "DOCKER-INTERNAL", USER, INGRESS})
# Those that any engine looks for, and those that the kernel has.
ASKED = CHAINS | {ISOLATION1, ISOLATION2, "PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}

# What an engine before 28 adds at its start for a family that it filters, without a network of that family: chains, and
# what ends them (moby/moby 26.1, libnetwork/drivers/bridge/setup_ip_tables_linux.go: setupIPChains;
# libnetwork/firewall_linux.go: arrangeUserFilterRule).
START = """\
*filter
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
*nat
:DOCKER - [0:0]
COMMIT
"""


def changes(request: Request, version: Literal[4, 6], state: State) -> Changes:
    """Return what the engine does for mailcow's network and its ports; raise `Underivable`."""
    engine = engine_of(request)
    found = Changes(state)
    if not concerned(request, version):
        return found
    _known(engine, state)
    if engine < (28,):
        _network_before_28(found, request, version, engine)
    else:
        _network(found, request, version, engine)
    for port in ports_of(request, version):
        _port(found, request, version, port, engine)
    return found


def _known(engine: tuple[int, ...], state: State) -> None:
    if engine[:1] <= NEWEST:
        return
    unknown = {chain for _, chain in state.chains if chain.startswith("DOCKER")} - CHAINS
    if unknown:
        raise Underivable(f"Docker {'.'.join(map(str, engine))}: {', '.join(sorted(unknown))}")


def _network_before_28(found: Changes, request: Request, version: Literal[4, 6], engine: tuple[int, ...]) -> None:
    bridge = request.bridge
    _masquerade(found, request, version, engine)
    found.delete("filter", "FORWARD", f"-i {bridge} -o {bridge} -j DROP")
    found.insert("filter", "FORWARD", f"-i {bridge} -o {bridge} -j ACCEPT")
    found.insert("filter", "FORWARD", f"-i {bridge} ! -o {bridge} -j ACCEPT")
    found.add("nat", "PREROUTING", LOCAL)
    elsewhere = "127.0.0.0/8" if version == 4 else "::1/128"
    found.add("nat", "OUTPUT", f"! -d {elsewhere} {LOCAL}" if request.userland_proxy else LOCAL)
    found.insert("filter", "FORWARD", f"-o {bridge} -j DOCKER")
    found.insert("filter", "FORWARD", f"-o {bridge} {ESTABLISHED}")
    found.to_top("filter", "FORWARD", f"-j {ISOLATION1}")
    _isolate(found.insert, found, bridge)
    # A node of a swarm that has published something by the routing mesh
    if version == 4 and ("filter", "FORWARD", f"-j {INGRESS}") in found.state.rules:
        found.to_top("filter", "FORWARD", f"-j {INGRESS}")
    if version == 4 or engine >= (23,):
        found.make("filter", USER)
        found.add("filter", USER, "-j RETURN")
        found.to_top("filter", "FORWARD", f"-j {USER}")


def _network(found: Changes, request: Request, version: Literal[4, 6], engine: tuple[int, ...]) -> None:
    bridge = request.bridge
    if request.ip_forward and not found.state.forwarding:
        found.policy("filter", "FORWARD", "DROP")
    _masquerade(found, request, version, engine)
    for former in (
        f"-i {bridge} -o {bridge} -j ACCEPT",
        f"-i {bridge} -o {bridge} -j DROP",
        f"-i {bridge} ! -o {bridge} -j ACCEPT",
        f"-i {bridge} -j ACCEPT",
        f"-o {bridge} -j DOCKER",
        f"-o {bridge} {ESTABLISHED}",
    ):
        found.delete("filter", "FORWARD", former)
    found.add("filter", "DOCKER-FORWARD", f"-i {bridge} -j ACCEPT")
    found.add("filter", "DOCKER", f"! -i {bridge} -o {bridge} -j DROP")
    found.add("filter", "DOCKER-CT", f"-o {bridge} {ESTABLISHED}")
    found.add("filter", "DOCKER-BRIDGE", f"-o {bridge} -j DOCKER")
    if engine < (29,):
        _isolate(found.add, found, bridge)
    if engine >= (28, 2) and found.state.usable("raw"):
        for container in containers_of(request, version):
            found.add("raw", "PREROUTING", f"-d {host_of(container)} ! -i {bridge} -j DROP")


def _masquerade(found: Changes, request: Request, version: Literal[4, 6], engine: tuple[int, ...]) -> None:
    bridge = request.bridge
    found.insert("nat", "POSTROUTING", f"-s {subnet_of(request, version)} ! -o {bridge} -j MASQUERADE")
    if request.userland_proxy and engine < (29,):
        found.insert("nat", "DOCKER", f"-i {bridge} -j RETURN")
    hairpin = f"-o {bridge} -m addrtype --src-type LOCAL -j MASQUERADE"
    if not request.userland_proxy:
        found.insert("nat", "POSTROUTING", hairpin)
    elif engine >= (23,):
        found.delete("nat", "POSTROUTING", hairpin)


def _isolate(put: Callable[[str, str, str], None], found: Changes, bridge: str) -> None:
    put("filter", ISOLATION1, f"-i {bridge} ! -o {bridge} -j {ISOLATION2}")
    found.insert("filter", ISOLATION2, f"-o {bridge} -j DROP")


def _port(found: Changes, request: Request, version: Literal[4, 6], port: Port, engine: tuple[int, ...]) -> None:
    bridge = request.bridge
    container = container_of(port, version)
    inside = f"-p tcp -m tcp --dport {port.inside}"
    outside = f"-p tcp -m tcp --dport {port.port}"
    address = address_of(port)
    if engine >= (28,) and found.state.usable("raw"):
        if loopback(port, version):
            found.add("raw", "PREROUTING", f"-d {host_of(address)} ! -i lo {outside} -j DROP")
        if engine < (28, 2):
            found.add("raw", "PREROUTING", f"-d {host_of(container)} ! -i {bridge} {inside} -j DROP")
    conditions = [
        "! -s fe80::/10" if version == 6 and engine >= (28,) else "",
        f"-d {host_of(address)}" if address else "",
        f"! -i {bridge}" if request.userland_proxy else "",
    ]
    where = "".join(f"{condition} " for condition in conditions if condition)
    found.add("nat", "DOCKER", f"{where}{outside} -j DNAT --to-destination {target(container, port.inside)}")
    opened = f"-d {host_of(container)} ! -i {bridge} -o {bridge} {inside} -j ACCEPT"
    masquerade = f"-s {host_of(container)} -d {host_of(container)} {inside} -j MASQUERADE"
    if engine < (28,):
        found.add("filter", "DOCKER", opened)
        found.add("nat", "POSTROUTING", masquerade)
        return
    # Above the network's own rule, which drops all else
    found.insert("filter", "DOCKER", opened)
    if not request.userland_proxy:
        found.add("nat", "POSTROUTING", masquerade)
