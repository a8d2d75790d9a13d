"""What firewall managers' own files say: whether they are switched on, and whether they hold rules."""

from __future__ import annotations

import re

from preflight.gather.roots import Roots, Unreadable


def detail(roots: Roots, name: str) -> str:
    """Return a manager's settings in a few words; '' where there is nothing to say, or it cannot be read."""
    if name == "csf":
        return _csf(roots)
    if name == "nftables":
        return next(filter(None, (_rules(roots, path, nft_rules) for path in _NFT)), "")
    if name == "iptables":
        return "; ".join(filter(None, (_rules(roots, path, iptables_rules) for path in _IPTABLES)))
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


def _rules(roots: Roots, path: str, parse: object) -> str:
    try:
        text = roots.text(path)
    except Unreadable:
        return ""
    count, flush = parse(text)  # type: ignore[operator]  # one of the two below
    return f"{count} rule{'' if count == 1 else 's'} in {path}" + (", flush ruleset" if flush else "")


def nft_rules(text: str) -> tuple[int, bool]:
    """Count the lines of an nftables script that decide (or include another), and say whether it flushes all first."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    decides = re.compile(r"\b(accept|drop|reject|jump|goto|dnat|snat|masquerade|redirect|queue|include)\b")
    rules = [line for line in lines if decides.search(line) and not re.search(r"\bpolicy\s+accept\b", line)]
    return len(rules), any(re.search(r"\bflush\s+ruleset\b", line) for line in lines)


def iptables_rules(text: str) -> tuple[int, bool]:
    """Count the rules and closed policies in what iptables-save wrote, but for Docker's own."""
    rules = re.findall(r"^(?:-A (?!DOCKER)(?!.*\bdocker0?\b).*|:\w+ DROP.*)$", text, re.MULTILINE)
    return len(rules), False
