"""Random rules of iptables: in DOCKER-USER alone, and in all tables, of either backend."""

from __future__ import annotations

from random import Random

from tests.differential.cases import HOST, Case, Step
from tests.differential.generators.common import LINK, NETWORKS, case, container, mailcow, some, target

HOOKS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}
REJECTS = {
    4: ("icmp-port-unreachable", "icmp-admin-prohibited", "icmp-host-prohibited"),
    6: ("icmp6-port-unreachable", "icmp6-adm-prohibited"),
}
# What only these chains may have; of others the kernel tells its log.
EARLY = ("-m rpfilter", "-m socket", "-m addrtype --dst-type LOCAL --limit-iface-in", "-m devgroup", "-m mac")
RATES = (
    "-m cpu --cpu 0",
    "-m limit --limit 5/min --limit-burst 1", "-m limit --limit 100/sec", "-m statistic --mode random --probability 0.5",
    "-m recent --name l{n} --update --seconds 60 --hitcount 3", "-m recent --name l{n} --set",
    "-m hashlimit --hashlimit-name h{n} --hashlimit-upto 5/min --hashlimit-mode srcip --hashlimit-burst 1",
    "-m time --timestart 02:00 --timestop 03:00", "-m connlimit --connlimit-above 3", "-m quota --quota 100",
    "-m statistic --mode nth --every 3 --packet 0",
)  # fmt: skip


def ways(draw: Random, chain: str) -> str:
    """Return conditions on interfaces that a chain can have."""
    into = chain in ("PREROUTING", "INPUT", "FORWARD") or chain.startswith(("DOCKER", "own"))
    out = chain in ("OUTPUT", "POSTROUTING", "FORWARD") or chain.startswith("DOCKER")
    found = []
    if into and draw.random() < 0.5:
        found.append(
            draw.choice(
                (
                    "-i eth0",
                    "-i eth0",
                    "! -i br-mailcow",
                    "-i br-mailcow",
                    "-i br+",
                    "! -i eth0",
                    "-i docker0",
                    "! -i lo",
                    "-i eth+",
                )
            )
        )
    if out and draw.random() < 0.3:
        found.append(draw.choice(("-o eth0", "-o br-mailcow", "! -o br-mailcow", "! -o eth0", "-o br+", "-o docker0")))
    return " ".join(found)


def protocol(draw: Random) -> str:
    """Return a condition on protocol and ports."""
    ports = some(draw, 6)
    listed = ",".join(map(str, ports))
    return draw.choice((
        f"-p tcp -m tcp --dport {ports[0]}", f"-p tcp -m tcp --dport {ports[0]}", f"-p tcp -m multiport --dports {listed}",
        f"-p tcp -m multiport ! --dports {listed}", f"-p tcp -m tcp --dport {ports[0]}:{ports[0] + 200}",
        f"-p tcp -m tcp ! --dport {ports[0]}", f"-p tcp -m tcp --sport {ports[0]}", "-p tcp -m tcp --syn",
        "-p tcp -m tcp --tcp-flags SYN,RST SYN", "-p tcp", "-p udp -m udp --dport 53", "-p udp", "! -p tcp",
        f"-p tcp -m multiport --ports {listed}", "-p tcp -m tcp ! --tcp-flags SYN,ACK SYN", "-p tcp -m tcp --sport 1024:65535",
        f"-p tcp -m tcp --dport {ports[0]} --syn",
    ))  # fmt: skip


def addresses(draw: Random, version: int) -> str:
    """Return a condition on addresses."""
    one, two = draw.choice(NETWORKS[version]), draw.choice((LINK[version], mailcow(version), HOST[version]))
    return draw.choice((
        f"-s {one}", f"! -s {one}", f"-s {two}", f"! -s {two}", f"-d {target(draw, version)}", f"! -d {target(draw, version)}",
        f"-d {two}", f"-s {container(draw, version)}",
    ))  # fmt: skip


