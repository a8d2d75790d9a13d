"""Values in daemon.json that the engine does not take: of another type, or of the right one and still wrong."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks.docker.directives import ENGINE_KEYS, LOOSE, misfit
from preflight.facts import DaemonConfig, Directive, EngineStart
from preflight.text.sentences import noted, phrase, say

_FORMS = {
    "null": noted("null"), "boolean": noted("true or false"), "integer": noted("a number"),
    "fraction": noted("a number that is not whole, or too large"), "huge": noted("a number that is too large"),
    "string": noted("a string in quotation marks"), "list": noted("a list in square brackets"),
    "object": noted("an object in curly brackets"), "number": noted("a smaller number"),
}  # fmt: skip
_FLAWS = {
    "word": noted("Line {line} of {path}: the engine does not know the value of {name} and does not start with it."),
    "address": noted("Line {line} of {path}: a value of {name} is not an IP address. The engine cannot start with it."),
    "network": noted(
        "Line {line} of {path}: a value of {name} is not a network with a prefix length. The engine does not start."
    ),
    "negative": noted("Line {line} of {path}: the value of {name} is negative. The engine cannot start with it."),
    "domain": noted("Line {line} of {path}: a value of {name} is not a domain name. The engine cannot start with it."),
    "label": noted(
        "Line {line} of {path}: a value of {name} does not have the form key=value, or its key is reserved. "
        "The engine cannot start with it."
    ),
    "host": noted(
        "Line {line} of {path}: a value of {name} is not an address to listen on. The engine does not start."
    ),
    "mirror": noted(
        "Line {line} of {path}: a value of {name} is not a plain http:// or https:// address. The engine "
        "cannot start with it."
    ),
    "mirror-path": noted(
        "Line {line} of {path}: a value of {name} has a path, which this version of the engine refuses."
    ),
    "option": noted("Line {line} of {path}: the engine does not know a value of {name} and does not start with it."),
    "relative": noted("Line {line} of {path}: the value of {name} is not an absolute path. The engine does not start."),
    "warning": noted("Line {line} of {path}: the value of {name} must be warn. The engine cannot start with it."),
    "zone": noted("Line {line} of {path}: {name} has an IPv6 address with a zone. The engine cannot start with it."),
    "port": noted("Line {line} of {path}: the value of {name} is not a port. The engine cannot start with it."),
    "twice": noted("Line {line} of {path}: {name} gives one key two values. The engine cannot start with it."),
    "size": noted("Line {line} of {path}: the value of {name} is not a size such as 64M. The engine does not start."),
}
# The first version that refuses a flaw before it has started, for those that not all refuse.
_SINCE = {
    ("mtu", "negative"): 23, ("log-format", "word"): 25, ("exec-opts", "option"): 28, ("log-level", "warning"): 25,
    ("fixed-cidr-v6", "network"): 26, ("userland-proxy-path", "relative"): 25,
    ("network-diagnostic-port", "negative"): 28, ("network-diagnostic-port", "port"): 28,
}  # fmt: skip
_UNTIL = {("registry-mirrors", "mirror-path"): 24, ("dns", "zone"): 29}


def name_of(directive: Directive) -> str:
    """Name a value by its keys, without the places in lists."""
    return " → ".join(step for step in directive.path if not step.isdecimal())


def misfits(start: EngineStart, major: int | None) -> Iterator[tuple[Directive, str]]:
    """Give each value of a form that the engine does not take, with the form that it takes."""
    for directive in start.directives:
        name, *rest = directive.path
        known = ENGINE_KEYS.get(name) or ENGINE_KEYS.get(name.lower())
        loose = name in LOOSE and (major is None or major >= LOOSE[name])
        if known is None or loose or (known.since and major is None) or not known.taken_by(major):
            wanted = misfit("any", (), directive.form)  # the engine looks at the form of no other
        else:
            wanted = misfit(known.kind, tuple(rest), directive.form)
        if directive.form == "null" and len(directive.path) == 1:
            wanted = {"default-shm-size": "string", "proxies": "object"}.get(name, wanted)
        if wanted:
            yield directive, wanted


def mistyped(start: EngineStart, config: DaemonConfig, major: int | None) -> Iterator[str]:
    """Say which values are of another type than the engine takes."""
    for directive, wanted in misfits(start, major):
        yield say(
            "Line {line} of {path}: the value of {name} has the wrong type. The engine cannot start with it. Found: "
            "{form}. Needed: {wanted}.",
            path=config.path,
            line=directive.line,
            name=name_of(directive),
            form=phrase(_FORMS[directive.form]),
            wanted=phrase(_FORMS[wanted]),
        )


def flawed(start: EngineStart, config: DaemonConfig, major: int | None) -> Iterator[str]:
    """Say which values are of the right type, and still none that their key could have."""
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
    return ENGINE_KEYS[name].kind if name in ENGINE_KEYS else "any"
