"""Commands for the host's own init system and package manager."""

from __future__ import annotations

import pytest

from preflight.checks.remedies import distro
from preflight.facts import OsRelease, Services
from tests.build import host


@pytest.mark.parametrize(
    ("init", "restart", "enable", "disable"),
    [
        ("systemd", "systemctl restart exim4.service", "systemctl enable --now exim4.service",
         "systemctl disable --now exim4.service"),
        ("openrc", "rc-service exim4 restart", "rc-update add exim4; rc-service exim4 start",
         "rc-service exim4 stop; rc-update del exim4"),
        ("sysv", "service exim4 restart", "update-rc.d exim4 enable; service exim4 start",
         "service exim4 stop; update-rc.d exim4 disable"),
    ],
)  # fmt: skip
def test_a_unit_is_named_as_its_init_system_does(init: str, restart: str, enable: str, disable: str) -> None:
    made = host(services=Services(init, ()))
    for function, wanted in ((distro.restart, restart), (distro.enable, enable), (distro.disable, disable)):
        assert "; ".join(function(made, "exim4.service")) == wanted


def of(id: str, version: str = "", *like: str, **more: str) -> OsRelease:
    return OsRelease(id, version, like, id, "", id, **more)


@pytest.mark.parametrize(
    ("system", "install", "remove"),
    [
        (of("debian", "13"), "apt-get update && apt-get install -y jq", "apt-get purge jq"),
        (of("pop", "22.04", "ubuntu", "debian"), "apt-get update && apt-get install -y jq", "apt-get purge jq"),
        (of("rocky", "9.4", "rhel"), "dnf install -y jq", "dnf remove jq"),
        (of("amzn", "2023", "fedora"), "dnf install -y jq", "dnf remove jq"),
        (of("amzn", "2", "centos", "rhel"), "yum install -y jq", "yum remove jq"),
        (of("amzn", "2018.03", "rhel"), "yum install -y jq", "yum remove jq"),
        (of("rhel", "7.9", "fedora"), "yum install -y jq", "yum remove jq"),
        (of("centos", "7", "rhel"), "yum install -y epel-release; yum install -y jq", "yum remove jq"),
        (of("fedora", "43", variant="server"), "dnf install -y jq", "dnf remove jq"),
        (of("fedora", "43", variant="silverblue"), "rpm-ostree install jq; reboot", "rpm-ostree uninstall jq"),
        (of("fedora", "43", variant="iot"), "rpm-ostree install jq; reboot", "rpm-ostree uninstall jq"),
        (of("opensuse-microos", "20251120", "suse"), "transactional-update -n --continue pkg install jq; reboot",
         "transactional-update --continue pkg remove jq"),
        (of("sle-micro", "5.5", "suse"), "transactional-update -n --continue pkg install jq; reboot",
         "transactional-update --continue pkg remove jq"),
        (of("sles", "15.6", "suse"), "zypper install -y jq", "zypper remove jq"),
        (of("alpine", "3.22"), "apk add jq", "apk del jq"),
        (of("cachyos", "", "arch"), "pacman -S --noconfirm jq", "pacman -R jq"),
        (of("void"), "xbps-install -Sy jq", "xbps-remove jq"),
        (of("nixos", "25.05"), "", ""), (of("gentoo"), "", ""),
    ],
)  # fmt: skip
def test_packages_are_managed_by_what_the_host_has(system: OsRelease, install: str, remove: str) -> None:
    made = host(os_release=system)
    assert "; ".join(distro.install(made, default="jq")) == install
    assert "; ".join(distro.remove(made, "jq")) == remove


def test_scripts_of_sysv_are_switched_by_what_the_family_has() -> None:
    services = Services("sysv", ())
    old = host(services=services, os_release=of("centos", "6.10", "rhel"))
    assert distro.enable(old, "docker") == ("chkconfig docker on", "service docker start")
    assert distro.disable(old, "docker") == ("service docker stop", "chkconfig docker off")


def test_runit_and_unknown_init_systems() -> None:
    void = host(services=Services("other", ()), os_release=of("void"))
    assert distro.enable(void, "docker.service") == ("ln -sf /etc/sv/docker /var/service/",)
    assert distro.disable(void, "docker.service") == ("sv down docker", "rm /var/service/docker")
    assert distro.restart(void, "docker") == ("sv restart docker",)
    other = host(services=Services("other", ()), os_release=of("debian", "13"))
    assert [use(other, "docker") for use in (distro.enable, distro.disable, distro.restart)] == [(), (), ()]
