"""What was made for a probe, and how all of it is removed: in reverse order, containers before networks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from preflight.gather.access.errand import Errand
from preflight.gather.engine.client import EngineError
from preflight.gather.engine.engine import translated
from preflight.probes.cleanup import remove_container, remove_run

if TYPE_CHECKING:
    from docker import APIClient

LATE = 5  # seconds that are waited for calls that are still under way, and then for each removal
EMPTYING = 15  # seconds in which all must be gone where the engine is that slow; the next run removes the rest
EACH = 1  # seconds more for each object: a rehearsal makes a dozen
AGAIN = 0.1  # seconds until what is still in use is removed again


class Made(Struct, frozen=True):
    """An object on the engine, by the name that it was given: it is known before there is an id."""

    kind: Literal["container", "network"]
    name: str


def empty(client: APIClient, run: str, made: Sequence[Made], under_way: Sequence[Errand[Any]]) -> None:
    """Remove what was made, once the calls under way are over; then close the client. Raises nothing of the engine's.

    What an engine that hangs makes after all is removed then, if the program still runs.
    """
    began = time.monotonic()
    for errand in under_way:
        errand.wait(max(0.0, began + LATE - time.monotonic()))
    client.timeout = LATE
    _remove(client, made, began + longest(made))
    late = [errand for errand in under_way if not errand.wait(0)]
    if late:
        Errand(lambda: _empty_late(client, run, late))
    else:
        client.close()


def longest(made: Sequence[Made]) -> float:
    """Return the seconds in which all must be gone."""
    return EMPTYING + EACH * len(made)


def _remove(client: APIClient, made: Sequence[Made], end: float) -> None:
    """Remove containers, then networks, each kind in reverse order of making; again where an object asks for it."""
    for kind in ("container", "network"):
        patience = time.monotonic() + LATE
        left = [one for one in reversed(made) if one.kind == kind]
        while left and time.monotonic() < end:
            left = [one for one in left if _is_left(client, one, patience)]
            if left:
                time.sleep(AGAIN)


def _is_left(client: APIClient, one: Made, patience: float) -> bool:
    """Remove an object; say whether that has to be tried again: the engine was too slow, or a network is still used.

    `patience`: until when the engine is believed that a network without our containers is in use.
    """
    try:
        with translated():
            client.remove_network(one.name) if one.kind == "network" else remove_container(client, one.name)
    except EngineError as error:
        used = one.kind == "network" and error.status in (403, 409) and time.monotonic() < patience
        return used or error.state == "timeout"
    return False


def _empty_late(client: APIClient, run: str, late: Sequence[Errand[Any]]) -> None:
    for errand in late:
        errand.wait(60.0)
    with contextlib.suppress(EngineError):
        remove_run(client, run)
    client.close()
