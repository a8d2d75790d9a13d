"""The flags that the engine is started with next: from its unit and drop-ins, or from the settings of its script."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from posixpath import basename

from preflight.facts import GivenFlag
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.services.systemd import PATH

UNIT = "docker.service"
_SIZE = 1 << 16
_ITEMS = 200
_CONF = (("/etc/conf.d/docker", "/etc/init.d/docker"), ("/etc/default/docker", "/etc/init.d/docker"))

# Flags of another name than the setting in daemon.json.
NAMED = {
    "host": "hosts", "registry-mirror": "registry-mirrors", "insecure-registry": "insecure-registries",
    "storage-opt": "storage-opts", "authorization-plugin": "authorization-plugins", "exec-opt": "exec-opts",
    "feature": "features", "default-network-opt": "default-network-opts", "dns-opt": "dns-opts", "label": "labels",
    "log-opt": "log-opts", "node-generic-resource": "node-generic-resources", "cdi-spec-dir": "cdi-spec-dirs",
    "add-runtime": "runtimes", "default-ulimit": "default-ulimits", "default-address-pool": "default-address-pools",
    "cluster-store-opt": "cluster-store-opts", "graph": "data-root",
}  # fmt: skip
SHORT = {
    "H": "host", "s": "storage-driver", "g": "data-root", "b": "bridge", "l": "log-level", "p": "pidfile", "G": "group",
    "D": "debug", "r": "restart", "v": "version", "h": "help",
}  # fmt: skip
_SWITCHES = frozenset({
    "debug", "restart", "version", "help", "validate", "tls", "tlsverify", "raw-logs", "iptables", "ip6tables", "ipv6",
    "ip-forward", "ip-forward-no-drop", "ip-masq", "icc", "userland-proxy", "selinux-enabled", "live-restore", "init",
    "no-new-privileges", "rootless", "experimental", "cri-containerd", "allow-direct-routing",
})  # fmt: skip

Words = tuple[str, ...]


def given(roots: Roots) -> tuple[Words, str]:
    """Return the arguments of the engine's next start, and the file that gives them ('' = no such file is known)."""
    found = unit_words(_unit_texts(roots), lambda path: roots.try_text(path, _SIZE))
    if found is not None:
        return found
    for settings, script in _CONF:
        try:
            if roots.exists(script) and (text := roots.try_text(settings, _SIZE)):
                return _variable(text, "DOCKER_OPTS"), settings
        except Unreadable:
            continue
    return (), ""


def flags(words: Words, source: str) -> tuple[GivenFlag, ...]:
    """Name the settings that arguments give, as daemon.json calls them, each once."""
    names: list[str] = []
    rest = list(words)
    while rest and len(names) < _ITEMS:
        word = rest.pop(0)
        if word == "--":
            break
        if len(word) < 2 or word[0] != "-":
            continue
        name, equals, _ = word.removeprefix("--").partition("=")
        if not word.startswith("--"):
            name, equals = SHORT.get(word[1], word[1]), word[2:]
        if name not in _SWITCHES and not equals and rest:
            rest.pop(0)
        names.append(NAMED.get(name, name)[:100])
    return tuple(GivenFlag(name, source) for name in dict.fromkeys(names))


def _unit_texts(roots: Roots) -> list[tuple[str, str]]:
    """Return the unit's file and its drop-ins, in the order in which systemd reads them; [] where there is none."""
    texts: list[tuple[str, str]] = []
    for folder in PATH:
        path = f"{folder}/{UNIT}"
        if roots.link(path) == "/dev/null":
            return []  # masked
        try:
            texts.append((path, roots.text(path, _SIZE)))
        except Unreadable as error:
            if error.absent:
                continue
            return []  # out of reach
        break
    if not texts:
        return []
    beside: dict[str, str] = {}
    for folder in reversed(PATH):
        for place in (f"{folder}/service.d", f"{folder}/{UNIT}.d"):
            try:
                beside |= {name: f"{place}/{name}" for name in roots.entries(place)[:_ITEMS] if name.endswith(".conf")}
            except Unreadable:
                continue
    return texts + [(beside[name], roots.try_text(beside[name], _SIZE)) for name in sorted(beside)]


def unit_words(texts: list[tuple[str, str]], read: Callable[[str], str]) -> tuple[Words, str] | None:
    """Return the arguments in a unit's last ExecStart=, with its variables in their places; None: there is none."""
    command: tuple[str, str] | None = None
    variables: dict[str, str] = {}
    for path, text in texts:
        for key, value in _settings(text):
            if key == "ExecStart":
                command = (value, path) if value else None
            elif key == "Environment":
                variables |= dict(word.split("=", 1) for word in _split(value) if "=" in word) if value else {}
            elif key == "EnvironmentFile" and value:
                variables |= _environment(read(value.lstrip("-")))
    if command is None:
        return None
    words = _arguments(_split(command[0].lstrip("@-:+!")), variables)
    return None if words is None else (words, command[1])


def _settings(text: str) -> list[tuple[str, str]]:
    """Read the [Service] section of a unit file; a backslash at its end goes on with a line."""
    found, section = [], ""
    for line in re.sub(r"\\\n(?:[ \t]*[#;][^\n]*\n)*", " ", text).split("\n"):
        line = line.strip()
        if line.startswith("["):
            section = line
        key, equals, value = line.partition("=")
        if section == "[Service]" and equals and line[:1] not in "#;":
            found.append((key.strip(), value.strip()))
    return found


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _environment(text: str) -> dict[str, str]:
    lines = (line.strip() for line in text.split("\n"))
    pairs = (line.split("=", 1) for line in lines if "=" in line and line[:1] not in "#;")
    return {name.strip(): " ".join(_split(value)) for name, value in pairs}


def _arguments(words: list[str], variables: dict[str, str]) -> Words | None:
    """Return what comes after the daemon's name; None where the command is none of the daemon's."""
    spread: list[str] = []
    for word in words:
        if re.fullmatch(r"\$[A-Za-z_][A-Za-z0-9_]*", word):
            spread += variables.get(word[1:], "").split()
        else:
            spread.append(re.sub(r"\$\{(\w+)\}", lambda match: variables.get(match[1], ""), word))
    for number, word in enumerate(spread[:20]):
        if basename(word).startswith("dockerd"):
            return tuple(spread[number + 1 :][:_ITEMS])
        if word == "-c" and number + 1 < len(spread) and "dockerd" in spread[number + 1]:
            return _arguments(_split(spread[number + 1]), variables)
    return None


def _variable(text: str, name: str) -> Words:
    """Return the words of a variable in the settings of a script: the last line that sets it."""
    found = re.findall(rf"^[ \t]*(?:export[ \t]+)?{name}=(.*)$", text, re.MULTILINE)
    return tuple(word for part in _split(found[-1].split(" #")[0]) for word in part.split()) if found else ()
