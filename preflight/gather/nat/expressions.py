"""The expressions of a rule of nf_tables: a small machine that loads parts of a packet and compares them. Pure.

A rule that looks up a map says several things at once, one for each element: it is read as several rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from preflight.gather.nat.fields import LOADERS, NOTHING, Field, between, compared, number, text, value
from preflight.gather.nat.matching import NEVER, Condition, Rule, match, other, place, target
from preflight.packets.nlmsg import attributes, by_type

if TYPE_CHECKING:
    from preflight.gather.nat.nft import Element, Table

RULES = 20_000  # rules that one is read as
_VERDICTS = {-5: "return", -4: "goto", -3: "jump", 1: "accept", 0: "drop"}
# What decides nothing: neither whether a rule holds nor where a packet goes.
_SILENT = ("counter", "log", "notrack", "objref", "flow_offload", "dup", "last")


class _State(Struct):
    """One reading of a rule so far."""

    version: int  # 4, 6, or 0 where both may be meant
    registers: dict[int, Field] = field(default_factory=dict)
    conditions: list[Condition] = field(default_factory=list)
    verdict: str = "next"
    target: str = ""

    def fork(self) -> _State:
        return replace(self, registers=dict(self.registers), conditions=list(self.conditions))


def read(raw: bytes, table: Table) -> Iterator[Rule]:
    """Read a rule's attributes; yield the rules that it says."""

    found = by_type(raw)
    states = [_State({2: 4, 10: 6}.get(table.family, 0))]
    for _, expression in attributes(found.get(4, b"")):
        parts = by_type(expression)
        name, data = text(parts.get(1)), by_type(parts.get(2, b""))
        states = [after for state in states for after in _step(state, name, data, table)]
        if len(states) > RULES:
            states = [_State(0, conditions=[other("map")], verdict="divert")]
            break
    handle = number(found.get(3))
    for state in states:
        yield Rule(tuple(state.conditions), state.verdict, state.target, handle)


def _slot(raw: bytes | None) -> int:
    """Return the 32-bit register that one begins at: the first four are of 128 bits."""
    register = int.from_bytes(raw or b"", "big")
    return (register - 1) * 4 if 1 <= register <= 4 else register - 8


def _step(state: _State, name: str, data: dict[int, bytes], table: Table) -> list[_State]:
    """Take one expression; return the readings of the rule after it. Most only change the one at hand."""
    if name == "lookup":
        return _lookup(state, data, table)
    if loader := LOADERS.get(name):
        state.registers[_slot(data.get(loader[0]))] = loader[1](state.version, data)
    elif taker := _TAKERS.get(name):
        taker(state, data)
    elif name not in _SILENT:
        state.conditions.append(other(name))
    return [state]


def _add(state: _State, condition: Condition | None) -> None:
    if condition is None:
        return
    state.conditions.append(condition)
    if condition.kind == "family" and not condition.negated:
        state.version = condition.values[0]


def _cmp(state: _State, data: dict[int, bytes]) -> None:
    held = state.registers.get(_slot(data.get(1)), NOTHING)
    _add(state, compared(held, number(data.get(2)), value(data.get(3))))


def _range(state: _State, data: dict[int, bytes]) -> None:
    held = state.registers.get(_slot(data.get(1)), NOTHING)
    _add(state, between(held, value(data.get(3)), value(data.get(4)), any(data.get(2, b""))))


def _match(state: _State, data: dict[int, bytes]) -> None:
    _add(state, match(text(data.get(1)), number(data.get(2)), data.get(3, b"")))


def _target(state: _State, data: dict[int, bytes]) -> None:
    name, revision = text(data.get(1)), number(data.get(2))
    state.verdict, state.target = target(name, revision, data.get(3, b""), state.version or 4)


def _immediate(state: _State, data: dict[int, bytes]) -> None:
    register = int.from_bytes(data.get(1, b""), "big")
    inside = by_type(data.get(2, b""))
    if register == 0:
        state.verdict, state.target = _verdict(inside.get(2, b""))
    else:
        state.registers[_slot(data.get(1))] = Field("constant", len(inside.get(1, b"")), constant=inside.get(1, b""))


def _verdict(raw: bytes) -> tuple[str, str]:
    found = by_type(raw)
    code = int.from_bytes(found.get(1, b""), "big", signed=True)
    return _VERDICTS.get(code, "accept"), text(found.get(2))


