"""Ports that a connection has: most are closing and soon gone, some stay as long as something is mounted."""

from __future__ import annotations

from preflight.checks import Look
from preflight.checks.holders.conflicts import Occupant
from preflight.facts import Holder
from preflight.mailcow.plan import Binding
from preflight.net.addresses import with_port
from preflight.report.model import Remedy, WrittenFile
from preflight.text.sentences import paragraph, say

# States that end by themselves: within a minute, and within the time that an answer is waited for.
SOON = ("time-wait", "syn-received", "fin-wait-2", "syn-sent")
LATER = ("fin-wait-1", "closing", "last-ack")
NFS = 2049
_FIRST, _LAST = 665, 1023  # what the kernel's RPC takes for its own end, unless told otherwise
_FEWEST = 64  # ports that are to be left for it
_CONF = "/etc/modprobe.d/90-mailcow-nfs.conf"


def lasting(found: list[Occupant]) -> Occupant:
    """Return the socket that stays longest."""
    return min(found, key=lambda occupant: occupant.holder.state in SOON + LATER)


def of_kernel(port: str, holder: Holder) -> str:
    """Say what a socket is that no process has."""
    values = {"port": port, "state": holder.state, "peer": _peer(holder)}
    if holder.state in SOON + LATER:
        return say("{port} is in use by the kernel only, for a connection that is closing ({state}).", **values)
    if holder.peer_port == NFS:
        return say("{port} is the local port of the kernel's own connection to {peer}, for an NFS mount.", **values)
    if _reserved(holder):
        return say(
            "{port} is the local port of the kernel's own connection to {peer} ({state}), most likely for an NFS "
            "mount.",
            **values,
        )
    return say("{port} is the local port of the kernel's own connection to {peer} ({state}).", **values)


def ends(look: Look, binding: Binding, holder: Holder) -> Remedy:
    """Say how a port comes free that the kernel alone has."""
    show = f"ss -tan 'sport = :{binding.port}'"
    if holder.state in SOON:
        return Remedy(say("Wait a minute until the connection is gone, then run the check again."), (show,))
    if holder.state in LATER:
        return Remedy(
            say("Wait a few minutes until the other side answers or the kernel gives up, then run the check again."),
            (show,),
        )
    if holder.peer_port != NFS and not _reserved(holder):
        return Remedy(
            say("Find out which part of the kernel has the connection, and configure another port for it."), (show,)
        )
    stays = say("The connection stays as long as the share is mounted.")
    remount = say("Then unmount and mount the share again, or reboot.")
    mounts = "findmnt -t nfs,nfs4"
    span = _span(look)
    if span is None:
        return Remedy(paragraph(stays, remount), (mounts,))
    option = f"options sunrpc {span}\n"
    text = say("Keep NFS's local ports away from mailcow's ({span}), now and after a reboot.", span=span)
    name, _, value = span.partition("=")
    commands = (mounts, f"sysctl -w sunrpc.{name}={value}", f"printf '%s\\n' '{option.rstrip()}' > {_CONF}")
    return Remedy(paragraph(stays, text, remount), commands, files=(WrittenFile(_CONF, option),))


def of_processes(occupants: list[Occupant]) -> bool:
    """Say whether all that is in the way are connections of processes, none of which waits for others there."""
    return bool(occupants) and all(
        entry.holder.pid is not None and entry.holder.peer_port and not entry.holder.holds
        and entry.container is None and not entry.holder.container
        for entry in occupants
    )  # fmt: skip


def ended(binding: Binding) -> Remedy:
    """Say how a port comes free that a process has for a connection: nothing needs to be stopped for good."""
    text = say(
        "The port belongs to a connection, not to a service. Wait until the connection ends, or end it in its "
        "program. Do not end it if it is your way into this host."
    )
    return Remedy(text, (f"ss -tnp 'sport = :{binding.port}'",))


def _reserved(holder: Holder) -> bool:
    return _FIRST <= holder.port <= _LAST


def _peer(holder: Holder) -> str:
    return with_port(holder.peer, holder.peer_port) if holder.peer else "?"


def _span(look: Look) -> str | None:
    """Return the option that keeps the kernel's RPC away from mailcow's ports; None: none leaves it enough ports."""
    wanted = [port for port in look.plan.ports if _FIRST <= port <= _LAST]
    if not wanted:
        return None
    below, above = min(wanted) - _FIRST, _LAST - max(wanted)
    if below >= max(above, _FEWEST):
        return f"max_resvport={min(wanted) - 1}"
    return f"min_resvport={max(wanted) + 1}" if above >= _FEWEST else None
