"""Whether the engine starts again: daemon.json, held against what its version takes and the flags it is given."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look
from preflight.checks.docker.at_odds import contradictions, name_of
from preflight.checks.docker.directives import IDLE, KNOWN, LOOSE, NEWEST, is_flat, is_idle, misfit
from preflight.facts import DaemonConfig, Directive, EngineStart
from preflight.text.sentences import noted, phrase, say
from preflight.text.versions import parse

_FORMS = {
    "null": noted("null"), "boolean": noted("true or false"), "integer": noted("a number"),
    "fraction": noted("a number that is not whole, or too large"), "huge": noted("a number that is too large"),
    "string": noted("a string in quotation marks"), "list": noted("a list in square brackets"),
    "object": noted("an object in curly brackets"), "number": noted("a smaller number"),
}  # fmt: skip
_FLAWS = {
    "word": noted("Line {line} of {path}: the engine does not know the value of {name}, and does not start with it."),
    "address": noted("Line {line} of {path}: a value of {name} is no IP address. The engine does not start with it."),
    "network": noted(
        "Line {line} of {path}: a value of {name} is no network with a prefix length. The engine does not start."
    ),
    "negative": noted("Line {line} of {path}: the value of {name} is negative. The engine does not start with it."),
    "domain": noted("Line {line} of {path}: a value of {name} is no domain name. The engine does not start with it."),
    "label": noted(
        "Line {line} of {path}: a value of {name} is not of the form key=value, or its key is reserved. The "
        "engine does not start with it."
    ),
    "host": noted("Line {line} of {path}: a value of {name} is no address to listen on. The engine does not start."),
    "mirror": noted(
        "Line {line} of {path}: a value of {name} is no plain http:// or https:// address. The engine does not start "
        "with it."
    ),
    "mirror-path": noted(
        "Line {line} of {path}: a value of {name} has a path, which this version of the engine refuses."
    ),
    "option": noted("Line {line} of {path}: the engine does not know a value of {name}, and does not start with it."),
    "relative": noted("Line {line} of {path}: the value of {name} is no absolute path. The engine does not start."),
    "warning": noted("Line {line} of {path}: the value of {name} has to be warn. The engine does not start with it."),
    "zone": noted("Line {line} of {path}: {name} has an IPv6 address with a zone. The engine does not start with it."),
    "port": noted("Line {line} of {path}: the value of {name} is no port. The engine does not start with it."),
    "twice": noted("Line {line} of {path}: {name} gives one key two values. The engine does not start with it."),
    "size": noted("Line {line} of {path}: the value of {name} is no size such as 64M. The engine does not start."),
}
# The first version that refuses a flaw before it has started, for those that not all refuse.
_SINCE = {
    ("mtu", "negative"): 23, ("log-format", "word"): 25, ("exec-opts", "option"): 28, ("log-level", "warning"): 25,
    ("fixed-cidr-v6", "network"): 26, ("userland-proxy-path", "relative"): 25,
    ("network-diagnostic-port", "negative"): 28, ("network-diagnostic-port", "port"): 28,
}  # fmt: skip
_UNTIL = {("registry-mirrors", "mirror-path"): 24, ("dns", "zone"): 29}


def names(start: EngineStart, major: int | None) -> dict[str, Directive]:
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


def start_of(look: Look) -> EngineStart | None:
    """Return what the engine meets next; where that was not recorded, the version of the one that answers at least."""
    start, engine = look.host.engine_start.value, look.host.engine.value
    return start or (EngineStart(version=engine.version) if engine else None)


def version(look: Look) -> int | None:
    """Return the first number of the engine's version; None: not known."""
    start = start_of(look)
    found = parse(start.version) if start else None
    return min(found[0], NEWEST) if found else None


def refused(look: Look) -> list[str]:
    """Return why the engine will not start again, each reason a sentence; [] = no reason is known."""
    start, config = start_of(look), look.host.daemon_config.value
    if start is None or config is None:
        return []
    major = version(look)
    return [
        *_unknown(start, config, major),
        *_wrong(start, config, major),
        *_twice(start, config, major),
        *_flawed(start, config, major),
        *contradictions(start, config, major),
    ]


def strangers(start: EngineStart, major: int | None) -> dict[str, tuple[Directive, str]]:
    """Return the keys that the engine does not take, with the one that is meant ('' = none comes near).

    Of an object that is none of the engine's, which it looks into, the object's own name is the one that is wrong.
    """
    found: dict[str, tuple[Directive, str]] = {}
    tops = {directive.path[0]: directive for directive in start.directives if len(directive.path) == 1}
    wrong = {directive.path[0] for directive, _ in misfits(start, major)}
    for name, directive in names(start, major).items():
        known = KNOWN.get(name)
        if is_idle(name, major) or (known and known.taken_by(major)):
            continue
        outer = directive.path[0]
        if outer != name and outer in KNOWN and outer in wrong:
            continue  # told already
        if outer != name and not (outer in KNOWN and KNOWN[outer].taken_by(major)):
            name, directive = outer, tops.get(outer, directive)
        found[name] = directive, _meant(name, major)
    return found


