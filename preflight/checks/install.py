"""How the engine and Compose are installed on the host's own distribution."""

from __future__ import annotations

from preflight import distro
from preflight.facts import Host


def engine(host: Host) -> tuple[str, ...]:
    """Return the commands that install the engine with Compose, as mailcow's own instructions have them."""
    kind = distro.family(host)
    name = host.os_release.value.id if host.os_release.value else ""
    if kind == "alpine":
        return ("apk add docker docker-cli-compose", "rc-update add docker default", "rc-service docker start")
    if kind in ("suse", "arch"):
        return (*distro.install(host, default="docker docker-compose"), "systemctl enable --now docker")
    if name in ("almalinux", "rocky", "ol"):
        return (
            "dnf install -y dnf-plugins-core",
            "dnf config-manager --add-repo https://download.docker.com/linux/centos/docker-ce.repo",
            "dnf install -y docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin",
            "systemctl enable --now docker",
        )
    return ("curl -sSL https://get.docker.com/ | CHANNEL=stable sh", "systemctl enable --now docker")


def compose(host: Host) -> tuple[str, ...]:
    """Return the command that installs Compose: the plugin where the distribution has it."""
    plain = "docker-compose"
    return distro.install(
        host, debian="docker-compose-plugin", rhel="docker-compose-plugin", alpine="docker-cli-compose",
        suse=plain, arch=plain,
    )  # fmt: skip
