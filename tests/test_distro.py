"""Commands for the host's own init system."""

from __future__ import annotations

import pytest

from preflight import distro
from preflight.facts import Services
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
