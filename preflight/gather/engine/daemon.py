"""The engine's settings: daemon.json and the arguments that the running daemon was given."""

from __future__ import annotations

import os
import re
import shlex
import socket
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from preflight.facts import DaemonConfig, Engine, Fact
from preflight.gather.access.roots import CGROUPS, LIMIT, Roots, Unreadable
from preflight.gather.engine import daemon_flags
from preflight.text.sentences import phrase, say

if TYPE_CHECKING:
    import json

PATH = "/etc/docker/daemon.json"
SNAP = "/var/snap/docker/current/config/daemon.json"
PROCESSES = 65_536
_UNITS = ("docker.service", "snap.docker.dockerd.service")

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


def daemon_config(
    roots: Roots, engine: Engine | None = None, url: str = "", *, listening: bool = True
) -> Fact[DaemonConfig]:
    """Read the daemon's settings. `engine` and `url` tell which of several daemons is meant, where that is known.

    `listening` False: nobody listens at `url`, so that there is no daemon to be searched for among all processes.
    """
    if roots.root is None:
        return roots.unknown(PATH)
    if engine and any("rootless" in option for option in engine.security_options):
        return Fact.unknown(
            PATH, say("The settings of a rootless engine lie in its user's home."), say("See docker.packaging.")
        )
    try:
        words = _arguments(roots, engine, url, search=listening) if roots.view.live else None
    except Unreadable:
        words = None
    if roots.view.live and words is None and url and _socket(url) != _DEFAULT:
        why = say(
            "The daemon that answers at {url} was not found among the host's processes, so its settings are not known.",
            url=url,
        )
        return Fact.unknown(PATH, why, say("Run preflight on the engine's own host."))
    if words is None:  # it does not run, or not here: what it is started with next
        words, _ = daemon_flags.given(roots)
    settings, given = parse_arguments(words)
    snap = bool(engine and engine.root_dir.startswith("/var/snap/"))
    path = given or (SNAP if snap else PATH)
    look_at = f"ls -l {shlex.quote(path)}"
    try:
        data = roots.read(path)
    except Unreadable as missing:
        if missing.cause == "directory":
            error = phrase("it is a directory")
            return Fact.of(path, DaemonConfig(path, True, error, settings, shown(settings), directory=True))
        if not missing.absent:
            return Fact.unknown(path, missing.sentence, say("Run as root; in a container, add --privileged."), look_at)
        return Fact.of(path, DaemonConfig(path, False, "", settings, shown(settings)))
    if len(data) >= LIMIT:
        return Fact.unknown(
            path,
            say("{path} is larger than {size} MiB.", path=path, size=LIMIT >> 20),
            say("Look what it holds."),
            look_at,
        )
    held, error = parse(data)
    return Fact.of(path, DaemonConfig(path, True, error, {**held, **settings}, shown(settings)))


def shown(settings: dict[str, Value]) -> tuple[str, ...]:
    """Write settings as arguments, each value a word: `--name=value`."""
    words = []
    for key, value in settings.items():
        listed = value if isinstance(value, list) else [value]
        words += [f"--{key}={str(held).lower() if isinstance(held, bool) else held}" for held in listed]
    return tuple(words)


def parse(data: bytes) -> tuple[dict[str, Value], str]:
    """Read daemon.json; return the settings that matter, and what is wrong with the file ('' = nothing)."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return {}, phrase("it is not UTF-8 text")
    if not text.strip():
        return {}, phrase("it is empty")
    import json

    try:
        document = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return {}, mistake(text, error)
    except (ValueError, RecursionError):
        return {}, phrase("it is not JSON that the engine could read")
    if not isinstance(document, dict):
        return {}, phrase("it is not a JSON object")
    # A null is to the engine as good as nothing.
    return {key: _held(key, document[key], kind) for key, kind in KEYS.items() if document.get(key) is not None}, ""


def mistake(text: str, error: json.JSONDecodeError) -> str:
    """Say what is wrong with a text that is no JSON, by its line: what people write most often in their own words."""
    before = text[: error.pos].rstrip()
    line, here = text.count("\n", 0, error.pos) + 1, text[error.pos : error.pos + 2]
    last = text.count("\n", 0, len(before)) + 1
    if before.endswith(",") and here[:1] in ("}", "]", ""):
        return phrase("line {line} ends with a comma too many", line=last)
    if here[:1] == "," and text[error.pos + 1 :].lstrip()[:1] in ("}", "]"):
        return phrase("line {line} ends with a comma too many", line=line)
    if here[:1] == "#" or here in ("//", "/*"):
        return phrase("line {line} has a comment, which JSON does not allow", line=line)
    if here[:1] in ("'", "\u201c", "\u201d", "\u2018", "\u2019"):
        return phrase("line {line} has other quotation marks than the straight double ones of JSON", line=line)
    if here[:1] == '"' and before[-1:] not in ("", "{", "[", ",", ":"):
        return phrase("a comma is missing at the end of line {line}", line=last)
    return f"line {error.lineno}, column {error.colno}: {error.msg}"


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


def _arguments(roots: Roots, engine: Engine | None, url: str, *, search: bool) -> tuple[str, ...] | None:
    """Return the arguments of the first daemon that fits; None where none of the host's own does."""
    proc = roots.locate("/proc")
    for pid in dict.fromkeys(_likely(roots, url)):
        words = _words(roots, proc, pid)
        if words is not None and fits(words, engine, url):
            return words
    if search:
        for pid in roots.entries("/proc", PROCESSES):
            words = _words(roots, proc, pid) if pid.isdigit() else None
            if words is not None and fits(words, engine, url):
                return words
    return None


