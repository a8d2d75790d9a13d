"""Hosts with ufw: its chains as its tools write them, rules for ports and `ufw route`, and the well-known addition of ufw-docker."""

from __future__ import annotations

from random import Random

from tests.differential.cases import HOST, PUBLISHED, SERVICES, Case, Step
from tests.differential.generators.common import LINK, NETWORKS, PORTS, case, container, mailcow, some

JUMPS = ("before-logging", "before", "after", "after-logging", "reject", "track")
LIMITED = '-m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "'
SOLICITED = (133, 134, 135, 136, 141, 142)
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")


def frame(version: int, forward: str, rules: list[str]) -> list[str]:
    """Return ufw's chains with these rules in its chains for the user."""
    u = "ufw" if version == 4 else "ufw6"
    hooks = ("input", "output", "forward")
    chains = [f"{u}-{name}-{hook}" for hook in hooks for name in (*JUMPS, "skip-to-policy", "user", "user-logging")]
    chains += [
        f"{u}-{name}" for name in ("logging-deny", "logging-allow", "user-limit", "user-limit-accept", "not-local")
    ]
    lines = [f"-N {chain}" for chain in chains]
    lines += [f"-A {hook.upper()} -j {u}-{name}-{hook}" for hook in hooks for name in JUMPS]
    lines += ["-P INPUT DROP", f"-P FORWARD {forward}", "-P OUTPUT ACCEPT"]
    lines += [f"-A {u}-before-input -i lo -j ACCEPT", f"-A {u}-before-output -o lo -j ACCEPT"]
    lines += [f"-A {u}-before-{hook} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT" for hook in hooks]
    lines += [
        f"-A {u}-before-input -m conntrack --ctstate INVALID -j {u}-logging-deny",
        f"-A {u}-before-input -m conntrack --ctstate INVALID -j DROP",
    ]
    if version == 6:
        lines += [
            f"-A {u}-before-input -p ipv6-icmp -m icmp6 --icmpv6-type {kind} -m hl --hl-eq 255 -j ACCEPT"
            for kind in SOLICITED
        ]
        lines += [
            f"-A {u}-before-output -p ipv6-icmp -m icmp6 --icmpv6-type {kind} -m hl --hl-eq 255 -j ACCEPT"
            for kind in SOLICITED
        ]
        lines += [
            f"-A {u}-before-{hook} -p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j ACCEPT"
            for hook in hooks
            for kind in (1, 2, 3, 4, 128)
        ]
    else:
        lines += [
            f"-A {u}-before-{hook} -p icmp -m icmp --icmp-type {kind} -j ACCEPT"
            for hook in ("input", "forward")
            for kind in (3, 11, 12, 8)
        ]
        lines += [
            f"-A {u}-before-input -j {u}-not-local",
            f"-A {u}-not-local -m addrtype --dst-type LOCAL -j RETURN",
            f"-A {u}-not-local -m addrtype --dst-type MULTICAST -j RETURN",
        ]
        lines += [f"-A {u}-not-local -m addrtype --dst-type BROADCAST -j RETURN", f"-A {u}-not-local -j DROP"]
    lines += [f"-A {u}-before-{hook} -j {u}-user-{hook}" for hook in hooks]
    lines += [
        f"-A {u}-skip-to-policy-input -j DROP",
        f"-A {u}-skip-to-policy-forward -j {forward}",
        f"-A {u}-skip-to-policy-output -j ACCEPT",
    ]
    lines += [
        f"-A {u}-after-input -p udp -m udp --dport {port} -j {u}-skip-to-policy-input" for port in (137, 138, 67, 68)
    ]
    lines += [f"-A {u}-after-logging-{hook} {LIMITED}" for hook in ("input", "forward")]
    lines += [
        f"-A {u}-logging-deny {LIMITED}",
        f"-A {u}-track-output -p tcp -m conntrack --ctstate NEW -j ACCEPT",
        f"-A {u}-track-output -p udp -m conntrack --ctstate NEW -j ACCEPT",
    ]
    lines += [f"-A {u}-user-limit {LIMITED}", f"-A {u}-user-limit -j REJECT", f"-A {u}-user-limit-accept -j ACCEPT"]
    if forward == "ACCEPT":
        lines.append(f"-A {u}-track-forward -p tcp -m conntrack --ctstate NEW -j ACCEPT")
    return [f"filter {line}" for line in (*lines, *rules)]


