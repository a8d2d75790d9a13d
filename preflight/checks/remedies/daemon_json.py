"""daemon.json: how a value in it is changed, and how it keeps images out of containerd's store."""

from __future__ import annotations

import shlex

from preflight.checks import Look
from preflight.checks.remedies import distro
from preflight.facts import Host, Space
from preflight.report.model import Remedy, WrittenFile
from preflight.text.sentences import paragraph, say

_SETTING = '{"features": {"containerd-snapshotter": false}}'
_PATH = "/etc/docker/daemon.json"


def elsewhere(look: Look, space: Space, data_root: str, free: str) -> Remedy:
    """Say how images are kept on another file system than containerd's own; `free`: how there is more space on it.

    Commands only where no container is lost from sight: the engine's two stores do not see each other's.
    """
    move = say(
        'Or move containerd: stop docker and containerd, copy {path} to a larger file system, and set root = "…" '
        "at the top of /etc/containerd/config.toml.",
        path=space.path,
    )
    switch = say(
        'Or keep the images in the engine\'s data-root {root}: add "features": {features} to {file} and restart '
        "Docker. Existing images must be pulled again.",
        root=data_root,
        features='{"containerd-snapshotter": false}',
        file=_PATH,
    )
    look_at = (f"df -h {shlex.quote(space.existing)}",)
    engine, config = look.host.engine.value, look.host.daemon_config.value
    if engine is not None and (engine.containers or engine.truncated):
        return Remedy(paragraph(free, move, switch), (*look_at, "docker system df"))
    restart = distro.restart(look.host, "docker") if engine is not None else ()
    if config is None or config.fault:
        return Remedy(paragraph(free, move, switch), look_at)
    if not config.present:
        made = (f"mkdir -p {shlex.quote(config.path.rpartition('/')[0] or '/')}",)
        write = f"printf '%s\\n' {shlex.quote(_SETTING)} > {shlex.quote(config.path)}"
        files = (WrittenFile(config.path, _SETTING + "\n"),)
        return Remedy(paragraph(free, move, switch), (*look_at, *made, write, *restart), files=files)
    changed = edit(look.host, config.path, '.features["containerd-snapshotter"] = false')
    return Remedy(paragraph(free, move, switch), (*look_at, *changed, *(restart if changed else ())))


def edit(host: Host, path: str, change: str) -> tuple[str, ...]:
    """Return the commands that change a JSON file by a filter of jq's; () where the host has no jq."""
    tools = host.commands.or_({})
    if "jq" not in tools or tools["jq"].path is None:
        return ()
    file, kept, new = (shlex.quote(f"{path}{ending}") for ending in ("", ".before", ".new"))
    # A filter that fails must not leave an empty file: the engine would then start with its defaults.
    return (f"cp -p {file} {kept}", f"jq {shlex.quote(change)} {kept} > {new} && cat {new} > {file} && rm {new}")
