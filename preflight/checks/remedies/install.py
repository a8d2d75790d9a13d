"""How Docker is installed on the host's own distribution: once, with its command and Compose, from one source.

What Docker's own script supports was read in docker/docker-install, install.sh, of 2026-06-30.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from preflight.checks.remedies import distro
from preflight.checks.sources import COMPOSE_INSTALLATION, ENGINE_INSTALLATION
from preflight.facts import Command, Host, OsRelease
from preflight.report.model import Remedy
from preflight.text.sentences import paragraph, say
from preflight.text.versions import at_least

PLUGIN = "docker-compose-plugin"
_PACKAGES = f"docker-ce docker-ce-cli containerd.io docker-buildx-plugin {PLUGIN}"
_SCRIPT = "curl -fsSL https://get.docker.com/ | CHANNEL=stable sh"
_SOURCE = "https://download.docker.com/linux"
_CENTOS = ("almalinux", "rocky", "ol", "centos")  # Docker's packages for CentOS fit them
_PAGE = dict.fromkeys(_CENTOS, "centos/") | {
    "debian": "debian/", "ubuntu": "ubuntu/", "raspbian": "raspberry-pi-os/", "rhel": "rhel/", "fedora": "fedora/",
}  # fmt: skip
# The release of Debian that one of Devuan is made of.
_DEVUAN = {"chimaera": "bullseye", "daedalus": "bookworm", "excalibur": "trixie"}
_DEBIANS = ("bullseye", "bookworm", "trixie")  # derivatives that keep Debian's code names, as MX Linux does
_PODMAN = "podman-docker"  # has /usr/bin/docker, as Docker's command has
_NONE = Command(None, False)
_PLUGINS = "/usr/local/lib/docker/cli-plugins"
_DOWNLOAD = (
    f"mkdir -p {_PLUGINS}",
    "curl -fSL https://github.com/docker/compose/releases/latest/download/docker-compose-linux-$(uname -m)"
    f" -o {_PLUGINS}/docker-compose",
    f"chmod +x {_PLUGINS}/docker-compose",
)
Origin = Literal["docker", "distribution", "hand"]
_BY_HAND = ("/usr/local/", "/opt/")  # where no package puts its programs


def origin(host: Host) -> Origin | None:
    """Say whose Docker is here: Docker's packages, the distribution's, or programs put there by hand; None: unknown.

    The engine's own word counts most, but its static binaries say the same as Docker's packages.
    """
    engine = host.engine.value
    if (path(host, "dockerd") or "").startswith(_BY_HAND):
        return "hand"
    if engine is not None and engine.build:
        return "docker" if engine.build == "docker" else "distribution"
    known = host.commands.or_({})
    for name in ("dockerd", "docker"):
        package = known[name].package if name in known else None
        if package and package != _PODMAN:
            return "docker" if package in ("docker-ce", "docker-ce-cli", "docker-engine") else "distribution"
    return None


def path(host: Host, name: str) -> str | None:
    """Return where a program is; None: nowhere, or it is not known."""
    found = host.commands.or_({}).get(name)
    return found.path if found else None


def nothing(host: Host) -> bool:
    """Say whether it is certain that the host has no program of Docker's: neither the engine nor its command."""
    known = host.commands.or_({})
    return all(name in known and not known[name].path for name in ("dockerd", "docker"))


def absent(host: Host) -> bool:
    """Say whether no engine is there: nobody answers, and no daemon is installed. Then Docker is installed as one.

    A socket on which nobody listens is what a removed engine leaves, where it is known that there is no daemon.
    """
    contact, known = host.contact.value, host.commands.or_({})
    if contact is None or path(host, "dockerd"):
        return False
    left = contact.state == "refused" and contact.url.startswith("unix:") and "dockerd" in known
    return contact.state == "absent" or left


def docker(host: Host) -> Remedy:
    """Say how Docker is installed: the engine, the command and Compose, all at once."""
    commands = engine(host)
    if not commands:
        return Remedy(say("Install Docker with its Compose plugin as described on {page}.", page=ENGINE_INSTALLATION))
    text = say("Install Docker and Docker Compose.")
    found = distro.manager(host)
    if found and found.restarts:
        text = paragraph(text, say("Run `systemctl enable --now docker` after the reboot."))
    return Remedy(text, commands)


