"""Names: /etc/hosts, and what name servers answer."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class HostsEntry(Struct, frozen=True):
    """A line of /etc/hosts that names the future mail host."""

    address: str
    names: tuple[str, ...]
    line: int


class Answer(Struct, frozen=True):
    """One question's answer. rcode: NOERROR, NXDOMAIN, SERVFAIL, REFUSED …; 'timeout', 'error' when none came.

    `records` hold the data in presentation form; NOERROR with none means that the name has no such record.
    `alias`: the name is a CNAME, and its final target.
    `denied`: of NXDOMAIN, how far up the name server denies what is there: the root, a top-level domain that exists
    (`top`), one that nobody knows (`strange`), the domain that one can register (`domain`); `above` is that name.
    """

    name: str
    type: str
    rcode: str
    records: tuple[str, ...] = ()
    alias: str | None = None
    server: str = ""
    detail: str = ""
    denied: Literal["", "root", "top", "strange", "domain"] = ""
    above: str = ""
