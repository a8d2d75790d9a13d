"""Rules of nf_tables and their steps, written as the kernel tells them."""

from __future__ import annotations

from preflight.packets.nlmsg import attribute, be32
from preflight.twin.nft import kernel
from preflight.twin.nft.read import Rule

ACCEPT, DROP = kernel.verdict(kernel.ACCEPT), kernel.verdict(kernel.DROP)


def step(kind: str, **fields: int | bytes) -> bytes:
    """Write a step: its attributes by their numbers, as `a1=…`."""
    parts = [attribute(int(key[1:]), be32(value) if isinstance(value, int) else value) for key, value in fields.items()]
    return kernel.expression(kind, *parts)


def compare(value: bytes, register: int = 1, operation: int = 0) -> bytes:
    return step("cmp", a1=register, a2=operation, a3=attribute(1, value))


def rule(*parts: bytes, family: int = 2) -> Rule:
    return Rule(family, "t", "c", 7, b"".join(parts))