def newer(host: Host) -> Remedy:
    """Say how an engine that is too old is replaced: when its containers may stop, a person decides."""
    commands = engine(host)
    if not commands:
        return Remedy(say("Replace it with a newer release as described on {page}.", page=ENGINE_INSTALLATION))
    came, release = origin(host), host.os_release.value
    own = came == "distribution" and release is not None and _own(release) is not None
    if came == "docker" or own or distro.family(host) not in ("debian", "rhel"):
        return Remedy(
            say("Upgrade Docker's packages. Containers stop meanwhile; their data is kept."), commands, choice=True
        )
    text = say("Replace it with Docker's own packages. Containers stop meanwhile; their data is kept.")
    return Remedy(text, commands, choice=True)


def engine(host: Host) -> tuple[str, ...]:
    """Return the commands that install the engine with its command and Compose; () where none are known."""
    release, kind = host.os_release.value, distro.family(host)
    if release is None or kind is None:
        return ()
    first = {"debian": _debian, "rhel": _rhel, "suse": _suse}.get(kind, _small)(host, release)
    if kind in ("debian", "rhel") and origin(host) == "docker":
        first = distro.install(host, default=_PACKAGES)
    if not first:
        return ()
    found = distro.manager(host)
    before = distro.remove(host, _PODMAN) if host.commands.or_({}).get("docker", _NONE).package == _PODMAN else ()
    if {_SCRIPT, *_DOWNLOAD} & {*first} and host.commands.or_({}).get("curl") == _NONE:
        before += distro.install(host, default="ca-certificates curl")
    return (*before, *first, *(() if found and found.restarts else distro.enable(host, "docker")))


def _small(host: Host, release: OsRelease) -> tuple[str, ...]:  # noqa: ARG001 - one of several
    return distro.install(host, alpine="docker docker-cli-compose", default="docker docker-compose")


def _debian(host: Host, release: OsRelease) -> tuple[str, ...]:
    """Docker's script knows Debian, Ubuntu and Raspberry Pi OS; of others, Docker's source for what they are made of.

    Rolling releases have an engine that is new enough, and no packages of Docker's own.
    """
    own = _own(release)
    if own and (origin(host) == "distribution" or release.id == "kali" or not release.version_id):
        return distro.install(host, default=f"{own.engine} {own.compose}")
    if release.id in ("debian", "ubuntu", "raspbian"):
        return (_SCRIPT,)
    below = _DEVUAN.get(release.codename, "") if release.id == "devuan" else release.base
    if not below and release.codename in _DEBIANS:
        below = release.codename
    if not re.fullmatch("[a-z]{3,20}", below):
        return ()
    name = "ubuntu" if "ubuntu" in release.id_like else "debian"
    key = "/etc/apt/keyrings/docker.asc"
    entry = f"deb [arch=$(dpkg --print-architecture) signed-by={key}] {_SOURCE}/{name} {below} stable"
    return (
        *distro.install(host, default="ca-certificates curl"),
        "install -m 0755 -d /etc/apt/keyrings",
        f"curl -fsSL {_SOURCE}/{name}/gpg -o {key}",
        f'echo "{entry}" > /etc/apt/sources.list.d/docker.list',
        *distro.install(host, default=_PACKAGES),
    )


class _Own(Struct, frozen=True):
    """Packages of Debian, Kali or Ubuntu: an engine that is new enough with its command, and Compose 2."""

    engine: str
    compose: str


def _own(release: OsRelease) -> _Own | None:
    """Return what a release has of Docker itself; None: too old, or not known.

    Docker's own do not go with them: docker-cli and docker-ce-cli both have /usr/bin/docker, and neither gives way.
    Debian without a number is testing or newer.
    """
    if release.id == "kali" or (release.id == "debian" and at_least(release.version_id or "99", "13")):
        return _Own("docker.io docker-cli", "docker-compose")
    if release.id == "ubuntu" and at_least(release.version_id, "22.04"):
        return _Own("docker.io", "docker-compose-v2")
    return None


def _rhel(host: Host, release: OsRelease) -> tuple[str, ...]:
    found = distro.manager(host)
    if found and found.restarts:
        return distro.install(host, default="moby-engine docker-compose")
    if release.id == "amzn":  # neither Docker's script nor its packages know it, and no package brings Compose
        old = not at_least(release.version_id, "2023")
        return (
            *(("amazon-linux-extras install -y docker",) if old else distro.install(host, default="docker")),
            *_DOWNLOAD,
        )
    if release.id in ("rhel", "fedora") and not distro.old(host):
        return (_SCRIPT,)
    return (*_repository(host), *distro.install(host, default=_PACKAGES))


