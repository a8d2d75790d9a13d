"""How the engine and Compose are installed on the host's own distribution."""

from __future__ import annotations

from preflight import distro
from preflight.facts import Host
from preflight.model import Remedy
from preflight.sentences import paragraph, say
from preflight.versions import at_least

_PLUGIN = "docker-compose-plugin"
_MANUAL = "https://docs.docker.com/compose/install/linux/"
_PAGES = "https://docs.docker.com/engine/install/"
_CENTOS = ("almalinux", "rocky", "ol", "centos")  # Docker's packages for CentOS fit them
_PAGE = dict.fromkeys(_CENTOS, "centos/") | {
    "debian": "debian/", "ubuntu": "ubuntu/", "raspbian": "raspberry-pi-os/", "rhel": "rhel/", "fedora": "fedora/",
}  # fmt: skip
_REPOSITORY = (
    "dnf install -y dnf-plugins-core",
    "dnf config-manager --add-repo https://download.docker.com/linux/centos/docker-ce.repo",
)


def engine(host: Host) -> tuple[str, ...]:
    """Return the commands that install the engine with Compose, as mailcow's own instructions have them."""
    kind = distro.family(host)
    name = host.os_release.value.id if host.os_release.value else ""
    if kind == "alpine":
        return ("apk add docker docker-cli-compose", *distro.enable(host, "docker"))
    if kind in ("suse", "arch"):
        return (*distro.install(host, default="docker docker-compose"), *distro.enable(host, "docker"))
    if name in _CENTOS:
        return (
            *_REPOSITORY,
            "dnf install -y docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin",
            *distro.enable(host, "docker"),
        )
    return ("curl -sSL https://get.docker.com/ | CHANNEL=stable sh", *distro.enable(host, "docker"))


def compose(host: Host) -> Remedy:
    """Say how Compose is installed: which package fits the distribution, and whose package source has it."""
    release = host.os_release.value
    package = _own_compose(host)
    if release is None or package is None:
        return Remedy(say("Install the Compose plugin as {page} describes.", page=_MANUAL))
    if package != _PLUGIN:
        name = release.name or release.id
        text = say("Install {package} from the package source of {name}.", package=package, name=name)
        if distro.family(host) == "debian":
            own = say("Where the engine is Docker's own, install {plugin} from Docker's source.", plugin=_PLUGIN)
            text = paragraph(text, own)
        return Remedy(text, distro.install(host, default=package))
    page = f"{_PAGES}{_PAGE.get(release.id, '')}"
    text = say(
        "Install {plugin}. Only Docker's own package source has it: where it is not set up yet, follow {page} first.",
        plugin=_PLUGIN,
        page=page,
    )
    commands = distro.install(host, default=_PLUGIN)
    if release.id in _CENTOS:
        text = say("Install {plugin} from Docker's own package source ({page}).", plugin=_PLUGIN, page=page)
        commands = (*_REPOSITORY, *commands)
    return Remedy(text, commands)


def _own_compose(host: Host) -> str | None:
    """Return the name of the package that brings Compose 2 or newer; None: it cannot be told."""
    kind, release = distro.family(host), host.os_release.value
    if kind is None or release is None or release.id == "amzn":
        return None
    if kind in ("alpine", "suse", "arch"):
        return "docker-cli-compose" if kind == "alpine" else "docker-compose"
    # Debian without a number is testing or newer. Docker's plugin is in neither's own source.
    if release.id == "debian" and at_least(release.version_id or "99", "13"):
        return "docker-compose"
    if release.id == "ubuntu" and at_least(release.version_id, "22.04"):
        return "docker-compose-v2"
    return _PLUGIN
