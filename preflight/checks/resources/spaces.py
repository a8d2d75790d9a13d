"""Where space is needed, and what is known of it."""

from __future__ import annotations

from preflight.checks import Look
from preflight.facts import Fact, Space
from preflight.mailcow.plan import data_paths
from preflight.text.sentences import say


def data(look: Look) -> tuple[str, ...]:
    """Return where the engine keeps volumes, and where containerd keeps images if it does.

    Facts of older versions did not look at containerd's place before there was an engine: they are judged without.
    """
    engine, spaces = look.host.engine.value, look.host.spaces.value
    paths = data_paths(engine, look.host.daemon_config.value, look.host.engine_start.value)
    return paths if engine or spaces is None else tuple(p for p in paths if p == paths[0] or p in spaces)


def at(look: Look, path: str) -> Space:
    """Return what is known of a path; raise `MissingFact` where it was not measured."""
    not_measured: Fact[Space] = Fact.unknown(
        "statvfs", say("{path} was not measured.", path=path), say("Run the check again on the host.")
    )
    return look.host.spaces.get().get(path, not_measured).get()


def twin(look: Look, path: str) -> str:
    """Return the data-root where containerd's store shares its file system, and is judged there; '' = judged itself."""
    root, *others = data(look)
    return root if path in others and same_mount(look, path, root) else ""


def same_mount(look: Look, path: str, other: str) -> bool:
    """Say whether two paths are known to be on one file system."""
    spaces = look.host.spaces.get()
    first, second = (spaces[name].value if name in spaces else None for name in (path, other))
    return bool(first and second and first.mount and first.mount == second.mount)
