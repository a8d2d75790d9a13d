"""Real packets on the host itself: plain blocking sockets, a thread for each connection, and what was lost once more.

It shares nothing with the twin's own way to send.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from ipaddress import ip_address
from itertools import cycle

from msgspec import Struct

from preflight.twin.spaces import Space
from tests.differential.cases import HOST, PUBLISHED, SERVICES
from tests.differential.host import NEIGHBOUR, OTHERS, SOURCES, TARGETS, Lab

EXITS = {
    ("tcp", 25): SERVICES["postfix-mailcow"], ("tcp", 80): OTHERS[1], ("tcp", 443): OTHERS[1],
    ("tcp", 53): OTHERS[0], ("udp", 53): OTHERS[0],
}  # fmt: skip
PATIENCE = (0.2, 0.9)  # seconds for the first try, and for the second: a SYN is sent again after a second
UNREACHED = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.ENOPROTOOPT, errno.EPERM}
_ports = cycle(range(32768, 60999))  # those that a kernel gives
Key = tuple[str, int, str, int]  # internet, neighbour, or out; version; tcp or udp; port


class Shot(Struct):
    """A packet: from where, where to, and what became of it."""

    key: Key
    source: str
    target: str
    port: int
    verdict: str = ""
    own: int = 0
    to: str = ""


class Truth:
    """Servers in the world, in the containers, and on the host where docker-proxy is; a context."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._ended = ExitStack()
        # Packets that have come through: from which port of their own, to which address and port.
        self._arrived: set[tuple[int, bytes, int]] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def __enter__(self) -> Truth:
        lab, case = self.lab, self.lab.case
        versions = (4, 6) if case.six else (4,)
        everywhere = {4: "0.0.0.0", 6: "::"}
        for version in (4, 6):
            for port in (25, 80, 443, 53):
                self._listen(lab.world, "world", everywhere[version], port)
            for target in TARGETS[version]:
                self._datagrams(lab.world, target)
        for version in versions:
            for port in {*PUBLISHED, 53}:
                self._listen(lab.inner, "inner", everywhere[version], port)
        if case.proxy:
            for version in (4, 6):
                for port in PUBLISHED:
                    self._listen(lab.host, "proxy", HOST[version] if case.bound else everywhere[version], port)
        self._watch(lab.inner, lab.theirs.__contains__)
        self._watch(lab.world, lambda address: address not in lab.ours)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._ended.close()

    def all(self, believed: Callable[[Shot], bool]) -> dict[Key, Shot]:
        """Send all packets, and those once more that were lost, unless that is believed; return what became of each."""
        shots = list(self.shots())
        self.send(shots, PATIENCE[0])
        answered = ("delivered", "proxy", "elsewhere")
        self.send([shot for shot in shots if shot.verdict not in answered and not believed(shot)], PATIENCE[1])
        return {shot.key: shot for shot in shots}

    def shots(self) -> Iterator[Shot]:
        """Yield all packets that are worth sending."""
        case = self.lab.case
        for version in (4, 6):
            if version == 6 and not case.six and not case.proxy:
                continue
            for port in PUBLISHED:
                yield Shot(("internet", version, "tcp", port), SOURCES[version][port % 2], HOST[version], port)
                yield Shot(("neighbour", version, "tcp", port), NEIGHBOUR[version], HOST[version], port)
            if version == 4 or case.six:
                for (protocol, port), container in EXITS.items():
                    yield Shot(("out", version, protocol, port), container[version == 6], TARGETS[version][0], port)

    def send(self, shots: list[Shot], patience: float) -> None:
        """Send packets at once, and wait that many seconds for their answers."""
        if not shots:
            return
        ready = [(shot, self._socket(shot)) for shot in shots]
        with ThreadPoolExecutor(len(shots)) as pool:
            list(pool.map(lambda one: self._one(one[0], one[1], patience), ready))
        with self._lock:
            strayed = {own for own, _, _ in self._arrived}
            for shot in shots:
                if shot.verdict in ("dropped", "refused") and shot.own in strayed:
                    meant = ip_address(shot.target if shot.key[0] == "out" else self._container(shot)).packed
                    shot.verdict = "oneway" if (shot.own, meant, shot.port) in self._arrived else "elsewhere"

    def _container(self, shot: Shot) -> str:
        """Return the address of the container that a packet is for."""
        service = SERVICES[PUBLISHED[shot.port]]
        return service[1] if shot.key[1] == 6 and self.lab.case.six else service[0]

    def _socket(self, shot: Shot) -> socket.socket:
        space = self.lab.inner if shot.key[0] == "out" else self.lab.world
        with space.entered():
            made = _made(shot.target, socket.SOCK_DGRAM if shot.key[2] == "udp" else socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        shot.own = next(_ports)
        made.bind((shot.source, shot.own))
        return made

    def _one(self, shot: Shot, made: socket.socket, patience: float) -> None:
        made.settimeout(patience)
        try:
            made.connect((shot.target, shot.port))
            if shot.key[2] == "udp":
                made.send(b"?")
            told = made.recv(1300).decode().split()
            if shot.key[2] == "udp":
                told = max(told, made.recv(1300).decode().split(), key=len)
        except OSError as error:
            shot.verdict = "refused" if error.errno in UNREACHED else "dropped"
            return
        finally:
            made.close()
        shot.verdict = self._judged(shot, told)

    def _judged(self, shot: Shot, told: list[str]) -> str:
        if not told:
            return "refused"  # docker-proxy closes where it cannot reach the container
        who, address = told[0], told[1]
        shot.to = address
        if shot.key[0] == "out":
            return "delivered" if (who, address) == ("world", shot.target) else "elsewhere"
        meant = address in SERVICES[PUBLISHED[shot.port]] and int(told[2]) == shot.port
        if who == "proxy":
            return "proxy" if meant else "elsewhere"
        return "delivered" if who == "inner" and meant else "elsewhere"

    def _listen(self, space: Space, who: str, address: str, port: int) -> None:
        with space.entered():
            made = _made(address, socket.SOCK_STREAM)
            with suppress(OSError):
                made.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND
            made.bind((address, port))
        made.listen(100)
        made.settimeout(None)
        self._ended.callback(_shut, made)
        threading.Thread(target=self._accept, args=(space, who, made), daemon=True).start()

    def _accept(self, space: Space, who: str, listener: socket.socket) -> None:
        if who == "proxy":  # this thread, and those that it starts, are on the host from now on
            ctypes.CDLL(None).setns(space.descriptor, 0x40000000)
        while True:
            try:
                taken, peer = listener.accept()
            except OSError:
                return
            if who == "proxy":
                threading.Thread(target=self._proxy, args=(taken,), daemon=True).start()
                continue
            own = taken.getsockname()
            with suppress(OSError):
                taken.sendall(f"{who} {own[0]} {own[1]} {peer[0]}".encode())
            taken.close()

    def _proxy(self, taken: socket.socket) -> None:
        """Do as docker-proxy: connect to the container, and hand on what it says; close where it cannot."""
        own = taken.getsockname()
        service = SERVICES[PUBLISHED[own[1]]]
        container = service[1] if ":" in own[0] and self.lab.case.six else service[0]
        with taken, _made(container, socket.SOCK_STREAM) as onward:
            onward.settimeout(0.8)
            with suppress(OSError):
                onward.connect((container, own[1]))
                told = onward.recv(200)
                if told:
                    taken.sendall(b"proxy " + told.split(b" ", 1)[1])

    def _datagrams(self, space: Space, address: str) -> None:
        with space.entered():
            made = _made(address, socket.SOCK_DGRAM)
            made.bind((address, 53))
        self._ended.callback(_shut, made)

        def echo() -> None:
            while True:
                try:
                    _, peer = made.recvfrom(200)
                    if self._stop.is_set():
                        return
                    made.sendto(b"?", peer)  # rules may ask how long a packet is
                    made.sendto(f"world {address} 53 {peer[0]}".encode().ljust(1200), peer)
                except OSError:
                    if self._stop.is_set():
                        return

        threading.Thread(target=echo, daemon=True).start()

    def _watch(self, space: Space, meant: Callable[[bytes], bool]) -> None:
        """Note packets that come to the containers, or to the world, with an address that is meant.

        One that a rule has doubled (`dup`) comes there with the address that it had, and reaches nobody.
        """
        with space.entered():
            made = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        made.settimeout(0.2)
        self._ended.callback(made.close)

        def look() -> None:
            while not self._stop.is_set():
                try:
                    data, about = made.recvfrom(200)
                except TimeoutError:
                    continue
                except OSError:
                    return
                if about[2] == socket.PACKET_OUTGOING:
                    continue
                if found := opens(data):
                    target, own, port = found
                    if meant(target):
                        with self._lock:
                            self._arrived.add((own, target, port))

        threading.Thread(target=look, daemon=True).start()


def opens(data: bytes) -> tuple[bytes, int, int] | None:
    """Return target, source port and port of a packet that opens a connection, else None."""
    four = data[0] >> 4 == 4
    length = (data[0] & 15) * 4 if four else 40
    kind = data[9] if four else data[6]
    first = kind == 17 or (kind == 6 and len(data) >= length + 20 and data[length + 13] & 0x12 == 2)
    if not first or len(data) < length + 8:
        return None
    return (data[16:20] if four else data[24:40], *struct.unpack_from("!HH", data, length))


def _made(address: str, kind: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if ":" in address:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return made


def _shut(made: socket.socket) -> None:
    with suppress(OSError):
        made.shutdown(socket.SHUT_RDWR)
    made.close()
