"""A box for an experiment: what is made in it carries the run's labels, and is gone when the box is left.

Every call to the engine is an errand in a thread of its own: no signal interrupts it, and nobody waits for it when
the run is being ended. A container that the engine made too late for its box is removed all the same.
"""

from __future__ import annotations

import contextlib
import datetime
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from preflight.facts.engine import RUN
from preflight.gather.access.errand import Errand, Stopped, boxes
from preflight.gather.engine import reply as reply
from preflight.gather.engine.client import EngineError
from preflight.gather.engine.engine import connect, translated
from preflight.probes import identity

if TYPE_CHECKING:
    from docker import APIClient

TITLE = "mailcow-preflight"  # of our own image: its name, and its label org.opencontainers.image.title
PYTHON = "/usr/bin/python3"  # is always there in our own image
LATE = 5  # seconds that a box waits, when left, for calls that are still under way, and then for each removal
EMPTYING = 15  # seconds in which a box must be empty where the engine is that slow; the next run removes the rest
CALL = 15  # seconds of a call: more than any probe lasts, so that a deadline ends the waiting and not the call
TIDYING = 0.3  # seconds before the run's deadline at which a probe gives up, so that it is removing by then
T = TypeVar("T")

__all__ = ["PYTHON", "TIDYING", "TITLE", "Box", "EngineError", "Stopped", "cleanup", "own_image", "remove_dead"]


class Box:
    """An engine, an end (of time.monotonic()), and what was made so far. Use it as a context manager.

    `stop` says that the run is being ended: calls then raise `Stopped` within some 20 ms.
    """

    def __init__(self, url: str, stop: threading.Event, deadline: float, run: identity.Identity | None = None) -> None:
        self.client: APIClient = connect(url, min(LATE, max(0.1, deadline - time.monotonic())))
        self.client.timeout = CALL
        self.run = run or identity.own()
        self._stop = stop
        self._deadline = deadline
        self._made: list[str] = []
        self._entered = False
        self._under_way: list[Errand[Any]] = []

    def __enter__(self) -> Box:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove everything, in a thread that no signal interrupts; wait for what is still under way.

        A run that prints its report meanwhile does not end before it.
        """
        emptying = threading.Thread(target=self._leave, name="emptying a box", daemon=True)
        emptying.start()
        emptying.join(EMPTYING + LATE)

    def _leave(self) -> None:
        try:
            self._empty()
        finally:
            if self._entered:
                boxes.leave()

    def _empty(self) -> None:
        until = time.monotonic() + LATE
        for errand in self._under_way:
            errand.wait(max(0.0, until - time.monotonic()))
        self.client.timeout = LATE
        left, end = self._made, until - LATE + EMPTYING
        while left and time.monotonic() < end:
            left = [name for name in left if self._slow(name)]
        late = [errand for errand in self._under_way if not errand.wait(0)]
        if late:  # the engine hangs: what it makes after all is removed then, if the program still runs
            Errand(lambda: self._empty_late(late))
        else:
            self.client.close()

    def _slow(self, name: str) -> bool:
        """Remove a container; say whether that has to be tried again, as the engine did not answer in time."""
        try:
            with translated():
                _remove(self.client, name)
        except EngineError as error:
            return error.state == "timeout"
        return False

    def _empty_late(self, late: list[Errand[Any]]) -> None:
        for errand in late:
            errand.wait(60.0)
        with contextlib.suppress(EngineError):
            remove_run(self.client, self.run.run)
        self.client.close()

    def call(self, function: Callable[[], T]) -> T:
        """Call the engine; raise `EngineError` with its words, `Stopped`, or TimeoutError at the deadline."""

        def act() -> T:
            with translated():
                return function()

        if self._stop.is_set():
            raise Stopped
        errand = Errand(act)
        self._under_way = [other for other in self._under_way if not other.wait(0)] + [errand]
        return errand.get(self._deadline, self._stop)

    def create(self, name: str, image: str, code: str, **options: Any) -> str:
        """Make a container that runs Python code with our image's interpreter; return its id.

        Raise `Stopped` where the run is over: nobody would wait until it is removed.
        `options` are those of docker's create_container; `host` holds those of its host configuration.
        """
        host = self.client.create_host_config(**options.pop("host", {}))
        self._entered = self._entered or boxes.enter()
        if not self._entered:
            raise Stopped
        name = f"{TITLE}-{self.run.run}-{name}"
        self._made.append(name)  # before it is: what is made though its answer is lost is removed too

        def act() -> str:
            made = self.client.create_container(
                image,
                name=name,
                entrypoint=[PYTHON],
                command=["-I", "-S", "-c", code],
                labels=self.run.labels(),
                stop_signal="SIGKILL",  # Podman asks before it removes; the first process of a container is deaf
                host_config=host,
                use_config_proxy=False,
                **options,
            )
            return str(made["Id"])

        return self.call(act)

    def inspect(self, container: str) -> dict[str, Any]:
        """Return what the engine says of a container."""
        return reply.table(self.call(lambda: self.client.inspect_container(container)))

    def state(self, container: str) -> dict[str, Any]:
        """Return the state part of what the engine says of a container."""
        return reply.table(self.inspect(container).get("State"))

    def pause(self, seconds: float = 0.05) -> None:
        """Wait; raise `Stopped` or TimeoutError as `call` does."""
        if self._stop.wait(max(0.0, min(seconds, self._deadline - time.monotonic()))):
            raise Stopped
        if time.monotonic() >= self._deadline:
            raise TimeoutError


def _quietly(function: Callable[[], object]) -> bool:
    """Remove something; say whether it is gone."""
    try:
        with translated():
            function()
    except EngineError as error:
        return error.status in (404, 409)  # gone already, or going
    return True


def own_image(box: Box, container: str | None) -> str | None:
    """Return the image of the container we run in (its id), else one of that name or title; None: there is none."""
    if container:
        try:
            return str(box.inspect(container)["Image"])
        except (EngineError, KeyError):
            pass  # another engine than the one we are asked about
    try:
        named = box.call(lambda: box.client.inspect_image(TITLE))  # type: ignore[no-untyped-call]  # the stubs' gap
        return str(named["Id"])
    except EngineError as error:
        if error.status != 404:
            raise
    titled = {"label": f"org.opencontainers.image.title={TITLE}"}
    found = box.call(lambda: box.client.images(filters=titled))
    return str(found[0]["Id"]) if found else None


def remove_run(client: APIClient, run: str) -> list[str]:
    """Remove all that carries a run's label; return what was removed."""
    ours = [(shown, remove) for labels, shown, remove in _labelled(client) if labels[RUN] == run]
    return [shown for shown, remove in ours if _quietly(remove)]


