"""What to do about a firewall manager beside Docker: what protects the host stays, or is replaced first."""

from __future__ import annotations

from preflight.facts import Service
from preflight.report.model import Remedy
from preflight.text.sentences import noted, paragraph, say

# How each manager is told to get on with Docker.
_WITH_DOCKER = {
    "ufw": noted("It does not filter ports that Docker publishes."),
    "firewalld": noted("Docker itself adds its networks to firewalld, in a zone named docker."),
    "csf": noted('Set DOCKER = "1" in /etc/csf/csf.conf, so that CSF keeps Docker\'s rules.'),
    "shorewall": noted("Set DOCKER=Yes in /etc/shorewall/shorewall.conf, so that Shorewall keeps Docker's rules."),
    "ferm": noted("Use `@preserve` in ferm's configuration to keep Docker's chains."),
    "firehol": noted("FireHOL replaces all rules when it starts."),
}
_ORACLE = "InstanceServices"  # the chain of Oracle Cloud's images


def remedy(name: str, services: list[Service]) -> Remedy:
    """Say how a manager stays without harm to mailcow, and what has to be there before it may go."""
    text = paragraph(
        say("Keep {name}: it protects SSH.", name=name),
        *_own(name, services),
        say("To restrict mailcow's ports, use the DOCKER-USER chain."),
        say("Restart Docker after {name} reloads.", name=name),
        say("Then add {option}.", option=f"--ignore 'firewall.managers:{name}=kept'"),
    )
    return Remedy(text)


def _own(name: str, services: list[Service]) -> list[str]:
    said = [say(_WITH_DOCKER[name])] if name in _WITH_DOCKER else []
    if any(_ORACLE in service.chains for service in services):
        said.append(
            say(
                "These rules are from Oracle Cloud's image. They also protect access to its boot volume: add rules, "
                "but do not remove any."
            )
        )
    if any("FORWARD" in service.closes for service in services):
        said.append(
            say(
                "Its rules reject forwarded packets that Docker's rules do not accept. Keep Docker's rules first in "
                "the FORWARD chain."
            )
        )
    if any(file.flushes for service in services for file in service.rule_files):
        said.append(
            say(
                "Its file begins with `flush ruleset`, which removes Docker's rules. Replace that line with one that"
                " empties only its own tables."
            )
        )
    return said
