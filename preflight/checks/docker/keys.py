"""Keys in daemon.json that the engine does not take, takes no notice of, or is given by its arguments as well."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks.docker.directives import ENGINE_KEYS, IDLE, is_flat, is_idle
from preflight.checks.docker.values import misfits
from preflight.facts import DaemonConfig, Directive, EngineStart
from preflight.text.sentences import say


def effective_keys(start: EngineStart, major: int | None) -> dict[str, Directive]:
    """Return the keys that the engine sees: those of the file, and in place of most objects what is inside."""
    found: dict[str, Directive] = {}
    objects = (d.path[0] for d in start.directives if len(d.path) == 1 and d.form == "object")
    nested = {name for name in objects if not is_flat(name, major)}
    for directive in start.directives:
        if directive.path[0] in nested:
            if len(directive.path) == 2:
                found[directive.path[1]] = directive
        elif len(directive.path) == 1:
            found[directive.path[0]] = directive
    return found


def strangers(start: EngineStart, major: int | None) -> dict[str, tuple[Directive, str]]:
    """Return the keys that the engine does not take, with the one that is meant ('' = none comes near).

    Of an object that is none of the engine's, which it looks into, the object's own name is the one that is wrong.
    """
    found: dict[str, tuple[Directive, str]] = {}
    tops = {directive.path[0]: directive for directive in start.directives if len(directive.path) == 1}
    wrong = {directive.path[0] for directive, _ in misfits(start, major)}
    for name, directive in effective_keys(start, major).items():
        known = ENGINE_KEYS.get(name)
        if is_idle(name, major) or (known and known.taken_by(major)):
            continue
        outer = directive.path[0]
        if outer != name and outer in ENGINE_KEYS and outer in wrong:
            continue  # told already
        if outer != name and not (outer in ENGINE_KEYS and ENGINE_KEYS[outer].taken_by(major)):
            name, directive = outer, tops.get(outer, directive)
        found[name] = directive, _meant(name, major)
    return found


def _meant(name: str, major: int | None) -> str:
    import difflib

    if name in ENGINE_KEYS:
        return "data-root" if name == "graph" else ""
    near = [word for word, known in ENGINE_KEYS.items() if known.taken_by(major)]
    return IDLE.get(name, "") or next(
        iter(difflib.get_close_matches(name.lower().replace("_", "-"), near, 1, 0.75)), ""
    )


def not_taken(start: EngineStart, config: DaemonConfig, major: int | None) -> Iterator[str]:
    """Say which keys the engine does not take: too new for it, gone from it, or none that it ever knew."""
    for name, (directive, meant) in strangers(start, major).items():
        known = ENGINE_KEYS.get(name)
        values = {"path": config.path, "line": directive.line, "name": name, "version": start.version}
        if known and major is not None and known.since > major:
            yield say(
                "Line {line} of {path} has {name}, which Docker {version} does not support yet: the engine does not "
                "start with it.",
                **values,
            )
        elif known:
            yield say(
                "Line {line} of {path} has {name}, which Docker {version} no longer supports: the engine does not "
                "start with it.",
                **values,
            )
        elif meant:
            yield say(
                "Line {line} of {path} has {name}, which Docker does not know: the engine does not start with it. Did "
                "you mean {meant}?",
                meant=meant,
                **values,
            )
        else:
            yield say(
                "Line {line} of {path} has {name}, which Docker does not know: the engine does not start with it.",
                **values,
            )


def twice(start: EngineStart, major: int | None) -> dict[str, Directive]:
    """Return the settings that are given by flags as well as in the file."""
    inside = effective_keys(start, major)
    given = {flag.name for flag in start.flags}
    both = {name: inside[name] for name in inside if name in given and name != "runtimes"}
    if "host-gateway-ip" in given and "host-gateway-ips" in inside:
        both["host-gateway-ips"] = inside["host-gateway-ips"]
    return both


def given_twice(start: EngineStart, config: DaemonConfig, major: int | None) -> Iterator[str]:
    """Say which settings are given by flags as well."""
    sources = {flag.name: flag.source for flag in start.flags}
    for name, directive in twice(start, major).items():
        values = {"path": config.path, "line": directive.line, "name": name}
        if source := sources.get(name, ""):
            yield say(
                "{name} is in line {line} of {path} and also among the engine's arguments in {source}: the engine "
                "refuses a setting that is given twice.",
                source=source,
                **values,
            )
        else:
            yield say(
                "{name} is in line {line} of {path} and also among the engine's arguments: the engine refuses a "
                "setting that is given twice.",
                **values,
            )


def idle(start: EngineStart, config: DaemonConfig, major: int | None) -> Iterator[str]:
    """Say which keys are without any effect: the engine takes notice of another name."""
    for name, directive in effective_keys(start, major).items():
        if (meant := IDLE.get(name)) and is_idle(name, major):
            yield say(
                "Line {line} of {path} has {name}, which the engine ignores. Use {meant} instead.",
                path=config.path,
                line=directive.line,
                name=name,
                meant=meant,
            )
    refused = strangers(start, major)
    for directive in start.directives:
        name = directive.path[0]
        known = ENGINE_KEYS.get(name)
        # What is inside of such an object is looked for outside, and the object itself passed over.
        passed_over = len(directive.path) == 1 and directive.form == "object" and known and not known.taken_by(major)
        if passed_over and name not in refused:
            yield say(
                "Line {line} of {path} has {name}, which Docker {version} ignores.",
                path=config.path,
                line=directive.line,
                name=name,
                version=start.version,
            )
