"""Numbers of nf_tables' messages and attributes (linux/netfilter/nf_tables.h), and what is built of them."""

from __future__ import annotations

import struct

from preflight.packets.nlmsg import attribute, be32, be64, name, nested

_TABLES = 10 << 8  # NFNL_SUBSYS_NFTABLES
NEW_TABLE, GET_TABLE = _TABLES | 0, _TABLES | 1
NEW_CHAIN, GET_CHAIN = _TABLES | 3, _TABLES | 4
NEW_RULE, GET_RULE = _TABLES | 6, _TABLES | 7
NEW_SET, GET_SET = _TABLES | 9, _TABLES | 10
NEW_ELEMENTS, GET_ELEMENTS = _TABLES | 12, _TABLES | 13
GET_GENERATION = _TABLES | 16
TRACE = _TABLES | 17
NEW_OBJECT, GET_OBJECT = _TABLES | 18, _TABLES | 19
NEW_FLOWTABLE, GET_FLOWTABLE = _TABLES | 22, _TABLES | 23

ARP = 3
FAMILIES = {1: "inet", 2: "ip", ARP: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
HOOKS = ("prerouting", "input", "forward", "output", "postrouting", "ingress")
_OTHER_HOOKS = {"netdev": ("ingress", "egress"), "arp": ("input", "output", "forward")}

ITEM = 1  # NFTA_LIST_ELEM
DROP, ACCEPT, QUEUE = 0, 1, 3  # verdicts of netfilter
CONTINUE, BREAK, JUMP, GOTO, RETURN = -1, -2, -3, -4, -5  # and of nf_tables
FIRST = -(1 << 31)  # the priority before all others

# Of a set's flags.
ANONYMOUS, INTERVAL, MAP, TIMEOUT, EVAL, OBJECT, CONCATENATION = 0x1, 0x4, 0x8, 0x10, 0x20, 0x40, 0x80
BOUND = 0x4  # of a chain's flags: it is a block of a rule
QUOTA, LIMIT, CONNECTIONS = 2, 4, 5  # kinds of objects
# Of an element's flags.
END, CATCH_ALL = 0x1, 0x2


def head(family: int) -> bytes:
    """Write an nfgenmsg."""
    return struct.pack("=BBH", family, 0, 0)


def hook(family: str, number: int) -> str:
    """Name a hook of a family; '' = one that is not known."""
    names = _OTHER_HOOKS.get(family, HOOKS)
    return names[number] if 0 <= number < len(names) else ""


def expression(kind: str, *data: bytes) -> bytes:
    """Write an expression of a rule."""
    return nested(ITEM, attribute(1, name(kind)), nested(2, *data))


def verdict(code: int) -> bytes:
    """Write the expression that ends a rule with a verdict."""
    value = nested(2, nested(2, attribute(1, struct.pack(">i", code))))
    return expression("immediate", attribute(1, be32(0)), value)


def counter() -> bytes:
    """Write the expression that counts packets, from 0."""
    return expression("counter", attribute(1, be64(0)), attribute(2, be64(0)))
