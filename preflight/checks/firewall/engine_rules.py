"""Where the engine keeps its rules, and whether those are there that it writes when it starts."""

from __future__ import annotations

from preflight.checks import Look
from preflight.facts import NO_ENGINE, NO_SETTINGS, Chain, Table

NATIVE = "docker-bridges"  # the table of the engine's own nftables backend


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
    networks = any(network.driver == "bridge" for network in look.host.engine.or_(NO_ENGINE).networks)
    return tuple(f"{table} {chain}" for chain, table, there in _wanted(tables, networks=networks) if not there)


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
    kept = [chain for table in tables if (table.family, table.name) in _IPV4 for chain in _of(table, "filter")]
    return [
        # What leads there is written with the first network alone.
        ("PREROUTING", "nat", not networks or any(chain.name == "PREROUTING" and chain.rules for chain in nat)),
        ("DOCKER", "nat", any(chain.name == "DOCKER" for chain in nat)),
        ("FORWARD", "filter", any(chain.name == "FORWARD" and chain.rules for chain in kept)),
        ("DOCKER", "filter", any(chain.name == "DOCKER" for chain in kept)),
    ]


_IPV4 = {(family, name) for family in ("ip", "ipv4", "") for name in ("nat", "filter")}


def _of(table: Table, name: str) -> tuple[Chain, ...]:
    return table.chains if table.name == name else ()
