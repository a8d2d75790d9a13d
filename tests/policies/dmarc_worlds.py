"""Random small zones with DMARC records, and random DKIM key records: good ones, odd ones and broken ones.

Only Python's own modules are needed here, as the programs that ours is held against have an environment of their own.
"""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Callable

Rows = dict[str, list[list[str] | str]]  # a name's records, each a type and its data; `TIMEOUT`: silence
DOMAINS = ("example.org", "a.example.org", "b.a.example.org", "firm.co.uk", "i.h.g.f.e.d.c.b.a.example.org")
HOSTS = ("example.org", "a.example.org", "c.example.org", "firm.co.uk", "other.co.uk", "stranger.net", "x.stranger.net")
_POLICIES = ("none", "quarantine", "reject", "None", "REJECT", "reject ", "rejekt", "", "none, sp")
_URIS = (
    *(f"mailto:d@{host}" for host in HOSTS), "mailto:d@stranger.net!10m", "MAILTO:D@Example.Org",
    "mailto:d%21@c.example.org!5", "mailto:d@a.example.org?subject=x",
    "https://stranger.net/x", "d@example.org", "mailto:example.org", "",
)  # fmt: skip
_ODD = (
    "colour=blue", "x-y=1", "stray", "", "p", "=none", "pct=50", "pct=fifty", "rf=afrf", "ri=86400",
    "v=DMARC2", "sp = ",
)  # fmt: skip
_VERSIONS = (*("v=DMARC1",) * 12, "V=DMARC1", "v = DMARC1", "v=DMARC1 ", "v=dmarc1", " v=DMARC1", "v=DMARC10")
_CHOICES = {
    "adkim": ("r", "s", "S", "strict"), "aspf": ("r", "s", "x"), "t": ("Y", "y", "n", "yes"),
    "psd": ("y", "n", "u", "N", "q"), "fo": ("0", "1", "d", "s", "1:d:s", "d:0", "0:1", "d:d", "z"),
}  # fmt: skip


def names(domain: str) -> list[str]:
    """Return a domain and those above it."""
    labels = domain.split(".")
    return [".".join(labels[count:]) for count in range(len(labels))]


def record(chance: random.Random, *, psd: float = 0.12) -> str:
    """Make a record; most are good."""
    odd = chance.random() < 0.35
    tags = [f"p={_policy(chance, odd)}"] if chance.random() < 0.9 else []
    tags += [f"{name}={_policy(chance, odd)}" for name in ("sp", "np") if chance.random() < 0.2]
    for name, values in _CHOICES.items():
        if chance.random() < (psd if name == "psd" else 0.08):
            tags.append(f"{name}={chance.choice(values if odd else values[:2])}")
    tags += [f"{name}={_uris(chance, odd)}" for name, share in (("rua", 0.5), ("ruf", 0.1)) if chance.random() < share]
    if odd:
        tags += [chance.choice(_ODD) for _ in range(chance.randint(0, 2))]
    if odd and tags and chance.random() < 0.1:
        tags.append(chance.choice(tags))
    if chance.random() < 0.3:
        chance.shuffle(tags)
    return _written(chance, tags)


def _policy(chance: random.Random, odd: bool) -> str:
    return chance.choice(_POLICIES if odd else _POLICIES[:5])


def _uris(chance: random.Random, odd: bool) -> str:
    return chance.choice((",", ", ")).join(
        chance.choice(_URIS if odd else _URIS[:-4]) for _ in range(chance.randint(1, 3))
    )


def _written(chance: random.Random, tags: list[str]) -> str:
    version = chance.choice(_VERSIONS)
    separator = chance.choice((";", "; ", "; ", "; ", " ; ", ";\t"))
    if chance.random() < 0.1:
        tags = [tag.replace("=", " = ", 1) for tag in tags]
    if chance.random() < 0.1:
        tags = [tag[:1].upper() + tag[1:] for tag in tags]
    text = separator.join((version, *tags)) + chance.choice(("", "", ";", "; "))
    return text.replace(";", "", 1) if chance.random() < 0.02 else text


def zone(chance: random.Random) -> tuple[str, Rows]:
    """Make a mail domain and the zones that matter to its DMARC record."""
    domain = chance.choice(DOMAINS)
    rows: Rows = {domain: [["MX", "10 mail.example.org."]], "mail.example.org": [["A", "198.51.100.7"]]}
    share = chance.choice((0.2, 0.5))
    for name in dict.fromkeys((*names(domain), *(one for host in HOSTS for one in names(host)))):
        top = name in ("org", "net", "uk", "co.uk")
        if chance.random() < (0.05 if top else 0.7 if name == domain and share == 0.5 else share):
            _enter(chance, rows, name, top=top)
        elif chance.random() < 0.02:
            rows[f"_dmarc.{name}"] = ["TIMEOUT"]
    if chance.random() < 0.05:
        rows[domain].append(["TXT", record(chance)])
    _grants(chance, rows, domain)
    return domain, rows


