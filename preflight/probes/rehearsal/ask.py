"""The program of the containers that ask: in the host's network at the published ports, on mailcow's for a way out.

    python3 -I -m preflight.probes.rehearsal.ask {"token": …, "seconds": …, "ports": […], "exits": […]}

Prints a JSON array for each line that was asked, `ports` before `exits`. All connections are tried at once. Those to
published ports are tried again until their stand-in answers or the time is over: it may still be starting.
"""

from __future__ import annotations

import contextlib
import errno
import hmac
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from preflight.probes.stand_in import GREETING

CONNECT = 2.0  # seconds for a connection to come about: within this host, or to a server that answered it before
SPEAK = 2.0  # seconds for an answer
PAUSE = 0.2  # seconds between two attempts
SAID = 120  # bytes of what somebody else says
# At once, with a reset: no end of a connection stays on a port that mailcow needs (TIME_WAIT).
ABORT = struct.pack("ii", 1, 0)


def port(address: str, number: int, token: str, until: float) -> dict[str, Any]:
    """Try a published port until its stand-in answers; return what came of the last attempt."""
    began = time.monotonic()
    while True:
        said = attempt(address, number, token)
        if said["answer"] in ("answered", "other") or time.monotonic() + PAUSE >= until:
            return {**said, "seconds": round(time.monotonic() - began, 3)}
        time.sleep(PAUSE)


def attempt(address: str, number: int, token: str) -> dict[str, Any]:
    """Connect once and say the token."""
    try:
        connection = socket.create_connection((address, number), CONNECT)
    except ConnectionRefusedError:
        return {"answer": "refused"}
    except TimeoutError:
        return {"answer": "silent"}
    except OSError as error:
        return {"answer": "unsent", "error": errno.errorcode.get(error.errno or 0, "")}
    with connection:
        connection.settimeout(SPEAK)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        try:
            connection.sendall(f"{token}\r\n".encode())
            return judged(hear(connection), token)
        except TimeoutError:
            return {"answer": "mute"}
        except OSError:
            return {"answer": "closed"}


def hear(connection: socket.socket) -> bytes:
    """Return the first line that the other side says, or what it says of it until it ends; raises OSError."""
    said = b""
    while b"\n" not in said and len(said) < 512:
        try:
            more = connection.recv(512)
        except TimeoutError:
            if not said:
                raise
            break
        if not more:
            break
        said += more
    return said


def judged(said: bytes, token: str) -> dict[str, Any]:
    """Say who it is that said this."""
    words = said.split()
    ours = len(words) == 5 and words[0] == GREETING.encode() and hmac.compare_digest(words[1], token.encode())
    if ours:
        name, inside, peer = (word.decode("ascii", "replace") for word in words[2:])
        return {"answer": "answered", "name": name, "inside": inside, "peer": peer}
    if not said:
        return {"answer": "closed"}
    return {"answer": "other", "said": said[:SAID].decode("latin-1")}


def leave(address: str, number: int) -> dict[str, Any]:
    """Connect once, to whoever is there, and say nothing."""
    began, way, named = time.monotonic(), "reached", ""
    try:
        with socket.create_connection((address, number), CONNECT) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    except ConnectionRefusedError:
        way = "refused"
    except TimeoutError:
        way = "silent"
    except OSError as error:
        way, named = "unsent", errno.errorcode.get(error.errno or 0, "")
    return {"way": way, "error": named, "seconds": round(time.monotonic() - began, 3)}


def together(tasks: Sequence[Callable[[], dict[str, Any]]]) -> list[dict[str, Any]]:
    """Do all at once; return what came of each, in order."""
    done: list[dict[str, Any]] = [{} for _ in tasks]

    def do(number: int) -> None:
        with contextlib.suppress(OSError, ValueError):
            done[number] = tasks[number]()

    threads = [threading.Thread(target=do, args=(number,), daemon=True) for number in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def main(asked: dict[str, Any]) -> str:
    """Ask what is asked; return it as JSON."""
    until = time.monotonic() + asked["seconds"]
    ports = [partial(port, address, number, asked["token"], until) for address, number in asked["ports"]]
    exits = [partial(leave, address, number) for address, number in asked["exits"]]
    return json.dumps(together([*ports, *exits]))


if __name__ == "__main__":
    sys.stdout.write(main(json.loads(sys.argv[1])) + "\n")
