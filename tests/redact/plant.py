"""A host with a secret wherever a string can stand, made from the types of the facts alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_origin

import msgspec
from msgspec import inspect as types

from preflight.facts import SCHEMA, Fact, Host
from preflight.redact.kinds import hints
from tests.build import STARTED

KEPT = ("started", "kind", "state", "runtime", "marks", "refusals")  # what can be but one of a few values, or a time
Plant = Callable[[str], str]


def planted(plant: Plant, *, missing: bool = False) -> Host:
    """Return a host whose every string is what `plant` returns for its place; `missing`: no fact is known."""
    return msgspec.convert(_value(types.type_info(Host), plant, "", missing), Host)


def grown(host: Host, grow: Plant, chosen: Callable[[int], bool]) -> Host:
    """Return a host with some of its strings changed: those whose number is chosen."""
    count = iter(range(1 << 30))

    def change(value: Any) -> Any:
        if isinstance(value, str):
            return grow(value) if chosen(next(count)) and value else value
        if isinstance(value, msgspec.Struct):
            fields = {name: getattr(value, name) for name in value.__struct_fields__}
            kept = {name for name, hint in hints(type(value)).items() if name in KEPT or get_origin(hint) is Literal}
            return type(value)(**{name: one if name in kept else change(one) for name, one in fields.items()})
        if isinstance(value, dict):
            return {change(key): change(item) for key, item in value.items()}
        return type(value)(map(change, value)) if isinstance(value, tuple | list) else value

    changed: Host = change(host)
    return changed


def _value(  # noqa: C901 - a line for each kind of type
    kind: types.Type, plant: Plant, place: str, missing: bool
) -> Any:
    match kind:
        case types.Metadata(type=inner):  # what stands beside it says nothing of its values
            return _value(inner, plant, place, missing)
        case types.StrType():
            return plant(place)
        case types.LiteralType(values):
            return values[0]
        case types.BoolType():
            return True
        case types.IntType():
            return 7
        case types.FloatType():
            return 1.5
        case types.VarTupleType(types.UnionType(kinds)) if all(isinstance(one, types.StructType) for one in kinds):
            return tuple(_value(one, plant, f"{place}[]", missing) for one in kinds)
        case types.VarTupleType(item):
            return (_value(item, plant, f"{place}[]", missing),)
        case types.ListType(item_type=item):
            return [_value(item, plant, f"{place}[]", missing)]
        case types.TupleType(items):
            return tuple(_value(item, plant, f"{place}[{number}]", missing) for number, item in enumerate(items))
        case types.DictType(key_type=key, value_type=item):
            return {_value(key, plant, f"{place}.keys", missing): _value(item, plant, f"{place}.values", missing)}
        case types.UnionType(kinds):
            chosen = next((one for one in kinds if _holds_text(one)), kinds[0])
            return _value(chosen, plant, place, missing)
        case types.StructType() as struct:
            return _struct(struct, plant, place, missing)
    raise AssertionError(f"{place}: no way to plant a {kind}")


def _struct(struct: types.StructType, plant: Plant, place: str, missing: bool) -> dict[str, Any]:
    left_out = {"pseudonyms", "schema", "started"} if struct.cls is Host else set()
    if getattr(struct.cls, "__origin__", struct.cls) is Fact:  # it has either a value or the reason why there is none
        left_out = {"value" if missing else "missing"}
    made = {
        field.encode_name: _value(field.type, plant, f"{place}.{field.name}".lstrip("."), missing)
        for field in struct.fields
        if field.name not in left_out
    }
    if struct.tag_field:
        made[struct.tag_field] = struct.tag
    return made | ({"schema": SCHEMA, "started": STARTED} if struct.cls is Host else {})


def _holds_text(kind: types.Type) -> bool:
    return not isinstance(kind, types.NoneType | types.BoolType | types.IntType | types.FloatType)
