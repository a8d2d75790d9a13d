"""What a name server's "there is no such name" is worth: whether it denies what is above that name as well.

A resolver without the world's DNS (of a closed network, of a captive portal) denies every name; only one that knows
what is above a name can tell that the name is missing. One that has a record of the same domain knows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from preflight.facts import Answer, Answers
from preflight.gather.names.questions import Question
from preflight.net.hostnames import bare, is_top, registrable

ROOT: Question = (".", "NS")
DOMAINS = 20  # that are asked for
_REVERSE = (".in-addr.arpa", ".ip6.arpa")


def questions(answers: Iterable[Answer]) -> list[Question]:
    """Return what is to be asked about the names above those that are denied; none where none is in doubt."""
    known = list(answers)
    above = dict.fromkeys(_domain(answer.name) for answer in _doubtful(known))
    asked = dict.fromkeys(question for domain in list(above)[:DOMAINS] for question in _above(domain))
    return [*asked, ROOT] if asked else []


def weighed(answers: Answers, above: Answers) -> Answers:
    """Return the answers with what the name servers said of the names above them."""
    doubtful = {Answers.key(answer.name, answer.type) for answer in _doubtful(answers.by_question.values())}
    weighed = {
        one: _weighed(answer, above) if one in doubtful else answer for one, answer in answers.by_question.items()
    }
    return msgspec.structs.replace(answers, by_question=weighed)


def _doubtful(answers: Iterable[Answer]) -> list[Answer]:
    """Return the answers that deny a name in whose domain nothing is known to be."""
    known = list(answers)
    real = [answer.name for answer in known if answer.rcode == "NOERROR" and not _is_reverse(answer.name)]
    there = {name for one in real for name in (_domain(one), bare(one).rpartition(".")[2])}
    return [answer for answer in known if answer.rcode == "NXDOMAIN" and _domain(answer.name) not in there]


def _weighed(answer: Answer, above: Answers) -> Answer:
    domain = _domain(answer.name)
    top = domain if _is_reverse(answer.name) else domain.rpartition(".")[2]
    for question in (ROOT, (top, "SOA"), (domain, "SOA")):
        found = above.get(*question)
        if found is None or found.rcode != "NXDOMAIN":
            continue
        if question == ROOT:
            return msgspec.structs.replace(answer, denied="root")
        if question[0] == top:
            exists = _is_reverse(answer.name) or is_top(top)
            return msgspec.structs.replace(answer, denied="top" if exists else "strange", above=top)
        return msgspec.structs.replace(answer, denied="domain", above=domain)
    return answer


def _above(domain: str) -> list[Question]:
    top = domain if domain.endswith(".arpa") else domain.rpartition(".")[2]
    return [(domain, "SOA"), (top, "SOA")]


def _domain(name: str) -> str:
    """Return what can be registered of a name, the tree of a reverse name, or the name itself."""
    written = re.sub(r"^(?:_[^.]*\.)+", "", bare(name))  # DMARC asks top-level domains too: _dmarc.org
    for tree in _REVERSE:
        if written.endswith(tree):
            return tree[1:]
    return registrable(written) or written


def _is_reverse(name: str) -> bool:
    return bare(name).endswith(_REVERSE)
