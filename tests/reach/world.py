"""A host in namespaces whose ports are forwarded to stand-ins, or meet something on the way; and clients elsewhere.

The client's network is this process's own, made by `unshare -n`. At the other end of its cable is the host, and behind
that a namespace for mailcow's containers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

KEY = bytes(range(16))
FOUR, SIX, OTHER = "198.51.100.7", "2001:db8:7::7", "198.51.100.8"
CLIENT4, CLIENT6 = "203.0.113.9", "2001:db8:9::9"

# What the ports meet at the host. 25, 4190 and 80 are forwarded as Docker does it; see `MEETS`.
RULES = """
table ip nat {
  chain prerouting {
    type nat hook prerouting priority -100
    ip daddr 198.51.100.7 tcp dport { 25, 4190, 80, 143, 465, 587, 993 } dnat to 172.22.1.253
    ip daddr 198.51.100.7 tcp dport 995 dnat to 172.22.1.253:4190
    ip daddr 198.51.100.7 tcp dport 13306 dnat to 172.22.1.253:3306
  }
  chain postrouting {
    type nat hook postrouting priority 100
    ip daddr 172.22.1.253 tcp dport 143 masquerade
  }
}
table ip6 nat {
  chain prerouting {
    type nat hook prerouting priority -100
    ip6 daddr 2001:db8:7::7 tcp dport { 25, 4190, 80, 143, 465, 587, 993, 995 } dnat to fd4d:6169:6c63:6f77::253
  }
}
table inet way {
  chain forward {
    type filter hook forward priority 0
    iifname "far0" tcp dport 465 drop
    iifname "far0" tcp dport 587 reject with tcp reset
    iifname "far0" tcp dport 993 meta nfproto ipv4 reject with icmpx admin-prohibited
  }
  chain in {
    type filter hook input priority 0
    tcp dport 443 drop
  }
}
"""
SCRIPT = """
set -e
sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.dad_transmits=0
mount --bind "$1" /etc/hosts
ip link set lo up
ip link add near0 type veth peer name far0
unshare -n sleep 120 & host=$!
unshare -n sleep 120 & box=$!
trap 'kill $host $box $serving' EXIT
sleep 0.3
ip link set far0 netns $host
ip addr add 203.0.113.9/24 dev near0; ip -6 addr add 2001:db8:9::9/64 dev near0 nodad; ip link set near0 up
ip route add 198.51.100.0/24 dev near0; ip -6 route add 2001:db8:7::/64 dev near0
nsenter -t $host -n sh -ec '
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip link set lo up
ip addr add 198.51.100.7/24 dev far0; ip addr add 198.51.100.8/24 dev far0
ip -6 addr add 2001:db8:7::7/64 dev far0 nodad; ip link set far0 up
ip route add 203.0.113.0/24 dev far0; ip -6 route add 2001:db8:9::/64 dev far0
ip link add br0 type veth peer name eth0 netns '$box'
ip addr add 172.22.1.1/24 dev br0; ip -6 addr add fd4d:6169:6c63:6f77::1/64 dev br0 nodad; ip link set br0 up
nft -f -' < "$2"
nsenter -t $box -n sh -ec '
ip link set lo up
ip addr add 172.22.1.253/24 dev eth0; ip -6 addr add fd4d:6169:6c63:6f77::253/64 dev eth0 nodad; ip link set eth0 up
ip route add default via 172.22.1.1; ip -6 route add default via fd4d:6169:6c63:6f77::1
'
export PREFLIGHT_ASKED=1 PREFLIGHT_TOKEN=near PREFLIGHT_REACH="$KEY"
nsenter -t $box -n "$0" -I -c 'BOX' > "$3/box" & serving=$!
nsenter -t $host -n "$0" -I -c 'HOST' & serving="$serving $!"
sleep 1
shift 3
unset PREFLIGHT_TOKEN
n=0 clients=""
for words in "$@"; do
    n=$((n+1))
    nsenter -t $$ -n "$0" -I -c 'CLIENT' $words > "$OUT/$n" 2>"$OUT/$n.err" & clients="$clients $!"
done
wait $clients || true
"""
# The stand-ins say that they run on another kernel; there is but one here.
BOX = """
from preflight.reach import hearing
hearing.BOOT = "/dev/null"
from preflight.probes.stand_in import main
main(["postfix-mailcow", "25", "465", "587", "143", "993", "995", "4190", "80", "3306"])
"""
# Somebody else: an old server that greets, one that says nothing, and one that ends connections at once.
HOST = """
import selectors, socket
s = selectors.DefaultSelector()
for port, says in ((110, b"+OK old POP3 server \\x1b[31m\\r\\n"), (7654, b"hello\\n"), (2000, None), (2001, b"")):
    for family, here in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        t = socket.socket(family, socket.SOCK_STREAM)
        t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            t.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        t.bind((here, port)); t.listen(64)
        s.register(t, selectors.EVENT_READ, says)
kept = []
while True:
    for key, _ in s.select():
        c, _ = key.fileobj.accept()
        if key.data is None:
            kept.append(c)
        else:
            c.sendall(key.data); c.close()
"""
CLIENT = """
import sys
from preflight.cli.commands import cli
sys.exit(cli.main(["reach", *sys.argv[1:], "--format", "json"], standalone_mode=False) or 0)
"""


def play(*clients: str) -> tuple[list[dict[str, Any]], bytes]:
    """Return what each client (its words) found, and what the stand-in printed."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        (out / "hosts").write_text(f"127.0.0.1 localhost\n{FOUR} mail.example.org\n{OTHER} moved.example.org\n")
        (out / "rules").write_text(RULES)
        script = textwrap.dedent(SCRIPT)
        for name, code in (("BOX", BOX), ("HOST", HOST), ("CLIENT", CLIENT)):
            script = script.replace(f"'{name}'", "'" + code.replace("'", "'\\''") + "'")
        run = subprocess.run(
            ["unshare", "-n", "-m", "bash", "-c", script, sys.executable, out / "hosts", out / "rules", out, *clients],
            env=dict(os.environ, KEY=KEY.hex(), OUT=folder), capture_output=True, timeout=100, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        said = [(out / str(number)).read_text() for number in range(1, len(clients) + 1)]
        errors = [(out / f"{number}.err").read_text() for number in range(1, len(clients) + 1)]
        assert all(said), errors
        return [json.loads(one) for one in said], (out / "box").read_bytes()
