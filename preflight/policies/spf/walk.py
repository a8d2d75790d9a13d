"""The tree of SPF records below a domain: what has to be asked to evaluate it, and how many lookups it takes.

An evaluation ends where a term matches; here every term counts, as it does for a sender that none matches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from preflight.facts import Answer, absolute
from preflight.facts.records import Mx, Ptr, Txt
from preflight.net.addresses import reverse_name
from preflight.net.hostnames import bare
from preflight.policies.spf.evaluation import LOOKUPS, NAMES, is_domain
from preflight.policies.spf.macros import Mail, expand, uses
from preflight.policies.spf.syntax import ASKING, Faulty, Record, Term, parse, records

Known = Callable[[str, str], Answer | None]
Question = tuple[str, str]


class Walk:
    """A walk by what is known. `lookups`: of all terms that were reached, at most one more than the limit."""

    def __init__(self, known: Known, mails: Iterable[Mail]) -> None:
        self._known, self._mails = known, tuple(mails)
        self._questions: dict[Question, None] = {}
        self.lookups = 0

    def questions(self, domain: str) -> list[Question]:
        """Return what is to be asked about a domain, asked already or not, in the order of its terms."""
        self._domain(domain, ())
        return list(self._questions)

    def _domain(self, domain: str, above: tuple[str, ...]) -> None:
        texts = [record.text for record in self._ask(domain, "TXT").of(Txt)]
        for text in records(texts):  # of several, which are none, a single one may be made
            try:
                record = parse(text)
            except Faulty:
                continue
            self._terms(record, domain, above)

    def _terms(self, record: Record, domain: str, above: tuple[str, ...]) -> None:
        for term in record.terms:
            if term.kind not in ASKING:
                continue
            self.lookups = min(self.lookups + 1, LOOKUPS + 1)
            if self.lookups > LOOKUPS:
                return
            for name in self._names(term, domain):
                if term.kind not in ("include", "redirect"):
                    self._term(term.kind, name)
                elif name not in (domain, *above):
                    self._domain(name, (domain, *above))
                else:
                    self.lookups = LOOKUPS + 1  # a circle, which no evaluation gets out of

    def _names(self, term: Term, domain: str) -> tuple[str, ...]:
        """Return the names that a term is about, one for each mail that it makes a difference for."""
        if uses(term.domain, "p"):
            self._pointers()
        if "%" not in term.domain:
            return (bare(term.domain or domain),)
        made = (expand(term.domain, mail, domain) for mail in self._mails)
        return tuple(dict.fromkeys(map(bare, made)))

    def _term(self, kind: str, name: str) -> None:
        if kind == "exists":
            self._ask(name, "A")
        elif kind == "a":
            self._addresses(name)
        elif kind == "mx":
            for record in self._ask(name, "MX").of(Mx)[:NAMES]:
                self._addresses(bare(record.exchange))
        else:
            self._pointers()

    def _pointers(self) -> None:
        for mail in self._mails:
            for record in self._ask(reverse_name(mail.address), "PTR").of(Ptr)[:NAMES]:
                self._addresses(bare(record.target))

    def _addresses(self, name: str) -> None:
        for kind in ("A", "AAAA"):
            self._ask(name, kind)

    def _ask(self, name: str, kind: str) -> Answer:
        """Note a question, and return its answer: an empty one where there is none yet."""
        nothing = Answer(absolute(name), kind, "NOERROR")
        if not is_domain(name):
            return nothing
        self._questions[name, kind] = None
        return self._known(name, kind) or nothing
