"""Programs by which an administrator reaches the host, or that run it for others: none is ever ended by a command.

On a rented server the SSH server, a tunnel or a panel may be the only way in. Whoever holds a port and is one of these
gets another port first; nothing is taken away before the new way was tried.
"""

from __future__ import annotations

from shlex import quote

from preflight.checks.holders import images
from preflight.checks.holders.known_programs import NAMES, WayKind, stem
from preflight.facts import Container, Holder
from preflight.mailcow.layout import BEHIND
from preflight.mailcow.plan import Binding
from preflight.report.model import Remedy
from preflight.text.sentences import noted, paragraph, say

_KINDS: dict[str, WayKind] = {name: kind for kind, names in NAMES.items() for name in names.split()}

_WHAT: dict[WayKind, str] = {
    "sharer": noted("{name} shares this port between several services, SSH among them. It may be your only way in."),
    "tunnel": noted("{name} is a VPN or tunnel. It may be your only way in."),
    "desktop": noted("{name} gives remote access to this host. It may be your only way in."),
    "panel": noted("{name} is the panel that manages this host. It may be your only way in."),
    "cluster": noted("{name} runs this host as a cluster node that others use."),
}
SECOND = 22  # no port of mailcow's, and the one that SELinux and most firewalls allow for SSH
_DROP_IN = "/etc/ssh/sshd_config.d/50-second-port.conf"


def kind_of(holder: Holder) -> WayKind | None:
    """Say which kind of a way in a holder is; None: none that is known."""
    names = [holder.process or "", stem(holder.unit or ""), holder.package or ""]
    return next((_KINDS[name] for name in names if name in _KINDS), None)


def of_unit(unit: str) -> WayKind | None:
    """Say which kind of a way in a unit is; None: none that is known."""
    return _KINDS.get(stem(unit))


def of_container(container: Container) -> WayKind | None:
    """Say which kind of a way in a container is, by its image; None: none that is known."""
    return images.way_in(container.image)


def remedy(binding: Binding, process: str, unit: str, kind: WayKind) -> Remedy:
    """Say how a way in gives a port up without being lost; `process` is systemd where a .socket unit has the port."""
    name, port = (unit if process == "systemd" else process) or unit or "?", binding.port
    if kind == "ssh":
        return _ssh(binding, name, unit)
    text = paragraph(say(_WHAT[kind], name=name), _elsewhere(binding, name), leave(binding, name))
    return Remedy(text, (f"ss -tlnp 'sport = :{port}'",))


def contained(binding: Binding, container: Container, kind: WayKind) -> Remedy:
    """Say how a container that is a way in gives a port up without being lost."""
    text = say(
        "The container {name} gives remote access to this host. It may be your only way in.", name=container.name
    )
    if kind == "panel":
        text = say("The container {name} manages this host. It may be your only way in.", name=container.name)
    name = container.name
    return Remedy(paragraph(text, _elsewhere(binding, name), leave(binding, name)), (f"docker port {quote(name)}",))


def _elsewhere(binding: Binding, name: str) -> str:
    return paragraph(
        say("Give {name} another port in its own settings.", name=name),
        say("Connect through that port, and only then remove {port} from it.", port=binding.port),
    )


def leave(binding: Binding, name: str) -> str:
    """Say how mailcow goes without the port; '' where it cannot."""
    published = binding.published[0]
    if published.kind == "web":
        other = next(port for port in BEHIND[published.variable] if port != binding.port)
        values = {"port": binding.port, "name": name, "setting": f"{published.variable}={other}"}
        if published.variable == "HTTP_PORT":
            return say(
                "Or leave {port} to {name} and move mailcow's web port: {setting} in mailcow.conf. Let's Encrypt "
                "certificates then need the DNS challenge.",
                **values,
            )
        return say(
            "Or leave {port} to {name} and move mailcow's web port: {setting} in mailcow.conf. The web interface and "
            "mail clients then need that port in their addresses.",
            **values,
        )
    if published.variable == "SMTP_PORT" and binding.port == published.port:
        return say("mailcow needs port 25: other mail servers deliver to no other port.")
    return say(
        "Or leave {port} to {name} and set {variable} in mailcow.conf to another port.",
        port=binding.port, name=name, variable=published.variable,
    )  # fmt: skip


def _ssh(binding: Binding, name: str, unit: str) -> Remedy:
    """Say how the SSH server gets a second port, which is tried before the first one goes."""
    port = binding.port
    if name != "sshd" or not unit.endswith(".service"):
        text = paragraph(_by_hand(port, unit, name), leave(binding, name))
        return Remedy(text, (f"ss -tlnp 'sport = :{port}'",))
    text = paragraph(
        say("The SSH server is your way in: never stop it to free a port."),
        say("First give it a second port: {second}, with the commands below.", second=SECOND),
        say("Check that your firewall allows connections to port {second}.", second=SECOND),
        say("Log in through port {second} in a second terminal, and keep the first one open.", second=SECOND),
        say(
            "Only then remove the line `Port {port}` from /etc/ssh/sshd_config or /etc/ssh/sshd_config.d, test with"
            " `sshd -t`, and reload the server.",
            port=port,
        ),
    )
    reload = f"systemctl reload {quote(unit)}"
    commands = (
        "cp -p /etc/ssh/sshd_config /etc/ssh/sshd_config.before-mailcow",
        "if grep -Eqi '^[[:space:]]*Include[[:space:]]+/etc/ssh/sshd_config.d/' /etc/ssh/sshd_config;"
        f" then echo 'Port {SECOND}' > {_DROP_IN}; else sed -i '1i Port {SECOND}' /etc/ssh/sshd_config; fi",
        f"sshd -t && {reload}",
        f"ss -tln 'sport = :{SECOND}'",
    )
    return Remedy(paragraph(text, leave(binding, name)), commands)


def _by_hand(port: int, unit: str, name: str) -> str:
    """Say it where the server is started by a socket, without a unit, or is not OpenSSH: settings differ too much."""
    never = say("The SSH server is your way in: never stop it to free a port.")
    then = say("Log in through the new port in a second terminal. Only then remove {port}.", port=port)
    if unit.endswith(".socket"):
        return paragraph(
            never,
            say(
                "systemd listens for it. First add a `ListenStream=` line with another port to the unit: `systemctl "
                "edit {unit}`. If the unit is generated from sshd_config (Ubuntu 24.04), add a `Port` line there.",
                unit=unit,
            ),
            say("Run `systemctl daemon-reload` and restart the unit while a second session is open."),
            then,
        )
    return paragraph(never, say("First set another port for {name} in its own settings.", name=name), then)
