"""What the two ends say to each other, as bytes. Pure, but for the nonce.

The client speaks first, one line: `mailcow-reach 1 PORT NONCE PROOF`. The proof is an HMAC-SHA256 over the rest by a
key that both know, and no end says it. Who hears a line without proof closes the connection and says nothing. The
answer is one line too: `mailcow-reach 1 SERVICE INSIDE PEER OWN KERNEL PROOF`. Its proof is also over the client's
nonce and port: an answer is worth something for one question alone, and a question is no answer.

PORT is the one that the client means, INSIDE that on which the other end hears it, PEER the client's address as it
arrives there, OWN the address at which it arrives. KERNEL is the same for two ends that run on the same kernel, and
says nothing else of it.
"""

from __future__ import annotations

import hmac
import os
import re

from msgspec import Struct

NAME = "mailcow-reach"
VERSION = "1"
NONCE = 16  # bytes
KEY = 16  # bytes
LINE = 256  # bytes, more than any line of either end has
_HELLO = re.compile(rb"mailcow-reach 1 ([1-9][0-9]{0,4}) ([0-9a-f]{32}) ([0-9a-f]{64})")
_ANSWER = re.compile(
    rb"mailcow-reach 1 ([a-z0-9-]{1,40}) ([0-9]{1,5}) ([0-9a-f.:]{2,45}) ([0-9a-f.:]{2,45}) ([0-9a-f]{16})"
    rb" ([0-9a-f]{64})"
)


class Hello(Struct, frozen=True):
    """A question that was proved: the port that the client means, and its nonce."""

    port: int
    nonce: str


class Arrived(Struct, frozen=True):
    """An answer that was proved: who hears on which port, the client's address there, and the address it came to."""

    service: str
    inside: int
    peer: str
    own: str
    kernel: str


def kernel(key: bytes, boot: str) -> str:
    """Return what is the same for two ends on one kernel, by the identity that it has until it is restarted."""
    return proof(key, "kernel", boot.strip())[:16]


def proof(key: bytes, *words: str) -> str:
    """Return the HMAC of words, in hexadecimal digits; none of them holds a blank."""
    return hmac.new(key, " ".join(words).encode(), "sha256").hexdigest()


def nonce() -> str:
    """Return what no other question has."""
    return os.urandom(NONCE).hex()


def hello(key: bytes, port: int, fresh: str) -> bytes:
    """Return a client's line."""
    return f"{NAME} {VERSION} {port} {fresh} {proof(key, 'client', VERSION, str(port), fresh)}\r\n".encode()


def heard(key: bytes, line: bytes) -> Hello | None:
    """Read a client's line, without its end; None: it is none, or proves nothing."""
    match = _HELLO.fullmatch(line)
    if match is None or len(key) < KEY:
        return None
    port, fresh, proved = (part.decode() for part in match.groups())
    if not hmac.compare_digest(proved, proof(key, "client", VERSION, port, fresh)):
        return None
    return Hello(int(port), fresh)


def answer(key: bytes, asked: Hello, arrived: Arrived) -> bytes:
    """Return what a question is answered with."""
    words = (arrived.service, str(arrived.inside), arrived.peer, arrived.own, arrived.kernel)
    return f"{NAME} {VERSION} {' '.join(words)} {_answered(key, asked, words)}\r\n".encode()


def understood(key: bytes, asked: Hello, line: bytes) -> Arrived | None:
    """Read the answer to a question, without its end; None: it is none, or that of somebody else."""
    match = _ANSWER.fullmatch(line)
    if match is None:
        return None
    *words, proved = (part.decode() for part in match.groups())
    if not hmac.compare_digest(proved, _answered(key, asked, words)):
        return None
    return Arrived(words[0], int(words[1]), words[2], words[3], words[4])


def _answered(key: bytes, asked: Hello, words: tuple[str, ...] | list[str]) -> str:
    return proof(key, "server", VERSION, str(asked.port), asked.nonce, *words)
