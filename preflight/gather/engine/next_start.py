"""What the engine meets when it is started next: its version, daemon.json as written, the flags, where images go."""

from __future__ import annotations

import re

from preflight.facts import DaemonConfig, Engine, EngineStart, Fact, GivenFlag
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.engine import containerd, daemon_flags, daemon_json
from preflight.gather.engine.daemon import PATH
from preflight.gather.engine.settings import parse_arguments, parse_daemon_json
from preflight.gather.packages import packages
from preflight.text.sentences import say

_PACKAGES = ("docker-ce", "docker.io", "moby-engine", "docker")


def engine_start(roots: Roots, engine: Engine | None, config: DaemonConfig | None) -> Fact[EngineStart]:
    """Read what counts at the engine's next start. `config`: the settings of the daemon that runs, if any."""
    if roots.root is None:
        return roots.unknown(PATH)
    if config is None:
        reason = say("The engine's settings are not known, so its next start cannot be judged.")
        return Fact.unknown(PATH, reason, say("Run preflight on the engine's own host."))
    snap = config.path.startswith("/var/snap/")  # starts its engine in a way of its own
    words, command = ((), "") if snap else daemon_flags.given(roots)
    running = tuple(GivenFlag(name, "") for name in _names(config.arguments))
    given = daemon_flags.flags(words, command) if command else running
    path = parse_arguments(words)[1] or config.path
    try:
        data = roots.read(path)
    except Unreadable:
        data = b""
    text = data.decode("utf-8-sig", "replace")
    whole = bool(text.strip()) and not parse_daemon_json(data)[1]
    root = config.settings.get("data-root")
    start = EngineStart(
        version=engine.version if engine else _version(roots),
        directives=daemon_json.directives(text) if whole else (),
        flags=given,
        command=command,
        containerd_root=containerd.root_told(roots),
        driver_images=containerd.has_driver_images(roots, root if isinstance(root, str) else "/var/lib/docker"),
    )
    return Fact.of(path, start)


def _names(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names in `--name=value`, as facts keep arguments: they are daemon.json's already."""
    return tuple(dict.fromkeys(word.removeprefix("--").partition("=")[0] for word in arguments))


def _version(roots: Roots) -> str:
    """Return the version of the engine's package; '' where no database that is read here has it."""
    for path, pattern in (
        (
            packages.DPKG,
            r"^Package: (?:{})\n(?=(?:.+\n)*?Status: \S+ \S+ installed)(?:.+\n)*?Version: (?:[0-9]+:)?([0-9.]+)",
        ),
        (packages.APK, r"^P:(?:{})\n(?:.+\n)*?V:([0-9.]+)"),
    ):
        try:
            text = roots.read(path, packages.DATABASE_BYTES).decode("utf-8", "replace")
        except Unreadable:
            continue
        for name in _PACKAGES:
            if match := re.search(pattern.format(re.escape(name)), text, re.MULTILINE):
                return match[1]
    return ""
