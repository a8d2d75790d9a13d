"""Lines for iptables and nft that let mailcow's packets through, and nothing else."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator

from preflight.checks.firewall.culprits import Case
from preflight.facts import Table

_NAME = re.compile(r"[A-Za-z_][\w./-]*", re.ASCII)  # what nft takes without quotes
_MOST = 15  # ports of one match of iptables' multiport
_KNOWN = "-m conntrack --ctstate RELATED,ESTABLISHED"
_UNTRACKED = ("-p tcp ! --syn", "-p udp --sport 53")  # answers, where connections are not known yet
_RETURN, _ACCEPT = "RETURN", "ACCEPT"


def docker_user(cases: Iterable[Case], tables: tuple[Table, ...]) -> Iterator[str]:
    """Yield the lines that come first in DOCKER-USER: what they name goes on to Docker's own rules."""
    for case in cases:
        program = _program(case, tables)
        for matches in (*_forwarded(case), _answers(case)):
            yield f"{program} -I DOCKER-USER {matches} -j {_RETURN}"


def iptables(cases: Iterable[Case], tables: tuple[Table, ...], *, derived: bool) -> Iterator[str]:
    """Yield the lines that come before the rule, or for a policy at the chain's end."""
    for case in cases:
        culprit, program = case.culprit, _program(case, tables)
        table = "" if culprit.table in ("filter", "") else f" -t {shlex.quote(culprit.table)}"
        place = f"{program}{table} {_place(case, derived)}"
        for matches in _matches(case):
            yield f"{place} {matches} -j {_ACCEPT}"


def saved(case: Case) -> Iterator[str]:
    """Yield the same as lines of a file that iptables-restore reads."""
    for matches in _matches(case):
        yield f"-A {case.culprit.chain} {matches} -j {_ACCEPT}"


def nft(cases: Iterable[Case]) -> Iterator[str]:
    """Yield the lines that come before the rule, or at the end where a policy stops it; none for names of no nft."""
    for case in cases:
        culprit = case.culprit
        names = (culprit.family, culprit.table, culprit.chain)
        if not all(_NAME.fullmatch(name) for name in names):
            continue
        where = " ".join(names)
        if culprit.kind == "policy":
            verb = f"add rule {where}"
        else:
            verb = f"insert rule {where}{'' if culprit.handle is None else f' position {culprit.handle}'}"
        for statement in statements(case):
            yield f"nft '{verb} {statement}'"


def statements(case: Case) -> Iterator[str]:
    """Yield what a chain of nft has to hold for mailcow's packets to pass."""
    if case.way == "out":
        yield f'iifname "{case.bridge}" accept'
    elif case.early or case.hook == "input":
        yield f"tcp dport {_set(case.outer)} accept"
    else:
        yield f'oifname "{case.bridge}" tcp dport {_set(case.inner)} accept'
    if case.culprit.family in ("netdev", "bridge") or case.hook == "input":
        return
    if not case.early:
        side = "oifname" if case.way == "out" else "iifname"
        yield f'{side} "{case.bridge}" ct state established,related accept'
    elif case.way == "in":
        yield f'iifname "{case.bridge}" accept'
    else:  # connections may not be known yet in this chain
        yield from ("tcp flags & (syn | ack) != syn accept", "udp sport 53 accept")


def listing(case: Case, tables: tuple[Table, ...]) -> str:
    """Return the command that shows the rules beside a rule."""
    return "nft -a list ruleset" if case.culprit.backend != "ip_tables" else f"{_program(case, tables)}-save"


def _program(case: Case, tables: tuple[Table, ...]) -> str:
    """Return the command that changes the tables that a rule is in."""
    program = "iptables" if case.version == 4 else "ip6tables"
    other = any(table.backend == "nf_tables" and table.family in ("ip", "ip6") for table in tables)
    return f"{program}-legacy" if case.culprit.backend == "ip_tables" and other else program


def _place(case: Case, derived: bool) -> str:
    """Return where a line is put; where mailcow runs, its chain stays the first one."""
    chain = shlex.quote(case.culprit.chain)
    if case.culprit.kind == "policy":
        return f"-A {chain}"
    if case.culprit.number is not None:
        return f"-I {chain} {case.culprit.number}"
    return f"-I {chain}" if derived or case.culprit.chain != "FORWARD" else f"-I {chain} 2"


def _matches(case: Case) -> Iterator[str]:
    """Yield what packets have to be, there and back, as far as the chain can ask."""
    bridge = shlex.quote(case.bridge)
    if case.hook == "postrouting":
        if case.way == "in":  # such chains do not know where a packet came in
            yield from _forwarded(case)
            yield _KNOWN
    elif case.way == "in" and (case.early or case.hook == "input"):
        yield from (f"-p tcp -m multiport --dports {ports}" for ports in _ports(case.outer))
        if case.early:
            yield f"-i {bridge}"
    elif case.early:
        yield f"-i {bridge}"
        yield from (_UNTRACKED if case.culprit.table == "raw" else (_KNOWN,))
    else:
        yield from _forwarded(case)
        yield _answers(case)


def _forwarded(case: Case) -> Iterator[str]:
    bridge = shlex.quote(case.bridge)
    if case.way == "out":
        yield f"-i {bridge}"
    else:
        yield from (f"-o {bridge} -p tcp -m multiport --dports {ports}" for ports in _ports(case.inner))


def _answers(case: Case) -> str:
    side = "-o" if case.way == "out" else "-i"
    return f"{side} {shlex.quote(case.bridge)} {_KNOWN}"


def _ports(ports: tuple[int, ...]) -> Iterator[str]:
    for start in range(0, len(ports), _MOST):
        yield ",".join(map(str, ports[start : start + _MOST]))


def _set(ports: tuple[int, ...]) -> str:
    return str(ports[0]) if len(ports) == 1 else "{ " + ", ".join(map(str, ports)) + " }"
