"""What is done with each kind of text, and the walk through the facts that finds it: the types say what is what."""

from __future__ import annotations

import typing
from collections.abc import Callable
from functools import cache
from itertools import zip_longest
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from preflight.facts import Fact, Missing
from preflight.facts.kinds import Kind
from preflight.redact.masks import Masks
from preflight.redact.reasons import LEFT_OUT, reason
from preflight.text.sentences import say

_UTC = ("", "UTC", "Etc/UTC")


def masked(value: Any, masks: Masks, declared: Any = None) -> Any:
    """Return a value with all that may not be shown replaced; `declared`: its type, by which its texts have kinds."""
    bare, kind = _bare(_arm(declared, value))
    if kind in WHOLE:
        return WHOLE[kind](value, masks)
    if isinstance(value, str):
        return value if get_origin(bare) is Literal and value in get_args(bare) else TEXTS[kind](masks, value)
    if isinstance(value, Missing):
        return reason(value)
    if isinstance(value, msgspec.Struct):
        return _struct(value, masks, bare)
    inner = get_args(bare)
    if isinstance(value, dict):
        key, item = inner or (None, None)
        return {masked(one, masks, key): masked(other, masks, item) for one, other in value.items()}
    if isinstance(value, list | tuple):
        items = inner if isinstance(value, tuple) and inner[-1:] != (...,) else inner[:1] * len(value)
        return type(value)(masked(one, masks, item) for one, item in zip_longest(value, items[: len(value)]))
    return value


def _arm(declared: Any, value: Any) -> Any:
    """Return that type of a union which a value is of, None where it is of none."""
    if get_origin(declared) not in (Union, UnionType):
        return declared
    return next((arm for arm in get_args(declared) if _holds(_bare(arm)[0]) is type(value)), None)


def _holds(bare: Any) -> Any:
    origin = get_origin(bare) or bare
    return str if origin is Literal else origin


def _bare(declared: Any) -> tuple[Any, Kind]:
    """Return a type without what is written beside it, and the kind that is: nothing beside it makes a secret."""
    if get_origin(declared) is not Annotated:
        return declared, Kind.SECRET
    bare, *beside = get_args(declared)
    return bare, next((one for one in beside if isinstance(one, Kind)), Kind.SECRET)


def _struct(value: msgspec.Struct, masks: Masks, declared: Any) -> Any:
    fields = dict(hints(type(value)))
    if isinstance(value, Fact):  # the type of what a fact holds stands where the fact does
        fields["value"] = (get_args(declared) or (None,))[0]
    return type(value)(**{name: masked(getattr(value, name), masks, hint) for name, hint in fields.items()})


@cache
def hints(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the types of a struct's fields, kinds included."""
    return typing.get_type_hints(struct, include_extras=True)


def _settings(settings: Any, masks: Masks) -> Any:
    """Replace mailcow.conf's values, each by what its variable means."""
    return {
        masks.word(name): msgspec.structs.replace(
            setting,
            value=_setting(name, setting.value, masks),
            shell=None if setting.shell is None else _setting(name, setting.shell, masks),
        )
        for name, setting in settings.items()
    }


def _setting(name: str, value: str, masks: Masks) -> str:
    if name == "IPV4_NETWORK":
        return masks.octets(value)
    if name == "MAILCOW_HOSTNAME":
        return masks.name(value)
    if name == "COMPOSE_PROJECT_NAME":
        return masks.container(value)
    if name == "TZ":
        return _zone(masks, value)
    return masks.value(value)


def _zone(masks: Masks, value: str) -> str:
    """Keep UTC; where else in the world a host is, is nobody's business."""
    return value if value in _UTC else masks.secret(value, "zone")


def _command(value: Any, masks: Masks) -> Any:
    """Keep the program of a command line; its arguments may be anything."""
    program, *arguments = value or ("",)
    if not value:
        return ()
    shown = masks.path(program) if program.startswith("/") else masks.program(program.partition(" ")[0])
    return (shown, masks.secret("\0".join(arguments), "arguments")) if arguments else (shown,)


def _flags(value: Any, masks: Masks) -> Any:
    """Keep the processor's features that somebody asks for; the rest of a hundred would be noise."""
    return tuple(flag for flag in value if masks.word(flag) == flag)


# Kinds of lists and tables that are replaced as a whole.
WHOLE: dict[Kind, Callable[[Any, Masks], Any]] = {
    Kind.PARTS: lambda value, masks: (masks.record("".join(value)),),
    Kind.COMMAND: _command,
    Kind.FLAGS: _flags,
    Kind.SETTINGS: _settings,
    Kind.LEGEND: lambda _value, _masks: {},
}
TEXTS: dict[Kind, Callable[[Masks, str], str]] = {
    Kind.SECRET: Masks.secret,
    Kind.WORD: Masks.word,
    Kind.TEXT: Masks.text,
    Kind.REASON: lambda _masks, value: say(LEFT_OUT) if value else "",
    Kind.VERSION: Masks.version,
    Kind.PATH: Masks.path,
    Kind.PROGRAM: Masks.program,
    Kind.UNIT: Masks.unit,
    Kind.PACKAGE: Masks.package,
    Kind.USER: Masks.user,
    Kind.CONTAINER: Masks.container,
    Kind.IMAGE: Masks.image,
    Kind.INTERFACE: Masks.interface,
    Kind.CHAIN: Masks.chain,
    Kind.ADDRESS: Masks.address,
    Kind.SERVER: Masks.server,
    Kind.URL: Masks.url,
    Kind.ARGUMENT: Masks.argument,
    Kind.NAME: Masks.name,
    Kind.QUESTION: Masks.names,
    Kind.RECORD: Masks.record,
    Kind.ISSUER: Masks.issuer,
    Kind.DIGEST: Masks.digest,
    Kind.ZONE: _zone,
    Kind.MOMENT: lambda _masks, value: value,
}
