"""Signs of mail and panels on a host, in made-up trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from preflight.facts import MailTrace
from preflight.gather.services.mail_traces import mail_traces
from tests.gather.trees import copy, out_of_reach

QUEUE, BOXES = "queue", "mailboxes"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"/etc/hostname": "x"}, ()),
        ({"/var/spool/postfix/deferred/A/A1B2": "m", "/var/spool/postfix/active/C3D4": "m"},
         ((QUEUE, "/var/spool/postfix/deferred", 1), (QUEUE, "/var/spool/postfix/active", 1))),
        ({"/var/spool/exim4/input/1abc-H": "m", "/var/spool/exim4/input/1abc-D": "m",
          "/var/spool/exim4/input/x/2abc-H": "m"}, ((QUEUE, "/var/spool/exim4/input", 2),)),
        ({"/var/spool/mqueue/qf1": "m", "/var/spool/mqueue/df1": "m"}, ((QUEUE, "/var/spool/mqueue", 1),)),
        ({"/var/mail/root": "m", "/var/mail/nobody": "m"}, ()),
        ({"/var/mail/anna": "m", "/var/mail/empty": ""}, ((BOXES, "/var/mail", 1),)),
        ({"/var/vmail/example.org/anna/cur/1": "m", "/var/vmail/.x": ""}, ((BOXES, "/var/vmail", 1),)),
        ({"/home/anna/Maildir/cur/1": "m", "/home/bert/Maildir/new/.keep": "", "/home/carl/notes": ""},
         ((BOXES, "/home", 2),)),
        ({"/home/anna/Maildir/subscriptions": ""}, ()),
    ],
)  # fmt: skip
def test_mail(tmp_path: Path, files: dict[str, str], found: tuple[tuple[str, str, int], ...]) -> None:
    traces = mail_traces(copy(tmp_path, **files)).get()
    assert tuple((trace.kind, trace.path, trace.count) for trace in traces) == found


def test_panels(tmp_path: Path) -> None:
    roots = copy(tmp_path, **{"/usr/local/psa/version": "18", "/opt/zimbra/bin/zmcontrol": ""})
    assert mail_traces(roots).get() == (
        MailTrace("panel", "/usr/local/psa", 0, "Plesk"), MailTrace("panel", "/opt/zimbra/bin", 0, "Zimbra")
    )  # fmt: skip


def test_a_root_out_of_reach_is_unknown() -> None:
    assert not mail_traces(out_of_reach()).known
