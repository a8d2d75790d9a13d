"""A box for a probe: what is made in it carries the run's labels, and is gone when the box is left.

Every call to the engine is an errand in a thread of its own: no signal interrupts it, and nobody waits for it when
the run is being ended. What the engine made too late for its box is removed all the same.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace

from preflight.gather.access.errand import Errand, Stopped, boxes
from preflight.gather.engine import reply
from preflight.gather.engine.client import EngineError
from preflight.gather.engine.engine import connect, translated
from preflight.probes import identity
from preflight.probes.bench import Bench, Questions, Script, Trial
from preflight.probes.cleanup import remove_container
from preflight.probes.image import PYTHON, TITLE
from preflight.probes.made import LATE, Made, empty, longest
from preflight.probes.publication import Publication, bindings, published
from preflight.text.sentences import phrase

if TYPE_CHECKING:
    from docker import APIClient

CALL = 15  # seconds of a call, at the least: more than a short probe lasts, so that its end ends the waiting alone
T = TypeVar("T")


class Slow(TimeoutError):
    """Each call to the engine takes so many seconds that what is to be done would not end in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Box:
    """A bench, and what was made on it so far. Use it as a context manager.

    When the run is being ended, calls raise `Stopped` within some 20 ms.
    """

    def __init__(self, bench: Bench, run: identity.Identity | None = None) -> None:
        left = max(0.1, bench.deadline - time.monotonic())
        self.client: APIClient = connect(bench.url, min(LATE, left))
        self.client.timeout = max(CALL, math.ceil(left + LATE))
        self.run = run or identity.own()
        self._bench = bench
        self._made: list[Made] = []
        self._entered = False
        self._under_way: list[Errand[Any]] = []
        self._pace = 0.0  # seconds of the last call

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
        emptying.join(longest(self._made) + LATE)

    def _leave(self) -> None:
        try:
            empty(self.client, self.run.run, self._made, self._under_way)
        finally:
            if self._entered:
                boxes.leave()

    @property
    def stop(self) -> threading.Event:
        """Return what is set when the run is being ended."""
        return self._bench.stop

    @property
    def script(self) -> Script:
        """Return what the rehearsal makes; raise `EngineError` where nobody has said so."""
        if self._bench.script is None:
            raise EngineError(phrase("there is nothing to rehearse"))
        return self._bench.script

    @property
    def questions(self) -> Questions:
        """Return what is to be asked on the resolver's way; raise `EngineError` where nobody has said so."""
        if self._bench.questions is None:
            raise EngineError(phrase("there is nothing to ask"))
        return self._bench.questions

    @property
    def trial(self) -> Trial:
        """Return what the probe with published ports makes; raise `EngineError` where nobody has said so."""
        if self._bench.trial is None:
            raise EngineError(phrase("there is no network to make"))
        return self._bench.trial

    def call(self, function: Callable[[], T]) -> T:
        """Call the engine; raise `EngineError` with its words, `Stopped`, or TimeoutError at the deadline."""

        def act() -> T:
            with translated():
                return function()

        if self._bench.stop.is_set():
            raise Stopped
        errand = Errand(act)
        self._under_way = [other for other in self._under_way if not other.wait(0)] + [errand]
        began = time.monotonic()
        said = errand.get(self._bench.deadline, self._bench.stop)
        self._pace = time.monotonic() - began
        return said

    def afford(self, calls: int) -> None:
        """Raise `Slow` where so many calls, each as long as the last one, would outlast the box."""
        if self._pace * calls > self._bench.deadline - time.monotonic():
            raise Slow(self._pace)

    def _note(self, made: Made) -> None:
        """Note what is about to be made: it is removed too where the answer to its making is lost.

        Raise `Stopped` where the run is over: nobody would wait until it is removed.
        """
        self._entered = self._entered or boxes.enter()
        if not self._entered:
            raise Stopped
        self._made.append(made)

    def extend(self, seconds: float) -> None:
        """Let the box last so much longer."""
        self._bench = replace(self._bench, deadline=self._bench.deadline + seconds)

    def name(self, name: str) -> str:
        """Return the whole name of what is made as `name`."""
        return f"{TITLE}-{self.run.run}-{name}"

    def network(self, name: str, **options: Any) -> str:
        """Make a network; return its id. `options` are those of docker's create_network. Raises what `create` does."""
        whole = self.name(name)
        self._note(Made("network", whole))

        def act() -> str:
            made = self.client.create_network(whole, labels=self.run.labels(), **options)
            return str(made["Id"])

        return self.call(act)

    def create(
        self,
        name: str,
        image: str,
        code: str,
        *,
        packages: bool = False,
        words: tuple[str, ...] = (),
        publish: tuple[Publication, ...] = (),
        **options: Any,
    ) -> str:
        """Make a container that runs Python code with our image's interpreter; return its id.

        `packages`: the code imports packages of the image, as dnspython; without, the interpreter starts faster.
        `words`: the program's arguments. `publish`: ports of it that the host publishes. `options` are those of
        docker's create_container; `host` holds those of its host configuration. Raise `Stopped` where the run is over,
        and what `call` raises.
        """
        ports, bound = bindings(publish)
        host = self.client.create_host_config(**{**bound, **options.pop("host", {})})
        whole = self.name(name)
        self._note(Made("container", whole))

        def act() -> str:
            made = self.client.create_container(
                image,
                name=whole,
                entrypoint=[PYTHON],
                command=["-I", *(() if packages else ("-S",)), "-c", code, *words],
                labels=self.run.labels(),
                stop_signal="SIGKILL",  # Podman asks before it removes; the first process of a container is deaf
                host_config=host,
                use_config_proxy=False,
                **ports,
                **options,
            )
            return str(made["Id"])

        return self.call(act)

    def start(self, container: str) -> None:
        """Start a container."""
        self.call(lambda: self.client.start(container))

    def remove(self, container: str) -> None:
        """End and remove a container before the box is left; no error where it is gone already."""
        try:
            self.call(lambda: remove_container(self.client, container))
        except EngineError as error:
            if error.status not in (404, 409):
                raise

    def logs(self, container: str, limit: int = 1 << 18) -> bytes:
        """Return the beginning of what a container has printed on its standard output."""

        def act() -> bytes:
            said = b""
            for piece in self.client.logs(container, stdout=True, stderr=False, stream=True, follow=False):
                if len(said) < limit:  # read to its end all the same: a stream that is left keeps its connection
                    said += piece if isinstance(piece, bytes) else str(piece).encode()  # type: ignore[redundant-expr]  # its type says so, a reply may not
            return said[:limit]

        return self.call(act)

    def inspect(self, container: str) -> dict[str, Any]:
        """Return what the engine says of a container."""
        return reply.table(self.call(lambda: self.client.inspect_container(container)))

    def state(self, container: str) -> dict[str, Any]:
        """Return the state part of what the engine says of a container."""
        return reply.table(self.inspect(container).get("State"))

    def published(self, container: str) -> tuple[Publication, ...]:
        """Return the ports that the host publishes of a running container, as the engine says."""
        return published(self.inspect(container))

    def pause(self, seconds: float = 0.05) -> None:
        """Wait; raise `Stopped` or TimeoutError as `call` does."""
        left = self._bench.deadline - time.monotonic()
        if self._bench.stop.wait(max(0.0, min(seconds, left))):
            raise Stopped
        if time.monotonic() >= self._bench.deadline:
            raise TimeoutError
