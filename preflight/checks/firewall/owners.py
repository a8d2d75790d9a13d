"""Whose a rule of the firewall is: told by the names of its table and chain, else by what is switched on here."""

from __future__ import annotations

import re
from collections.abc import Iterable

from preflight.checks.firewall.settings import switched_off
from preflight.facts import NO_SERVICES, Culprit, Host, Service, Table

UFW, FIREWALLD, CSF, SHOREWALL, FERM, FIREHOL = "ufw", "firewalld", "csf", "shorewall", "ferm", "firehol"
FAIL2BAN, CROWDSEC, DOCKER, NETFILTER = "fail2ban", "crowdsec", "docker", "netfilter-mailcow"
ORACLE, NFTABLES, IPTABLES, DOCKER_USER = "oracle-cloud", "nftables", "iptables", "docker-user"
LIBVIRT, PODMAN, KUBERNETES = "libvirt", "podman", "kubernetes"
BANS = (FAIL2BAN, CROWDSEC, NETFILTER)  # single addresses; everybody else passes

# How people know them; '' and DOCKER_USER: somebody wrote the rule by hand.
NAMES = {
    UFW: "ufw", FIREWALLD: "firewalld", CSF: "CSF", SHOREWALL: "Shorewall", FERM: "ferm", FIREHOL: "FireHOL",
    FAIL2BAN: "fail2ban", CROWDSEC: "CrowdSec", DOCKER: "Docker", NETFILTER: "netfilter-mailcow",
    ORACLE: "Oracle Cloud", NFTABLES: "/etc/nftables.conf", IPTABLES: "iptables-persistent",
    LIBVIRT: "libvirt", PODMAN: "Podman", KUBERNETES: "Kubernetes",
}  # fmt: skip

_TABLES = (
    (r"firewalld", FIREWALLD), (r"f2b-.*", FAIL2BAN), (r"crowdsec6?(-.*)?", CROWDSEC), (r"docker-bridges", DOCKER),
    (r"libvirt_network", LIBVIRT), (r"netavark|netavark_.*", PODMAN), (r"kube-proxy|cni(_.*)?", KUBERNETES),
)  # fmt: skip
_CHAINS = (
    (r"ufw6?-.*", UFW), (r"f2b-.*|fail2ban-.*", FAIL2BAN), (r"(?i)crowdsec.*", CROWDSEC), (r"MAILCOW", NETFILTER),
    (r"DOCKER-USER", DOCKER_USER), (r"DOCKER(-.*)?", DOCKER), (r"LIBVIRT_.*", LIBVIRT), (r"NETAVARK.*", PODMAN),
    (r"(KUBE|CNI|CALI|cali|CILIUM)[-_].*", KUBERNETES), (r"InstanceServices|BareMetalInstanceServices", ORACLE),
)  # fmt: skip
# Names that others may have as well: they count where the manager is switched on.
_SHARED = (
    (r"(INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING)_[A-Za-z_]+", FIREWALLD),
    (r"(IN|FWD|FWDI|FWDO|FWDP|PRE|POST|OUT)_[A-Za-z0-9_-]+", FIREWALLD),
    (r"(G?DENY|G?ALLOW)(IN|OUT)|LOCAL(INPUT|OUTPUT)|LOGDROP(IN|OUT)|INVDROP|INVALID|PORTFLOOD|SYNFLOOD|BLOCKDROP", CSF),
    (r"SPAMHAUS|DSHIELD|CC_(ALLOW|DENY)F?|UDPFLOOD|SMTPOUTPUT|CONNLIMIT", CSF),
    (r"sfilter1?|smurfs|smurflog|tcpflags|dynamic|logflags|~?log[a-z]*[0-9]+|.+[-_](fwd|frwd|in|out)", SHOREWALL),
    (r"[a-z0-9]+[-2][a-z0-9]+", SHOREWALL), (r"(in|out)_.+", FIREHOL),
)  # fmt: skip
# Who writes into the built-in chains themselves, the likeliest first.
_BUILT_IN = ("INPUT", "FORWARD", "OUTPUT", "PREROUTING", "POSTROUTING")
_COMPATIBLE = ("filter", "nat", "mangle", "raw", "security")
_INTO_BASES = (CSF, SHOREWALL, FERM, FIREHOL)


def owner(host: Host, culprit: Culprit) -> str:
    """Return whose a rule or a policy is; '' = nobody's that is known, so that somebody wrote it by hand."""
    if culprit.kind not in ("rule", "policy", "nat"):
        return ""
    on = managers(host)
    shared = tuple((pattern, whose) for pattern, whose in _SHARED if whose in on)
    for name, patterns in ((culprit.table, _TABLES), (culprit.chain, (*_CHAINS, *shared))):
        for pattern, whose in patterns:
            if re.fullmatch(pattern, name):
                return whose
    return _of_base(culprit, on, host.twin.get().tables)


def managers(host: Host) -> dict[str, Service]:
    """Return the firewall managers that are switched on, by their names."""
    found = host.services.or_(NO_SERVICES).services
    return {
        service.name: service
        for service in found
        if service.kind == "firewall" and (service.enabled or service.active) and not switched_off(service)
    }


def compatible(culprit: Culprit, tables: Iterable[Table]) -> bool:
    """Say whether a rule is in a table of iptables': native rules there would make it unreadable to iptables."""
    if culprit.backend == "ip_tables":
        return True
    if culprit.family not in ("ip", "ip6") or culprit.table not in _COMPATIBLE:
        return False
    there = (table for table in tables if (table.family, table.name) == (culprit.family, culprit.table))
    return any(chain.name in _BUILT_IN for table in there for chain in table.chains) or culprit.chain in _BUILT_IN


def _of_base(culprit: Culprit, on: dict[str, Service], tables: Iterable[Table]) -> str:
    """Return whose a rule in a built-in chain, or the chain's policy, may be: who closes it here."""
    if culprit.predicted:
        return DOCKER
    if FIREWALLD in on and _of_firewalld(culprit, tables):
        return FIREWALLD
    if not compatible(culprit, tables):
        return NFTABLES if NFTABLES in on else FERM if FERM in on else ""
    saved = on.get(IPTABLES)
    if saved is not None and saved.chains and "InstanceServices" in saved.chains:
        return ORACLE
    if culprit.kind == "policy" and UFW in on:
        return UFW
    known = next((name for name in _INTO_BASES if name in on), "")
    if known:
        return known
    if saved is not None and (culprit.chain in saved.closes or culprit.kind == "rule"):
        return IPTABLES
    if culprit.kind == "policy" and culprit.chain == "FORWARD":
        return DOCKER  # which closes it where it switches forwarding on
    return ""


def _of_firewalld(culprit: Culprit, tables: Iterable[Table]) -> bool:
    """Say whether a table of iptables' is one that firewalld fills: where it has iptables for its backend."""
    there = (table for table in tables if (table.family, table.name) == (culprit.family, culprit.table))
    return any(chain.name in ("FORWARD_direct", "FORWARD_ZONES") for table in there for chain in table.chains)
