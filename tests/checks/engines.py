"""Engines, and what the checks say of them."""

from __future__ import annotations

from typing import Any

from preflight.facts import Engine
from preflight.report.model import Result, Status
from tests.build import look, run


def engine(**said: Any) -> Engine:
    usual: dict[str, Any] = {
        "version": "28.5.2", "api_version": "1.51", "components": ("Engine", "containerd"),
        "operating_system": "Debian GNU/Linux 13 (trixie)", "root_dir": "/var/lib/docker", "driver": "overlay2",
        "driver_status": {"Backing Filesystem": "extfs", "Supports d_type": "true"},
        "security_options": ("name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"),
    }  # fmt: skip
    return Engine(**(usual | said))


PODMAN = engine(version="5.4.2", components=("Podman Engine", "Conmon"), driver="overlay")


def judged(check: str, requirements: str = "current", **facts: Any) -> Result:
    """Run a check that has one result, and see to it that help is there where it is needed."""
    (result,) = run(check, look(requirements=requirements, **facts))
    assert (result.remedy is None) == (result.status in (Status.PASS, Status.SKIP))
    assert bool(result.reason) == (result.status in (Status.UNKNOWN, Status.SKIP))
    return result


def commands(result: Result) -> tuple[str, ...]:
    assert result.remedy is not None
    return result.remedy.commands
