"""Which of the kernel's two sets of tables the firewall's rules are in, Docker's and mailcow's own among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from preflight.checks import Look, check
from preflight.checks.findings import skipped
from preflight.checks.firewall import engine_rules, seen, ways
from preflight.checks.remedies import distro
from preflight.checks.sources import PACKET_FILTERING, PREREQUISITES, issue
from preflight.facts import NO_ENGINE, NO_SETTINGS, Host, Table, Twin
from preflight.report.evidence.firewall import BackendEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import paragraph, phrase, say

_COMPATIBLE = ("filter", "nat", "mangle", "raw", "security")  # tables that iptables-nft keeps in nf_tables
_OF_BACKENDS = {"nf_tables": "nftables", "ip_tables": "iptables"}
_CHAIN = "MAILCOW"
_Tell = Callable[[Look], Finding]


@check(
    severity=Severity.RECOMMENDED,
    reads=("twin", "engine", "daemon_config", "services", "os_release", *seen.READS),
    remedy="Keep all rules in one backend, and restart Docker if its own rules are missing.",
    docs=(PREREQUISITES, PACKET_FILTERING),
    sources=(issue(5847), issue(5478), issue(6904)),
)
def backend(look: Look) -> Iterator[Finding]:
    """Docker's and mailcow's rules are in the same firewall backend

    The kernel has two sets of tables for iptables: the legacy ones and those of nftables. mailcow's netfilter container
    picks one of them when it starts. If Docker keeps its rules in the other one, or if its rules are missing, mailcow's
    bans have no effect or its ports are closed.
    """
    twin = look.host.twin.get()
    if look.host.daemon_config.or_(NO_SETTINGS).settings.get("iptables") is False:
        yield skipped(say("Docker does not write firewall rules (see docker.daemon-config)."), evidence=_evidence(look))
    elif engine_rules.native(look) and not engine_rules.missing(look):
        reason = say("Docker uses its own nftables backend (see docker.daemon-config).")
        yield skipped(reason, evidence=_evidence(look))
    else:
        yield _judged(look, twin)


def _judged(look: Look, twin: Twin) -> Finding:
    if gone := engine_rules.missing(look):
        return _gone(look, gone)
    engine, picked, mixed = engine_rules.place(twin.tables), netfilter(twin.tables), _mixed(twin.tables)
    if engine is not None and _OF_BACKENDS[engine] != picked:
        return _apart(look, _OF_BACKENDS[engine], picked)
    if mixed:
        return _both(look, mixed)
    if (place := _misplaced(twin, picked)) is not None:
        return place(look)
    message = say("mailcow's netfilter container will pick {backend}, which also holds Docker's rules.", backend=picked)
    if engine is None:
        message = say("mailcow's netfilter container will pick {backend} on this host.", backend=picked)
    message = paragraph(message, *seen.sentences(look))
    return Finding(status=Status.PASS, message=message, found=picked, evidence=_evidence(look))


def netfilter(tables: Iterable[Table]) -> str:
    """Return what mailcow's netfilter container picks: nftables or iptables, by its own rule.

    It looks whether `nft list table ip filter` and `iptables -L -n` succeed. Where both do, the longer of the listings
    `nft list ruleset` and `iptables-save` wins (data/Dockerfiles/netfilter/docker-entrypoint.sh, 2026-08). The image's
    iptables is the one of nf_tables, which lists without error where there is no table.
    """
    native = [table for table in tables if table.backend == "nf_tables"]
    if not any((table.family, table.name) == ("ip", "filter") for table in native):
        return "iptables"
    listed = sum(3 + sum(_lines(chain.hook) + chain.rules for chain in table.chains) for table in native)
    saved = sum(
        4 + len(table.chains) + sum(chain.rules for chain in table.chains)
        for table in native
        if table.family == "ip" and table.name in _COMPATIBLE
    )
    return "nftables" if listed > saved else "iptables"


def _lines(hook: str) -> int:
    return 4 if hook else 3  # the chain's name, its hook, the brace, and an empty line


def _rules(table: Table) -> bool:
    """Say whether a table decides anything."""
    return any(chain.rules or (chain.policy or "accept").lower() != "accept" for chain in table.chains)


def _mixed(tables: Iterable[Table]) -> tuple[str, ...]:
    """Return the legacy tables with rules, where iptables-nft has rules too."""
    legacy = [table.name for table in tables if table.backend == "ip_tables" and _rules(table)]
    other = any(
        table.backend == "nf_tables" and table.family in ("ip", "ip6") and table.name in _COMPATIBLE and _rules(table)
        for table in tables
    )
    return tuple(dict.fromkeys(legacy)) if other else ()


def _gone(look: Look, gone: tuple[str, ...]) -> Finding:
    message = say("Docker's own rules are missing on this host: {chains}.", chains=", ".join(gone))
    why = say("Something removed them after Docker started, for example a firewall that reloaded its rules.")
    return _warning(look, paragraph(message, why), phrase("missing"), ways.restart(look))


def _apart(look: Look, engine: str, picked: str) -> Finding:
    message = say("Docker's rules are in {engine}, but mailcow's netfilter container will pick {picked}.",
                  engine=engine, picked=picked)  # fmt: skip
    effect = say("Its MAILCOW chain is then in separate tables.")
    return _warning(look, paragraph(message, effect), picked, _one_backend(look, engine))


def _both(look: Look, legacy: tuple[str, ...]) -> Finding:
    message = say(
        "Both backends of iptables contain rules. Legacy tables with rules: {tables}.", tables=", ".join(legacy)
    )
    effect = say("The rules of each backend are shown only by its own commands, and a packet must pass both.")
    engine = _OF_BACKENDS.get(engine_rules.place(look.host.twin.get().tables) or "", "nftables")
    return _warning(look, paragraph(message, effect), phrase("both"), _one_backend(look, engine))


def _one_backend(look: Look, engine: str) -> Remedy:
    """Say how rules get into one backend: each program that writes some is told, and nothing is taken away by us."""
    text = paragraph(
        say("Find out which program writes rules to the other backend, and set it to use {backend}.", backend=engine),
        say("Then reboot. This empties the tables that nothing writes to any more."),
    )
    looks = ("iptables-legacy-save", "ip6tables-legacy-save", "nft list ruleset")
    if distro.family(look.host) == "debian":
        return Remedy(text, ("update-alternatives --display iptables", *looks))
    return Remedy(text, looks)


def _misplaced(twin: Twin, picked: str) -> _Tell | None:
    """Return how to tell that mailcow's chain is not where it works, where mailcow runs."""
    if twin.derived:
        return None
    wanted = "nf_tables" if picked == "nftables" else "ip_tables"
    homes = [table.backend for table in twin.tables if table.name == "filter" and _has(table, _CHAIN)]
    if not homes:
        return _absent
    return None if wanted in homes else _elsewhere


