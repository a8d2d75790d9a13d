"""What firewall managers' own files say: whether they are switched on, and which rules they hold."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

from preflight.facts import RuleFile, Switch
from preflight.gather.access.roots import Roots, Unreadable

_SWITCHES = {
    "ufw": ("/etc/ufw/ufw.conf", "ENABLED"),
    "shorewall": ("/etc/shorewall/shorewall.conf", "STARTUP_ENABLED"),
    "ferm": ("/etc/default/ferm", "ENABLED"),
    "csf": ("/etc/csf/csf.conf", "TESTING"),
}
_CSF_OFF = "/etc/csf/csf.disable"
_NFT = ("/etc/nftables.conf", "/etc/sysconfig/nftables.conf", "/etc/nftables.nft")
_IPTABLES = (
    "/etc/iptables/rules.v4", "/etc/iptables/rules.v6", "/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables",
    "/etc/iptables/rules-save", "/etc/iptables/rules6-save", "/etc/iptables/iptables.rules",
)  # fmt: skip


class Rules(Struct, frozen=True):
    """What a manager's files of rules say. `closes`: of the chains INPUT and FORWARD; `makes`: chains of its own."""

    files: tuple[RuleFile, ...] = ()
    closes: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()


def switch(roots: Roots, name: str) -> Switch | None:
    """Return the setting that switches a manager on or off; None: it has none, or it cannot be read."""
    path, variable = _SWITCHES.get(name, ("", ""))
    try:
        if name == "csf" and roots.exists(_CSF_OFF):
            return Switch("", "", False)
        value = setting(roots.text(path), variable) if path else None
    except Unreadable:
        return None
    return None if value is None else Switch(variable, value, _on(name, value))


def _on(name: str, value: str) -> bool | None:
    """Say what a value means to a manager; None: not known."""
    if name == "ufw":
        return value == "yes"  # it takes nothing else for yes
    return {"yes": True, "no": False}.get(value) if name != "csf" else None  # CSF only tests its rules, or does not


def setting(text: str, variable: str) -> str | None:
    """Return a variable of a shell-like file in lower case and without quotes; the last one wins."""
    found = re.findall(rf"^[ \t]*{re.escape(variable)}[ \t]*=[ \t]*[\"']?([\w-]*)", text, re.MULTILINE)
    return found[-1].lower() if found else None


def rules(roots: Roots, name: str) -> Rules:
    """Read the files that a manager loads its rules from, those that there are."""
    if name not in _FORMATS:
        return Rules()
    paths, count, ends = _FORMATS[name]
    files: list[RuleFile] = []
    closes: set[str] = set()
    makes: list[str] = []
    for path in paths:
        try:
            text = roots.text(path)
        except Unreadable as error:
            if not error.absent:
                files.append(RuleFile(path, None, why=error.reason))
            continue
        files.append(RuleFile(path, *count(text)))
        closes.update(ends(text))
        makes += re.findall(r"^:([\w-]{1,64}) - ", text, re.MULTILINE)
    ordered = tuple(chain for chain in ("INPUT", "FORWARD") if chain in closes)
    return Rules(tuple(files), ordered, tuple(dict.fromkeys(makes))[:50])


_QUOTED = r'"(?:\\.|[^"\\\n])*"'  # comments and log prefixes, which may hold any word
_DECIDES = r"\b(accept|drop|reject|jump|goto|dnat|snat|masquerade|redirect|queue|include)\b"


def nft_rules(text: str) -> tuple[int, bool]:
    """Count the lines of an nftables script that decide (or include another), and say whether it flushes all first."""
    lines = [re.sub(_QUOTED, '""', line).partition("#")[0] for line in text.splitlines()]
    rules = [line for line in lines if re.search(_DECIDES, re.sub(r"\bpolicy\s+accept\b", "", line))]
    return len(rules), any(re.search(r"\bflush\s+ruleset\b", line) for line in lines)


_RULE = r"(?:\[[0-9]+:[0-9]+\] )?-[AI] |:\w+ DROP\b"  # counters, as `iptables-save -c` writes them
_DOCKERS = r" -[AIj] DOCKER| -[io] (docker0|docker_gwbridge|br-[0-9a-f]{12})\b"


def iptables_rules(text: str) -> tuple[int, bool]:
    """Count the rules and closed policies in what iptables-save wrote, but for Docker's own."""
    lines = (re.sub(_QUOTED, '""', line.strip()) for line in text.splitlines())
    return sum(1 for line in lines if re.match(_RULE, line) and not re.search(_DOCKERS, f" {line}")), False


def _iptables_closes(text: str) -> list[str]:
    """Return the built-in chains whose policy, or whose rule without a condition, lets nothing else through."""
    policy = re.findall(r"^:(INPUT|FORWARD) DROP\b", text, re.MULTILINE)
    return policy + re.findall(r"^(?:\[[0-9:]+\] )?-A (INPUT|FORWARD) -j (?:REJECT|DROP)\b", text, re.MULTILINE)


def _nft_closes(text: str) -> list[str]:
    plain = re.sub(r"#[^\n]*", "", re.sub(_QUOTED, '""', text))
    return [hook.upper() for hook in re.findall(r"\bhook\s+(input|forward)\b[^{}]*?\bpolicy\s+drop\b", plain)]


# By manager: its files, what counts the rules in one, and what finds the chains that one closes.
_FORMATS: dict[str, tuple[tuple[str, ...], Callable[[str], tuple[int, bool]], Callable[[str], list[str]]]] = {
    "nftables": (_NFT, nft_rules, _nft_closes),
    "iptables": (_IPTABLES, iptables_rules, _iptables_closes),
}
