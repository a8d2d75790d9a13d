"""A name server for tests: UDP and TCP on one loopback port, with answers that a test scripts."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from preflight.gather.names.nameservers import Server

# A script gets the question and "udp" or "tcp", and returns the packets to send: none at all is silence.
Script = Callable[[dns.message.Message, str], "list[bytes]"]


def reply(
    query: dns.message.Message, *records: str, rcode: str = "NOERROR", recursive: bool = True
) -> dns.message.Message:
    """Make an answer; a record is written as `NAME TYPE DATA`."""
    answer = dns.message.make_response(query, recursion_available=recursive)
    answer.set_rcode(dns.rcode.from_text(rcode))
    for record in records:
        name, kind, data = record.split(" ", 2)
        answer.answer.append(dns.rrset.from_text(name, 300, "IN", kind, data))
    return answer


@dataclass
class NameServer:
    """What was asked, and who answers."""

    server: Server
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # name, type, transport


@contextlib.contextmanager
def serve(script: Script, place: Server = ("127.0.0.1", 0)) -> Iterator[NameServer]:
    """Run a name server until the block ends; port 0: any that is free."""
    with socket.create_server(place) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        server: Server = tcp.getsockname()[:2]
        udp.bind(server)
        wake, stop = socket.socketpair()
        state = NameServer(server)
        thread = threading.Thread(target=_run, args=(udp, tcp, wake, script, state))
        thread.start()
        try:
            yield state
        finally:
            stop.close()
            thread.join()
            wake.close()


def _run(udp: socket.socket, tcp: socket.socket, wake: socket.socket, script: Script, state: NameServer) -> None:
    while True:
        ready, _, _ = select.select([udp, tcp, wake], [], [])
        if wake in ready:
            return
        if udp in ready:
            data, sender = udp.recvfrom(4096)
            for packet in _answers(data, "udp", script, state):
                with contextlib.suppress(PermissionError):  # a test's own rules may drop it
                    udp.sendto(packet, sender)
        if tcp in ready:
            connection, _ = tcp.accept()
            with connection:
                connection.settimeout(2)
                size = connection.recv(2, socket.MSG_WAITALL)
                data = connection.recv(int.from_bytes(size), socket.MSG_WAITALL)
                for packet in _answers(data, "tcp", script, state):
                    connection.sendall(struct.pack(">H", len(packet)) + packet)


def _answers(data: bytes, transport: str, script: Script, state: NameServer) -> list[bytes]:
    query = dns.message.from_wire(data)
    question = query.question[0]
    state.asked.append((question.name.to_text(), dns.rdatatype.to_text(question.rdtype), transport))
    return script(query, transport)


def zone(*records: str, recursive: bool = True) -> Script:
    """Answer from records (`NAME TYPE DATA`), with CNAMEs followed; NXDOMAIN for names that are not there."""

    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        name, kind = query.question[0].name.to_text().lower(), dns.rdatatype.to_text(query.question[0].rdtype)
        found: list[str] = []
        rcode = "NOERROR"
        for _ in range(10):
            here = [record for record in records if record.split(" ")[0].lower() == name]
            rcode = "NOERROR" if here else "NXDOMAIN"
            found += [record for record in here if record.split(" ")[1] == kind]
            alias = [record for record in here if record.split(" ")[1] == "CNAME"]
            if not alias or kind == "CNAME":
                break
            found.append(alias[0])
            name = alias[0].split(" ")[2].lower()
            if not recursive:
                rcode = "NOERROR"
                break
        return [reply(query, *found, rcode=rcode, recursive=recursive).to_wire(max_size=65535)]

    return script
