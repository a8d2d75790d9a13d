"""Questions to name servers side by side, each bounded, and their answers as they came.

Names are absolute, search lists are never used. NXDOMAIN, NOERROR without data, a refusal and silence stay four
different results. What does not fit the question (source, id, question) is passed over, as an attacker may send it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from msgspec.structs import replace

from preflight.facts import Answer, Answers, absolute
from preflight.gather.names import lenient
from preflight.gather.names.budget import Budget
from preflight.gather.names.exchange import Manner, put
from preflight.gather.names.messages import CHAIN, Broken
from preflight.gather.names.nameservers import Server, server, shown
from preflight.gather.names.questions import Question
from preflight.gather.names.queue import Queue
from preflight.text.sentences import phrase

K = TypeVar("K")
J = TypeVar("J")

LIFETIME = 5.0  # seconds for one question, on all servers
OWN = 2.0  # seconds for one question to a server of the zone: a silent one costs a try, and others know too
MARGIN = 0.2  # seconds before the deadline at which all is given up, so that the answers are still collected
THREADS = 40
SILENT = ("timeout", "error")
_WITHOUT_EDNS = ("FORMERR", "NOTIMP", "BADVERS")
# Extended errors by which a server itself says that signatures are wrong (RFC 8914 4.6 to 4.13).
SAYS_BOGUS = range(5, 13)


def ask(
    servers: tuple[Server, ...],
    questions: Iterable[Question],
    deadline: float,
    room: int = Budget().weight,
    silent: set[Server] | None = None,
) -> dict[str, Answer]:
    """Ask questions side by side until `deadline` (of time.monotonic); return the answers by `Answers.key`.

    What was asked in vain is `timeout`. What the deadline or the `room` (the weight of all records) left no time or
    place for is not among the answers. `silent` keeps which servers did not answer: they are asked last. Never raises.
    """
    known: set[Server] = set() if silent is None else silent
    names = " and ".join(map(shown, servers))
    return side_by_side(
        {Answers.key(*question): question for question in questions},
        lambda question, until: _question(servers, question, until, known),
        lambda asked: Answer(absolute(asked[0]), asked[1], "timeout", server=names),
        deadline,
        room,
    )


def ask_own(jobs: Iterable[tuple[Server, Question]], deadline: float, room: int) -> dict[tuple[Server, str], Answer]:
    """Ask zones' own servers, each question one server, once; return the answers by server and `Answers.key`.

    A server that was silent once is not asked again.
    """
    silent: set[Server] = set()
    return side_by_side(
        {(one, Answers.key(*question)): (one, question) for one, question in jobs},
        lambda job, until: _own(*job, min(until, time.monotonic() + OWN), silent),
        lambda job: Answer(absolute(job[1][0]), job[1][1], "timeout", server=shown(job[0])),
        deadline,
        room,
    )


def _own(one: Server, question: Question, until: float, silent: set[Server]) -> Answer:
    name, kind = absolute(question[0]), question[1]
    if one in silent:
        return Answer(name, kind, "timeout", server=shown(one))
    answer = _one_server(one, name, kind, until, Manner.OWN)
    if answer.rcode == "timeout":
        silent.add(one)
    return answer


def side_by_side(
    wanted: Mapping[K, J],
    one: Callable[[J, float], Answer],
    late: Callable[[J], Answer],
    deadline: float,
    room: int,
) -> dict[K, Answer]:
    """Do jobs in threads: `one` does a job until a time, `late` is what becomes of those not done at the end."""
    lenient.enable()
    queue = Queue(wanted, room)

    def work() -> None:
        while time.monotonic() < deadline - 2 * MARGIN and (taken := queue.take()):
            key, job = taken
            queue.keep(key, one(job, min(deadline - 2 * MARGIN, time.monotonic() + LIFETIME)))

    # Daemons of our own, not an executor: a thread that hangs must not keep the program from ending.
    crew = [threading.Thread(target=work, name="dns", daemon=True) for _ in range(min(THREADS, len(queue)))]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join(max(0.0, deadline - MARGIN - time.monotonic()))
    return queue.answers(lambda job: replace(late(job), detail=phrase("the deadline of the run passed")))


def _question(servers: tuple[Server, ...], question: Question, until: float, silent: set[Server]) -> Answer:
    """Ask each server in turn until one knows; a server that has refused is not asked again."""
    name, kind = absolute(question[0]), question[1]
    best = Answer(name, kind, "timeout", server=" and ".join(map(shown, servers)))
    open_to = list(servers)
    while open_to and time.monotonic() < until:
        for one in sorted(open_to, key=silent.__contains__):
            answer = _one_server(one, name, kind, until, Manner.RESOLVE)
            (silent.add if answer.rcode == "timeout" else silent.discard)(one)
            if answer.rcode in ("NOERROR", "NXDOMAIN") or answer.unchecked:
                return answer
            if answer.rcode != "timeout":
                open_to.remove(one)
                best = answer if best.rcode in SILENT else best
    return best


def _one_server(one: Server, name: str, kind: str, until: float, manner: Manner) -> Answer:
    """Ask one server; whatever comes of it is an answer."""
    import dns.exception

    try:
        return _answer(one, name, kind, until, manner)
    except dns.exception.Timeout:
        return Answer(name, kind, "timeout", server=shown(one))
    except OSError as error:
        return Answer(name, kind, "error", server=shown(one), detail=error.strerror or type(error).__name__)
    except Exception as error:  # noqa: BLE001 - bytes from strangers: whatever they break costs one answer
        return Answer(name, kind, "error", server=shown(one), detail=f"{type(error).__name__}: {error}"[:200])


def _answer(one: Server, name: str, kind: str, until: float, manner: Manner) -> Answer:
    """Ask, without EDNS if the server does not know that; follow CNAMEs for a resolver that does not recurse."""
    answer, recursive = put(one, name, kind, until, manner, edns=True)
    edns = answer.rcode not in _WITHOUT_EDNS
    if not edns:
        answer, recursive = put(one, name, kind, until, manner, edns=False)
    if manner is not Manner.RESOLVE:
        return answer
    if answer.rcode == "SERVFAIL" and recursive:
        return _unchecked(one, answer, until, edns=edns)
    for left in reversed(range(CHAIN)):
        if recursive or answer.rcode != "NOERROR" or answer.records or not answer.alias or answer.broken:
            break
        further, recursive = put(one, answer.alias, kind, until, manner, edns=edns)
        answer = _joined(answer, further, is_last=not left)
    return answer


def _unchecked(one: Server, failed: Answer, until: float, *, edns: bool) -> Answer:
    """Ask a resolver that failed once more without a check of signatures: an answer shows that these are wrong.

    A resolver may have failed for want of time, and know by now: where it does not name the signatures as the reason
    itself, it has to fail a second time. What does not come in time changes nothing.
    """
    import dns.exception

    question = failed.name, failed.type
    try:
        answer, _ = put(one, *question, until, Manner.UNCHECKED, edns=edns)
        if answer.rcode not in ("NOERROR", "NXDOMAIN"):
            return failed
        if not any(code in SAYS_BOGUS for code in failed.extended):
            again, _ = put(one, *question, until, Manner.RESOLVE, edns=edns)
            if again.rcode != "SERVFAIL":
                return again
        return replace(failed, unchecked=answer.rcode)
    except (OSError, dns.exception.DNSException):
        return failed


def _joined(answer: Answer, further: Answer, *, is_last: bool) -> Answer:
    """Return the answer for an alias as that for the name which has it."""
    too_far: Broken = "long" if is_last and further.alias and not further.records else ""
    return replace(
        further,
        name=answer.name,
        alias=further.alias or answer.alias,
        broken=further.broken or too_far,
        authentic=answer.authentic and further.authentic,
    )


__all__ = ["SILENT", "Question", "ask", "ask_own", "server"]
