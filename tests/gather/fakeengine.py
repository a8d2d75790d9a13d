"""A Docker engine for tests: HTTP on a socket of our own, which answers as the script says, or misbehaves."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Given what was asked for, a connection to answer on, and an event that is set when the test is over.
Script = Callable[[str, socket.socket, threading.Event], None]

TLS = b"\x16"  # what a client says first that speaks TLS

DOCKER: dict[str, Any] = {
    "/version": {
        "Platform": {"Name": "Docker Engine - Community"}, "Version": "28.5.2", "ApiVersion": "1.51",
        "MinAPIVersion": "1.24", "Os": "linux", "Arch": "amd64", "KernelVersion": "6.12.41+deb13-amd64",
        "Components": [{"Name": "Engine", "Version": "28.5.2"}, {"Name": "containerd", "Version": "v1.7.29"}],
    },
    "/info": {
        "OperatingSystem": "Debian GNU/Linux 13 (trixie)", "KernelVersion": "6.12.41+deb13-amd64",
        "Architecture": "x86_64", "DockerRootDir": "/var/lib/docker", "Driver": "overlay2",
        "DriverStatus": [["Backing Filesystem", "extfs"], ["Supports d_type", "true"]],
        "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"], "CgroupVersion": "2",
        "Swarm": {"LocalNodeState": "inactive"}, "FirewallBackend": {"Driver": "iptables"},
        "LiveRestoreEnabled": False, "Warnings": None, "DefaultAddressPools": [{"Base": "172.30.0.0/16", "Size": 24}],
    },
    "/containers/json": [],
    "/networks": [],
    "/volumes": {"Volumes": [], "Warnings": None},
}  # fmt: skip

PODMAN = DOCKER | {
    "/version": {
        "Version": "5.4.2", "ApiVersion": "1.41", "MinAPIVersion": "1.24",
        "Components": [{"Name": "Podman Engine", "Version": "5.4.2"}, {"Name": "Conmon"}, {"Name": "OCI Runtime"}],
    },
    "/info": {"OperatingSystem": "fedora", "DockerRootDir": "/var/lib/containers/storage", "Driver": "overlay"},
}  # fmt: skip


@dataclass
class FakeEngine:
    url: str
    asked: list[str] = field(default_factory=list)  # "/containers/json?all=1", in the order of arrival
    heads: list[bytes] = field(default_factory=list)


def http(body: bytes | str | object = b"", status: str = "200 OK", *lines: str, length: bool = True) -> bytes:
    """Make a whole reply, as an engine answers HTTP/1.0; what is no text is written as JSON."""
    content = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.0 {status}", *lines, *([f"Content-Length: {len(content)}"] if length else [])]
    return "\r\n".join([*head, "", ""]).encode() + content


def says(replies: Mapping[str, object]) -> Script:
    """Answer each path with its document, with the bytes that stand for it, or as its script does; else with 404."""

    def script(asked: str, connection: socket.socket, over: threading.Event) -> None:
        path = asked.partition("?")[0]
        reply = replies.get(path, http({"message": f"No such thing: {path}"}, "404 Not Found"))
        if callable(reply):
            reply(asked, connection, over)
        else:
            connection.sendall(reply if isinstance(reply, bytes) else http(reply))

    return script


def sends(reply: bytes) -> Script:
    return lambda asked, connection, over: connection.sendall(reply)


def hangs(asked: str, connection: socket.socket, over: threading.Event) -> None:
    over.wait(30)


def trickles(reply: bytes, pause: float = 0.05) -> Script:
    """Send a reply byte by byte: each comes in time, all of them do not."""

    def script(asked: str, connection: socket.socket, over: threading.Event) -> None:
        for byte in reply:
            if over.wait(pause):
                return
            connection.sendall(bytes([byte]))

    return script


def endless(first: bytes, again: bytes) -> Script:
    def script(asked: str, connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(first)
        while not over.is_set():
            connection.sendall(again)

    return script


@contextmanager
def serve(folder: Path, script: Script, name: str = "docker.sock") -> Iterator[FakeEngine]:
    """Run an engine at a socket in a folder as long as the context lasts."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        listener.bind(f"/proc/self/fd/{handle}/{name}")  # a test's own folder may have a longer name than fits
    finally:
        os.close(handle)
    with _run(listener, FakeEngine(f"unix://{folder}/{name}"), script) as engine:
        yield engine


@contextmanager
def serve_tcp(script: Script) -> Iterator[FakeEngine]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    with _run(listener, FakeEngine(f"tcp://127.0.0.1:{listener.getsockname()[1]}"), script) as engine:
        yield engine


@contextmanager
def _run(listener: socket.socket, engine: FakeEngine, script: Script) -> Iterator[FakeEngine]:
    over, threads = threading.Event(), list[threading.Thread]()

    def answer(connection: socket.socket) -> None:
        # Who asked may have gone: that is what many tests are about.
        with connection, suppress(OSError):
            connection.settimeout(10)
            head = b""
            while b"\r\n\r\n" not in head and head[:1] != TLS and (part := connection.recv(4096)):
                head += part
            engine.heads.append(head)
            engine.asked.append(head.split(b" ")[1].decode() if head.startswith(b"GET ") else "")
            script(engine.asked[-1], connection, over)

    def accept() -> None:
        with suppress(OSError):  # the listener was shut down
            while True:
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=answer, args=(connection,)))
                threads[-1].start()

    listener.listen(64)
    threads.append(threading.Thread(target=accept))
    threads[0].start()
    try:
        yield engine
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(15)
        listener.close()
