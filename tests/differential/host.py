"""A host of namespaces: beyond its uplink is the world (gateway, neighbour, Internet), beyond its bridge containers."""

from __future__ import annotations

import os
import re
import subprocess
from ipaddress import ip_address
from pathlib import Path

from msgspec.structs import replace

from preflight.twin import spaces
from preflight.twin.spaces import Space
from tests.differential import engines
from tests.differential.cases import HOST, SERVICES, Case, Step

GATE = {4: "198.51.100.1", 6: "2a01:4f8:1::1"}
NEIGHBOUR = {4: "198.51.100.77", 6: "2a01:4f8:1::77"}
# Addresses that no generator names.
SOURCES = {4: ("193.99.144.80", "151.101.65.69"), 6: ("2a00:1450:4001:82b::200e", "2606:4700:10::6814:1")}
TARGETS = {4: ("9.9.9.9", "195.20.225.53"), 6: ("2620:fe::fe", "2001:8d8:fe:53::d9a0:53:100")}
CONTAINER = {4: "172.22.1.1", 6: "fd4d:6169:6c63:6f77::1"}
OTHERS = (("172.22.1.254", "fd4d:6169:6c63:6f77::fe"), ("172.22.1.99", "fd4d:6169:6c63:6f77::63"))
QUIET = "net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0"
NEAR, FAR = "52:54:00:12:34:56", "52:54:00:ab:cd:ef"
TRIES = 12  # of loading lines, each time without those that were refused


class Refused(Exception):
    """A program did not take what was written for it."""


