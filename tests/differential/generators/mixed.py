"""Hosts with everything at once: nf_tables and both kinds of iptables, sysctls, policy routing, routes to nowhere."""

from __future__ import annotations

from random import Random

from tests.differential.cases import Case, Step
from tests.differential.generators import iptables, nft
from tests.differential.generators.common import EVERYWHERE, LINK, NETWORKS, PORTS, case, mailcow

SYSCTLS = (
    "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=1",
    "net.ipv4.conf.all.rp_filter=2", "net.ipv4.conf.eth0.rp_filter=1", "net.ipv4.conf.eth0.rp_filter=2", "net.ipv4.conf.default.rp_filter=1",
    "net.ipv4.conf.eth0.forwarding=0", "net.ipv4.conf.all.accept_local=1", "net.ipv4.conf.all.src_valid_mark=1",
    "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.arp_ignore=1", "net.ipv4.conf.all.arp_filter=1", "net.ipv4.conf.all.route_localnet=1",
    "net.netfilter.nf_conntrack_tcp_be_liberal=1", "net.netfilter.nf_conntrack_tcp_loose=0", "net.ipv4.tcp_syncookies=0", "net.ipv4.conf.default.forwarding=0",
    "net.ipv6.conf.eth0.forwarding=0", "net.ipv4.ip_nonlocal_bind=1", "net.ipv4.fwmark_reflect=1", "net.ipv4.tcp_l3mdev_accept=1",
)  # fmt: skip
GATE = {4: "198.51.100.1", 6: "2a01:4f8:1::1"}


def routing(draw: Random, present: bool) -> list[str]:
    """Return routes and rules of policy routing, for `ip`."""
    version = draw.choice((4, 4, 6))
    word = "" if version == 4 else "-6 "
    table = draw.choice((100, 200))
    nowhere = draw.choice(("blackhole", "prohibit", "unreachable", "throw"))
    lines = [draw.choice((
        f"{word}route add {nowhere} {draw.choice(NETWORKS[version])}", f"{word}route add {nowhere} default table {table}",
        f"{word}route add default via {GATE[version]} dev eth0 table {table}", f"{word}route add {nowhere} {mailcow(version)} table {table}",
        f"{word}route add {LINK[version]} dev eth0 table {table}", f"{word}route add {nowhere} {mailcow(version)} metric 9999",
        f"{word}route add {nowhere} {EVERYWHERE[version]} metric 9999",
    )) for _ in range(draw.randint(0, 3))]  # fmt: skip
    selectors = [
        f"from {mailcow(version)}",
        f"to {mailcow(version)}",
        "iif eth0",
        "iif docker0",
        f"from {draw.choice(NETWORKS[version])}",
        f"fwmark {draw.randint(1, 3)}",
    ]
    selectors += [
        f"ipproto tcp dport {draw.choice(PORTS)}",
        f"from {LINK[version]}",
        "from all",
        f"to {draw.choice(NETWORKS[version])}",
        "not fwmark 1",
        "iif lo",
        f"ipproto tcp sport {draw.choice(PORTS)}",
    ]
    selectors += ["iif br-mailcow", "oif eth0"] if present else []
    for _ in range(draw.randint(0, 3)):
        action = draw.choice(
            (
                f"lookup {table}",
                f"lookup {table}",
                "prohibit",
                "blackhole",
                "unreachable",
                "lookup main suppress_prefixlength 0",
                "lookup main",
            )
        )
        lines.append(f"{word}rule add {draw.choice(selectors)} {action} priority {draw.randint(100, 200)}")
    return lines


def random(draw: Random, seed: int) -> Case:
    """Return a host with some of all."""
    made = case(draw, "mixed", seed, legacy=draw.random() < 0.3)
    steps: dict[str, list[Step]] = {"before": [], "after": []}
    if draw.random() < 0.5:
        steps[draw.choice(("before", "after"))].append(Step("nft", tuple(nft.tables(draw, 0.0))))
    for kind in ("nft", "legacy"):
        if draw.random() < 0.4:
            steps["after"].append(
                Step(f"iptables-{kind}", iptables.lines(draw, 4, 0.0, user=made.legacy == (kind == "legacy")))
            )
        if draw.random() < 0.25:
            steps["after"].append(Step(f"ip6tables-{kind}", iptables.lines(draw, 6, 0.0)))
    steps["after"].append(Step("sysctl", tuple(draw.sample(SYSCTLS, draw.choice((0, 1, 2, 3))))))
    if draw.random() < 0.7:
        steps["after"].append(Step("ip", tuple(routing(draw, made.present))))
    from msgspec.structs import replace

    return replace(made, before=tuple(steps["before"]), after=tuple(steps["after"]))
