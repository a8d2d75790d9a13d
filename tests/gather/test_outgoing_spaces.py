"""Connections through a firewall that drops, rejects, prohibits or sends elsewhere: two namespaces and a cable."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("nft", "ip", "unshare"))), reason="needs root, nft, ip and unshare"
)

# A network of its own, with the world at the other end of a cable: 192.0.2.2 and 2001:db8::2 are servers there. Each
# port of theirs meets a rule of its own on the way.
WORLD = """
set -e
sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.dad_transmits=0
ip link set lo up
ip link add near0 type veth peer name far0
unshare -n sleep 60 & world=$!
trap 'kill $world' EXIT
sleep 0.2
ip link set far0 netns $world
in_world="nsenter -t $world -n"
ip addr add 192.0.2.1/24 dev near0; ip -6 addr add 2001:db8::1/64 dev near0 nodad; ip link set near0 up
$in_world sh -ec '
ip link set lo up
ip addr add 192.0.2.2/24 dev far0; ip -6 addr add 2001:db8::2/64 dev far0 nodad; ip link set far0 up
nft -f - <<RULES
table inet world {
  chain in {
    type filter hook input priority 0
    th dport 1001 drop
    th dport 1002 reject with icmpx admin-prohibited
    tcp dport 1003 reject with tcp reset
    th dport 1004 reject with icmpx host-unreachable
    th dport 1005 reject with icmpx port-unreachable
  }
  chain other {
    type nat hook prerouting priority -100
    tcp dport 1006 redirect to :1007
  }
}
RULES
'
$in_world "$0" -I -c 'SERVERS' & servers=$!
trap 'kill $world $servers' EXIT
"$0" -I -c 'CLIENT' "$@"
"""
SERVERS = """
import selectors, socket
s = selectors.DefaultSelector()
for family, here in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    for port, says in ((1000, b"@RSYNCD: 31.0\\n"), (1007, b"220 captive portal\\r\\n")):
        t = socket.socket(family, socket.SOCK_STREAM)
        t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            t.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        t.bind((here, port)); t.listen(20)
        s.register(t, selectors.EVENT_READ, says)
kept = []
while True:
    for key, _ in s.select():
        peer, _ = key.fileobj.accept()
        peer.sendall(key.data)
        kept.append(peer)
"""
CLIENT = """
import socket, sys, threading, time
from preflight.facts.outgoing import Goal
from preflight.gather.outgoing import connection
from preflight.gather.outgoing.connection import Aim, Bounds
from preflight.gather.outgoing.trying import attempt
for _ in range(100):
    try:
        socket.create_connection(("2001:db8::2", 1000), 1).close()
        socket.create_connection(("192.0.2.2", 1000), 1).close()
        break
    except OSError:
        time.sleep(0.05)
aims = []
for word in sys.argv[1:]:
    address, port, protocol, speech = word.split(",")
    aims.append(Aim(Goal("server.example", int(port), protocol, speech), address))
made = attempt(aims, Bounds(time.monotonic() + 20, threading.Event()))
for aim in aims:
    one = made[aim]
    row = (aim.goal.port, aim.goal.protocol, aim.address, one.outcome, one.error or "-", one.by or "-", one.said or "-")
    print(*row, sep="|")
"""


@pytest.fixture(scope="module")
def found() -> dict[tuple[int, str, int], tuple[str, str, str]]:
    """What became of a connection to each port: outcome, error, what was said instead."""
    ports = [(port, "tcp") for port in (1000, 1001, 1002, 1003, 1004, 1005, 1006)]
    ports += [(port, "udp") for port in (1001, 1002, 1004, 1005, 1008)]
    words = [
        f"{address},{port},{protocol},{'rsync' if port in (1000, 1006) else ''}"
        for port, protocol in ports
        for address in ("192.0.2.2", "2001:db8::2")
    ]
    script = textwrap.dedent(WORLD).replace("SERVERS", SERVERS).replace("CLIENT", CLIENT)
    ran = subprocess.run(
        ["unshare", "-n", "sh", "-c", script, sys.executable, *words],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if "Operation not permitted" in ran.stderr:
        pytest.skip("no network namespace can be made")
    assert ran.returncode == 0, ran.stderr
    rows = [line.split("|") for line in ran.stdout.splitlines()]
    return {
        (int(port), protocol, 6 if ":" in address else 4): (outcome, error, said)
        for port, protocol, address, outcome, error, _, said in rows
    }


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("port", "protocol", "outcome"),
    [
        pytest.param(1000, "tcp", "reached", id="open"),
        pytest.param(1001, "tcp", "filtered", id="dropped"),
        pytest.param(1002, "tcp", "prohibited", id="prohibited"),
        pytest.param(1003, "tcp", "refused", id="reset"),
        pytest.param(1004, "tcp", "unreachable", id="unreachable"),
        pytest.param(1005, "tcp", "refused", id="port-unreachable"),
        pytest.param(1006, "tcp", "foreign", id="sent-elsewhere"),
        pytest.param(1001, "udp", "silent", id="dropped-udp"),
        pytest.param(1002, "udp", "prohibited", id="prohibited-udp"),
        pytest.param(1004, "udp", "unreachable", id="unreachable-udp"),
        pytest.param(1005, "udp", "refused", id="refused-udp"),
        pytest.param(1008, "udp", "refused", id="nobody-udp"),
    ],
)
def test_what_a_firewall_did(
    found: dict[tuple[int, str, int], tuple[str, str, str]], port: int, protocol: str, outcome: str, version: int
) -> None:
    assert found[port, protocol, version][0] == outcome


def test_who_answers_elsewhere_is_quoted(found: dict[tuple[int, str, int], tuple[str, str, str]]) -> None:
    assert found[1006, "tcp", 4][2] == "220 captive portal"