def _meant(name: str, major: int | None) -> str:
    import difflib

    if name in KNOWN:
        return "data-root" if name == "graph" else ""
    near = [word for word, known in KNOWN.items() if known.taken_by(major)]
    return IDLE.get(name, "") or next(
        iter(difflib.get_close_matches(name.lower().replace("_", "-"), near, 1, 0.75)), ""
    )


def _unknown(start: EngineStart, config: DaemonConfig, major: int | None) -> Iterator[str]:
    for name, (directive, meant) in strangers(start, major).items():
        known = KNOWN.get(name)
        values = {"path": config.path, "line": directive.line, "name": name, "version": start.version}
        if known and major is not None and known.since > major:
            yield say(
                "Line {line} of {path} has {name}, which Docker {version} does not know yet: the engine does not start "
                "with it.",
                **values,
            )
        elif known:
            yield say(
                "Line {line} of {path} has {name}, which Docker {version} no longer knows: the engine does not start "
                "with it.",
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


def misfits(start: EngineStart, major: int | None) -> Iterator[tuple[Directive, str]]:
    """Give each value of a form that the engine does not take, with the form that it takes."""
    for directive in start.directives:
        name, *rest = directive.path
        known = KNOWN.get(name) or KNOWN.get(name.lower())
        loose = name in LOOSE and (major is None or major >= LOOSE[name])
        if known is None or loose or (known.since and major is None) or not known.taken_by(major):
            wanted = misfit("any", (), directive.form)  # the engine looks at the form of no other
        else:
            wanted = misfit(known.kind, tuple(rest), directive.form)
        if directive.form == "null" and len(directive.path) == 1:
            wanted = {"default-shm-size": "string", "proxies": "object"}.get(name, wanted)
        if wanted:
            yield directive, wanted


def _wrong(start: EngineStart, config: DaemonConfig, major: int | None) -> Iterator[str]:
    for directive, wanted in misfits(start, major):
        yield say(
            "Line {line} of {path}: the value of {name} has the wrong type, and the engine does not start with it. "
            "Found: {form}. Needed: {wanted}.",
            path=config.path,
            line=directive.line,
            name=name_of(directive),
            form=phrase(_FORMS[directive.form]),
            wanted=phrase(_FORMS[wanted]),
        )


def twice(start: EngineStart, major: int | None) -> dict[str, Directive]:
    """Return the settings that are given by flags as well as in the file."""
    inside = names(start, major)
    given = {flag.name for flag in start.flags}
    both = {name: inside[name] for name in inside if name in given and name != "runtimes"}
    if "host-gateway-ip" in given and "host-gateway-ips" in inside:
        both["host-gateway-ips"] = inside["host-gateway-ips"]
    return both


def _twice(start: EngineStart, config: DaemonConfig, major: int | None) -> Iterator[str]:
    sources = {flag.name: flag.source for flag in start.flags}
    for name, directive in twice(start, major).items():
        values = {"path": config.path, "line": directive.line, "name": name}
        if source := sources.get(name, ""):
            yield say(
                "{name} is in line {line} of {path} and among the engine's arguments in {source}: the engine refuses a "
                "setting that is given twice.",
                source=source,
                **values,
            )
        else:
            yield say(
                "{name} is in line {line} of {path} and among the engine's arguments: the engine refuses a setting "
                "that is given twice.",
                **values,
            )


def _flawed(start: EngineStart, config: DaemonConfig, major: int | None) -> Iterator[str]:
    for directive in start.directives:
        key = (directive.path[0], directive.flaw)
        if directive.flaw not in _FLAWS or misfit(_kind(key[0]), directive.path[1:], directive.form):
            continue
        if key in _SINCE and (major is None or major < _SINCE[key]):
            continue
        if key in _UNTIL and (major is None or major >= _UNTIL[key]):
            continue
        values = {"path": config.path, "line": directive.line, "name": name_of(directive)}
        yield say(_FLAWS[directive.flaw], **values)


def _kind(name: str) -> object:
    return KNOWN[name].kind if name in KNOWN else "any"


def idle(look: Look) -> list[str]:
    """Name what the file sets without any effect: the engine takes notice of another name."""
    start, config = look.host.engine_start.value, look.host.daemon_config.value
    if start is None or config is None:
        return []
    found, major = [], version(look)
    for name, directive in names(start, major).items():
        meant = IDLE.get(name)
        values = {"path": config.path, "line": directive.line, "name": name}
        if meant and is_idle(name, major):
            found.append(
                say(
                    "Line {line} of {path} has {name}, of which the engine takes no notice. Its name there is {meant}.",
                    meant=meant,
                    **values,
                )
            )
    refused_already = strangers(start, major)
    for directive in start.directives:
        if directive.path[0] in refused_already:
            continue
        known = KNOWN.get(directive.path[0])
        # What is inside of such an object is looked for outside, and the object itself passed over.
        if known and len(directive.path) == 1 and directive.form == "object" and not known.taken_by(major):
            values = {"path": config.path, "line": directive.line, "name": directive.path[0], "version": start.version}
            found.append(say("Line {line} of {path} has {name}, of which Docker {version} takes no notice.", **values))
    return found