def extension(draw: Random, version: int) -> str:
    """Return one more match."""
    ports = some(draw)
    number = draw.randint(1, 3)
    hops = "-m ttl --ttl-gt 10" if version == 4 else "-m hl --hl-gt 10"
    few = "-m ttl --ttl-lt 64" if version == 4 else "-m hl --hl-lt 64"
    span = "45.1.2.3-45.1.2.99" if version == 4 else "2001:db8::1-2001:db8::99"
    return draw.choice((
        "-m conntrack --ctstate NEW", "-m conntrack --ctstate RELATED,ESTABLISHED", "-m conntrack --ctstate INVALID",
        "-m conntrack --ctstate NEW,ESTABLISHED", "-m conntrack --ctstate DNAT", "-m conntrack ! --ctstate DNAT",
        f"-m conntrack --ctorigdstport {ports[0]}", f"-m conntrack --ctorigdstport {ports[0]} --ctdir ORIGINAL",
        f"-m conntrack --ctorigdst {HOST[version]}", "-m conntrack --ctdir REPLY", "-m conntrack ! --ctstatus ASSURED",
        "-m conntrack --ctproto 6", "-m state --state NEW", f"-m mark --mark 0x{number}/0xff", f"-m mark ! --mark 0x{number}",
        f"-m connmark --mark 0x{number}", "-m addrtype --dst-type LOCAL", "-m addrtype ! --dst-type LOCAL",
        "-m addrtype --src-type UNICAST", f"-m iprange --src-range {span}", f"-m iprange ! --src-range {span}", hops, few,
        "-m length --length 0:100", "-m pkttype --pkt-type unicast", "-m comment --comment \"a 'rule' {1}\"",
        "-m dscp --dscp 0", "-m mac --mac-source 52:54:00:11:22:33", "-m rpfilter", "-m rpfilter --invert",
        "-m string --algo bm --string mail", "-m helper --helper ftp", "-m addrtype --dst-type LOCAL --limit-iface-in",
        "-m u32 --u32 0&0=0", "-m socket", "-m conntrack --ctstate SNAT", "-m devgroup --src-group 0x0",
        "-m physdev --physdev-is-bridged",
    ))  # fmt: skip


def ending(draw: Random, version: int, table: str, chain: str, chains: list[str], tcp: bool) -> str:
    """Return a target."""
    if table == "nat":
        return _nat(draw, version, chain, tcp)
    found = ["ACCEPT", "ACCEPT", "DROP", "DROP", "RETURN"]
    if table == "filter":
        found += [f"REJECT --reject-with {kind}" for kind in REJECTS[version]] + [
            "REJECT --reject-with tcp-reset"
        ] * tcp
    if table == "mangle":
        number = draw.randint(1, 3)
        found += [
            f"MARK --set-xmark 0x{number}/0xff",
            f"CONNMARK --set-xmark 0x{number}/0xff",
            "CONNMARK --restore-mark",
            "CONNMARK --save-mark",
        ]
        found += ["DSCP --set-dscp 0x08", "TCPMSS --clamp-mss-to-pmtu" if tcp and chain == "FORWARD" else "ACCEPT"]
        found += ["TTL --ttl-set 64" if version == 4 else "HL --hl-set 64"]
    if table == "raw":
        found += ["CT --notrack"]
    found += ["LOG --log-prefix x", "NFLOG --nflog-group 3"] if draw.random() < 0.3 else []
    if draw.random() < 0.02:
        found += ["NFQUEUE --queue-num 7", "NFQUEUE --queue-num 7 --queue-bypass"]
    end = draw.choice(found)
    if chains and draw.random() < 0.3:
        return draw.choice(("-j", "-j", "-g")) + f" {draw.choice(chains)}"
    return f"-j {end}"


def _nat(draw: Random, version: int, chain: str, tcp: bool) -> str:
    found = ["ACCEPT", "ACCEPT", "RETURN"]
    other = container(draw, version)
    if chain in ("PREROUTING", "OUTPUT"):
        to = f"{other}:25" if version == 4 else f"[{other}]:25"
        found += [f"DNAT --to-destination {to}", "REDIRECT --to-ports 8025"] if tcp else []
        found += [f"DNAT --to-destination {other}"] * (draw.random() < 0.3)
    elif chain == "POSTROUTING":
        found += ["MASQUERADE", f"SNAT --to-source {HOST[version]}", "ACCEPT"]
    return f"-j {draw.choice(found)}"


def rule(draw: Random, version: int, table: str, chain: str, chains: list[str], rates: float) -> str:
    """Return a rule, without the command and its chain."""
    parts = [ways(draw, chain)]
    parts.append(protocol(draw) if draw.random() < 0.6 else "")
    parts.append(addresses(draw, version) if draw.random() < 0.35 else "")
    more = [extension(draw, version) for _ in range(draw.choice((0, 0, 1, 1, 2)))]
    early = chain == "PREROUTING" and table != "nat"
    parts += [one for one in more if early or not one.startswith(EARLY)]
    if draw.random() < rates:
        parts.append(draw.choice(RATES).format(n=draw.randint(1, 3)))
    tcp = any(part.startswith("-p tcp") for part in parts)
    parts.append(ending(draw, version, table, chain, chains, tcp))
    return " ".join(part for part in parts if part)


