"""The MTU that mailcow's network will have, held against that of the way to the Internet."""

from __future__ import annotations

import shlex

from msgspec import Struct

from preflight.checks import Look
from preflight.checks.docker.contact import engine_version
from preflight.checks.network.subnets import mailcow_networks
from preflight.report.model import Remedy, WrittenFile
from preflight.text import versions
from preflight.text.sentences import paragraph, say

# dockerd gives it to each new bridge network; older versions do not start with it.
_NETWORK_OPTIONS = (24, 0, 0)


class NetworkMtu(Struct, frozen=True):
    """What MTU mailcow's network has or will have (None: the engine's default), and the file that says so."""

    mtu: int | None = None
    path: str = ""
    exists: bool = False  # the network is there already


def network_mtu(look: Look) -> NetworkMtu:
    """Return what decides: the network that exists, else mailcow's override file, else the engine's settings."""
    for network in mailcow_networks(look):
        if network.driver == "bridge":
            return NetworkMtu(network.mtu, exists=True)
    override = look.host.override.value
    if override is not None and override.mtu is not None:
        return NetworkMtu(override.mtu, override.path)
    settings = look.host.daemon_config.value
    if settings is not None and settings.bridge_mtu is not None and _knows_options(look):
        return NetworkMtu(settings.bridge_mtu, settings.path)
    return NetworkMtu()


def _knows_options(look: Look) -> bool:
    version = versions.parse_version(engine_version(look.host))
    return version is None or version >= _NETWORK_OPTIONS


def remark(look: Look) -> str | None:
    """Say what looks like a setting for this and is none; None: there is nothing such."""
    settings = look.host.daemon_config.value
    if settings is None:
        return None
    if settings.settings.get("default-network-opts") and not _knows_options(look):
        return say('Docker {version} does not know "default-network-opts".', version=engine_version(look.host))
    if settings.settings.get("mtu") is not None:
        return say('"mtu" in {path} applies to the default bridge only, not to mailcow.', path=settings.path)
    return None


def remedy(look: Look, value: int) -> Remedy:
    """Return how mailcow's network gets an MTU: Compose merges this file into mailcow's own, which stays as it is."""
    held = look.host.override.value
    path = held.path if held else f"{look.plan.directory.rstrip('/')}/docker-compose.override.yml"
    lines = f"networks:\n  mailcow-network:\n    driver_opts:\n      com.docker.network.driver.mtu: {value}\n"
    quoted, where = " ".join(map(shlex.quote, lines.splitlines())), shlex.quote(path)
    recreate = None
    if any(network.driver == "bridge" for network in mailcow_networks(look)):
        recreate = say(
            "mailcow's network already exists. To recreate it, run docker compose down and docker compose up -d in "
            "{directory}. Mail stops in the meantime.",
            directory=look.plan.directory,
        )
    if held is None or not held.present:
        text = say("After cloning mailcow, set the MTU of its network to {value} in {path}.", value=value, path=path)
        written = (WrittenFile(path, lines),)
        # A file that appeared meanwhile is left alone.
        command = f"(set -C; printf '%s\\n' {quoted} > {where})"
        return Remedy(paragraph(text, recreate), (command,), when="cloned", files=written)
    if held.mtu is not None and held.mtu <= value:
        return Remedy(paragraph(recreate) or say("Recreate mailcow's network."), when="last")
    if held.clear and not held.networks:
        text = say("Set the MTU of mailcow's network to {value} in {path}.", value=value, path=path)
        command = f"grep -q '^networks:' {where} || printf '%s\\n' '' {quoted} >> {where}"
        return Remedy(paragraph(text, recreate), (command,), when="cloned")
    text = say(
        "In {path}, set com.docker.network.driver.mtu to {value} under networks, mailcow-network, driver_opts.",
        path=path,
        value=value,
    )
    return Remedy(paragraph(text, recreate), (f"cat {where}",), when="cloned")
