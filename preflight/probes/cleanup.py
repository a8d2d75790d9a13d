"""Remove what runs left on an engine: all that carries their label, containers before the networks they are in."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from preflight.facts.engine import RUN
from preflight.gather.engine import reply
from preflight.gather.engine.client import EngineError
from preflight.gather.engine.engine import connect, translated
from preflight.probes import identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker import APIClient


class Leftover(Struct, frozen=True):
    """An object with the label of a run: what it is called, its labels, how it is removed."""

    kind: str  # container, network, volume
    name: str
    labels: dict[str, str]
    remove: Callable[[], object]

    def removed(self) -> bool:
        """Remove it; say whether it is gone, or going."""
        try:
            with translated():
                self.remove()
        except EngineError as error:
            # Of a container, a conflict means that somebody removes it; of what is in use, that it stays.
            return error.status == 404 or (error.status == 409 and self.kind == "container")
        return True

    def __str__(self) -> str:
        # Fit for one line of a terminal: the engine lets networks have any name.
        return f"{self.kind} {''.join(c if c.isprintable() else '?' for c in self.name[:200])}"


def cleanup(url: str, *, force: bool = True) -> list[str]:
    """Remove what runs that do not live any more left on an engine; return it. Raise `EngineError`."""
    client = connect(url)
    try:
        return remove_dead(client, force=force, local=url.startswith("unix://"))
    finally:
        client.close()


def remove_dead(client: APIClient, *, force: bool = False, local: bool = True) -> list[str]:
    """Remove what dead runs left; return it as `container NAME`, `network NAME`, `volume NAME`. Raise `EngineError`.

    A run that cannot be asked (of another PID namespace) is held for dead after ten minutes, with `force` at once.
    `local`: the engine is on this very machine.
    """
    now = datetime.datetime.now(datetime.UTC)

    def dead(one: Leftover) -> bool:
        living = identity.alive(one.labels, local=local)
        if living is None:
            living = not force and identity.age(one.labels, now) < identity.FOREIGN_SECONDS
        return not living

    return [str(one) for one in list(_labelled(client)) if dead(one) and one.removed()]


def remove_run(client: APIClient, run: str) -> list[str]:
    """Remove all that carries a run's label; return what was removed."""
    return [str(one) for one in list(_labelled(client)) if one.labels[RUN] == run and one.removed()]


def remove_container(client: APIClient, container: str) -> None:
    """End and remove a container, with the volumes that have no name."""
    client.remove_container(container, v=True, force=True)


def _labelled(client: APIClient) -> Iterator[Leftover]:
    """Yield the objects of all runs: containers before what they use.

    The engine is told to list only those, but not trusted to: what bears no label of ours is never touched.
    """
    chosen = {"label": RUN}
    with translated():
        rows: list[tuple[str, str, dict[str, Any], Callable[[], object]]] = [
            *(
                ("container", _name(row), row, partial(remove_container, client, row["Id"]))
                for row in client.containers(all=True, filters=chosen)
            ),
            *(
                ("network", row["Name"], row, partial(client.remove_network, row["Id"]))
                for row in client.networks(filters=chosen)
            ),
            *(
                ("volume", row["Name"], row, partial(client.remove_volume, row["Name"]))
                for row in client.volumes(filters=chosen).get("Volumes") or []
            ),
        ]
    for kind, name, row, remove in rows:
        labels = {key: value for key, value in reply.table(row.get("Labels")).items() if isinstance(value, str)}
        if RUN in labels:
            yield Leftover(kind, name, labels, remove)


def _name(container: dict[str, Any]) -> str:
    name: str = (container.get("Names") or [container["Id"]])[0]
    return name.lstrip("/")
