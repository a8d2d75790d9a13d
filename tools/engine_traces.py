"""What a Docker engine leaves in the machine's network and elsewhere when it stops, and how to take it away again.

Only what was not there before is touched, and of the firewall only rules that name Docker's chains or bridges.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
import shlex
import shutil
import socket
import struct
import subprocess
from pathlib import Path

FORWARDING = [Path("/proc/sys/net", name) for name in
              ("ipv4/ip_forward", "ipv6/conf/default/forwarding", "ipv6/conf/all/forwarding")]  # fmt: skip
FILES = [Path(name) for name in ("/etc/docker/key.json", "/etc/docker", "/run/docker/plugins", "/run/docker")]
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCBRDELBR = 0x8913, 0x8914, 0x89A1
IFF_UP = 1


class Firewall:
    """The rules of one family, as iptables-save prints them."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.before = self.saved()

    def saved(self) -> dict[str, list[str]]:
        """Return the lines of every table; reading creates none and loads no module."""
        if not shutil.which(f"{self.program}-save"):
            return {}
        text = subprocess.run([f"{self.program}-save"], capture_output=True, text=True, check=False).stdout
        tables: dict[str, list[str]] = {}
        for line in text.splitlines():
            if line.startswith("*"):
                tables[line[1:]] = []
            elif line[:1] in {":", "-"}:
                tables[list(tables)[-1]].append(re.sub(r" \[\d+:\d+\]$", "", line))
        return tables

    def call(self, table: str, *words: str) -> None:
        subprocess.run([self.program, "-w", "5", "-t", table, *words], capture_output=True, check=False)

    def restore(self, bridges: set[str]) -> None:
        """Delete the engine's rules and chains, and give the built-in chains their policy back."""
        ours = re.compile(rf"DOCKER|(?:-[io]|! -[io]) (?:{'|'.join(map(re.escape, sorted(bridges)))})\b")
        for table, lines in self.saved().items():
            before = self.before.get(table, [])
            new = [line for line in lines if line not in before]
            for rule in (line for line in new if line.startswith("-A ") and ours.search(line)):
                self.call(table, "-D", *shlex.split(rule[3:]))
            chains = [line[1:].split()[0] for line in new if line.startswith(":DOCKER")]
            for chain in chains:
                self.call(table, "-F", chain)
            for chain in chains:
                self.call(table, "-X", chain)
            for chain, policy in (line[1:].split()[:2] for line in new if line.endswith(" DROP")):
                was = next((line.split()[1] for line in before if line.startswith(f":{chain} ")), "ACCEPT")
                if chain == "FORWARD" and was != policy:
                    self.call(table, "-P", chain, was)
        self.remove_empty_tables()

    def remove_empty_tables(self) -> None:
        """Delete the tables that exist in nftables only since the engine asked for them (iptables-nft)."""
        if not shutil.which("nft"):
            return
        family = "ip6" if self.program == "ip6tables" else "ip"
        for table, lines in self.saved().items():
            built_in = all(line.startswith(":") and line.endswith(" ACCEPT") for line in lines)
            if table not in self.before and built_in:
                subprocess.run(["nft", "delete", "table", family, table], capture_output=True, check=False)


class Traces:
    """The machine before the engine's start, and the way back to it."""

    def __init__(self) -> None:
        self.bridges: set[str] = set()  # the engine's own; filled in by whoever can still ask it
        self.interfaces = {name for _, name in socket.if_nameindex()}
        self.firewalls = [Firewall("iptables"), Firewall("ip6tables")]
        self.forwarding = {path: path.read_text() for path in FORWARDING if path.exists()}
        self.absent = [path for path in FILES if not path.exists()]
        self.groups = set(Path("/sys/fs/cgroup").glob("docker")) | set(Path("/sys/fs/cgroup").glob("*/docker"))

    def remove(self) -> None:
        bridges = (self.bridges | {"docker0"}) - self.interfaces
        for firewall in self.firewalls:
            firewall.restore(bridges | {"docker0"})
        for bridge in bridges & {name for _, name in socket.if_nameindex()}:
            remove_bridge(bridge)
        # A network that somebody else has set up meanwhile may need forwarding as well.
        if {name for _, name in socket.if_nameindex()} <= self.interfaces:
            for path, value in self.forwarding.items():
                if path.read_text() != value:
                    path.write_text(value)
        for path in self.absent:
            with contextlib.suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        for group in {*Path("/sys/fs/cgroup").glob("docker"), *Path("/sys/fs/cgroup").glob("*/docker")} - self.groups:
            for folder in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            with contextlib.suppress(OSError):
                group.rmdir()


def remove_bridge(name: str) -> None:
    """Take a bridge down and delete it, without `ip`, which a small machine may not have."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control, contextlib.suppress(OSError):
        request = struct.pack("16sH14x", name.encode(), 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(control, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", name.encode(), flags & ~IFF_UP))
        fcntl.ioctl(control, SIOCBRDELBR, name.encode() + b"\0")
