"""What an SPF record comes to for an address (RFC 7208, 4 and 5), by answers that are there already.

An answer that nobody asked for ends an evaluation: `MissingFact`, whose reason says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from preflight.facts import Answer
from preflight.facts.records import Mx, Ptr, Txt
from preflight.net.addresses import parse_mapped, reverse_name, version, within
from preflight.net.hostnames import bare
from preflight.policies.spf.macros import NAME, Mail, expand, uses
from preflight.policies.spf.syntax import Faulty, Record, Term, parse, records

Lookup = Callable[[str, str], Answer]
Outcome = Literal["pass", "fail", "softfail", "neutral", "none", "permerror", "temperror"]
Reason = Literal["", "several", "syntax", "lookups", "voids", "exchanges", "include", "redirect", "silent"]

LOOKUPS = 10
VOIDS = 2
NAMES = 10  # of one answer to `mx` or `ptr`
SETTLED = ("NOERROR", "NXDOMAIN")
_LABEL = re.compile(r"[^.\0]{1,63}")


class Verdict(Struct, frozen=True):
    """What a record comes to. `reason`: why there is an error; `at`: the domain of its record; `term`: where.

    `answer`: of `silent`, the question that nobody settled.
    """

    outcome: Outcome
    reason: Reason = ""
    at: str = ""
    term: str = ""
    answer: Answer | None = None


class _Stop(Exception):
    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.outcome)
        self.verdict = verdict


def evaluate(lookup: Lookup, mail: Mail) -> Verdict:
    """Evaluate the record of the sender's domain for an address; raise what `lookup` does."""
    address = str(parse_mapped(mail.address) or mail.address)
    return _Evaluation(lookup, Mail(address, mail.sender, mail.helo)).check(bare(mail.origin))


def is_domain(name: str) -> bool:
    """Say whether a name can be asked for at all, and is one of several labels (4.3)."""
    labels = name.split(".")
    return len(name) <= NAME and len(labels) > 1 and all(map(_LABEL.fullmatch, labels))


class _Evaluation:
    """One evaluation, with the limits that are its own."""

    def __init__(self, lookup: Lookup, mail: Mail) -> None:
        self._lookup, self._mail = lookup, mail
        self._kind = "A" if version(mail.address) == 4 else "AAAA"
        self._asked = self._voids = 0
        self._at = self._term = ""

    def check(self, domain: str) -> Verdict:
        try:
            return self._domain(domain)
        except _Stop as stop:
            return stop.verdict

    def _stop(self, outcome: Outcome, reason: Reason, answer: Answer | None = None) -> _Stop:
        return _Stop(Verdict(outcome, reason, self._at, self._term, answer))

    def _domain(self, domain: str) -> Verdict:
        if not is_domain(domain):
            return Verdict("none")
        answer = self._settled(domain, "TXT")
        self._at = domain
        texts = records(text.text for text in answer.of(Txt))
        if not texts:
            return Verdict("none")
        if len(texts) > 1:
            raise self._stop("permerror", "several")
        try:
            record = parse(texts[0])
        except Faulty as fault:
            self._term = fault.term
            raise self._stop("permerror", "syntax") from None
        return self._record(record, domain)

    def _record(self, record: Record, domain: str) -> Verdict:
        for term in record.mechanisms:
            self._at, self._term = domain, term.text
            if self._matches(term, domain):
                result: Outcome = term.result  # type: ignore[assignment]  # one of four words
                return Verdict(result, at=domain, term=term.text)
        if record.redirect is None:
            return Verdict("neutral", at=domain)
        self._at, self._term = domain, record.redirect.text
        self._count()
        verdict = self._domain(self._target(record.redirect, domain))
        if verdict.outcome == "none":
            raise _Stop(Verdict("permerror", "redirect", domain, record.redirect.text))
        return verdict

    def _matches(self, term: Term, domain: str) -> bool:
        if term.kind == "all":
            return True
        if term.kind in ("ip4", "ip6"):
            return within(self._mail.address, (term.network,))
        self._count()
        target = self._target(term, domain)
        match term.kind:
            case "include":
                return self._included(term, target, domain)
            case "exists":
                return bool(self._addresses(target, "A"))
            case "a":
                return self._near(self._addresses(target, self._kind), term)
            case "mx":
                return any(self._near(self._addresses(name, self._kind), term) for name in self._exchanges(target))
            case _:
                return any(f".{name}".endswith(f".{bare(target)}") for name in self._validated())

    def _included(self, term: Term, target: str, domain: str) -> bool:
        verdict = self._domain(target)
        if verdict.outcome == "none":
            raise _Stop(Verdict("permerror", "include", domain, term.text))
        return verdict.outcome == "pass"

    def _count(self) -> None:
        self._asked += 1
        if self._asked > LOOKUPS:
            raise self._stop("permerror", "lookups")

    def _target(self, term: Term, domain: str) -> str:
        if not term.domain:
            return domain
        validated = "unknown"
        if uses(term.domain, "p"):
            names = self._validated()
            near = [name for name in names if f".{name}".endswith(f".{domain}")]
            validated = next(iter((*(name for name in near if name == domain), *near, *names)), validated)
        return expand(term.domain, self._mail, domain, validated)

    def _near(self, addresses: tuple[str, ...], term: Term) -> bool:
        length = term.lengths[0 if self._kind == "A" else 1]
        return within(self._mail.address, (f"{address}/{length}" for address in addresses))

    def _exchanges(self, domain: str) -> list[str]:
        if not is_domain(domain):
            return []
        answer = self._settled(domain, "MX")
        if not answer.records:
            self._void()
        found = answer.of(Mx)
        if len(found) > NAMES:
            raise self._stop("permerror", "exchanges")
        return [bare(record.exchange) for record in sorted(found) if bare(record.exchange)]

    def _addresses(self, name: str, kind: str) -> tuple[str, ...]:
        if not is_domain(name):
            return ()
        answer = self._settled(name, kind)
        if not answer.addresses and (kind == "A" or not self._has_ipv4(name)):
            self._void()
        return answer.addresses

    def _has_ipv4(self, name: str) -> bool:
        """Say whether a name lacks IPv6 alone: that is no void, as mailcow's own record has it on most hosts."""
        return bool(self._lookup(name, "A").addresses)

    def _void(self) -> None:
        self._voids += 1
        if self._voids > VOIDS:
            raise self._stop("permerror", "voids")

    def _validated(self) -> list[str]:
        """Return the names of the address that lead back to it (5.5); an error counts as none."""
        pointers = self._lookup(reverse_name(self._mail.address), "PTR")
        if not pointers.records:
            self._void()
        names = [bare(record.target) for record in pointers.of(Ptr)[:NAMES]]
        asked = {name: self._lookup(name, self._kind) for name in names if is_domain(name)}
        return [name for name, answer in asked.items() if within(self._mail.address, answer.addresses)]

    def _settled(self, name: str, kind: str) -> Answer:
        answer = self._lookup(name, kind)
        if answer.rcode not in SETTLED or answer.truncated:
            raise self._stop("temperror", "silent", answer)
        return answer