def _enter(chance: random.Random, rows: Rows, name: str, *, top: bool) -> None:
    text = record(chance, psd=0.5 if top else 0.12)
    texts = [text, *(record(chance) for share in (0.03, 0.01) if chance.random() < share)]
    if chance.random() < 0.04:
        texts.append("google-site-verification=x")
    rows[f"_dmarc.{name}"] = [["TXT", one] for one in texts]


def _grants(chance: random.Random, rows: Rows, domain: str) -> None:
    """Let some hosts take some domains' reports, some of them anybody's."""
    above = names(domain)
    for host in HOSTS:
        everybody = chance.random() < 0.1
        for name in above:
            if everybody or chance.random() < 0.4:
                rows[f"{name}._report._dmarc.{host}"] = [["TXT", _grant(chance, host)]]
            elif chance.random() < 0.03:
                rows[f"{name}._report._dmarc.{host}"] = ["TIMEOUT"]
        if everybody:
            rows[f"*._report._dmarc.{host}"] = [["TXT", "v=DMARC1"]]


def _grant(chance: random.Random, host: str) -> str:
    return chance.choice(("v=DMARC1", "v=DMARC1", "v=DMARC1;", "V = DMARC1 ;", "v=DMARC10", "v=DMARC1 x", "yes",
                          f"v=DMARC1; rua=mailto:e@{host}", "v=DMARC1; rua=mailto:e@further.net"))  # fmt: skip


_KEY_TAGS = {
    "h": ("sha256", "sha1:sha256", "sha1"), "s": ("email", "*", "other:email", "other"), "t": ("y", "s", "y:s"),
    "n": ("a note", ""),
}  # fmt: skip


def key(chance: random.Random) -> str:
    """Make a DKIM key record; most are good."""
    odd = chance.random() < 0.5
    kind = chance.choice(("rsa", "rsa", "ed25519"))
    tags = [chance.choice((*("v=DKIM1",) * 3, "v=DKIM2", "v=dkim1") if odd else ("v=DKIM1", ""))]
    if kind != "rsa" or chance.random() < 0.5:
        tags.append(f"k={chance.choice((kind, kind, kind.upper(), 'dsa') if odd else (kind,))}")
    tags += [f"{name}={chance.choice(values)}" for name, values in _KEY_TAGS.items() if chance.random() < 0.15]
    tags += [f"p={_public(chance, kind, odd)}"] if not odd or chance.random() < 0.95 else []
    tags = [tag for tag in tags if tag]
    if odd and chance.random() < 0.5:
        more = chance.choice(("stray", "", "x=y", "x-y=1", "1=2", "P=x", tags[-1], "p =", "g=*"))
        tags.insert(chance.randint(0, len(tags)), more)
    if odd and chance.random() < 0.1:
        chance.shuffle(tags)
    return chance.choice((";", "; ", " ; ")).join(tags) + chance.choice(("", "", ";", "; ", ";;" if odd else ""))


def _public(chance: random.Random, kind: str, odd: bool) -> str:
    data = chance.randbytes(32) if kind == "ed25519" else _rsa(chance, chance.choice((512, 1024, 2048, 2048, 4096)))
    text = base64.b64encode(data).decode()
    if not odd or chance.random() < 0.5:
        return text
    cut = chance.randint(1, len(text) - 1)
    return chance.choice(("", text[:cut], *(f"{text[:cut]}{between}{text[cut:]}" for between in " !A")))


def _rsa(chance: random.Random, bits: int) -> bytes:
    modulus = chance.getrandbits(bits) | 1 << (bits - 1)
    inner = _element(0x30, _element(2, b"\0" + modulus.to_bytes(bits // 8)) + _element(2, b"\x01\0\x01"))
    algorithm = bytes.fromhex("06092a864886f70d0101010500")
    wrapped = _element(0x30, _element(0x30, algorithm) + _element(3, b"\0" + inner))
    return inner if chance.random() < 0.2 else wrapped


def _element(tag: int, data: bytes) -> bytes:
    size = len(data)
    length = bytes([size]) if size < 128 else bytes([0x81, size]) if size < 256 else bytes([0x82]) + size.to_bytes(2)
    return bytes([tag]) + length + data


def digest(make: Callable[[random.Random], object], count: int) -> str:
    """Return what tells whether worlds are those that answers were recorded for."""
    made = "\n".join(repr(make(random.Random(seed))) for seed in range(count))
    return hashlib.sha256(made.encode()).hexdigest()[:16]
