"""What firewall managers' own files say: whether they are switched on, and whether they hold rules."""

from __future__ import annotations

import re
from collections.abc import Callable

from preflight.gather.roots import Roots, Unreadable


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
