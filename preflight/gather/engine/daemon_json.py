"""daemon.json as it is written: which keys, on which lines, of what kind their values are. No value is kept."""

from __future__ import annotations

import bisect
import ipaddress
import json
import re

from preflight.facts import Directive, Form
from preflight.net.addresses import parse_address

DIRECTIVES = 2000
_DEEPEST = 8
_TOKEN = re.compile(r'[ \t\r\n]*("(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+)')
_WORDS: dict[str, Form] = {"true": "boolean", "false": "boolean", "null": "null"}


def directives(text: str) -> tuple[Directive, ...]:
    """List the values of a text that is known to be JSON, each after what holds it; at most `DIRECTIVES`."""
    ends = [match.start() for match in re.finditer("\n", text)]
    found: list[Directive] = []
    open_: list[list[str | int | None]] = []  # of each list the number, of each object the key, of the next value
    place, labels = 0, dict[str, str]()
    while len(found) < DIRECTIVES and (match := _TOKEN.match(text, place)):
        token, place = match[1], match.end()
        here = open_[-1] if open_ else None
        if token == ":":
            continue
        if token == ",":
            if here is not None:
                here[0] = here[0] + 1 if isinstance(here[0], int) else None
            continue
        if token in "}]":
            open_.pop()
            continue
        if here is not None and here[0] is None:
            here[0] = _text(token)
            continue
        path = tuple(str(step[0])[:100] for step in open_)
        if path and len(path) <= _DEEPEST:
            line = bisect.bisect_left(ends, match.start(1)) + 1
            form = _form(token)
            open_number = form == "integer" and path[0] == "log-opts" and path[-1] in JSON_FILE
            kind = flaw(path, token)
            if form == "string" and path[0] == "labels":
                key, _, value = _text(token).partition("=")
                kind = kind or ("twice" if labels.setdefault(key, value) != value else "")
            found.append(Directive(path, line, form, kind, int(token) if open_number else None))
        if token in "{[":
            open_.append([None if token == "{" else 0])
    return tuple(found)


def _form(token: str) -> Form:
    if token[0] in '{["':
        return {"{": "object", "[": "list"}.get(token[0], "string")  # type: ignore[return-value]  # these three are
    if token in _WORDS:
        return _WORDS[token]
    if not re.fullmatch("-?[0-9]+", token):
        return "huge" if abs(float(token)) == float("inf") else "fraction"
    if len(token) > 300:
        return "huge"
    return "integer" if -(1 << 63) <= int(token) < 1 << 63 else "fraction"


def _text(token: str) -> str:
    text = str(json.loads(token, strict=False))
    return text.encode("utf-8", "replace").decode()


# --- what no value of its key can be ---------------------------------------------------------------------------

_ONE_OF = {
    "log-level": ("panic", "fatal", "error", "warn", "warning", "info", "debug", "trace"),
    "log-format": ("text", "json"),
    "default-ipc-mode": ("shareable", "private"),
    "default-cgroupns-mode": ("host", "private"),
    "firewall-backend": ("iptables", "nftables"),
}
_ADDRESSES = ("dns", "ip", "default-gateway", "default-gateway-v6", "host-gateway-ip", "host-gateway-ips")
_NETWORKS = {"fixed-cidr": 4, "fixed-cidr-v6": 6, "bip": 4}  # of bip6 no notice is taken without IPv6
_NEGATIVE = (
    "mtu", "max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts", "network-diagnostic-port",
    "default-stop-timeout",
)  # fmt: skip
_PREFIXES = ("com.docker.", "io.docker.", "org.dockerproject.")
_DOMAIN = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*\.?\s*")
_SIZE = re.compile(r"[0-9]+(?:\.[0-9]+)? ?(?:[kKmMgGtTpP][iI]?)?[bB]?")
_LOG_OPTIONS = ("mode", "max-buffer-size")
JSON_FILE = ("max-file", "max-size", "compress", "labels", "labels-regex", "env", "env-regex", "tag")


def flaw(path: tuple[str, ...], token: str) -> str:
    """Name what is wrong with a value whatever the engine's version; '' = nothing that is looked at."""
    key = path[0]
    if key == "network-diagnostic-port" and token.isdecimal() and len(token) < 20 and int(token) > 65535:
        return "port"
    if token[0] != '"':
        return "negative" if key in _NEGATIVE and token[0] == "-" and token[1:].strip("0") else ""
    text = _text(token)
    if not text:
        return ""
    if key == "log-level" and text.lower() == "warning":
        return "warning"
    if key in _ONE_OF:
        word = text.lower() if key == "log-level" else text
        return "" if word in _ONE_OF[key] else "word"
    if key in _ADDRESSES:
        if parse_address(text.partition("%")[0]) is None:
            return "address"
        return "zone" if "%" in text else ""
    if key in _NETWORKS:
        return "" if _is_network(text, _NETWORKS[key]) else "network"
    return _other(path, text)


def _other(path: tuple[str, ...], text: str) -> str:
    key = path[0]
    if key == "dns-search":
        name = text.strip(" ")
        return "" if name == "." or (re.search("[a-zA-Z]", name) and _DOMAIN.fullmatch(name)) else "domain"
    if key == "labels":
        return "label" if "=" not in text or text.lower().startswith(_PREFIXES) else ""
    if key == "hosts":
        scheme, given, _ = text.strip().partition("://")
        return "" if not given or scheme in ("tcp", "unix", "npipe", "fd") else "host"
    if key == "registry-mirrors":
        return _mirror(text)
    if key == "exec-opts":
        return "" if re.fullmatch(r"\s*native\.cgroupdriver\s*=\s*(?:cgroupfs|systemd)\s*", text) else "option"
    if key == "userland-proxy-path":
        return "" if text.startswith("/") else "relative"
    if key == "default-shm-size":
        return "" if _SIZE.fullmatch(text) else "size"
    if key == "default-address-pools" and path[-1].lower() == "base":
        return "" if _is_network(text) else "network"
    return ""


def _mirror(text: str) -> str:
    match = re.fullmatch(r"(?:(https?)://)?([^/?#]*)(/[^?#]*)?(.*)", text, re.DOTALL)
    if match is None or not match[1] or match[4] or "@" in match[2]:
        return "mirror"
    return "mirror-path" if match[3] not in (None, "/") else ""


def _is_network(text: str, version: int = 0) -> bool:
    if "/" not in text:
        return False
    try:
        found = ipaddress.ip_interface(text)
    except ValueError:
        return False
    return text.rpartition("/")[2].isdecimal() and version in (0, found.version)
