"""Questions that several threads take one after another, and the answers that there is room for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from preflight.facts import Answer
from preflight.gather.names.budget import weigh

K = TypeVar("K")
J = TypeVar("J")


class Queue(Generic[K, J]):
    """Each job is taken once, under its key, as long as there is `room` (the weight of all answers' records)."""

    def __init__(self, wanted: Mapping[K, J], room: int) -> None:
        self._wanted = dict(wanted)
        self._waiting = list(reversed(self._wanted))
        self._begun: set[K] = set()
        self._answers: dict[K, Answer] = {}
        self._room = room
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._wanted)

    def take(self) -> tuple[K, J] | None:
        """Return the next job with its key; None: there is none, or no room for its answer."""
        with self._lock:
            if not self._waiting or self._room <= 0:
                return None
            key = self._waiting.pop()
            self._begun.add(key)
            return key, self._wanted[key]

    def keep(self, key: K, answer: Answer) -> None:
        """Keep an answer; one that there is no room for was asked in vain, and is forgotten."""
        with self._lock:
            self._room -= weigh(answer)
            if self._room >= 0:
                self._answers[key] = answer
            else:
                self._begun.discard(key)

    def answers(self, late: Callable[[J], Answer]) -> dict[K, Answer]:
        """Return the answers to all that was begun, in the order of the jobs; `late` makes those not in yet."""
        with self._lock:
            return {key: self._answers.get(key) or late(job) for key, job in self._wanted.items() if key in self._begun}