def _likely(roots: Roots, url: str) -> Iterator[str]:
    """Give the ids of the processes that may be the daemon, without a look at all processes of a busy host.

    That the daemon's own file names, those of its unit, and who listens at `url` (with a socket of systemd's, that is
    systemd). Each may be somebody else: a file is left behind, and a copy of an id is another process elsewhere.
    """
    for path in ("/var/run/docker.pid", "/run/snap.docker/docker.pid"):
        yield from _numbers(roots.try_text(path, 20))
    for tree in CGROUPS:
        for unit in _UNITS:
            yield from _numbers(roots.try_text(f"{tree}/system.slice/{unit}/cgroup.procs", 1 << 14))
    yield from _numbers(str(_listener(url) or ""))


def _numbers(text: str) -> list[str]:
    return [word for word in text.split() if word.isascii() and word.isdigit()]


def _listener(url: str) -> int | None:
    """Return who listens at a local socket, as the kernel tells whoever connects; None: nobody, or not told."""
    path = url.removeprefix("unix://")
    if path == url or len(os.fsencode(path)) > 107:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as asked:
        try:
            asked.connect(path)
            told = asked.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        except (OSError, ValueError):
            return None
    return int(struct.unpack("=iII", told)[0])


def _words(roots: Roots, proc: str, pid: str) -> tuple[str, ...] | None:
    """Return the arguments of a process that is a daemon of the host; None: it is none."""
    if not _is_daemon(roots, proc, pid):
        return None
    try:
        with open(f"{proc}/{pid}/cmdline", "rb") as file:
            return tuple(os.fsdecode(word) for word in file.read(1 << 16).split(b"\0"))[1:]
    except OSError:
        return None


def _is_daemon(roots: Roots, proc: str, pid: str) -> bool:
    try:
        with open(f"{proc}/{pid}/comm", "rb") as file:
            if file.read(32).strip() != b"dockerd":
                return False
        with open(f"{proc}/{pid}/status", "rb") as file:
            if b"\nUid:\t0\t" not in file.read(4096):  # a user's own (rootless), or one that only bears the name
                return False
        here, there = os.stat(roots.root or "/"), os.stat(f"{proc}/{pid}/root")
    except OSError:
        return False
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)  # else it is a container's or another host's


def fits(words: tuple[str, ...], engine: Engine | None, url: str) -> bool:
    """Say whether a daemon with these arguments can be the one that answers at `url` with what `engine` says."""
    settings, _ = parse_arguments(words)
    root, hosts = settings.get("data-root"), settings.get("hosts")
    said = engine.root_dir if engine else ""  # with user namespaces a folder below
    if said and isinstance(root, str) and not f"{said}/".startswith(f"{root.rstrip('/')}/"):
        return False
    if not url.startswith("unix://"):
        return True
    sockets = [_socket(host) for host in hosts if "://" in host] if isinstance(hosts, list) and hosts else []
    return _socket(url) in sockets or (_socket(url) == _DEFAULT and (not sockets or "fd:" in sockets))


_DEFAULT = "/run/docker.sock"


def _socket(url: str) -> str:
    """Return a socket's path on the host, in one of its spellings; "fd:" for one that systemd holds."""
    path = re.sub(r"^/proc/[0-9]+/root/", "/", url.removeprefix("unix://"))
    return "fd:" if path.startswith("fd://") else path.replace("/var/run/", "/run/", 1)