def rules(draw: Random, version: int, limits: bool) -> list[str]:
    """Return what the user has allowed and denied."""
    u = "ufw" if version == 4 else "ufw6"
    found = [f"-A {u}-user-input -p tcp -m tcp --dport 22 -j ACCEPT"]
    for _ in range(draw.randint(0, 6)):
        chain = draw.choice(("user-input", "user-forward", "user-forward"))
        parts = [f"-A {u}-{chain}"]
        if draw.random() < 0.4:
            parts.append(
                draw.choice(
                    ("-i eth0", "-i eth0 -o br-mailcow", "-o br-mailcow", "-i br-mailcow", "-i br-mailcow -o eth0")
                )
                if "forward" in chain
                else "-i eth0"
            )
        parts.append(draw.choice((
            f"-p tcp -m tcp --dport {draw.choice(PORTS)}", f"-p tcp -m tcp --dport {draw.choice(PORTS)}",
            f"-p tcp -m multiport --dports {','.join(map(str, some(draw, 5)))}", "", f"-p tcp -m tcp --dport 100:{draw.choice((300, 600))}", "-p udp -m udp --dport 53",
        )))  # fmt: skip
        if draw.random() < 0.4:
            parts.append(
                draw.choice(
                    (
                        f"-s {draw.choice(NETWORKS[version])}",
                        f"-s {LINK[version]}",
                        f"-d {container(draw, version)}",
                        f"-d {mailcow(version)}",
                        f"-d {HOST[version]}",
                    )
                )
            )
        end = draw.choice(
            (
                "ACCEPT",
                "ACCEPT",
                "ACCEPT",
                "DROP",
                "REJECT --reject-with tcp-reset" if "-p tcp" in " ".join(parts) else "REJECT",
            )
        )
        text = " ".join(part for part in parts if part)
        if limits and draw.random() < 0.3:
            found += [
                f"{text} -m conntrack --ctstate NEW -m recent --set",
                f"{text} -m conntrack --ctstate NEW -m recent --update --seconds 30 --hitcount 6 -j {u}-user-limit",
                f"{text} -j {u}-user-limit-accept",
            ]
        else:
            found.append(f"{text} -j {end}")
    if draw.random() < 0.2:
        found += _routed(version, u)
    return found


def _routed(version: int, u: str) -> list[str]:
    """Return `ufw route allow` for each of mailcow's ports."""
    return [
        f"-A {u}-user-forward -p tcp -d {SERVICES[service][version == 6]} -m tcp --dport {port} -j ACCEPT"
        for port, service in PUBLISHED.items()
    ]


def docker(draw: Random) -> list[str]:
    """Return what ufw-docker adds to DOCKER-USER."""
    lines = ["-N ufw-docker-logging-deny", "-A DOCKER-USER -j ufw-user-forward"]
    lines += [f"-A DOCKER-USER -s {one} -j RETURN" for one in PRIVATE]
    lines += ["-A DOCKER-USER -p udp -m udp --sport 53 --dport 1024:65535 -j RETURN"] * (draw.random() < 0.8)
    lines += [
        f"-A DOCKER-USER -d {one} -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ufw-docker-logging-deny"
        for one in PRIVATE
    ]
    lines += [f"-A DOCKER-USER -d {one} -p udp -m udp --dport 0:32767 -j ufw-docker-logging-deny" for one in PRIVATE]
    lines += ["-A DOCKER-USER -j RETURN", f"-A ufw-docker-logging-deny {LIMITED}", "-A ufw-docker-logging-deny -j DROP"]
    return [f"filter {line}" for line in lines]


def random(draw: Random, seed: int) -> Case:
    """Return a host with ufw, enabled before the engine starts, or later."""
    legacy = draw.random() < 0.2
    kind = "legacy" if legacy else "nft"
    limits = draw.random() < 0.15
    forward = draw.choice(("DROP", "DROP", "ACCEPT"))
    steps = [Step(f"iptables-{kind}", tuple(frame(4, forward, [f"{rule}" for rule in rules(draw, 4, limits)])))]
    if draw.random() < 0.8:
        steps.append(Step(f"ip6tables-{kind}", tuple(frame(6, forward, rules(draw, 6, limits)))))
    addition = (Step(f"iptables-{kind}", ("filter -F DOCKER-USER", *docker(draw))),) if draw.random() < 0.35 else ()
    late = draw.random() < 0.3
    return case(
        draw, "ufw", seed, legacy=legacy, before=() if late else tuple(steps),
        after=(*(steps if late else ()), *addition),
    )  # fmt: skip
