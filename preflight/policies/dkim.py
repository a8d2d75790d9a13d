"""DKIM keys in the DNS (RFC 6376, 3.6.1; RFC 8301; RFC 8463)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Literal

from msgspec import Struct

from preflight.policies import tags

Fault = Literal["", "version", "no-key", "base64", "key", "kind", "hash", "service", "revoked", "syntax"]
ED25519 = 32  # bytes
_RSA = bytes.fromhex("2a864886f70d010101")  # 1.2.840.113549.1.1.1
_INTEGER, _BITS, _OID, _SEQUENCE = 0x02, 0x03, 0x06, 0x30


class Key(Struct, frozen=True):
    """A key record. `bits`: of an RSA key, 256 for Ed25519, 0 where the key cannot be read."""

    kind: str
    bits: int = 0
    testing: bool = False
    fault: Fault = ""


def owner(selector: str, domain: str) -> str:
    """Return the name that has a domain's key."""
    return f"{selector}._domainkey.{domain}"


def is_key(text: str) -> bool:
    """Say whether a text was meant to be a key record: it has a key, or names DKIM as its version."""
    given = tags.read(text)  # in any case: it was meant to be one
    return "p" in given or given.get("v", "").upper().startswith("DKIM")


def parse(text: str) -> Key:
    """Read a record; names and values are as they are written (RFC 6376, 3.2)."""
    given = tags.read(text, fold=str)
    kind = given.get("k", "rsa")
    bits, fault = _bits(kind, given)
    if tags.strays(text) or tags.repeated(text, fold=str):
        fault = "syntax"
    return Key(kind, bits, "y" in _listed(given.get("t", "")), _fault(given, kind) or fault)


def _listed(value: str) -> list[str]:
    return [one.strip(tags.BLANKS) for one in value.split(":")]


def _fault(given: dict[str, str], kind: str) -> Fault:
    hashes, services = _listed(given.get("h", "sha256")), _listed(given.get("s", "*"))
    if given.get("v", "DKIM1") != "DKIM1" or ("v" in given and next(iter(given)) != "v"):
        return "version"
    if kind not in ("rsa", "ed25519"):
        return "kind"
    if "sha256" not in hashes:
        return "hash"
    return "" if {"*", "email"} & set(services) else "service"


def _bits(kind: str, given: dict[str, str]) -> tuple[int, Fault]:
    if "p" not in given:
        return 0, "no-key"
    packed = re.sub(r"[ \t\r\n]", "", given["p"])
    if not packed:
        return 0, "revoked"
    try:
        data = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        return 0, "base64"
    if kind == "ed25519":
        return (256, "") if len(data) == ED25519 else (0, "key")
    try:
        return _modulus(data).bit_length(), ""
    except (IndexError, ValueError):
        return 0, "key"


def _modulus(data: bytes) -> int:
    """Return the modulus of an RSA key, wrapped in SubjectPublicKeyInfo (RFC 5280) or bare (RFC 8017)."""
    inner, rest = _element(data, _SEQUENCE)
    if rest:
        raise ValueError
    if inner[0] == _SEQUENCE:
        algorithm, packed = _element(inner, _SEQUENCE)
        if _element(algorithm, _OID)[0] != _RSA:
            raise ValueError
        bits, _ = _element(packed, _BITS)
        inner, _ = _element(bits[1:], _SEQUENCE)
    modulus, rest = _element(inner, _INTEGER)
    _element(rest, _INTEGER)
    return int.from_bytes(modulus)


def _element(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """Return what a DER element with this tag holds, and what follows it; raise `ValueError` or `IndexError`."""
    if data[0] != tag:
        raise ValueError
    start, length = 2, data[1]
    if length & 0x80:
        start = 2 + (length & 0x7F)
        length = int.from_bytes(data[2:start])
    if len(data) < start + length:
        raise ValueError
    return data[start : start + length], data[start + length :]
