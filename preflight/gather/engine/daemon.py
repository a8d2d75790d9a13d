"""The engine's settings: daemon.json and the arguments that the running daemon was given."""

from __future__ import annotations

import shlex

from preflight.facts import DaemonConfig, Engine, Fact, JsonFault
from preflight.gather.access.roots import FILE_BYTES, Roots, Unreadable
from preflight.gather.engine import daemon_flags, dockerd
from preflight.gather.engine.settings import as_arguments, parse_arguments, parse_daemon_json
from preflight.text.sentences import say

PATH = "/etc/docker/daemon.json"
SNAP = "/var/snap/docker/current/config/daemon.json"


def daemon_config(
    roots: Roots, engine: Engine | None = None, url: str = "", *, listening: bool = True
) -> Fact[DaemonConfig]:
    """Read the daemon's settings. `engine` and `url` tell which of several daemons is meant, where that is known.

    `listening` False: nobody listens at `url`, so that there is no daemon to be searched for among all processes.
    """
    if roots.root is None:
        return roots.unknown(PATH)
    if engine and "rootless" in engine.options:
        return Fact.unknown(
            PATH,
            say("The settings of a rootless engine are in its user's home directory."),
            say("See docker.packaging."),
        )
    try:
        words = dockerd.arguments(roots, engine, url, search=listening) if roots.view.live else None
    except Unreadable:
        words = None
    if roots.view.live and words is None and url and not dockerd.is_default(url):
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
            fault = JsonFault("directory")
            return Fact.of(path, DaemonConfig(path, True, settings, as_arguments(settings), fault))
        if not missing.absent:
            return roots.denied(path, missing.sentence, look_at)
        return Fact.of(path, DaemonConfig(path, False, settings, as_arguments(settings)))
    if len(data) >= FILE_BYTES:
        return Fact.unknown(
            path,
            say("{path} is larger than {size} MiB.", path=path, size=FILE_BYTES >> 20),
            say("Check its contents."),
            look_at,
        )
    held, broken = parse_daemon_json(data)
    return Fact.of(path, DaemonConfig(path, True, {**held, **settings}, as_arguments(settings), broken))
