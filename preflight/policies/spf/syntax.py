"""The grammar of an SPF record (RFC 7208, 12)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from preflight.net.addresses import IpNetwork, network

_VERSION = re.compile(r"v=spf1(?: |$)", re.IGNORECASE)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)", re.DOTALL)
_MECHANISM = re.compile(r"([+?~-]?)([A-Za-z][A-Za-z0-9_.-]*)(.*)", re.DOTALL)
_NUMBER = r"(0|[1-9][0-9]{0,2})"
_LENGTHS = re.compile(rf"(?:/{_NUMBER})?(?://{_NUMBER})?")
MACRO = re.compile(r"%\{([slodiphcrtvSLODIPHCRTV])([0-9]*)(r?)([.\-+,/_=]*)\}", re.IGNORECASE)
_TEXT = r"(?:%\{[slodiphv][0-9]*r?[.\-+,/_=]*\}|%%|%_|%-|[!-$&-~])*"
_LABEL = r"(?:[A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*|[A-Za-z0-9]+-[A-Za-z0-9-]*[A-Za-z0-9])"
_MACRO_TEXT = re.compile(_TEXT, re.IGNORECASE)
_DOMAIN = re.compile(rf"{_TEXT}(?:\.{_LABEL}\.?|%\{{[slodiphv][0-9]*r?[.\-+,/_=]*\}})", re.IGNORECASE)
_LETTERS_OF_EXPLANATIONS = re.compile(r"%\{[crt]", re.IGNORECASE)
_IPV4 = re.compile(r"[0-9]+(?:\.[0-9]+){3}")

RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
NEEDS_DOMAIN = ("include", "exists")
MAY_HAVE_DOMAIN = ("a", "mx", "ptr")
ASKING = ("include", "a", "mx", "ptr", "exists", "redirect")  # they count against the limit (4.6.4)


class Faulty(Exception):
    """A term that no evaluator understands, so that none takes the record."""

    def __init__(self, term: str) -> None:
        super().__init__(term)
        self.term = term


class Term(Struct, frozen=True):
    """A mechanism, or the modifier `redirect`. `domain`: unexpanded, '' where the term names none."""

    text: str
    kind: str
    result: str = ""
    domain: str = ""
    lengths: tuple[int, int] = (32, 128)  # of the networks compared, IPv4 and IPv6
    network: str = ""  # of ip4 and ip6


class Record(Struct, frozen=True):
    """An SPF record: mechanisms in their order, and where the rest is to be looked for."""

    mechanisms: tuple[Term, ...]
    redirect: Term | None = None

    @property
    def terms(self) -> tuple[Term, ...]:
        """Return the terms that can be reached: `redirect` counts only where there is no `all`."""
        kinds = [term.kind for term in self.mechanisms]
        if "all" in kinds:
            return self.mechanisms[: kinds.index("all") + 1]
        return (*self.mechanisms, self.redirect) if self.redirect else self.mechanisms


def records(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the SPF records among texts."""
    return tuple(text for text in texts if _VERSION.match(text))


def parse(text: str) -> Record:
    """Read a record; raise `Faulty`."""
    mechanisms: list[Term] = []
    modifiers: dict[str, str] = {}
    for word in filter(None, text[len("v=spf1") :].split(" ")):
        if match := _MODIFIER.fullmatch(word):
            name = match[1].lower()
            if name in modifiers:
                raise Faulty(word)
            if name in ("redirect", "exp"):
                modifiers[name] = match[2]
            _hold_modifier(word, name, match[2])
        else:
            mechanisms.append(_mechanism(word))
    target = modifiers.get("redirect")
    redirect = Term(f"redirect={target}", "redirect", domain=target) if target is not None else None
    return Record(tuple(mechanisms), redirect)


def _hold_modifier(word: str, name: str, value: str) -> None:
    form = _DOMAIN if name in ("redirect", "exp") else _MACRO_TEXT
    # An explanation of an unknown modifier may use the letters of explanations.
    plain = value if form is _DOMAIN else _LETTERS_OF_EXPLANATIONS.sub("%{s", value)
    if not form.fullmatch(plain) or not _sound_macros(value):
        raise Faulty(word)


def _mechanism(word: str) -> Term:
    match = _MECHANISM.fullmatch(word)
    if not match:
        raise Faulty(word)
    result, kind, rest = RESULTS[match[1] or "+"], match[2].lower(), match[3]
    if kind == "all" and not rest:
        return Term(word, kind, result)
    if kind in ("ip4", "ip6") and rest.startswith(":"):
        return Term(word, kind, result, network=_network(word, kind, rest[1:]))
    if kind in NEEDS_DOMAIN and rest.startswith(":"):
        return Term(word, kind, result, _domain(word, rest[1:]))
    if kind in MAY_HAVE_DOMAIN:
        return _with_lengths(word, kind, result, rest)
    raise Faulty(word)


def _with_lengths(word: str, kind: str, result: str, rest: str) -> Term:
    """Read what follows `a`, `mx` (a domain, lengths of networks) and `ptr` (a domain)."""
    start = len(rest)
    for match in re.finditer("/", rest):
        if _LENGTHS.fullmatch(rest, match.start()) and "{" not in rest[match.start() :]:
            start = match.start()
            break
    domain, found = rest[:start], _LENGTHS.fullmatch(rest[start:])
    if (domain and not domain.startswith(":")) or not found or (kind == "ptr" and rest[start:]):
        raise Faulty(word)
    lengths = int(found[1] or 32), int(found[2] or 128)
    if lengths[0] > 32 or lengths[1] > 128:
        raise Faulty(word)
    return Term(word, kind, result, _domain(word, domain[1:]) if domain else "", lengths)


def _domain(word: str, text: str) -> str:
    if not _DOMAIN.fullmatch(text) or not _sound_macros(text):
        raise Faulty(word)
    return text


def _sound_macros(text: str) -> bool:
    """Say whether no macro keeps none of its parts."""
    return not any(match[2] and not int(match[2]) for match in MACRO.finditer(text))


def _network(word: str, kind: str, text: str) -> str:
    address, slash, length = text.partition("/")
    version = 4 if kind == "ip4" else 6
    wrong = (version == 4) != bool(_IPV4.fullmatch(address))
    made: IpNetwork | None = None
    if not wrong and (not slash or re.fullmatch(_NUMBER, length)):
        made = network(text)
    if made is None or made.version != version:
        raise Faulty(word)
    return str(made)
