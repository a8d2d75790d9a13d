"""How the engine's settings are corrected, so that it starts again."""

from __future__ import annotations

import shlex

from preflight.checks import Look
from preflight.checks.docker.directives import ENGINE_KEYS, IDLE
from preflight.checks.docker.keys import effective_keys, strangers, twice
from preflight.checks.docker.next_start import version
from preflight.checks.docker.values import misfits, name_of
from preflight.checks.remedies import distro, install
from preflight.checks.remedies.daemon_json import edit
from preflight.facts import DaemonConfig, Directive, EngineStart
from preflight.report.model import Remedy
from preflight.text.sentences import paragraph, say

# What makes the value that is wanted of the one that is there, in jq's words.
_TURNED = {
    ("integer", "string"): "tostring", ("fraction", "string"): "tostring", ("boolean", "string"): "tostring",
    ("string", "boolean"): '(. == "true")',
    ("string", "integer"): "tonumber", ("string", "list"): "[.]",
}  # fmt: skip


_OFF = ("iptables", "ip6tables", "ip-masq", "ip-forward")  # the engine's default is what mailcow needs


def corrected(look: Look) -> Remedy:
    """Return how the settings are corrected, with the commands that do it where that is certain."""
    start, config = look.host.engine_start.value, look.host.daemon_config.value
    again = say("Correct the settings and restart the engine. Its containers stop during the restart.")
    if config is not None and config.directory:
        text = say(
            "Remove the directory {path} and restart the engine. Its containers stop during the restart.",
            path=config.path,
        )
        return Remedy(text, (f"rmdir {shlex.quote(config.path)}",))
    if config is not None and config.fault:
        return Remedy(again, (f"python3 -m json.tool {shlex.quote(config.path)}",))
    if start is None or config is None:
        return Remedy(again)
    then = say("Then restart the engine. Its containers stop during the restart.")
    words, changes = [*_types(start, version(look))], [*_filters(start, version(look))]
    off = [key for key in _OFF if config.settings.get(key) is False and key in effective_keys(start, version(look))]
    if off:
        words.append(say("Remove {names} from {path}.", names=", ".join(off), path=config.path))
        changes += [f"del(.{_key(key)})" for key in off]
    both = twice(start, version(look))
    if "hosts" in both:
        words.append(_hosts(start, config))
    elif both:
        words.append(say("Keep each setting in one place: remove {names} from {path}.", names=", ".join(both),
                         path=config.path))  # fmt: skip
    commands = edit(look.host, config.path, " | ".join(changes)) if changes else ()
    return Remedy(paragraph(*words, then if words else again), commands)


def restarted(look: Look) -> tuple[str, ...]:
    """Return the commands that restart the engine: only once it has accepted the file, if there is one to validate."""
    if install.absent(look.host):
        return ()
    restart, config = distro.restart(look.host, "docker"), look.host.daemon_config.value
    file = config is not None and config.present and not config.directory
    if (version(look) or 0) < 23 or config is None or not file or not restart:
        return restart
    first, *rest = restart
    return (f"dockerd --validate --config-file {shlex.quote(config.path)} && {first}", *rest)


def _types(start: EngineStart, major: int | None) -> list[str]:
    found = []
    for directive, wanted in misfits(start, major):
        if wanted == "string" and directive.number is not None:
            line = f'"{directive.path[-1]}": "{directive.number}"'
            found.append(say("Write it in quotation marks: {line}.", line=line))
        elif wanted == "string":
            found.append(say("Write the value of {name} in quotation marks.", name=name_of(directive)))
    return found


def _hosts(start: EngineStart, config: DaemonConfig) -> str:
    unit = next((flag.source for flag in start.flags if flag.name == "hosts"), "")
    text = say("Remove hosts from {path}: it is already set in the engine's arguments.", path=config.path)
    if "/docker.service" not in unit:
        return text
    other = say(
        "Or keep it there and start the engine without -H: run systemctl edit docker and enter the lines [Service], "
        "ExecStart= (empty) and ExecStart= followed by the command in {unit} without -H. hosts must then contain "
        "unix:///var/run/docker.sock.",
        unit=unit,
    )
    return paragraph(text, other)


def _filters(start: EngineStart, major: int | None) -> list[str]:
    """Return what jq has to do: rename or remove keys that are unknown or given twice, turn values into their type."""
    top = {directive.path[0] for directive in start.directives}
    renamed = {name: meant for name, (_, meant) in strangers(start, major).items()}
    renamed |= {name: IDLE[name] for name in effective_keys(start, major) if IDLE.get(name) and name in top}
    found = []
    for name, meant in renamed.items():
        if name not in top:
            continue
        if meant and meant not in top and ENGINE_KEYS[meant].taken_by(major):
            found.append(f".{_key(meant)} = .{_key(name)}")
        found.append(f"del(.{_key(name)})")
    found += [f"del(.{_place(directive)})" for directive in twice(start, major).values()]
    for directive, wanted in misfits(start, major):
        if turned := _TURNED.get((directive.form, wanted)):
            found.append(f".{_place(directive)} |= {turned}")
    return found


def _key(name: str) -> str:
    import json

    return f"[{json.dumps(name)}]"


def _place(directive: Directive) -> str:
    return "".join(f"[{step}]" if step.isdecimal() else _key(step) for step in directive.path)