def remove_dead(client: APIClient, *, force: bool = False, local: bool = True) -> list[str]:
    """Remove what dead runs left; return it as `container NAME`, `network NAME`, `volume NAME`. Raise `EngineError`.

    A run that cannot be asked (of another PID namespace) is held for dead after ten minutes, with `force` at once.
    `local`: the engine is on this very machine.
    """
    now = datetime.datetime.now(datetime.UTC)
    removed = []
    for labels, shown, remove in _labelled(client):
        living = identity.alive(labels, local=local)
        if living is None:
            living = not force and identity.age(labels, now) < identity.FOREIGN_SECONDS
        if not living and _quietly(remove):
            removed.append(shown)
    return removed


def _labelled(client: APIClient) -> list[tuple[dict[str, str], str, Callable[[], object]]]:
    """List the objects of all runs with their labels and how to remove them: containers before what they use.

    The engine is told to list only those, but not trusted to: what bears no label of ours is never touched.
    """
    chosen = {"label": RUN}
    with translated():
        containers = [
            (row, f"container {(row.get('Names') or [row['Id']])[0].lstrip('/')}", _bind(_remove, client, row["Id"]))
            for row in client.containers(all=True, filters=chosen)
        ]
        networks = [
            (row, f"network {row['Name']}", _bind(client.remove_network, row["Id"]))
            for row in client.networks(filters=chosen)
        ]
        volumes = [
            (row, f"volume {row['Name']}", _bind(client.remove_volume, row["Name"]))
            for row in client.volumes(filters=chosen).get("Volumes") or []
        ]
    every = [(_labels(row), _printable(shown), remove) for row, shown, remove in [*containers, *networks, *volumes]]
    return [(labels, shown, remove) for labels, shown, remove in every if RUN in labels]


def _labels(row: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in reply.table(row.get("Labels")).items() if isinstance(value, str)}


def _printable(name: str) -> str:
    """Make a name fit for one line of a terminal: the engine lets networks have any."""
    return "".join(c if c.isprintable() else "?" for c in name[:200])


def _remove(client: APIClient, container: str) -> None:
    client.remove_container(container, v=True, force=True)


def _bind(function: Callable[..., object], *args: object) -> Callable[[], object]:
    return lambda: function(*args)


def cleanup(url: str, *, force: bool = True) -> list[str]:
    """Remove what runs that do not live any more left on an engine; return it. Raise `EngineError`."""
    client = connect(url)
    try:
        return remove_dead(client, force=force, local=url.startswith("unix://"))
    finally:
        client.close()