def table(draw: Random, version: int, name: str, most: int, rates: float, user: bool = False) -> list[str]:
    """Return the lines of a table: own chains, rules, at times policies."""
    chains = [f"own{number}" for number in range(draw.choice((0, 0, 1, 2)))] if name != "nat" else []
    lines = [f"{name} -N {chain}" for chain in chains]
    for depth, chain in enumerate(chains):
        lines += [
            f"{name} -A {chain} {rule(draw, version, name, chain, chains[depth + 1 :], rates)}"
            for _ in range(draw.randint(0, 3))
        ]
    for _ in range(draw.randint(1, most)):
        chain = draw.choice((*HOOKS[name], *(("DOCKER-USER",) * 2 if user and name == "filter" else ())))
        lines.append(
            f"{name} {draw.choice(('-A', '-A', '-I'))} {chain} {rule(draw, version, name, chain, chains, rates)}"
        )
    if draw.random() < 0.25 and name in ("filter", "mangle"):
        lines.append(f"{name} -P {draw.choice(HOOKS[name])} {draw.choice(('DROP', 'ACCEPT'))}")
    return lines


def lines(draw: Random, version: int, rates: float, user: bool = False) -> tuple[str, ...]:
    """Return lines of several tables."""
    names = draw.sample(list(HOOKS), draw.choice((1, 1, 2, 3)))
    return tuple(line for name in names for line in table(draw, version, name, draw.choice((2, 4, 8)), rates, user))


def user(draw: Random, seed: int) -> Case:
    """Return a host with rules in DOCKER-USER alone."""
    made = case(draw, "user", seed, legacy=draw.random() < 0.3)
    steps = []
    for version in (4, 6):
        if version == 6 and not (made.ip6tables and not made.engine.startswith("20.")):
            continue
        found = [f"filter -N own{number}" for number in range(2)] if draw.random() < 0.3 else []
        chains = [line.split()[-1] for line in found]
        found += [f"filter -A own1 {rule(draw, version, 'filter', 'own1', [], 0)}"] if found else []
        for _ in range(draw.randint(1, 8)):
            found.append(
                f"filter {draw.choice(('-I', '-I', '-A'))} DOCKER-USER {rule(draw, version, 'filter', 'DOCKER-USER', chains, 0)}"
            )
        kind = "legacy" if made.legacy else "nft"
        steps.append(Step(f"{'iptables' if version == 4 else 'ip6tables'}-{kind}", tuple(found)))
    return _with(made, after=tuple(steps))


def native(draw: Random, seed: int) -> Case:
    """Return a host with random rules of iptables-nft, before and after the engine's."""
    return _both(draw, case(draw, "iptables-nft", seed), "nft")


def legacy(draw: Random, seed: int) -> Case:
    """Return a host with random rules of ip_tables; the engine's may be those of nf_tables."""
    return _both(draw, case(draw, "iptables-legacy", seed, legacy=draw.random() < 0.8), "legacy")


def _both(draw: Random, made: Case, kind: str) -> Case:
    rates = draw.choice((0.0, 0.0, 0.0, 0.15))
    own = made.legacy == (kind == "legacy")
    steps: dict[str, list[Step]] = {"before": [], "after": []}
    for when, user in (("before", False), ("after", own)):
        for version, program in ((4, "iptables"), (6, "ip6tables")):
            if draw.random() < 0.6:
                steps[when].append(
                    Step(f"{program}-{kind}", lines(draw, version, rates, user and (version == 4 or made.ip6tables)))
                )
    return _with(made, before=tuple(_distinct(steps["before"])), after=tuple(_distinct(steps["after"], "b")))


def _distinct(steps: list[Step], suffix: str = "") -> list[Step]:
    """Give own chains names of their own, before and after."""
    return [
        Step(
            step.program,
            tuple(line.replace("own0", f"own0{suffix}").replace("own1", f"own1{suffix}") for line in step.lines),
        )
        for step in steps
    ]


def _with(made: Case, **steps: tuple[Step, ...]) -> Case:
    from msgspec.structs import replace

    return replace(made, **steps)
