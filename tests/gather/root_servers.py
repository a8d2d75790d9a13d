"""Authoritative servers of the root and top levels, as many as are asked: signed answers, keys of their real size.

    python3 -m tests.gather.root_servers [plain|resolver]

Serves every address of the table that is on this host, port 53. plain: without signatures; resolver: as one that
answers in place of all others.
"""

from __future__ import annotations

import base64
import contextlib
import sys
import threading
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from preflight.mailcow.recursion import documented
from tests.gather.nameserver import Script, serve

# RSA with 2048 bits: a key for the zone, and two for its keys, as the root has them since 2025.
KEYS = tuple(base64.b64encode(b"\3\1\0\1" + bytes(range(256))[n:] + bytes(range(n))).decode() for n in (0, 1, 2))
SIGNATURE = base64.b64encode(bytes(range(256))).decode()
HOLDERS = tuple(address for one in documented().servers for address in one.addresses if ":" not in address)


def _records(kind: str) -> list[str]:
    if kind == "SOA":
        return ["a.example. host.example. 2026112800 1800 900 604800 86400"]
    keys = [f"{flags} 3 8 {key}" for flags, key in zip((256, 257, 257), KEYS, strict=True)]
    return keys if kind == "DNSKEY" else []


def authority(identity: str, *, signed: bool = True, recursive: bool = False) -> Script:
    """Answer for every zone: its start and its keys; `identity`: which server it is."""

    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        asked = query.question[0]
        answer = dns.message.make_response(query, recursion_available=recursive)
        answer.flags |= 0 if recursive else dns.flags.AA
        name, kind = str(asked.name), dns.rdatatype.to_text(asked.rdtype)
        if asked.rdclass == dns.rdataclass.CH:
            answer.answer.append(dns.rrset.from_text(name, 0, "CH", "TXT", f'"{identity}"'))
        elif records := _records(kind):
            answer.answer.append(dns.rrset.from_text(name, 86400, "IN", kind, *records))
            labels = len(asked.name) - 1
            made = f"{kind} 8 {labels} 86400 20400101000000 20260101000000 20326 {name} {SIGNATURE}"
            if signed:
                answer.answer.append(dns.rrset.from_text(name, 86400, "IN", "RRSIG", made))
        return [answer.to_wire(max_size=65535)]

    return script


@contextlib.contextmanager
def served(kind: str = "", port: int = 53) -> Iterator[None]:
    """Run them until the block ends."""
    with contextlib.ExitStack() as stack:
        for number, address in enumerate(HOLDERS):
            identity = "one" if kind == "resolver" else f"site{number}"
            script = authority(identity, signed=kind == "", recursive=kind == "resolver")
            stack.enter_context(serve(script, (address, port)))
        yield


if __name__ == "__main__":
    with served(*sys.argv[1:]):
        print("up", flush=True)
        threading.Event().wait()
