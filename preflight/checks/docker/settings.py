"""The engine's settings (daemon.json and arguments), judged for mailcow."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from msgspec import UNSET, Struct

from preflight.checks import Look, check
from preflight.checks.docker import ipv6_keys
from preflight.checks.docker.daemon_remedy import corrected, restarted
from preflight.checks.docker.next_start import idle, refused
from preflight.checks.docker.packaging import podman
from preflight.checks.remedies import install
from preflight.checks.remedies.daemon_json import edit
from preflight.checks.sources import DAEMON_JSON, issue
from preflight.facts import NO_ENGINE, DaemonConfig, MissingFact
from preflight.report.evidence.engine import DaemonConfigEvidence
from preflight.report.model import Finding, Remedy, Severity, Status, WrittenFile
from preflight.text.sentences import noted, paragraph, phrase, say

# What is wrong with daemon.json as a file.
FAULTS = {
    "directory": noted("it is a directory"),
    "encoding": noted("it is not UTF-8 text"),
    "empty": noted("it is empty"),
    "json": noted("it is not JSON that the engine can read"),
    "object": noted("it is not a JSON object"),
    "last-comma": noted("line {line} ends with an extra comma"),
    "comma": noted("a comma is missing at the end of line {line}"),
    "comment": noted("line {line} has a comment, which JSON does not allow"),
    "quotes": noted("line {line} has quotation marks other than straight double ones"),
    "syntax": noted("line {line} is not JSON"),
}


@check(
    severity=Severity.REQUIRED,
    reads=(
        "daemon_config",
        "engine_start",
        "contact",
        "engine",
        "ipv6",
        "ways",
        "rules",
        "routes",
        "links",
        "services",
        "os_release",
        "commands",
    ),
    remedy="Correct the engine's settings and restart it.",
    docs=(DAEMON_JSON,),
    sources=(issue(2104), issue(6904), issue(6721)),
)
def daemon_config(look: Look) -> Iterator[Finding]:
    """The engine's settings suit mailcow

    On hosts with IPv6, mailcow's installer adds keys to daemon.json and restarts the engine. It stops if that file is
    not valid JSON. With `iptables: false`, every connection appears to come from mailcow's own network, which is
    allowed to send mail. mailcow is then an open relay.
    """
    if other := podman(look.host.engine.value):
        yield other
        return
    found, faults = look.host.daemon_config.get(), _faults(look)
    evidence = DaemonConfigEvidence(path=found.path, missing=tuple(faults.missing))
    if not faults.grave and not faults.lesser:
        yield Finding(status=Status.PASS, message=_suits(found), found=phrase("in order"), evidence=evidence)
        return
    yield Finding(
        status=Status.FAIL if faults.grave else Status.WARN,
        message=paragraph(*faults.grave, *faults.lesser),
        detail=(found.fault and found.fault.detail) or None,
        found="; ".join(found.arguments) or None,
        evidence=evidence,
        remedy=_remedy(look, found, faults),
    )


class _Faults(Struct, frozen=True):
    """What must not be and what should not be, in sentences, and the IPv6 keys that are missing."""

    grave: tuple[str, ...]
    lesser: tuple[str, ...]
    missing: dict[str, str]


def _faults(look: Look) -> _Faults:
    grave, missing = tuple(_grave(look)), dict[str, str]()
    try:
        missing = {} if look.host.daemon_config.get().fault else ipv6_keys.missing(look)
    except MissingFact:
        if not grave:  # what is certain fails, whatever else is unknown
            raise
    return _Faults(grave, tuple(_lesser(look, missing)), missing)


def _grave(look: Look) -> Iterator[str]:
    found, start = look.host.daemon_config.get(), look.host.engine_start.value
    if found.fault:
        yield say(
            "{path} cannot be used: {fault}. The engine or mailcow's installer will fail.",
            path=found.path,
            fault=phrase(FAULTS[found.fault.kind], line=found.fault.line),
        )
    yield from refused(look)
    wrong = ", ".join(key for key, value in found.settings.items() if value is None)
    if wrong and not (start and start.directives):
        yield say(
            "The engine does not start, because {path} has a value of the wrong type for {keys}.",
            keys=wrong,
            path=found.path,
        )
    if found.settings.get("iptables") is False:
        yield say("With iptables: false, mailcow is an open relay: all senders appear to be in its own network.")


def _lesser(look: Look, missing: dict[str, str]) -> Iterator[str]:
    found = look.host.daemon_config.get()
    yield from idle(look)
    for key in ("ip-masq", "ip-forward"):
        if found.settings.get(key) is False:
            yield say("With {key}: false, Docker does not give containers access to other hosts.", key=key)
    backend = found.settings.get("firewall-backend") or look.host.engine.or_(NO_ENGINE).firewall_backend
    if str(backend).startswith("nftables"):
        yield say(
            "The engine's firewall backend is nftables, which mailcow's netfilter container does not support yet."
        )
    if found.settings.get("ip6tables") is False and "ip6tables" not in missing and look.plan.ipv6:
        yield say("With ip6tables: false, IPv6 senders appear to be in mailcow's own network.")
    if missing and found.present:
        yield say(
            "{path} lacks {names}. mailcow's installer will offer to add the missing IPv6 keys.",
            path=found.path,
            names=", ".join(missing),
        )
    elif missing:
        yield say(
            "mailcow's installer will offer to create {path} for IPv6.",
            path=found.path,
        )


def _suits(config: DaemonConfig) -> str:
    if config.present:
        return say("The settings in {path} suit mailcow.", path=config.path)
    if config.arguments:
        return say("The settings in the engine's arguments suit mailcow.")
    return say("The engine has its default settings.")


def _remedy(look: Look, config: DaemonConfig, faults: _Faults) -> Remedy:
    correction = corrected(look)
    text, commands, files = correction.text, correction.commands, correction.files
    others = bool(commands)  # that nobody else makes
    if faults.missing and not faults.grave:
        lines = ", ".join(f'"{key}": {value}' for key, value in faults.missing.items())
        if config.present:
            text = say(
                "Answer yes when the installer asks, or add to {path} now: {lines}", path=config.path, lines=lines
            )
            commands += edit(look.host, config.path, f". + {{{lines}}}")
        elif install.absent(look.host):  # then there is nothing to restart, and the installer comes anyway
            text = say("Answer yes when the installer asks.")
        else:
            text = say("Answer yes when the installer asks, or create the file now.")
            folder = shlex.quote(config.path.rpartition("/")[0] or "/")
            commands = (f"mkdir -p {folder}", f"echo '{{{lines}}}' > {shlex.quote(config.path)}")
            files = (WrittenFile(config.path, f"{{{lines}}}\n"),)
    spare = faults.missing and not faults.grave and not others  # the installer does the same, and asks before
    return Remedy(text, (*commands, *restarted(look)), files=files, choice=True if spare else UNSET)
