"""The program that asks as mailcow's resolver does, through a network that drops, strips, intercepts or forgets."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterable

import pytest

from preflight.checks.network.asking import Cause, cause
from preflight.facts import Asking
from preflight.mailcow.recursion import documented
from preflight.probes.recursion.probe import parse
from tests.gather.root_servers import HOLDERS

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("nft", "ip", "unshare"))), reason="needs root, nft, ip and unshare"
)

# The world at the other end of a cable has the addresses of all servers; a gateway would add nothing.
WORLD = """
set -e
sysctl -qw net.ipv6.conf.default.accept_dad=0
ip link set lo up
ip link add near0 type veth peer name far0
unshare -n sleep 60 & world=$!
trap 'kill $world' EXIT
sleep 0.2
ip link set far0 netns $world
in_world="nsenter -t $world -n"
ip addr add 198.18.0.1/24 dev near0; ip link set near0 up; ip route add default via 198.18.0.2
$in_world sh -ec '
ip link set lo up; ip addr add 198.18.0.2/24 dev far0; ip link set far0 up
for address in ADDRESSES; do ip addr add $address/32 dev lo; done
nft -f - <<RULES
table ip world { RULES_OF_THE_WORLD
}
RULES
'
nft 'table ip here { RULES_OF_THE_HOST
}'
coproc_pipe=$(mktemp -u); mkfifo $coproc_pipe
$in_world "$0" -m tests.gather.root_servers KIND > $coproc_pipe & servers=$!
trap 'kill $world $servers; rm -f $coproc_pipe' EXIT
read up < $coproc_pipe
"$0" -m preflight.probes.recursion.ask "$1"
"""
IN = "chain in { type filter hook input priority 0;"
OUT = "chain out { type filter hook output priority 0;"
NAT = "chain nat { type nat hook prerouting priority -100;"
TABLE = documented()
QUESTIONS = {
    "servers": [(address, one.zone) for one in TABLE.servers for address in one.addresses if ":" not in address],
    "canaries": TABLE.canaries,
    "pings": TABLE.pings.addresses,
}


def asked(world: str = "", host: str = "", kind: str = "") -> Asking:
    script = textwrap.dedent(WORLD).replace("RULES_OF_THE_WORLD", world).replace("RULES_OF_THE_HOST", host)
    script = script.replace("ADDRESSES", " ".join((*HOLDERS, *TABLE.pings.addresses))).replace("KIND", kind)
    ran = subprocess.run(
        ["unshare", "-n", "bash", "-c", script, sys.executable, json.dumps(QUESTIONS)],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PYTHONPATH": os.getcwd()},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return parse(ran.stdout.encode())


def ends(side: Asking) -> set[str]:
    return {one.outcome for one in side.pings}


def outcomes(side: Asking, questions: Iterable[str] = ("zone", "keys")) -> set[str]:
    return {one.outcome for one in side.queries if one.question in questions}


def test_all_is_well() -> None:
    side = asked()
    assert cause(side) == "", side
    assert ends(side) == outcomes(side) == {"answered"}
    assert outcomes(side, ("canary",)) != {"answered"}
    keys = [one for one in side.queries if one.question == "keys"]
    assert len(keys) == len(HOLDERS) + sum(not one.zone for one in TABLE.servers)  # over TCP, and the root's over UDP
    assert {1000 < one.size < 1232 for one in keys} == {True}
    assert max(one.seconds for one in side.queries) < 1.5


@pytest.mark.parametrize(
    ("world", "kind", "expected"),
    [
        (f"{IN} udp dport 53 drop; }}", "", "udp"),
        (f"{IN} udp dport 53 reject with icmp admin-prohibited; }}", "", "udp"),
        (f"{IN} udp dport 53 reject; }}", "", "udp"),
        (f"{IN} tcp dport 53 drop; }}", "", "tcp"),
        (f"{IN} tcp dport 53 reject with tcp reset; }}", "", "tcp"),
        (f"{IN} th dport 53 drop; }}", "", "closed"),
        (f"{OUT} udp sport 53 udp length > 600 drop; }}", "", "large"),
        ("", "plain", "stripped"),
        ("", "resolver", "intercepted"),
        (f"{NAT} udp dport 53 dnat to 198.41.0.4; }}", "", "proxied"),  # the servers of this test answer for all zones
        (f"{NAT} udp dport 53 dnat to 198.41.0.4; }}", "resolver", "intercepted"),
    ],
)  # fmt: skip
def test_the_right_cause_is_named(world: str, kind: str, expected: Cause) -> None:
    side = asked(world, kind=kind)
    assert cause(side) == expected, side
    assert ends(side) == {"answered"}
    assert max(one.seconds for one in (*side.queries, *side.pings)) < 5


def test_pings_that_are_dropped() -> None:
    side = asked(f"{IN} icmp type echo-request drop; }}")
    assert (cause(side), ends(side)) == ("", {"silent"})


def test_own_rules_are_told_by_the_kernels_own_word() -> None:
    side = asked(host=f"{OUT} udp dport 53 drop; icmp type echo-request drop; }}")
    assert (cause(side), ends(side)) == ("udp", {"denied"})
    assert {one.outcome for one in side.queries if one.protocol == "udp"} == {"denied"}
