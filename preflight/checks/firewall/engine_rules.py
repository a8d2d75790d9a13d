"""Where the engine keeps its rules, and whether those are there that it writes when it starts."""

from __future__ import annotations

from preflight.checks import Look
from preflight.facts import NO_ENGINE, NO_SETTINGS, Chain, Table
from preflight.text.versions import parse_version

NATIVE = "docker-bridges"  # the table of the engine's own nftables backend
_ISOLATION = ("DOCKER-ISOLATION-STAGE-1", "DOCKER-ISOLATION-STAGE-2")
_FORWARD = ("DOCKER-FORWARD", "DOCKER-BRIDGE", "DOCKER-CT")
# Chains that the engine makes when it starts, and that it needs for each new network: from which version on, to which.
_NEEDED = (
    ((18, 3), (28,), _ISOLATION),
    ((28, 0, 1), (29,), (*_FORWARD, *_ISOLATION)),
    ((29,), (30,), _FORWARD),
)


def told(look: Look) -> bool:
    """Say whether rules of the engine's are missing, and the check of the backend tells it."""
    return look.told_by("firewall.backend") and bool(missing(look))


def missing(look: Look) -> tuple[str, ...]:
    """Return the engine's chains that should be there and are not, or that nothing leads to."""
    if not writes(look):
        return ()
    tables = look.host.twin.get().tables
    if native(look):
        return () if any(table.name == NATIVE for table in tables) else (NATIVE,)
    engine = look.host.engine.or_(NO_ENGINE)
    networks = any(network.driver == "bridge" for network in engine.networks)
    # Some managers write the oldest ones back, and no others.
    stages = (_wanted(tables, networks=networks), _needed(tables, engine.version))
    found = (tuple(f"{table} {chain}" for chain, table, there in stage if not there) for stage in stages)
    return next(filter(None, found), ())


def writes(look: Look) -> bool:
    """Say whether there is an engine whose rules have to be in this host's network."""
    engine = look.host.engine.value
    if engine is None or any("podman" in one.lower() for one in engine.components):
        return False
    if any("rootless" in option for option in engine.security_options) or "Desktop" in engine.operating_system:
        return False
    return look.host.daemon_config.or_(NO_SETTINGS).settings.get("iptables") is not False


def native(look: Look) -> bool:
    """Say whether the engine keeps its rules by its own nftables backend."""
    engine = look.host.engine.value
    told = engine.firewall_backend if engine else ""
    return told.startswith("nftables")


def place(tables: tuple[Table, ...]) -> str | None:
    """Return where the engine's rules for forwarded ports are: nf_tables or ip_tables; None: nowhere."""
    found = [table.backend for table in tables if table.name == "nat" and table.family in ("ip", "") and _has(table)]
    return found[-1] if found else None


def _has(table: Table) -> bool:
    return any(chain.name == "DOCKER" for chain in table.chains)


def _wanted(tables: tuple[Table, ...], *, networks: bool) -> list[tuple[str, str, bool]]:
    """Return the engine's chains for IPv4, and whether each is there and led to."""
    nat = [chain for table in tables if (table.family, table.name) in _IPV4 for chain in _of(table, "nat")]
    kept = _kept(tables)
    return [
        # What leads there is written with the first network alone.
        ("PREROUTING", "nat", not networks or any(chain.name == "PREROUTING" and chain.rules for chain in nat)),
        ("DOCKER", "nat", any(chain.name == "DOCKER" for chain in nat)),
        ("FORWARD", "filter", any(chain.name == "FORWARD" and chain.rules for chain in kept)),
        ("DOCKER", "filter", any(chain.name == "DOCKER" for chain in kept)),
    ]


def _needed(tables: tuple[Table, ...], version: str) -> list[tuple[str, str, bool]]:
    """Return the chains that this version needs besides, and whether each is there; none where it is not known."""
    engine = parse_version(version) or ()
    names = next((names for first, end, names in _NEEDED if first <= engine < end), ())
    there = {chain.name for chain in _kept(tables)}
    return [(name, "filter", name in there) for name in names]


def _kept(tables: tuple[Table, ...]) -> list[Chain]:
    return [chain for table in tables if (table.family, table.name) in _IPV4 for chain in _of(table, "filter")]


_IPV4 = {(family, name) for family in ("ip", "ipv4", "") for name in ("nat", "filter")}


def _of(table: Table, name: str) -> tuple[Chain, ...]:
    return table.chains if table.name == name else ()
