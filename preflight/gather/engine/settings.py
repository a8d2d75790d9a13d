"""The engine's settings as daemon.json and its arguments write them. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from preflight.facts import JsonFault

if TYPE_CHECKING:
    import json

Value = bool | int | float | str | list[str] | None

# Only these are kept: others may hold secrets (proxies, log options). Type: what the daemon's own flag takes.
KEYS: dict[str, type] = {
    "iptables": bool, "ip6tables": bool, "ipv6": bool, "fixed-cidr-v6": str, "experimental": bool,
    "userland-proxy": bool, "userland-proxy-path": str, "data-root": str, "exec-root": str, "storage-driver": str,
    "mtu": int, "bip": str, "bip6": str, "fixed-cidr": str, "bridge": str, "default-address-pools": list,
    "firewall-backend": str, "userns-remap": str, "selinux-enabled": bool, "live-restore": bool, "log-driver": str,
    "dns": list, "ip-forward": bool, "ip-masq": bool, "ip": str, "icc": bool, "default-runtime": str, "hosts": list,
    "features": dict, "default-network-opts": dict,
}  # fmt: skip
_FLAGS = {
    "host": "hosts", "H": "hosts", "s": "storage-driver", "g": "data-root", "graph": "data-root", "b": "bridge",
    "default-address-pool": "default-address-pools", "feature": "features",
    "default-network-opt": "default-network-opts",
}  # fmt: skip
MTU_OPTION = "com.docker.network.driver.mtu"
_SHORT = ("-H", "-s", "-g", "-b")  # may have their value in the same word


def as_arguments(settings: dict[str, Value]) -> tuple[str, ...]:
    """Write settings as arguments, each value a word: `--name=value`."""
    words = []
    for key, value in settings.items():
        listed = value if isinstance(value, list) else [value]
        words += [f"--{key}={str(held).lower() if isinstance(held, bool) else held}" for held in listed]
    return tuple(words)


def parse_daemon_json(data: bytes) -> tuple[dict[str, Value], JsonFault | None]:
    """Read daemon.json; return the settings that matter, and what is wrong with the file (None: nothing)."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return {}, JsonFault("encoding")
    if not text.strip():
        return {}, JsonFault("empty")
    import json

    try:
        document = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return {}, mistake(text, error)
    except (ValueError, RecursionError):
        return {}, JsonFault("json")
    if not isinstance(document, dict):
        return {}, JsonFault("object")
    # A null is to the engine as good as nothing.
    return {key: _held(key, document[key], kind) for key, kind in KEYS.items() if document.get(key) is not None}, None


def mistake(text: str, error: json.JSONDecodeError) -> JsonFault:
    """Return what is wrong with a text that is no JSON: what people write most often has a name."""
    before = text[: error.pos].rstrip()
    line, here = text.count("\n", 0, error.pos) + 1, text[error.pos : error.pos + 2]
    last = text.count("\n", 0, len(before)) + 1
    if before.endswith(",") and here[:1] in ("}", "]", ""):
        return JsonFault("last-comma", last)
    if here[:1] == "," and text[error.pos + 1 :].lstrip()[:1] in ("}", "]"):
        return JsonFault("last-comma", line)
    if here[:1] == "#" or here in ("//", "/*"):
        return JsonFault("comment", line)
    if here[:1] in ("'", "\u201c", "\u201d", "\u2018", "\u2019"):
        return JsonFault("quotes", line)
    if here[:1] == '"' and before[-1:] not in ("", "{", "[", ",", ":"):
        return JsonFault("comma", last)
    return JsonFault("syntax", error.lineno, str(error))


def _held(key: str, value: Any, kind: type) -> Value:
    return _network_options(value) if key == "default-network-opts" else _value(value, kind)


def _network_options(value: Any) -> list[str] | None:
    """Write each driver's options as the flag does, `bridge=com.docker.network.driver.mtu=1450`: the MTU alone.

    None where the value is not what the engine takes: strings by option by driver.
    """
    if not isinstance(value, dict):
        return None
    kept = []
    for driver, options in value.items():
        if not isinstance(options, dict) or not all(isinstance(held, str) for held in options.values()):
            return None
        kept += [_cut(f"{driver}={MTU_OPTION}={held}") for key, held in options.items() if key == MTU_OPTION]
    return kept[:50]


def _refuse(word: str) -> None:
    raise ValueError(word)


def _value(value: Any, kind: type) -> Value:
    """Keep a value of the kind that the engine takes; None for any other, which the engine refuses."""
    if kind in (list, dict):
        return _flat(value) if isinstance(value, kind) else None
    if kind is str and isinstance(value, str):
        return value[:1000].encode("utf-8", "replace").decode()
    if kind is bool and isinstance(value, bool):
        return value
    return value if kind is int and type(value) is int and abs(value) < 1 << 32 else None


def _flat(value: dict[str, Any] | list[Any]) -> list[str] | None:
    """Write lists of strings, address pools and features as the daemon's flags do."""
    if isinstance(value, dict):
        import json

        return [_cut(f"{key}={json.dumps(held)}") for key, held in list(value.items())[:50]]
    if not all(isinstance(row, (str, dict)) for row in value):
        return None
    pools = (
        f"base={row.get('base')},size={row.get('size')}" if isinstance(row, dict) else str(row) for row in value[:50]
    )
    return [_cut(pool) for pool in pools]


def _cut(text: str) -> str:
    return text[:200].encode("utf-8", "replace").decode()


def parse_arguments(words: tuple[str, ...]) -> tuple[dict[str, Value], str]:
    """Read a daemon's arguments; return the settings that matter, and the value of --config-file ('' = not given)."""
    settings: dict[str, Value] = {}
    config = ""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if word[:2] in _SHORT and word[2:]:
            name, equals, value = word[1], "=", word[2:].removeprefix("=")
        name = _FLAGS.get(name, name)
        kind = KEYS.get(name, str if name == "config-file" else None)
        if kind is None:
            continue
        if kind is bool:
            settings[name] = not equals or value.lower() in ("1", "t", "true")
            continue
        if not equals:
            value = rest.pop(0) if rest else ""
        if name == "config-file":
            config = value
        elif kind in (list, dict):
            listed = settings.setdefault(name, [])
            if isinstance(listed, list):
                listed.append(value)
        else:
            settings[name] = int(value) if kind is int and re.fullmatch("[0-9]{1,9}", value) else value[:1000]
    return settings, config
