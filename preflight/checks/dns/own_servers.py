"""A record judged by what everybody may get: by the resolver, and by each of the zone's own name servers.

The same judge looks at each answer. So a difference counts where it makes one for what is checked: another text beside
the SPF record does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct
from msgspec.structs import replace

from preflight.checks import Look
from preflight.checks.dns import disagreement, extended, serving
from preflight.checks.dns.names import any_answer, finding, known
from preflight.facts import Answer, Answers, MissingFact
from preflight.policies.agreement import content, counting, said
from preflight.report.model import Finding, Remedy, Status
from preflight.text.sentences import paragraph, say

Judge = Callable[[Look], Finding]
Question = tuple[str, str]


def judged(look: Look, check: str, questions: tuple[Question, ...], judge: Judge) -> Finding:
    """Judge the records that a check is about; `questions` are those for them, the first one names them."""
    for name, kind in questions:
        answer = any_answer(look, name, kind)
        if answer and extended.is_bogus(answer):
            return _bogus(answer, name, kind)
    resolved = _beside(look, questions)
    found = judge(resolved)
    groups = _groups(resolved, questions, judge)
    if groups:
        found = disagreement.told(look, questions, found, groups)
    return _served(look, check, questions[0], found)


def _beside(look: Look, questions: tuple[Question, ...]) -> Look:
    """Return a look at what the resolver says of a record, with all others as they count: each tells its own faults."""
    answers = look.host.answers.or_(Answers())
    if not answers.own:
        return look
    asked = {key: answers.of(*one) for one in questions if (key := Answers.key(*one)) in answers.by_question}
    return replace(look, answers=replace(answers, by_question=counting(answers).by_question | asked))


def _bogus(answer: Answer, name: str, kind: str) -> Finding:
    message = paragraph(
        say("Name servers that check DNSSEC signatures reject the {kind} records of {name}.", name=name, kind=kind),
        extended.why(answer),
    )
    text = say(
        "Sign the zone again, or remove its DS record at the registrar until the signatures are valid. The delv "
        "command shows the error."
    )
    return finding(Status.FAIL, message, name, kind, remedy=Remedy(text, place="dns"))


def _groups(look: Look, questions: tuple[Question, ...], judge: Judge) -> tuple[disagreement.Group, ...]:
    """Judge by each server of the zone, and bring together those that come to the same; none: they were not asked."""
    made: list[disagreement.Group] = []
    for view in _views(known(look), questions):
        try:
            found = judge(replace(look, answers=view.answers))
        except MissingFact:
            continue
        group = disagreement.Group(found, view.servers)
        same = next((one for one in made if one.key == group.key), None)
        if same is None:
            made.append(group)
        else:
            made[made.index(same)] = replace(same, servers=(*same.servers, *view.servers))
    return tuple(made)


class _View(Struct, frozen=True):
    """The answers as those servers have them who say the same."""

    servers: tuple[str, ...]
    answers: Answers


def _views(answers: Answers, questions: Iterable[Question]) -> list[_View]:
    rows: dict[str, dict[str, Answer]] = {}
    wanted = {Answers.key(*question): question for question in questions}
    for key, question in wanted.items():
        # Whether DNSSEC confirms a record is the resolver's word: servers of the zone check no signatures.
        resolved = answers.get(*question)
        authentic = resolved is not None and resolved.authentic
        for one in said(answers, *question):
            rows.setdefault(one.server, {})[key] = replace(one, authentic=authentic)
    whole = {server: row for server, row in rows.items() if len(row) == len(wanted)}
    alike: dict[tuple[object, ...], list[str]] = {}
    for server, row in whole.items():
        alike.setdefault(tuple(content(row[key]) for key in wanted), []).append(server)
    return [
        _View(tuple(servers), replace(answers, by_question=answers.by_question | whole[servers[0]]))
        for servers in alike.values()
    ]


def _served(look: Look, check: str, question: Question, found: Finding) -> Finding:
    """Add what is said of the servers of the zone."""
    told = serving.told(look, check, *question)
    message = paragraph(found.message, told.fault, told.remark)
    if told.fault is None:
        return replace(found, message=message)
    status = Status.WARN if found.status is Status.PASS else found.status
    return replace(found, status=status, message=message, remedy=disagreement.also(found.remedy, told.remedy))
