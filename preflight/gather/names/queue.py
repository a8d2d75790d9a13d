"""Questions that several threads take one after another, and the answers that there is room for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from preflight.facts import Answer, Answers
from preflight.gather.names.budget import weigh
from preflight.gather.names.questions import Question


class Queue:
    """Each question is taken once, as long as there is `room` (the weight of all answers' records)."""

    def __init__(self, questions: Iterable[Question], room: int) -> None:
        self._wanted = {Answers.key(*question): question for question in questions}
        self._waiting = list(reversed(self._wanted))
        self._begun: set[str] = set()
        self._answers: dict[str, Answer] = {}
        self._room = room
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._wanted)

    def take(self) -> tuple[str, Question] | None:
        """Return the next question with its key; None: there is none, or no room for its answer."""
        with self._lock:
            if not self._waiting or self._room <= 0:
                return None
            key = self._waiting.pop()
            self._begun.add(key)
            return key, self._wanted[key]

    def keep(self, key: str, answer: Answer) -> None:
        """Keep an answer; one that there is no room for was asked in vain, and is forgotten."""
        with self._lock:
            self._room -= weigh(answer)
            if self._room >= 0:
                self._answers[key] = answer
            else:
                self._begun.discard(key)

    def answers(self, late: Callable[[Question], Answer]) -> dict[str, Answer]:
        """Return the answers to all that was begun, in the order of the questions; `late` makes those not in yet."""
        with self._lock:
            return {
                key: self._answers.get(key) or late(question)
                for key, question in self._wanted.items()
                if key in self._begun
            }
