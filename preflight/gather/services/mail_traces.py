"""Signs that mail lives on the host already: messages in queues, mailboxes, hosting panels. Names and numbers alone."""

from __future__ import annotations

from preflight.facts import Fact, MailTrace
from preflight.gather.access.roots import Roots, Unreadable

SOURCE = "/var/spool, /var/mail"

# Where a queue is, and how the name of a message's file begins or ends; some have a level of folders in between.
_QUEUES = (
    ("/var/spool/postfix/deferred", "", ""), ("/var/spool/postfix/active", "", ""),
    ("/var/spool/postfix/incoming", "", ""), ("/var/spool/postfix/hold", "", ""),
    ("/var/spool/postfix/maildrop", "", ""), ("/var/spool/exim4/input", "", "-H"), ("/var/spool/exim/input", "", "-H"),
    ("/var/spool/mqueue", "qf", ""), ("/var/spool/smtpd/queue", "", ""), ("/var/qmail/queue/mess", "", ""),
)  # fmt: skip
_SPOOLS = ("/var/mail", "/var/spool/mail")  # a file or folder for each user of the system
_SYSTEM = ("root", "nobody", "mail", "postmaster", "vhosts", "lost+found")
# Mailboxes that only a mail server of its own has.
_STORES = (
    "/var/vmail", "/var/mail/vhosts", "/var/mail/virtual", "/srv/vmail", "/srv/mail", "/home/vmail", "/home/mail",
    "/var/lib/vmail", "/var/qmail/mailnames", "/var/spool/cyrus/mail", "/var/spool/imap", "/var/lib/imap/user",
    "/opt/zimbra/store", "/opt/stalwart/data", "/var/lib/stalwart-mail", "/home/user-data/mail/mailboxes",
    "/var/lib/maddy/messages",
)  # fmt: skip
_HOMES = "/home"
_IN_HOME = ("Maildir", "mail", "imap")
_PANELS = (
    ("Plesk", "/usr/local/psa"), ("Plesk", "/opt/psa"), ("cPanel", "/usr/local/cpanel"),
    ("DirectAdmin", "/usr/local/directadmin"), ("ISPConfig", "/usr/local/ispconfig"),
    ("Hestia", "/usr/local/hestia"), ("VestaCP", "/usr/local/vesta"), ("CyberPanel", "/usr/local/CyberCP"),
    ("aaPanel", "/www/server/panel"), ("Virtualmin", "/usr/share/webmin/virtual-server"),
    ("Virtualmin", "/usr/libexec/webmin/virtual-server"), ("Froxlor", "/var/www/froxlor"),
    ("KeyHelp", "/home/keyhelp"), ("LiveConfig", "/usr/lib/liveconfig"), ("InterWorx", "/usr/local/interworx"),
    ("Zimbra", "/opt/zimbra/bin"), ("iRedMail", "/etc/iredmail-release"), ("Mail-in-a-Box", "/etc/mailinabox.conf"),
    ("Modoboa", "/srv/modoboa"), ("YunoHost", "/etc/yunohost"),
)  # fmt: skip
ENTRIES = 1000  # names looked at in one place


def mail_traces(roots: Roots) -> Fact[tuple[MailTrace, ...]]:
    """Look for messages, mailboxes and panels; what cannot be read is left out."""
    if roots.root is None:
        return roots.unknown(SOURCE)
    found = [MailTrace("panel", path, name=name) for name, path in _PANELS if _there(roots, path)]
    for path, begin, end in _QUEUES:
        if count := _messages(roots, path, begin, end):
            found.append(MailTrace("queue", path, count))
    stores = {path: sum(not name.startswith(".") for name in _entries(roots, path)) for path in _STORES}
    found += [MailTrace("mailboxes", path, count) for path, count in stores.items() if count]
    users = [
        name for name in _entries(roots, _HOMES) if any(_used(roots, f"{_HOMES}/{name}/{box}") for box in _IN_HOME)
    ]
    if users:
        found.append(MailTrace("mailboxes", _HOMES, len(users)))
    for path in _SPOOLS:
        boxes = [name for name in _entries(roots, path) if name not in _SYSTEM and _filled(roots, f"{path}/{name}")]
        if boxes:  # the second is a link to the first, as a rule
            found.append(MailTrace("mailboxes", path, len(boxes)))
            break
    return Fact.of(SOURCE, tuple(found))


def _there(roots: Roots, path: str) -> bool:
    try:
        return roots.exists(path)
    except Unreadable:
        return False


def _entries(roots: Roots, path: str) -> list[str]:
    try:
        return roots.entries(path, ENTRIES)
    except Unreadable:
        return []


def _messages(roots: Roots, path: str, begin: str, end: str) -> int:
    """Count a queue's messages, in the folder itself and in those that it is split into."""
    count = 0
    for name in _entries(roots, path):
        if len(name) <= 2 and not begin:  # a hashed folder: deferred/A, input/x, mess/17
            count += sum(1 for inner in _entries(roots, f"{path}/{name}") if inner.endswith(end))
        elif name.startswith(begin) and name.endswith(end):
            count += 1
    return count


def _used(roots: Roots, path: str) -> bool:
    """Say whether a Maildir holds a message."""
    return any(_entries(roots, f"{path}/{part}") for part in ("cur", "new"))


def _filled(roots: Roots, path: str) -> bool:
    """Say whether a mailbox holds anything: a file of some bytes, or a folder with something in it."""
    try:
        found = roots.lstat(path)
    except Unreadable:
        return False
    return found is not None and (bool(_entries(roots, path)) if found.st_mode & 0o040000 else found.st_size > 0)