def _has(table: Table, name: str) -> bool:
    return any(chain.name == name for chain in table.chains)


def _absent(look: Look) -> Finding:
    message = say("mailcow is running, but no table contains its MAILCOW chain, so attackers are not banned.")
    return _warning(look, message, phrase("no MAILCOW chain"), _restarted(look.host))


def _elsewhere(look: Look) -> Finding:
    message = say("The MAILCOW chain is in one backend, but mailcow's netfilter container would now pick the other.")
    return _warning(look, message, phrase("another backend"), _restarted(look.host))


def _restarted(host: Host) -> Remedy:
    """Have mailcow's netfilter container pick again."""
    text = say("Restart mailcow's netfilter container, and check its log.")
    names = [one.name for one in host.engine.or_(NO_ENGINE).containers if one.service == "netfilter-mailcow"]
    commands = [line for name in names[:1] for line in (f"docker restart {name}", f"docker logs --tail 20 {name}")]
    return Remedy(text, tuple(commands))


def _warning(look: Look, message: str, found: str, remedy: Remedy) -> Finding:
    return Finding(status=Status.WARN, message=message, found=found, evidence=_evidence(look), remedy=remedy)


def _evidence(look: Look) -> BackendEvidence:
    tables = look.host.twin.get().tables
    return BackendEvidence(
        backends=tuple(dict.fromkeys(_OF_BACKENDS[table.backend] for table in tables if _rules(table))),
        engine=_OF_BACKENDS.get(engine_rules.place(tables) or ""),
        netfilter=netfilter(tables),
        missing=engine_rules.missing(look),
        differing=seen.evidence(look),
    )