class Lab:
    """The host, the world and the containers, with a case's rules in place; a context: all ends with it."""

    def __init__(self, case: Case) -> None:
        self.host, self.world, self.inner = spaces.make(), spaces.make(), spaces.make()
        self.case = case
        self.came_up = True  # the engine's commands for mailcow have not failed
        self._mailcow = False

    def __enter__(self) -> Lab:
        self._links()
        before = tuple(self._put(step) for step in self.case.before)
        self._engine()
        if self.case.present:
            self.mailcow()
        # Without what a program refused: the case as it stands here.
        self.case = replace(self.case, before=before, after=tuple(self._put(step) for step in self.case.after))
        return self

    def __exit__(self, *_: object) -> None:
        for space in (self.host, self.world, self.inner):
            os.close(space.descriptor)

    def mailcow(self) -> None:
        """Have the engine make mailcow's network and publish its ports."""
        if self._mailcow:
            return
        self._mailcow = True
        case = self.case
        kind = "-legacy" if case.legacy else "-nft"
        if engines.generation(case) >= 28:
            self._forwarding(case, kind)
        self._bridge()
        for version, program in self._programs():
            saved = run(self.host, [f"{program}{kind}", "-S", "FORWARD"]).stdout.splitlines()
            if self._restore(f"{program}{kind}", engines.up(case, version, saved)):
                self.came_up = False
        for step in case.beside:
            self._put(step)
        if case.six:
            run(self.host, ["sysctl", "-qw", "net.ipv6.conf.all.forwarding=1", "net.ipv6.conf.default.forwarding=1"])
        if not case.proxy:
            run(self.host, ["sysctl", "-qw", "net.ipv4.conf.br-mailcow.route_localnet=1"])

    def _forwarding(self, case: Case, kind: str) -> None:
        """Switch forwarding on where it is off, as engines from 28 do, and with it the policy."""
        for version, program in self._programs():
            name = "ipv4/ip_forward" if version == 4 else "ipv6/conf/all/forwarding"
            with self.host.entered():
                value = Path("/proc/sys/net", name).read_text("ascii").strip()
            if value == "0":
                self._restore(f"{program}{kind}", ["filter -P FORWARD DROP"])
        run(self.host, ["sysctl", "-qw", "net.ipv4.ip_forward=1"])

    def _programs(self) -> list[tuple[int, str]]:
        return [(4, "iptables")] + ([(6, "ip6tables")] if self.case.six and self.case.ip6tables else [])

    def _engine(self) -> None:
        kind = "-legacy" if self.case.legacy else "-nft"
        run(self.host, ["sysctl", "-qw", "net.ipv4.ip_forward=1"])
        for version, program in self._programs():
            if bad := self._restore(f"{program}{kind}", engines.start(self.case, version)):
                raise Refused(bad)

    @property
    def theirs(self) -> frozenset[bytes]:
        """Return the containers' addresses."""
        return frozenset(ip_address(one).packed for pair in (*SERVICES.values(), *OTHERS) for one in pair)

    @property
    def ours(self) -> frozenset[bytes]:
        """Return the addresses that nobody beyond the uplink has: the host's, and those of its containers."""
        return self.theirs | {ip_address(own[version]).packed for own in (HOST, CONTAINER) for version in (4, 6)}

    def _links(self) -> None:
        world, pid = self.world.descriptor, os.getpid()
        for space in (self.host, self.world, self.inner):
            run(
                space,
                ["sysctl", "-qw", *QUIET.split(), "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0"],
            )
        run(self.host, ["sysctl", "-qw", "net.ipv4.icmp_ratemask=0", "net.ipv6.icmp.ratelimit=0"])
        made = [
            "link set lo up", f"link add eth0 address {NEAR} type veth peer name up0",
            f"link set up0 netns /proc/{pid}/fd/{world}", "link set eth0 up",
            "link add docker0 type bridge", "address add 172.17.0.1/16 dev docker0", "link set docker0 up",
        ]  # fmt: skip
        far = [
            "link set lo up",
            f"link set up0 address {FAR}",
            "link set up0 up",
            "address add fe80::1/64 dev up0 nodad",
        ]
        for version, long in ((4, 24), (6, 64)):
            nodad = " nodad" if version == 6 else ""
            far += [f"address add {one}/{long} dev up0{nodad}" for one in (GATE[version], NEIGHBOUR[version])]
            far += [f"address add {one} dev up0{nodad}" for one in (*SOURCES[version], *TARGETS[version])]
            made.append(f"address add {HOST[version]}/{long} dev eth0{nodad}")
        batch(self.host, made)
        batch(self.world, far)
        # Whoever keeps ARP from a host notices that soon; here it would be a matter of who has asked whom before.
        known = [f"neighbour replace {one} lladdr {FAR} dev eth0 nud permanent" for one in (GATE[4], NEIGHBOUR[4])]
        batch(self.host, known)
        batch(self.world, [f"neighbour replace {HOST[4]} lladdr {NEAR} dev up0 nud permanent"])
        batch(
            self.host,
            [
                "route add default via 198.51.100.1",
                f"-6 route add default via {'fe80::1' if self.case.seed % 2 else GATE[6]} dev eth0",
            ],
        )

    def _bridge(self) -> None:
        pid, inner = os.getpid(), self.inner.descriptor
        name = "vethin" if self.case.bridge else "br-mailcow"
        lines = ["link add br-mailcow type bridge"] if self.case.bridge else []
        lines += [f"link add {name} type veth peer name in0", f"link set in0 netns /proc/{pid}/fd/{inner}"]
        if self.case.bridge:
            lines += [f"link set {name} master br-mailcow", f"link set {name} up"]
        lines += ["link set br-mailcow up", f"address add {CONTAINER[4]}/24 dev br-mailcow"]
        near = ["link set lo up", "link set in0 up"]
        if self.case.six:
            lines.append(f"address add {CONTAINER[6]}/64 dev br-mailcow nodad")
        for four, six in (*SERVICES.values(), *OTHERS):
            near.append(f"address add {four}/24 dev in0")
            near += [f"address add {six}/64 dev in0 nodad"] * self.case.six
        near += [f"route add default via {CONTAINER[4]}"]
        near += [f"-6 route add default via {CONTAINER[6]}"] * self.case.six
        batch(self.host, lines)
        batch(self.inner, near)

    def _put(self, step: Step) -> Step:
        """Give lines to a program; return those that it took."""
        lines = list(step.lines)
        if step.program in ("ip", "sysctl"):
            kept = [
                line
                for line in lines
                if run(
                    self.host, [*(["sysctl", "-qw"] if step.program == "sysctl" else ["ip"]), *line.split()]
                ).returncode
                == 0
            ]
            return replace(step, lines=tuple(kept))
        for _ in range(TRIES):
            if not lines:
                break
            order, text = written(step.program, lines)
            ran = run(
                self.host,
                ["nft", "-f", "-"] if step.program == "nft" else [f"{step.program}-restore", "--noflush"],
                text,
            )
            if ran.returncode == 0:
                return replace(step, lines=tuple(lines))
            found = re.findall(r"^/dev/stdin:(\d+):|line:? (\d+)|^(?:internal:)?0:(\d+)", ran.stderr, re.MULTILINE)
            bad = {order[int(a or b or c)] for a, b, c in found if int(a or b or c) in order}
            if not bad:
                return replace(step, lines=tuple(self._singly(step.program, lines)))
            lines = [line for number, line in enumerate(lines) if number not in bad]
        return replace(step, lines=())

    def _singly(self, program: str, lines: list[str]) -> list[str]:
        """Give lines one by one, where the kernel refuses one and nobody says which; return those that it took."""
        if program == "nft":
            return [line for line in lines if run(self.host, ["nft", "-f", "-"], line + "\n").returncode == 0]
        return [line for line in lines if not self._restore(program, [line])]

    def _restore(self, program: str, lines: list[str]) -> str:
        ran = run(self.host, [f"{program}-restore", "--noflush"], written(program, lines)[1])
        return ran.stderr or "failed" if ran.returncode else ""


def written(program: str, lines: list[str]) -> tuple[dict[int, int], str]:
    """Return what a program is given, and which line of it is which of these."""
    if program == "nft":
        return {number + 1: number for number in range(len(lines))}, "\n".join(lines) + "\n"
    text: list[str] = []
    order = {}
    for table in dict.fromkeys(line.split(" ", 1)[0] for line in lines):
        text.append(f"*{table}")
        for number, line in enumerate(lines):
            name, _, rest = line.partition(" ")
            if name == table:
                text.append(rest)
                order[len(text)] = number
        text.append("COMMIT")
    return order, "\n".join(text) + "\n"


def run(space: Space, words: list[str], text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program in a namespace."""
    with space.entered():
        return subprocess.run(words, input=text, capture_output=True, text=True, check=False, timeout=60)


def batch(space: Space, lines: list[str]) -> None:
    """Give lines to `ip`; raise `Refused`."""
    ran = run(space, ["ip", "-batch", "-"], "\n".join(line for line in lines if not line.startswith("-6")) + "\n")
    if not ran.returncode and any(line.startswith("-6") for line in lines):
        ran = run(
            space, ["ip", "-6", "-batch", "-"], "\n".join(line[3:] for line in lines if line.startswith("-6")) + "\n"
        )
    if ran.returncode:
        raise Refused(ran.stderr)
