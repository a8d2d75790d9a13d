"""What firewall managers' own files say: whether they are switched on, and whether they hold rules."""

from __future__ import annotations

import re
from collections.abc import Callable

from preflight.gather.access.roots import Roots, Unreadable


def detail(roots: Roots, name: str) -> str:
    """Return a manager's settings in a few words; '' where there is nothing to say, or it cannot be read."""
    if name == "csf":
        return _csf(roots)
    if name in _RULES:
        paths, parse = _RULES[name]
        return "; ".join(filter(None, (_rules(roots, path, parse) for path in paths)))
    path, variable = _SWITCHES.get(name, ("", ""))
    value = _switch(roots, path, variable) if path else None
    return f"{variable}={value}" if value is not None else ""


_SWITCHES = {
    "ufw": ("/etc/ufw/ufw.conf", "ENABLED"),
    "shorewall": ("/etc/shorewall/shorewall.conf", "STARTUP_ENABLED"),
    "ferm": ("/etc/default/ferm", "ENABLED"),
}
_NFT = ("/etc/nftables.conf", "/etc/sysconfig/nftables.conf", "/etc/nftables.nft")
_IPTABLES = (
    "/etc/iptables/rules.v4", "/etc/iptables/rules.v6", "/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables",
    "/etc/iptables/rules-save", "/etc/iptables/rules6-save", "/etc/iptables/iptables.rules",
)  # fmt: skip


def _csf(roots: Roots) -> str:
    try:
        if roots.exists("/etc/csf/csf.disable"):
            return "disabled"
    except Unreadable:
        return ""
    value = _switch(roots, "/etc/csf/csf.conf", "TESTING")
    return f"TESTING={value}" if value is not None else ""


def _switch(roots: Roots, path: str, variable: str) -> str | None:
    try:
        return setting(roots.text(path), variable)
    except Unreadable:
        return None


def setting(text: str, variable: str) -> str | None:
    """Return a variable of a shell-like file in lower case and without quotes; the last one wins."""
    found = re.findall(rf"^[ \t]*{re.escape(variable)}[ \t]*=[ \t]*[\"']?([\w-]*)", text, re.MULTILINE)
    return found[-1].lower() if found else None


def _rules(roots: Roots, path: str, parse: Callable[[str], tuple[int, bool]]) -> str:
    try:
        text = roots.text(path)
    except Unreadable as error:
        return "" if error.absent else str(error)
    count, flush = parse(text)
    return f"{count} rule{'' if count == 1 else 's'} in {path}" + (", flush ruleset" if flush else "")


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


_RULES: dict[str, tuple[tuple[str, ...], Callable[[str], tuple[int, bool]]]] = {
    "nftables": (_NFT, nft_rules),
    "iptables": (_IPTABLES, iptables_rules),
}


def closed(roots: Roots, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the chains that a manager's own files close (of INPUT and FORWARD), and those that they make."""
    if name not in _RULES:
        return (), ()
    texts = [roots.try_text(path) for path in _RULES[name][0]]
    closes = _nft_closes if name == "nftables" else _iptables_closes
    made = [chain for text in texts for chain in re.findall(r"^:([\w-]{1,64}) - ", text, re.MULTILINE)]
    ends = dict.fromkeys(chain for text in texts for chain in closes(text))
    return tuple(chain for chain in ("INPUT", "FORWARD") if chain in ends), tuple(dict.fromkeys(made))[:50]


def _iptables_closes(text: str) -> list[str]:
    """Return the built-in chains whose policy, or whose rule without a condition, lets nothing else through."""
    policy = re.findall(r"^:(INPUT|FORWARD) DROP\b", text, re.MULTILINE)
    return policy + re.findall(r"^(?:\[[0-9:]+\] )?-A (INPUT|FORWARD) -j (?:REJECT|DROP)\b", text, re.MULTILINE)


def _nft_closes(text: str) -> list[str]:
    plain = re.sub(r"#[^\n]*", "", re.sub(_QUOTED, '""', text))
    return [hook.upper() for hook in re.findall(r"\bhook\s+(input|forward)\b[^{}]*?\bpolicy\s+drop\b", plain)]


def flushes(roots: Roots) -> bool:
    """Say whether nftables' own file takes away everybody's rules before it loads its own."""
    return any(nft_rules(roots.try_text(path))[1] for path in _NFT)
