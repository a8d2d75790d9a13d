"""Docker Compose on the host, found where docker finds it and asked for its version, as mailcow's scripts would."""

from __future__ import annotations

import re
import stat

from preflight.facts import Compose, Fact
from preflight.gather.access import command
from preflight.gather.access.roots import Roots, Unreadable
from preflight.text.sentences import phrase, say

TIMEOUT = 5.0
# docker's own order: the first that is there is taken.
PLUGINS = (
    "/root/.docker/cli-plugins",
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
STANDALONE = ("/usr/local/bin/docker-compose", "/usr/bin/docker-compose", "/opt/bin/docker-compose")
HOMES = 200  # that are looked into


def compose(roots: Roots) -> Fact[Compose]:
    """Say which Compose mailcow would use: the plugin where it works, else the standalone program.

    One that is there but cannot be run from here, or does not work, has the version '' and says why in `detail`.
    """
    if roots.root is None:
        return roots.unknown("docker compose")
    try:
        plugin = _first(roots, tuple(f"{folder}/docker-compose" for folder in PLUGINS))
        found = _ask(roots, Compose("plugin", plugin, "")) if plugin else None
        alone = None if found and found.version else _first(roots, STANDALONE)
    except Unreadable as error:
        return roots.unknown("docker compose", error)
    if alone:
        second = _ask(roots, Compose("standalone", alone, ""))
        found = second if second.version or found is None else found
    if found is None and not roots.view.live and not roots.entries("/usr/bin"):
        return Fact.unknown(
            "docker compose", say("The copy does not include /usr/bin, so it has no programs."), say("Copy /usr too.")
        )
    if found and found.path and not found.version and _inert(roots, found.path):
        found = Compose(None, None, "", inert=found.path)
    found = found or Compose(None, None, "", of_user=_of_user(roots))
    return Fact.of(found.path or "docker compose", found)


def _inert(roots: Roots, path: str) -> bool:
    """Say whether a file may be executed by nobody: a download that was never made a program."""
    status = roots.lstat(path)
    return status is not None and stat.S_ISREG(status.st_mode) and not status.st_mode & 0o111


def _of_user(roots: Roots) -> str:
    """Return a plugin in somebody's home: docker finds it for that user alone, and mailcow's scripts run as root."""
    try:
        homes = [f"/home/{name}/.docker/cli-plugins/docker-compose" for name in roots.entries("/home")[:HOMES]]
        return _first(roots, tuple(homes)) or ""
    except Unreadable:
        return ""


def _first(roots: Roots, paths: tuple[str, ...]) -> str | None:
    for path in paths:
        status = roots.lstat(path)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            return path
    return None


def _ask(roots: Roots, found: Compose) -> Compose:
    """Ask a Compose program for its version, in the host's root."""
    if found.path is None or not roots.view.live:
        return Compose(found.kind, found.path, "", phrase("a copy of a host cannot run its programs"))
    ran = command.run((found.path, "version", "--short"), TIMEOUT, roots.root)
    version = parse_version(ran.out) if ran.code == 0 else ""
    detail = (
        "" if version else ran.error or _line(ran.err) or _line(ran.out) or phrase("exit code {code}", code=ran.code)
    )
    return Compose(found.kind, found.path, version, detail)


def parse_version(out: str) -> str:
    """Return the version in what `docker-compose version --short` prints, a line of its own; '' where there is none."""
    for line in out.splitlines()[:20]:
        word = line.strip()
        if re.fullmatch(r"v?[0-9]{1,9}\.[0-9A-Za-z.+~_-]{1,80}", word):
            return word
    return ""


def _line(text: str) -> str:
    return next((line.strip()[:300] for line in text.splitlines() if line.strip()), "")
