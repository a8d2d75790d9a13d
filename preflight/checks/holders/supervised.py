"""Services that run many programs at once: who holds a port is taken out there, and the rest goes on."""

from __future__ import annotations

from msgspec import Struct

from preflight.checks.holders.known_programs import stem
from preflight.facts import Holder
from preflight.report.model import Remedy
from preflight.text.sentences import noted, say


class Supervisor(Struct, frozen=True):
    """A program that starts others: its units, what to say, and what shows the programs that it runs."""

    units: tuple[str, ...]
    text: str
    show: str


_INETD = noted(
    "{name} opens this port for a service in its settings. Remove that service there and reload {unit}: others may "
    "depend on it."
)
_STOP = noted("{unit} runs {name} and may run others. Stop {name} there permanently, and leave {unit} running.")
_PROXY = noted(
    "{name} uses the port for an instance: a proxy device of the instance listens there. Remove that device from the "
    "instance, and leave {unit} running."
)
PER_USER = "pm2-"  # begins the name of a unit that runs one user's programs
SUPERVISORS = (
    Supervisor(("inetd", "openbsd-inetd", "inetutils-inetd"), _INETD, "cat /etc/inetd.conf"),
    Supervisor(("xinetd",), _INETD, "grep -rn . /etc/xinetd.d"),
    Supervisor(("supervisor", "supervisord"), _STOP, "supervisorctl status"),
    Supervisor(("monit",), _STOP, "monit summary"),
    Supervisor(("runit", "runsvdir", "runsvdir-start", "svscan", "daemontools", "s6", "s6-svscan"), _STOP, "ps -ejH"),
    Supervisor(("pm2",), _STOP, "pm2 list"),
    Supervisor(("circus", "circusd", "god", "eye"), _STOP, "ps -ejH"),
    Supervisor(("snap.lxd.daemon", "lxd"), _PROXY, "systemctl status lxd"),
    Supervisor(("incus", "incusd"), _PROXY, "systemctl status incus"),
    Supervisor(
        ("gitlab-runsvdir",),
        noted(
            "{name} is part of GitLab. Move GitLab to other ports in /etc/gitlab/gitlab.rb, or put a reverse proxy in "
            "front of it and mailcow."
        ),
        "gitlab-ctl status",
    ),
)


def remedy(holder: Holder) -> Remedy | None:
    """Say how a holder of a port is taken out of a service that runs others too; None: it is no such service's."""
    unit = holder.unit or ""
    name = "pm2" if stem(unit).startswith(PER_USER) else stem(unit)
    for entry in SUPERVISORS:
        if name in entry.units:
            return Remedy(say(entry.text, name=holder.process or "?", unit=unit), (entry.show,))
    return None
