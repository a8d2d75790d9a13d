"""Mail servers of the host's own: whether mail lives there, and how each gives mailcow's ports up without a loss."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from preflight.checks import Look
from preflight.checks.holders.conflicts import PROXIES
from preflight.checks.holders.known_programs import READERS, SENDERS, stem
from preflight.checks.sources import LOCAL_MTA, SYNC_JOBS
from preflight.facts import NO_SOCKETS, Holder, MailTrace
from preflight.report.model import Remedy
from preflight.text.sentences import paragraph, say

_SPOOLS = ("/var/mail", "/var/spool/mail")

# Panels that are known by a service of theirs.
PANELS = {"plesk": "Plesk", "cpanel": "cPanel", "zimbra": "Zimbra"}
_READING = (143, 993, 110, 995)


class Signs(Struct, frozen=True):
    """What shows that mail lives on the host. `panel` '' = none."""

    panel: str
    told: tuple[str, ...]  # sentences
    queued: tuple[MailTrace, ...]


def kind_of(holder: Holder) -> str | None:
    """Say whether a holder of a port is a mail server: mta or imap; None: none that is known."""
    names = {stem(holder.unit or ""), holder.process or "", (holder.package or "").partition("-")[0]}
    if names & READERS:
        return "imap"
    return "mta" if names & SENDERS else None


def is_postfix(holder: Holder) -> bool:
    """Say whether a holder of a port is Postfix, whose first process is called master."""
    return stem(holder.unit or "") == "postfix" or (holder.process == "master" and holder.package == "postfix")


def reads(look: Look) -> bool:
    """Say whether a process of the host's own lets people read mail, by the ports that it listens on."""
    return any(
        row.port in _READING and row.state == "listening" and not row.container and row.process not in PROXIES
        for row in look.host.sockets.or_(NO_SOCKETS).holders
    )


def signs(look: Look, kind: str, reader: bool, clients: int = 0) -> Signs:
    """Say what shows that mail lives on the host. `reader`: people read mail on it, so mailboxes are in use."""
    traces = look.host.mail_traces.or_(())
    panel = next((trace.name for trace in traces if trace.kind == "panel"), "")
    boxes = [
        trace
        for trace in traces
        if trace.kind == "mailboxes" and (kind == "imap" or reader or trace.path not in _SPOOLS)
    ]
    told = [say("Mailboxes in {path}: {count}.", path=trace.path, count=trace.count) for trace in boxes]
    if clients:
        told.append(say("Current connections from other machines: {count}.", count=clients))
    return Signs(panel, tuple(told), tuple(trace for trace in traces if trace.kind == "queue"))


def governed(panel: str) -> Remedy:
    """Say what to do where a panel has the host."""
    return Remedy(
        paragraph(
            say("{panel} manages this host, its websites and its mail.", panel=panel),
            say("It cannot share a server with mailcow: install mailcow on another server."),
            say("Then move the mail there, for instance with mailcow's sync jobs: {page}", page=SYNC_JOBS),
        ),
        when="last",
    )


def alive(name: str, signs: Signs, ports: tuple[int, ...]) -> Remedy:
    """Say how a server gives way on which people's mail lives: last of all, and by no command that is just pasted."""
    text = paragraph(
        say("{name} currently serves mail.", name=name),
        *signs.told,
        say("Do not stop it yet: back up its mailboxes and its queue first."),
        say(
            "Install and test mailcow on another server or with other ports, and move the mail: {page}", page=SYNC_JOBS
        ),
        say("On the day of the switch-over, take {name} out of service and keep it from starting at boot.", name=name),
    )
    listed = " or ".join(f"sport = :{port}" for port in ports)
    return Remedy(text, (f"ss -tnp state established '( {listed} )'",) if ports else (), when="last")


def queued(signs: Signs) -> Iterator[str]:
    """Yield a sentence for each queue that holds mail."""
    for trace in signs.queued:
        yield say("Messages waiting in {path}: {count}. Deliver them first.", path=trace.path, count=trace.count)


def silenced(unit: str, restart: tuple[str, ...]) -> Remedy | None:
    """Return how Postfix stops listening and goes on sending; None: an instance of its own name has other settings."""
    if unit.removesuffix(".service").partition("@")[2] not in ("", "-"):
        return None
    text = paragraph(
        say("Keep Postfix, but remove its listeners: the host can then still send its own mail."),
        say("{page} describes how it sends that mail through mailcow.", page=LOCAL_MTA),
    )
    return Remedy(text, ("postconf -e master_service_disable=inet", *restart))


def public(name: str) -> str:
    """Say of a server that other machines can reach what may hang on it: that no sign is seen proves nothing."""
    return say("{name} accepts mail from other machines. If an MX record points here, move that mail first.", name=name)


def unseen(name: str) -> str:
    """Say of an IMAP server what no sign of mailboxes proves: they may be anywhere."""
    return say("If people still read mail on {name}, move it to mailcow first: {page}", name=name, page=SYNC_JOBS)


def lost(name: str) -> str:
    """Say what stopping a mail server costs the host itself."""
    return say(
        "Programs that send mail through {name} (cron, monitoring) then need a sender such as msmtp.",
        name=name,
    )