def _bitwise(state: _State, data: dict[int, bytes]) -> None:
    source, to = _slot(data.get(1)), _slot(data.get(2))
    held = state.registers.get(source, NOTHING)
    mask, flipped = value(data.get(4)), value(data.get(5))
    plain = mask and not any(flipped) and not held.mask
    state.registers[to] = held._replace(mask=mask) if plain else Field("bitwise", held.size)


# --- sets, maps, and where packets are sent --------------------------------------------------------------------------


def _lookup(state: _State, data: dict[int, bytes], table: Table) -> list[_State]:
    name = text(data.get(1))
    elements = table.elements(name)
    parts = _parts(state, _slot(data.get(2)), max((len(element.first) for element in elements), default=0))
    if any(data.get(5, b"")):
        return [_outside(state, parts, elements)]
    mapped = 3 in data
    if not mapped and len(parts) == 1 and not any(element.any for element in elements):
        state.conditions += _one_of([between(parts[0], element.first, element.last, False) for element in elements])
        return [state]
    made = []
    for element in elements[: RULES + 1]:
        after = state.fork()
        # Of what shares a load out every value is an element.
        if not element.any and not (mapped and parts[0].name in ("numgen", "hash")):
            _within(after, parts, element)
        if mapped and int.from_bytes(data[3], "big") == 0:
            after.verdict, after.target = _verdict(by_type(element.data).get(2, b""))
        elif mapped:
            said = value(element.data)
            for at in range(0, len(said), 4):  # an address and, beside it, a port
                after.registers[_slot(data[3]) + at // 4] = Field("constant", len(said) - at, constant=said[at:])
        if NEVER not in after.conditions:
            made.append(after)
    return made


def _parts(state: _State, slot: int, size: int) -> list[Field]:
    """Return the parts of the packet that a key is made of: each begins at a register of its own."""
    found: list[Field] = []
    at = 0
    while at < size or not found:
        held = state.registers.get(slot + at // 4, Field("?", size - at))
        found.append(held)
        at += max(4, held.size + 3 & ~3)
    return found


def _within(state: _State, parts: list[Field], element: Element) -> None:
    at = 0
    for held in parts:
        first, last = (key[at : at + held.size] for key in (element.first, element.last))
        _add(state, between(held, first, last, False))
        at += held.size + 3 & ~3


def _one_of(conditions: list[Condition | None]) -> list[Condition]:
    """Make one condition of those of which one has to hold."""
    if any(condition is None for condition in conditions):
        return []
    known = [condition for condition in conditions if condition is not None and condition != NEVER]
    if not known:
        return [NEVER]
    if len({(condition.kind, condition.negated) for condition in known}) > 1 or known[0].kind == "other":
        return [other("set")]
    return [Condition(known[0].kind, tuple(value for condition in known for value in condition.values))]


def _outside(state: _State, parts: list[Field], elements: tuple[Element, ...]) -> _State:
    """Add the condition that a key is none of the elements."""
    if len(parts) > 1 or any(element.any for element in elements):
        state.conditions.append(other("set"))
        return state
    for element in elements:
        _add(state, between(parts[0], element.first, element.last, True))
    return state


def _divert(state: _State, name: str, data: dict[int, bytes]) -> None:
    if name == "nat" and not any(data.get(1, b"\1")):
        return  # SNAT
    version = {2: 4, 10: 6}.get(int.from_bytes(data.get(2, b""), "big"), state.version)
    address = _constant(state, data.get(3)) if name == "nat" else b""
    port = _constant(state, data.get(5 if name == "nat" else 1))[:2]
    state.verdict = "divert"
    if len(address) < (4 if version == 4 else 16):
        address = b""
    state.target = place(address, int.from_bytes(port, "big"), version or 4)


def _constant(state: _State, register: bytes | None) -> bytes:
    held = state.registers.get(_slot(register)) if register else None
    return held.constant if held else b""


# The expression: what it does to the reading of the rule at hand.
_TAKERS: dict[str, Callable[[_State, dict[int, bytes]], None]] = {
    "immediate": _immediate, "bitwise": _bitwise, "cmp": _cmp, "range": _range, "match": _match, "target": _target,
    "nat": lambda state, data: _divert(state, "nat", data), "redir": lambda state, data: _divert(state, "redir", data),
}  # fmt: skip
