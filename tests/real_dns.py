"""Real servers of the DNS in a network namespace of their own: NSD for zones, ldns to sign them, Unbound to resolve.

Loopback carries the servers' addresses. `eth0` has the host's address and leads nowhere: what is sent to any other
address is lost without an answer. Above `example.org.` stand a root and an `org.` of our own.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from preflight.mailcow.services import ANNOUNCED
from tests.tools import LDNS, NSD, UNBOUND

V4, NAME = "203.0.113.7", "mail.example.org"
FIRST, SECOND, RESOLVER = "192.0.2.1", "192.0.2.2", "192.0.2.53"
NOWHERE = "192.0.2.99"  # where nobody is, and nobody says so
HOST, MX = f"mail 600 A {V4}", "@ 600 MX 10 mail"
SPF = '@ 600 TXT "v=spf1 mx -all"'
# The key of RFC 8463 A.2.
DKIM = 'dkim._domainkey 600 TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="'
GOOD = (
    HOST,
    MX,
    SPF,
    DKIM,
    '_dmarc 600 TXT "v=DMARC1; p=reject"',
    "autodiscover 600 CNAME mail",
    "autoconfig 600 CNAME mail",
    '@ 600 CAA 0 issue "letsencrypt.org"',
    *(f"{one.owner('')[:-1]} 600 SRV 0 1 {one.port} mail" for one in ANNOUNCED),
    *(f'{one.owner("")[:-1]} 600 TXT "path={one.path}"' for one in ANNOUNCED if one.path),
)
TLSA = f"_25._tcp.mail 600 TLSA 3 1 1 {'ab' * 32}"  # of use where DNSSEC confirms it
POINTER = f"7 600 PTR {NAME}."
ARPA = "113.0.203.in-addr.arpa."
LONG_AGO = ("20200101000000", "20200201000000")


class Key(NamedTuple):
    """A key that signs a zone: the name of its files, its record, and the one that the zone above has of it."""

    zone: str
    file: str
    record: str
    above: str


class Servers:
    """The namespace with a folder for zones and configurations. Whoever is started here ends with a `with` block."""

    def __init__(self, folder: Path, pid: int) -> None:
        self.folder = folder
        self.inside = ["nsenter", f"--net=/proc/{pid}/ns/net"]

    def run(self, *words: str | Path) -> str:
        """Run a command inside; raise where it fails. Return what it prints."""
        return subprocess.run([*self.inside, *words], check=True, capture_output=True, text=True, timeout=60).stdout

    def ask(self, server: str, name: str, kind: str) -> str:
        """Return what a server says over TCP, with all that drill prints; nothing listens: that is told at once."""
        words: list[str | Path] = [*self.inside, LDNS / "drill", "-t", f"@{server}", name, kind]
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False).stdout

    def check(self, kind: str = "json", *words: str) -> str:
        """Return the report of a run that looks at the DNS alone."""
        asked = ["--only", "dns.*", "--hostname", NAME, "--public-ip", V4, "--resolver", RESOLVER, *words]
        command = [sys.executable, "-I", "-m", "preflight", "check", "--no-probe", "--quiet", "--format", kind, *asked]
        run = subprocess.run([*self.inside, *command], capture_output=True, text=True, timeout=60, check=False)
        assert not run.stderr
        return run.stdout

    @contextlib.contextmanager
    def started(self, address: str, *words: str | Path) -> Iterator[subprocess.Popen[bytes]]:
        """Start a server, wait until it answers at its address, and end it with its children."""
        log = self.folder / f"{address}.log"
        with log.open("wb") as file:
            process = subprocess.Popen([*self.inside, *words], stdout=file, stderr=file)
        try:
            wait(lambda: "rcode:" in self.ask(address, "example.org", "SOA"), log)
            yield process
        finally:
            process.terminate()
            process.wait(20)

    def nsd(
        self, address: str, zones: Mapping[str, str], *more: str
    ) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        """Serve zones, given as texts by their names, at more addresses too. Files are each server's own: see `write`.

        It gives itself no name (hostname.bind).
        """
        lines = [
            "server:\n hide-identity: yes\n",
            *(f" ip-address: {one}\n" for one in (address, *more)),
            ' username: ""\n chroot: ""\n pidfile: ""\n database: ""\n'
            f' zonesdir: "{self.folder}"\n zonelistfile: "{self.folder}/{address}.list"\n'
            f' xfrdfile: "{self.folder}/{address}.state"\n xfrdir: "{self.folder}"\n'
            " server-count: 1\n rrl-ratelimit: 0\nremote-control:\n control-enable: no\n",
        ]
        for zone, text in zones.items():
            lines.append(f'zone:\n name: "{zone}"\n zonefile: "{self.write(address, zone, text).name}"\n')
        conf = self.folder / f"{address}.conf"
        conf.write_text("".join(lines))
        return self.started(address, NSD, "-d", "-c", conf)

    def write(self, address: str, zone: str, text: str) -> Path:
        """Write the file of a zone of one server."""
        path = self.folder / f"{address}-{zone.strip('.') or 'root'}.zone"
        path.write_text(text)
        return path

    def reload(self, process: subprocess.Popen[bytes], address: str, zone: str, serial: int) -> None:
        """Have a server read its zones again, and wait until it has this copy of one."""
        process.send_signal(signal.SIGHUP)
        wait(lambda: f" {serial} 3600 " in self.ask(address, zone, "SOA"), self.folder / f"{address}.log")

    def unbound(
        self,
        key: Key | None = None,
        access: str = "allow",
        told: str = "no",
        place: str = RESOLVER,
        roots: Iterable[str] = (FIRST,),
        more: str = "",
    ) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        """Resolve, with a key to trust; `told`: whether answers say why there is none (RFC 8914); `more`: settings."""
        hints, conf = self.folder / f"{place}.hints", self.folder / f"{place}.unbound"
        named = [f". 3600 IN NS r{n}.root.\nr{n}.root. 3600 IN A {one}\n" for n, one in enumerate(roots)]
        hints.write_text("".join(named))
        conf.write_text(
            f'server:\n interface: {place}\n access-control: 0.0.0.0/0 {access}\n username: ""\n chroot: ""\n'
            f' directory: "{self.folder}"\n pidfile: ""\n use-syslog: no\n root-hints: "{hints}"\n do-ip6: no\n'
            f' local-zone: "{ARPA}" nodefault\n module-config: "validator iterator"\n num-threads: 1\n ede: {told}\n'
            + (f' trust-anchor: "{key.record}"\n' if key else "")
            + f"{more}remote-control:\n control-enable: no\n"
        )
        return self.started(place, UNBOUND, "-d", "-c", conf)

    def key(self, zone: str) -> Key:
        """Make a key for a zone."""
        words: list[str | Path] = [LDNS / "ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone]
        name = subprocess.run(words, cwd=self.folder, check=True, capture_output=True, text=True).stdout.strip()
        record, above = ((self.folder / f"{name}.{kind}").read_text().strip() for kind in ("key", "ds"))
        return Key(zone, name, record, above)

    def signed(self, text: str, key: Key, *dates: str) -> str:
        """Sign a zone; `dates`: the first and the last on which the signatures hold, in place of from now on."""
        (self.folder / "unsigned").write_text(text)
        words = ["-i", dates[0], "-e", dates[1]] if dates else []
        command: list[str | Path] = [
            LDNS / "ldns-signzone",
            *words,
            "-o",
            key.zone,
            "-f",
            "signed",
            "unsigned",
            key.file,
        ]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        return (self.folder / "signed").read_text()


def wait(done: Callable[[], bool], log: Path) -> None:
    """Wait until something is so; raise with what the server said where it does not come to be."""
    until = time.monotonic() + 20
    while not done():
        assert time.monotonic() < until, log.read_text(errors="replace")[-2000:]
        time.sleep(0.05)


@contextlib.contextmanager
def namespace(folder: Path) -> Iterator[Servers]:
    """Make the namespace; nothing of it is left."""
    holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 600"], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        made = Servers(folder, holder.pid)
        for words in (
            "link set lo up",
            "link add eth0 type veth peer name far0",
            "link set far0 up",
            "link set eth0 up",
            f"address add {V4}/24 dev eth0",
            "neighbour add 203.0.113.1 lladdr 02:00:00:00:00:01 dev eth0",
            "route add default via 203.0.113.1",
            *(f"address add {one}/32 dev lo" for one in (FIRST, SECOND, RESOLVER)),
        ):
            made.run("ip", *words.split())
        yield made
    finally:
        holder.terminate()
        holder.communicate(timeout=20)


def zone(name: str, *rows: str, serial: int = 1, servers: Mapping[str, str] | None = None) -> str:
    """Write a zone with its start and its name servers: their names with their addresses."""
    mine = servers or {"ns.root.": FIRST}
    return "\n".join(
        [
            f"$ORIGIN {name}",
            f"@ 3600 IN SOA {next(iter(mine))} admin.example.org. {serial} 3600 600 86400 60",
            *(f"@ 3600 IN NS {server}" for server in mine),
            *(f"{server} 3600 IN A {address}" for server, address in mine.items() if server.endswith(name)),
            *rows,
            "",
        ]
    )


def above(servers: Mapping[str, str], pointers: Iterable[str] = (POINTER,), key: Key | None = None) -> dict[str, str]:
    """Return the zones above example.org and beside it, which all stand on the first server; `key`: that signs it."""
    glue = [f"{name} 3600 IN A {address}" for name, address in servers.items()]
    down = [f"example.org. 3600 IN NS {name}" for name in servers]
    return {
        ".": zone(".", "org. 3600 IN NS ns.root.", f"{ARPA} 3600 IN NS ns.root."),
        "org.": zone("org.", *down, *glue, *([key.above] if key else [])),
        ARPA: zone(ARPA, *pointers),
    }


def statuses(text: str) -> dict[str, str]:
    """Return the worst status of each check of a report."""
    order = ("pass", "info", "skip", "unknown", "warn", "fail")
    found: dict[str, str] = {}
    for row in json.loads(text)["results"]:
        found[row["check"]] = max(row["status"], found.get(row["check"], "pass"), key=order.index)
    return found


def message(text: str, check: str) -> str:
    """Return the sentences of a check."""
    rows = [row for row in json.loads(text)["results"] if row["check"] == check]
    return " ".join(row["message"] for row in rows)
