"""The engine: what it says of itself, and what its files say of it."""

from __future__ import annotations

from preflight.facts import Contact, DaemonConfig, Engine, EngineStart, Fact, Missing
from preflight.gather.engine import engine as adapter
from preflight.gathering.run import Run, Shared


def _locate(run: Run) -> str | Missing:
    wishes = run.wishes
    return adapter.locate(run.roots, wishes.environ, wishes.docker_host, root_given=wishes.root_given)


def _ask(run: Run) -> tuple[Fact[Contact], Fact[Engine]]:
    return adapter.engine(run.share(URL), own=adapter.own_container(run.roots))


URL = Shared("url", _locate)
REPLY = Shared("reply", _ask)


def contact(run: Run) -> Fact[Contact]:
    """How the engine was reached."""
    return run.share(REPLY)[0]


def engine(run: Run) -> Fact[Engine]:
    """What it says of itself."""
    return run.share(REPLY)[1]


def daemon_config(run: Run) -> Fact[DaemonConfig]:
    """Its settings, of its file and its command line."""
    from preflight.gather.engine import daemon

    url = run.share(URL)
    contact = run.value("contact")
    where = url if isinstance(url, str) else ""
    # A busy host has thousands of processes: among them nobody is searched for where nobody listens.
    nobody = contact is not None and where.startswith("unix://") and contact.state in ("absent", "refused")
    return daemon.daemon_config(run.roots, run.value("engine"), where, listening=not nobody)


def engine_start(run: Run) -> Fact[EngineStart]:
    """What it meets when it is started next."""
    from preflight.gather.engine import next_start

    return next_start.engine_start(run.roots, run.value("engine"), run.value("daemon_config"))
