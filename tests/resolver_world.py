"""An Internet in a network namespace, and a host in another: name servers that are NSD, a resolver that is Unbound.

The Internet has the addresses of the name servers that the probe asks. Its root is signed, with keys of any size.
"""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from preflight.facts import Asking
from preflight.mailcow.recursion import documented
from preflight.probes.recursion.probe import parse
from tests.gather.root_servers import HOLDERS, KEYS
from tests.real_dns import Servers, zone

TABLE = documented()
HOST, GATEWAY = "198.18.0.1", "198.18.0.2"
PROVIDERS = "198.18.0.53"  # the provider's own resolver
# What mailcow's health check asks (healthcheck.sh), and of whom it wants an answer.
ASKED = ("fuzzy.mailcow.email", "github.com", "hub.docker.com")
ADDRESS = "203.0.113.80"
# mailcow's settings, as far as they matter here (data/conf/unbound/unbound.conf), and a name that starts at once.
SETTINGS = (
    " max-udp-size: 4096\n msg-buffer-size: 65552\n unwanted-reply-threshold: 10000\n cache-min-ttl: 5\n"
    " cache-max-negative-ttl: 60\n local-zone: example.org static\n"
)
QUESTIONS = {
    "servers": [(address, one.zone) for one in TABLE.servers for address in one.addresses if ":" not in address],
    "canaries": TABLE.canaries,
    "pings": [],
}
# As healthcheck.sh does: 2 s for each of three tries, and one name of three may fail. It asks one after the other.
HEALTH = """
import sys, threading, dns.message, dns.query
came = set()
def ask(name):
    for _ in range(3):
        try:
            if dns.query.udp(dns.message.make_query(name, "A"), "127.0.0.1", timeout=2).answer:
                return came.add(name)
        except Exception:
            continue
threads = [threading.Thread(target=ask, args=(name,)) for name in sys.argv[1:]]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(came))
"""


class World:
    """Both namespaces; `top`: the key of the root."""

    def __init__(self, host: Servers, internet: Servers) -> None:
        self.host, self.internet = host, internet
        self.top = internet.key(".")

    def served(self, keys: int) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        """Serve the root and what mailcow asks; `keys`: how many more the root has, of 260 bytes each."""
        servers = {f"ns{number}.test.": address for number, address in enumerate(HOLDERS)}
        more = [f"@ 3600 IN DNSKEY 256 3 8 {_key(number)}" for number in range(keys)]

        def down(*zones: str) -> list[str]:
            return [f"{one} 3600 IN NS {name}" for one in zones for name in servers]

        signed = {one: self.internet.key(one) for one in ("com.", "de.")}
        top = zone(
            ".", *more, *down("com.", "de.", "email.", "test."), *(one.above for one in signed.values()),
            servers=servers,
        )  # fmt: skip
        texts = {
            "com.": zone("com.", *down("github.com.", "docker.com."), servers=servers),
            "de.": zone("de.", servers=servers),
        }
        zones = {name: self.internet.signed(text, signed[name]) for name, text in texts.items()}
        zones |= {
            ".": self.internet.signed(top, self.top),
            "email.": zone("email.", *down("mailcow.email."), servers=servers),
            "test.": zone("test.", servers=servers),
            "github.com.": zone("github.com.", f"@ 60 A {ADDRESS}", servers=servers),
            "docker.com.": zone("docker.com.", f"hub 60 A {ADDRESS}", servers=servers),
            "mailcow.email.": zone("mailcow.email.", f"fuzzy 60 A {ADDRESS}", servers=servers),
        }
        return self.internet.nsd(HOLDERS[0], zones, *HOLDERS[1:])

    def providers(self, access: str = "allow") -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        """Run the provider's own resolver, which validates."""
        more = " local-zone: example.org static\n"
        return self.internet.unbound(self.top, access, place=PROVIDERS, roots=HOLDERS, more=more)

    @contextlib.contextmanager
    def proxy(self, kind: str) -> Iterator[None]:
        """Run somebody who answers in place of others, at port 5301 (see tests/gather/dns_proxy.py)."""
        words = [*self.internet.inside, sys.executable, "-m", "tests.gather.dns_proxy", kind, HOLDERS[0], PROVIDERS]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                yield
            finally:
                process.terminate()

    def asked(self) -> Asking:
        """Return what the probe's program sees from the host."""
        module = "preflight.probes.recursion.ask"
        return parse(self.host.run(sys.executable, "-m", module, json.dumps(QUESTIONS)).encode())

    def healthy(self, more: str = "") -> bool:
        """Say whether mailcow's health check would pass; `more`: settings of the resolver."""
        with self.host.unbound(self.top, place="127.0.0.1", roots=HOLDERS, more=SETTINGS + more):
            return int(self.host.run(sys.executable, "-I", "-c", HEALTH, *ASKED)) >= 2


def _key(number: int) -> str:
    """Return a key like no other: its first bytes are its exponent."""
    said = base64.b64decode(KEYS[0])
    return base64.b64encode(said[:4] + bytes([number]) + said[5:]).decode()


@contextlib.contextmanager
def world(folder: Path) -> Iterator[World]:
    """Make both namespaces and a cable between them; nothing of them is left."""
    with _namespace(folder / "host") as host, _namespace(folder / "internet") as internet:
        pid = internet.inside[1].split("/")[2]
        for words in (
            f"link add near0 type veth peer name far0 netns {pid}",
            f"address add {HOST}/24 dev near0",
            "link set near0 up",
        ):
            host.run("ip", *words.split())
        for words in (
            f"address add {GATEWAY}/24 dev far0",
            "link set far0 up",
            *(f"address add {one}/32 dev lo" for one in (*HOLDERS, PROVIDERS)),
        ):
            internet.run("ip", *words.split())
        host.run("ip", "route", "add", "default", "via", GATEWAY)
        yield World(host, internet)


@contextlib.contextmanager
def _namespace(folder: Path) -> Iterator[Servers]:
    folder.mkdir()
    words = ["unshare", "--net", "sh", "-c", "ip link set lo up; echo; exec sleep 600"]
    holder = subprocess.Popen(words, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield Servers(folder, holder.pid)
    finally:
        holder.terminate()
        holder.communicate(timeout=20)
