"""What each firewall manager is told so that it lets mailcow's packets through, and nothing else changes."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable

from msgspec import Struct
from msgspec.structs import replace

from preflight.checks import Look
from preflight.checks.firewall import lines, owners
from preflight.checks.firewall.culprits import Case
from preflight.checks.remedies import distro
from preflight.facts import Service
from preflight.report.model import WrittenFile
from preflight.text.sentences import noted, say

_MERGE = noted("Keep all other rules as they are.")
_RELOADED = noted("Restart Docker each time {owner} reloads its rules, because Docker's own rules may then be lost.")
_BOOT = noted("These rules are lost at reboot. Also add them to the file from which your own rules are loaded.")


class Way(Struct, frozen=True):
    """What to do about one cause: sentences, commands, and the files that these write."""

    texts: tuple[str, ...]
    commands: tuple[str, ...] = ()
    files: tuple[WrittenFile, ...] = ()


Maker = Callable[[Look, list[Case]], Way]


def _ufw(_look: Look, cases: list[Case]) -> Way:
    paths = tuple(dict.fromkeys(path for case in cases if (path := _ufw_file(case))))
    texts = [
        say("Change the rule in {path} so that it excludes mailcow's bridge, then reload the rules.", path=path)
        for path in paths
    ]
    commands = [f"grep -n forward {' '.join(paths)}"] if paths else []
    if others := [case for case in cases if not _ufw_file(case)]:
        way = _ufw_routes(others)
        texts += way.texts
        commands += way.commands
    return Way(tuple(texts), tuple(commands))


def _ufw_file(case: Case) -> str:
    """Return the file whose rules come before or after those that ufw's commands write; '' = it is one of theirs."""
    six = "6" if case.culprit.chain.startswith("ufw6-") else ""
    found = next((part for part in ("before", "after") if f"-{part}-" in case.culprit.chain), "")
    return f"/etc/ufw/{found}{six}.rules" if found else ""


def _ufw_routes(cases: list[Case]) -> Way:
    bridge, first = cases[0].bridge, any(case.culprit.chain.endswith("user-forward") for case in cases)
    place = "prepend " if first else ""
    ports = ",".join(map(str, dict.fromkeys(port for case in cases if case.way == "in" for port in case.inner)))
    commands = [f"ufw route {place}allow out on {bridge} proto tcp from any to any port {ports}"] if ports else []
    if any(case.way == "out" or case.answers for case in cases):
        commands.append(f"ufw route {place}allow in on {bridge}")
    texts = [say("Allow ufw to forward mailcow's connections.")]
    if ports:
        texts.append(say("The ports are those inside the containers."))
    return Way((*texts, say(_MERGE)), tuple(commands))


def _firewalld(look: Look, cases: list[Case]) -> Way:
    if any(case.culprit.chain == "filter_FORWARD_dnat" for case in cases):
        strict = say("StrictForwardPorts is set to yes, so firewalld rejects ports that Docker publishes.")
        forward = say("Add a forward port for each of mailcow's ports to the zone of {name}.", name=cases[0].interface)
        return Way((strict, forward), ("firewall-cmd --list-all-zones",))
    commands: list[str] = []
    ports = list(dict.fromkeys(port for case in cases if case.way == "in" for port in case.inner))
    if ports:
        commands += _policy("mailcow-in", "ANY", "docker")
        commands += [f"firewall-cmd --permanent --policy=mailcow-in --add-port={port}/tcp" for port in ports]
    if any(case.way == "out" or case.answers for case in cases):
        commands += _policy("mailcow-out", "docker", "ANY")
        commands.append("firewall-cmd --permanent --policy=mailcow-out --set-target=ACCEPT")
    commands.append("firewall-cmd --reload")
    text = say("Add a firewalld policy for mailcow's connections, and restart Docker after firewalld reloads.")
    zone = say("Docker then adds mailcow's network to the docker zone again.")
    return Way((text, zone), (*commands, *distro.restart(look.host, "docker")))


def _policy(name: str, source: str, target: str) -> list[str]:
    begin = "firewall-cmd --permanent"
    return [
        f"{begin} --new-policy={name}",
        f"{begin} --policy={name} --set-priority=-100",
        f"{begin} --policy={name} --add-ingress-zone={source}",
        f"{begin} --policy={name} --add-egress-zone={target}",
    ]


def _docker_user(look: Look, cases: list[Case]) -> Way:
    text = say("Add rules at the top of DOCKER-USER that pass mailcow's connections on to Docker's rules.")
    tables = look.host.twin.get().tables
    return Way((text, say(_MERGE), say(_BOOT)), tuple(lines.docker_user(cases, tables)))


def _docker(look: Look, cases: list[Case]) -> Way:
    text = say("Restart Docker to restore its rules.")
    if any(case.culprit.predicted for case in cases):
        text = say("Check Docker's network settings, and the rules that packets pass before this one.")
        return Way((text,), ("cat /etc/docker/daemon.json",))
    return Way((text,), distro.restart(look.host, "docker"))


