"""Names: /etc/hosts, and what name servers answer."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from preflight.facts.kinds import HostName, Ip, RecordText, Text, Word


class HostsEntry(Struct, frozen=True):
    """A line of /etc/hosts that names the future mail host."""

    address: Ip
    names: tuple[HostName, ...]
    line: int


class Answer(Struct, frozen=True):
    """One question's answer. rcode: NOERROR, NXDOMAIN, SERVFAIL, REFUSED …; 'timeout', 'error' when none came.

    `records` hold the data in presentation form; NOERROR with none means that the name has no such record.
    `alias`: the name is a CNAME, and its final target.
    `denied`: of NXDOMAIN, how far up the name server denies what is there: the root, a top-level domain that exists
    (`top`), one that nobody knows (`strange`), the domain that one can register (`domain`); `above` is that name.
    """

    name: HostName
    type: Word
    rcode: Word
    records: tuple[RecordText, ...] = ()
    alias: HostName | None = None
    server: Text = ""
    detail: Text = ""
    denied: Literal["", "root", "top", "strange", "domain"] = ""
    above: HostName = ""
