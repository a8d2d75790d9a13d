"""Zones that are served: authoritative servers and a resolver on loopback, with what may be wrong with each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zone

from tests.gather.nameserver import NameServer, Script, serve

Zones = Iterable[dns.zone.Zone]
ADDRESSES = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
_NS, _SOA, _CNAME = dns.rdatatype.NS, dns.rdatatype.SOA, dns.rdatatype.CNAME


def zone(origin: str, *records: str, serial: int = 1, servers: Iterable[str] = ("ns1", "ns2")) -> dns.zone.Zone:
    """Make a zone with its start and its NS records; a record is `NAME TTL TYPE DATA`, names below the origin."""
    head = [f"@ 600 SOA ns1 admin {serial} 3600 600 86400 300", *(f"@ 600 NS {name}" for name in servers)]
    return dns.zone.from_text("\n".join([*head, *records]), origin=origin, relativize=False)


def _soa(made: dns.zone.Zone) -> dns.rrset.RRset:
    found = made.get_rrset(made.origin or dns.name.root, _SOA)
    assert found is not None
    return found


def _cut(made: dns.zone.Zone, name: dns.name.Name) -> dns.rrset.RRset | None:
    """Return the NS records of a zone below that has the name."""
    origin = made.origin
    assert origin is not None
    for depth in range(len(origin) + 1, len(name) + 1):
        if (found := made.get_rrset(name.split(depth)[1], _NS)) is not None:
            return found
    return None


def _fill(answer: dns.message.Message, zones: Zones, name: dns.name.Name, kind: int, *, refers: bool) -> bool:
    """Put into an answer what the zones have of a name; say whether one of them has it."""
    fitting = [one for one in zones if one.origin and name.is_subdomain(one.origin)]
    here = max(fitting, key=lambda one: len(one.origin or ()), default=None)
    if here is None:
        return False
    if refers and (below := _cut(here, name)) is not None:
        answer.authority.append(below)
        return not answer.answer
    alias = here.get_rrset(name, _CNAME)
    if alias is not None and kind != _CNAME:
        answer.answer.append(alias)
        if len(answer.answer) < 10:
            _fill(answer, zones, alias[0].target, kind, refers=refers)
        return True
    found = here.get_rrset(name, dns.rdatatype.RdataType(kind))
    if found is not None:
        answer.answer.append(found)
        return True
    there = any(one.is_subdomain(name) for one in here.nodes)
    answer.set_rcode(dns.rcode.NOERROR if there else dns.rcode.NXDOMAIN)
    answer.authority.append(_soa(here))
    return True


def authority(*zones: dns.zone.Zone) -> Script:
    """Serve zones as their own server does: no recursion, referrals to zones below, all else is refused."""

    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        answer = dns.message.make_response(query)
        asked = query.question[0]
        if not _fill(answer, zones, asked.name, asked.rdtype, refers=True):
            answer.set_rcode(dns.rcode.REFUSED)
        elif answer.answer or not any(one.rdtype == _NS for one in answer.authority):
            answer.flags |= dns.flags.AA
        return [answer.to_wire(max_size=65535)]

    return script


def recursor(*zones: dns.zone.Zone, left: Mapping[str, int] | None = None, local: bool = False) -> Script:
    """Answer from zones as a resolver; `left`: the TTL of names, counted down by one with each question for it."""
    ttls = {dns.name.from_text(name): ttl for name, ttl in (left or {}).items()}

    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        answer = dns.message.make_response(query, recursion_available=True)
        asked = query.question[0]
        _fill(answer, zones, asked.name, asked.rdtype, refers=False)
        if asked.name in ttls:
            ttls[asked.name] -= 1
            answer.answer = [_with_ttl(one, ttls[asked.name]) for one in answer.answer]
            answer.authority = [_with_ttl(one, ttls[asked.name]) for one in answer.authority]
        if local:
            answer.flags |= dns.flags.AA
        return [answer.to_wire(max_size=65535)]

    return script


def _with_ttl(given: dns.rrset.RRset, ttl: int) -> dns.rrset.RRset:
    return dns.rrset.from_rdata_list(given.name, ttl, list(given))


def refused(query: dns.message.Message, transport: str) -> list[bytes]:
    """Refuse whatever is asked."""
    answer = dns.message.make_response(query)
    answer.set_rcode(dns.rcode.REFUSED)
    return [answer.to_wire()]


def silent(query: dns.message.Message, transport: str) -> list[bytes]:
    """Say nothing."""
    return []


@contextlib.contextmanager
def served(*scripts: Script) -> Iterator[list[NameServer]]:
    """Run servers at `ADDRESSES`, all on one port, until the block ends; the port is that of the first."""
    with contextlib.ExitStack() as stack:
        states: list[NameServer] = []
        for address, script in zip(ADDRESSES, scripts, strict=False):
            port = states[0].server[1] if states else 0
            states.append(stack.enter_context(serve(script, (address, port))))
        yield states