def _csf(look: Look, _cases: list[Case]) -> Way:
    texts = (say('Set DOCKER = "1" in /etc/csf/csf.conf, so that CSF keeps Docker\'s rules.'), say(_MERGE))
    return Way(
        texts,
        ("sed -i 's/^DOCKER = .*/DOCKER = \"1\"/' /etc/csf/csf.conf", "csf -r", *distro.restart(look.host, "docker")),
    )


def _shorewall(look: Look, _cases: list[Case]) -> Way:
    path = "/etc/shorewall/shorewall.conf"
    texts = (say("Set DOCKER=Yes in {path}, so that Shorewall keeps Docker's rules.", path=path), say(_MERGE))
    return Way(
        texts,
        (
            f"sed -i 's/^DOCKER=.*/DOCKER=Yes/' {path}",
            "shorewall check && shorewall reload",
            *distro.restart(look.host, "docker"),
        ),
    )


def _own_files(_look: Look, cases: list[Case]) -> Way:
    name = owners.NAMES[cases[0].owner]
    text = say(
        "In the configuration of {owner}, accept packets that are forwarded to and from {bridge}.",
        owner=name,
        bridge=cases[0].bridge,
    )
    return Way((text, say(_MERGE), say(_RELOADED, owner=name)), ("iptables-save",))


def _bans(_look: Look, cases: list[Case]) -> Way:
    shown = {owners.FAIL2BAN: ("fail2ban-client banned",), owners.CROWDSEC: ("cscli decisions list",)}
    text = say("A ban blocks ordinary addresses. Find it and lift no others.")
    return Way((text,), shown.get(cases[0].owner, ()))


def _oracle(look: Look, cases: list[Case]) -> Way:
    tables, derived = look.host.twin.get().tables, look.host.twin.get().derived
    commands = list(lines.iptables(cases, tables, derived=derived))
    for case in cases:
        if case.culprit.chain in ("INPUT", "FORWARD") and case.culprit.table in ("filter", ""):
            path = f"/etc/iptables/rules.v{case.version}"
            for line in lines.saved(case):
                before = f"/^-A {case.culprit.chain} -j REJECT/i {line}"
                commands.append(f"sed -i {shlex.quote(before)} {path}")
    keep = say("These rules are from Oracle Cloud's image. Add rules before the reject rule, and do not remove any.")
    saved = say("Do not save the running rules: Docker's own rules would be saved with them.")
    lists = say("Also open the ports in the security list of the instance's subnet in Oracle Cloud.")
    return Way((keep, saved, lists), tuple(commands))


def by_hand(look: Look, cases: list[Case]) -> Way:
    """Put lines before a rule that somebody wrote, in whichever backend it is."""
    twin, cases = look.host.twin.get(), [_ahead(case) for case in cases]
    native = [case for case in cases if not owners.compatible(case.culprit, twin.tables)]
    compatible = [case for case in cases if case not in native]
    commands = (*lines.iptables(compatible, twin.tables, derived=twin.derived), *lines.nft(native))
    text = say("Add rules that allow only mailcow's connections.")
    texts = [text, say(_MERGE), *_kept(look, cases)]
    if not commands:
        looks = dict.fromkeys(lines.listing(case, twin.tables) for case in cases)
        return Way(tuple(texts), tuple(looks))
    return Way(tuple(texts), commands)


def _ahead(case: Case) -> Case:
    """Have lines stand in the built-in chain where a program keeps one of its own, which it empties now and then."""
    of_program = case.owner in (owners.LIBVIRT, owners.PODMAN, owners.KUBERNETES)
    if not of_program or case.hook != "forward" or case.culprit.table != "filter":
        return case
    return replace(case, culprit=replace(case.culprit, chain="FORWARD", number=None))


def _kept(look: Look, cases: list[Case]) -> Iterable[str]:
    """Yield how lines outlast a reboot: in the file that the rules are loaded from."""
    service: Service | None = owners.managers(look.host).get(cases[0].owner)
    paths = [file.path for file in service.rule_files] if service else []
    both, six = cases[0].owner == owners.NFTABLES, cases[0].version == 6
    path = next((path for path in paths if both or ("6" in path.rpartition("/")[2]) is six), "")
    if path:
        yield say("Add the same rules to {path} so that they persist after a reboot.", path=path)
        yield say("Do not save the running rules: Docker's own rules would be saved with them.")
    else:
        yield say(_BOOT)


BY_OWNER: dict[str, Maker] = {
    owners.UFW: _ufw, owners.FIREWALLD: _firewalld, owners.DOCKER_USER: _docker_user, owners.DOCKER: _docker,
    owners.CSF: _csf, owners.SHOREWALL: _shorewall, owners.FERM: _own_files, owners.FIREHOL: _own_files,
    owners.FAIL2BAN: _bans, owners.CROWDSEC: _bans, owners.NETFILTER: _bans, owners.ORACLE: _oracle,
}  # fmt: skip