def _repository(host: Host) -> tuple[str, ...]:
    """Return the commands that set up Docker's package source for CentOS."""
    repository = f"{_SOURCE}/centos/docker-ce.repo"
    if distro.old(host):
        return (*distro.install(host, default="yum-utils"), f"yum-config-manager --add-repo {repository}")
    return (*distro.install(host, default="dnf-plugins-core"), f"dnf config-manager --add-repo {repository}")


def _suse(host: Host, release: OsRelease) -> tuple[str, ...]:
    found = distro.manager(host)
    if found and found.restarts:
        own = own_compose(host)
        *install, reboot = distro.install(host, default=f"docker {own}" if own else "docker")
        enable = "transactional-update -n --continue run systemctl enable docker"
        return (*install, *(() if own else _DOWNLOAD), enable, reboot)
    if release.id.startswith("sle"):  # SUSE's module for containers has the engine, and nothing has Compose
        module = f"SUSEConnect -p sle-module-containers/{release.version_id}/$(uname -m)"
        return (module, *distro.install(host, default="docker"), *_DOWNLOAD)
    return distro.install(host, default="docker docker-compose")


def command(host: Host) -> Remedy:
    """Say how the docker command is installed beside an engine that is there, from where that came."""
    if origin(host) == "docker":
        package = "docker-ce-cli"
    elif distro.family(host) in ("debian", "alpine"):
        package = "docker-cli"
    else:
        return docker(host)
    commands = distro.install(host, default=package)
    return Remedy(say("Install the docker command, {package}.", package=package), commands)


def compose(host: Host) -> Remedy:
    """Say how Compose is installed beside an engine that is there: from where that came."""
    release, came = host.os_release.value, origin(host)
    package = own_compose(host)
    manual = say("Install the Compose plugin as described on {page}.", page=COMPOSE_INSTALLATION)
    if release is None:
        return Remedy(manual)
    if came == "hand":
        return Remedy(say("The engine did not come from a package: download the Compose plugin."), _DOWNLOAD)
    if came == "docker" and distro.family(host) in ("debian", "rhel"):
        text = say("Install {plugin} from Docker's package source, where the engine came from.", plugin=PLUGIN)
        return Remedy(text, distro.install(host, default=PLUGIN))
    name = release.name or release.id
    if package and (came == "distribution" or distro.family(host) not in ("debian", "rhel")):
        text = say("Install {package} from the package source of {name}.", package=package, name=name)
        return Remedy(text, distro.install(host, default=package))
    if came == "distribution" or release.id == "amzn":
        text = say("No package of {name} provides Docker Compose 2: download the plugin.", name=name)
        return Remedy(text, _DOWNLOAD)
    if distro.family(host) not in ("debian", "rhel"):
        return Remedy(manual)
    return _of_unknown_origin(host, release, package)


def _of_unknown_origin(host: Host, release: OsRelease, package: str | None) -> Remedy:
    """Say how Compose is installed where nothing tells whose the engine is: the wrong package would replace it."""
    page = f"{ENGINE_INSTALLATION}{_PAGE.get(release.id, '')}"
    if package:
        text = say(
            "Install {plugin} if the engine is Docker's own, otherwise {package}. The command asks the package "
            "database which one fits.",
            plugin=PLUGIN,
            package=package,
        )
        if distro.family(host) == "rhel":
            both = f"dnf install -y {PLUGIN}; else dnf install -y {package}; fi"
            return Remedy(text, (f"if rpm -q docker-ce >/dev/null 2>&1; then {both}",))
        both = f"apt-get install -y {PLUGIN}; else apt-get install -y {package}; fi"
        return Remedy(text, ("apt-get update", f"if dpkg -s docker-ce >/dev/null 2>&1; then {both}"))
    text = say(
        "Install {plugin} from Docker's package source. If that is not set up yet, follow {page} first.",
        plugin=PLUGIN,
        page=page,
    )
    source = _repository(host) if release.id in _CENTOS else ()
    return Remedy(text, (*source, *distro.install(host, default=PLUGIN)))


def own_compose(host: Host) -> str | None:
    """Return the distribution's own package that brings Compose 2 or newer; None: it has none, or it is not known."""
    kind, release = distro.family(host), host.os_release.value
    if kind is None or release is None:
        return None
    if kind in ("alpine", "arch", "void"):
        return "docker-cli-compose" if kind == "alpine" else "docker-compose"
    if kind == "suse":
        return None if release.id.startswith(("sl", "opensuse-leap-micro")) else "docker-compose"
    if kind == "rhel":
        return "docker-compose" if release.id == "fedora" else None
    own = _own(release)
    return own.compose if own else None
