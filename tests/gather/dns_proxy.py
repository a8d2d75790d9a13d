"""Somebody who answers in place of name servers, at port 5301.

    python3 -m tests.gather.dns_proxy KIND SERVER RESOLVER

server: as SERVER says it; resolver: as RESOLVER says it, which is asked to look it up. With -plain at the end, without
signatures; with -keyless, it refuses questions for keys, but passes on the truth otherwise.
"""

from __future__ import annotations

import sys
import threading

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from tests.gather.nameserver import Script, serve

PORT = 5301
LIMIT = 1232
SIGNS = (dns.rdatatype.RRSIG, dns.rdatatype.NSEC, dns.rdatatype.NSEC3)


def proxy(kind: str, server: str, resolver: str) -> Script:
    """Return who answers as somebody else says it."""

    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        if kind.endswith("-keyless") and query.question[0].rdtype == dns.rdatatype.DNSKEY:
            refusal = dns.message.make_response(query)
            refusal.set_rcode(dns.rcode.REFUSED)
            return [refusal.to_wire()]
        asked = dns.message.from_wire(query.to_wire())
        if kind.startswith("resolver"):
            asked.flags |= dns.flags.RD
        try:
            answer = dns.query.tcp(asked, resolver if kind.startswith("resolver") else server, timeout=4)
        except (OSError, dns.exception.DNSException):
            return []
        if kind.endswith("-plain"):
            for part in (answer.answer, answer.authority, answer.additional):
                part[:] = [one for one in part if one.rdtype not in SIGNS]
        said = answer.to_wire(max_size=65535)
        if transport == "udp" and len(said) > LIMIT:
            answer.flags |= dns.flags.TC
            answer.answer.clear()
            said = answer.to_wire()
        return [said]

    return script


if __name__ == "__main__":
    with serve(proxy(*sys.argv[1:]), ("0.0.0.0", PORT)):
        print("up", flush=True)
        threading.Event().wait()
