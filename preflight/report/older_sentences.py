"""Facts that older versions kept in sentences, in fields of today."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from preflight.facts import (
    ConfFile,
    DaemonConfig,
    Fact,
    Host,
    JsonFault,
    LineFault,
    Mark,
    RuleFile,
    Service,
    Sockets,
    SocketUnit,
    Switch,
)
from preflight.facts.sockets import Hidden
from preflight.text.typed import decode


class _Service(Struct):
    detail: str = ""


class _Services(Struct):
    services: tuple[_Service, ...] = ()


class _ServicesFact(Struct):
    value: _Services | None = None


class _Conf(Struct):
    remarks: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


class _ConfFact(Struct):
    value: _Conf | None = None


class _Sockets(Struct):
    why: str = ""


class _SocketsFact(Struct):
    value: _Sockets | None = None


class _Daemon(Struct):
    error: str = ""
    directory: bool = False


class _DaemonFact(Struct):
    value: _Daemon | None = None


class _Host(Struct):
    """The fields of a document that are gone."""

    services: _ServicesFact = msgspec.field(default_factory=_ServicesFact)
    mailcow_conf: _ConfFact = msgspec.field(default_factory=_ConfFact)
    sockets: _SocketsFact = msgspec.field(default_factory=_SocketsFact)
    daemon_config: _DaemonFact = msgspec.field(default_factory=_DaemonFact)


def from_sentences(host: Host, document: bytes) -> Host:
    """Return a host with what the sentences of its document said; raise `msgspec.DecodeError`."""
    before = decode(document, _Host)
    return replace(
        host,
        services=_services(host.services, before.services.value),
        mailcow_conf=_conf(host.mailcow_conf, before.mailcow_conf.value),
        sockets=_sockets(host.sockets, before.sockets.value),
        daemon_config=_daemon(host.daemon_config, before.daemon_config.value),
    )


def _services(fact: Fact[Any], before: _Services | None) -> Fact[Any]:
    if fact.value is None or before is None or not any(old.detail for old in before.services):
        return fact
    rows = tuple(_service(row, old.detail) for row, old in zip(fact.value.services, before.services, strict=True))
    return replace(fact, value=replace(fact.value, services=rows))


def _service(row: Service, detail: str) -> Service:
    for part in detail.split("; "):
        row = _of_firewall(row, part) if row.kind == "firewall" else row
        if match := re.fullmatch(r"(?P<unit>\S+\.socket) listens on (?P<ports>[0-9]{1,5}(?:, [0-9]{1,5})*)", part):
            ports = tuple(("", int(port)) for port in match["ports"].split(", "))
            row = replace(row, opens=(*row.opens, SocketUnit(match["unit"], ports)))
        elif match := re.fullmatch(r"pid (?P<pid>[0-9]{1,9})(?P<outside> runs outside of .+)?", part):
            pid = int(match["pid"])
            row = replace(row, process=pid, pid=pid if match["outside"] else row.pid)
    return row


def _of_firewall(row: Service, part: str) -> Service:
    if part == "disabled":
        return replace(row, switch=Switch("", "", False))
    if match := re.fullmatch(r"(?P<variable>ENABLED|STARTUP_ENABLED|TESTING)=(?P<value>[\w-]*)", part):
        yes_and_no = {"yes": True, "no": False}.get(match["value"], False if row.name == "ufw" else None)
        return replace(row, switch=Switch(match["variable"], match["value"], yes_and_no))
    if match := re.fullmatch(r"(?P<count>[0-9]{1,9}) rules? in (?P<path>.+?)(?P<flush>, flush ruleset)?", part):
        file = RuleFile(match["path"], int(match["count"]), match["flush"] is not None)
        return replace(row, rule_files=(*row.rule_files, file))
    if match := re.fullmatch(r"(?P<path>/[^:]+): (?P<why>.+)", part):
        return replace(row, rule_files=(*row.rule_files, RuleFile(match["path"], None, why=match["why"])))
    return row


def _conf(fact: Fact[ConfFile], before: _Conf | None) -> Fact[ConfFile]:
    if fact.value is None or before is None or not (before.remarks or before.reasons):
        return fact
    remarks = " ".join(before.remarks)
    marks: tuple[Mark, ...] = tuple(mark for mark, words in _MARKS.items() if words in remarks)
    end = re.search(r"were read, up to line ([0-9]{1,9})", remarks)
    value = replace(
        fact.value,
        marks=fact.value.marks or marks,
        read_to=int(end[1]) if end else fact.value.read_to,
        refusals=fact.value.refusals or tuple(map(_refusal, before.reasons)),
    )
    return replace(fact, value=value)


def _refusal(reason: str) -> LineFault:
    """Return the fault that a reason named; of redacted ones nothing is known."""
    return next((fault for fault, words in _REFUSALS.items() if words in reason), "")


def _sockets(fact: Fact[Sockets], before: _Sockets | None) -> Fact[Sockets]:
    if fact.value is None or fact.value.hidden or before is None:
        return fact
    hidden: Hidden = next((cause for cause, words in _HIDDEN.items() if words in before.why), "")
    return replace(fact, value=replace(fact.value, hidden=hidden)) if hidden else fact


def _daemon(fact: Fact[DaemonConfig], before: _Daemon | None) -> Fact[DaemonConfig]:
    if fact.value is None or before is None or not before.error:
        return fact
    fault = JsonFault("directory") if before.directory else _fault(before.error)
    return replace(fact, value=replace(fact.value, fault=fault))


def _fault(error: str) -> JsonFault:
    """Return the fault that an error named; of redacted ones no more is known than that there was one."""
    if match := re.fullmatch(r"line (?P<line>[0-9]{1,9}), column [0-9]{1,9}: .+", error):
        return JsonFault("syntax", int(match["line"]), error)
    line = re.search(r"\bline ([0-9]{1,9})\b", error)
    kind = next((kind for kind, words in _FAULTS.items() if words in error), None)
    return JsonFault("json", 0, error) if kind is None else JsonFault(kind, int(line[1]) if line else 0)


_MARKS: dict[Mark, str] = {"bom": "starts with a byte-order mark", "crlf": "ines end with CR LF"}
_REFUSALS: dict[LineFault, str] = {
    "character": "holds a character",
    "space": "holds a space",
    "quote": "closes its quote",
    "nul": "NUL byte",
    "dollar": "starts no reference",
    "many": "too many to be followed",
    "unset": "not set",
}
_HIDDEN: dict[Hidden, str] = {"denied": "are hidden", "unreadable": "cannot be read", "late": "took longer than"}
_FAULTS: dict[Any, str] = {
    "directory": "is a directory",
    "encoding": "not UTF-8",
    "empty": "is empty",
    "json": "not JSON that",
    "object": "not a JSON object",
    "last-comma": "a comma too many",
    "comma": "a comma is missing",
    "comment": "has a comment",
    "quotes": "other quotation marks",
}
