"""Where mailcow publishes its ports: variables that hold a port, an address or both."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from preflight.mailcow.conf.problems import Meaning, Problem, Values
from preflight.mailcow.layout import BEHIND, RESERVED, Published
from preflight.net.addresses import IpAddress, bracketed, parse_mapped, split_port, unbracketed

# PORT, :PORT, IPv4:PORT or [IPv6]:PORT; two ports with a dash between them are a range.
_WRITTEN = re.compile(
    r"(?:(?P<v4>[0-9.]*):|\[(?P<v6>[0-9a-fA-F:.]*)\]:)?(?P<port>[0-9]{0,9})(?:-(?P<last>[0-9]{1,9}))?"
)
_LAST_PORT = 65535

Endpoint = tuple[str, int]  # address ('' = every one) and port


def place(values: Values, published: Published) -> Meaning[Endpoint]:
    """Read the place that a port of mailcow's is published on: mailcow's default where the value is none."""
    return _web(values, published) if published.kind == "web" else _mail(values, published)


def _mail(values: Values, published: Published) -> Meaning[Endpoint]:
    variable, default = published.variable, (published.address, published.port)
    value = values.text(variable)
    if not value:
        return Meaning(default, values.reference(variable, published.default.partition("=")[2]))
    match = _WRITTEN.fullmatch(value)
    if match is None or (match["last"] and not match["port"]):
        example = f"192.0.2.1:{published.port}"
        return Meaning(default, (values.problem(variable, "not-a-place", published.default, example=example),))
    if fault := _fault(values, published, match):
        return Meaning(default, (fault,))
    address = _address(match)
    bound = str(address) if address else ""
    if not match["port"]:
        better = f"{variable}={value}{published.port}"
        return Meaning((bound, published.port), (values.problem(variable, "no-port", better),))
    return Meaning((bound, int(match["port"])), tuple(_remarks(values, published, match)))


def _address(match: re.Match[str]) -> IpAddress | None:
    return parse_mapped(match["v4"] or match["v6"] or "")


def _fault(values: Values, published: Published, match: re.Match[str]) -> Problem | None:
    """Return why nothing can be bound to what is written; None: something can."""
    variable, default = published.variable, published.default
    written, address = match["v4"] or match["v6"], _address(match)
    if written and address is None:
        return values.problem(variable, "no-such-address", default, written=written)
    if address is not None and _unreachable(address):
        return values.problem(variable, "unreachable-address", default, address=str(address))
    if match["port"] and not 1 <= int(match["port"]) <= int(match["last"] or match["port"]) <= _LAST_PORT:
        return values.problem(variable, "port-out-of-range", default)
    return None


def _remarks(values: Values, published: Published, match: re.Match[str]) -> Iterator[Problem]:
    """Yield what works and should not be."""
    variable, port, address = published.variable, int(match["port"]), _address(match)
    if match["last"] and int(match["last"]) > port:
        yield values.problem(variable, "port-range", published.default, fatal=False)
    if published.kind == "local" and not (address and address.is_loopback):
        better = f"{variable}={published.address}:{port}"
        everywhere = str(address) if address else "*"
        yield values.problem(variable, "public", better, fatal=False, address=everywhere, title=published.title)


def _web(values: Values, published: Published) -> Meaning[Endpoint]:
    """Read HTTP_PORT or HTTPS_PORT, a bare port, and its bind address, which stands in a variable of its own."""
    address, port = _web_address(values, published), _web_port(values, published)
    return Meaning((address.value, port.value), (*address.problems, *port.problems))


def _web_port(values: Values, published: Published) -> Meaning[int]:
    variable, bind, default = published.variable, published.bind, published.default
    value = values.text(variable)
    if not value:
        return Meaning(published.port, values.reference(variable, str(published.port)))
    if bound := split_port(value):
        better = f"{bind}={bracketed(bound[0])}\n{variable}={bound[1]}"
        return Meaning(published.port, (values.problem(variable, "port-with-address", better, bind=bind),))
    if not re.fullmatch(r"[0-9]{1,9}", value):
        return Meaning(published.port, (values.problem(variable, "not-a-port", default),))
    port = int(value)
    if not 1 <= port <= _LAST_PORT:
        return Meaning(published.port, (values.problem(variable, "port-out-of-range", default),))
    if port in RESERVED:
        better = f"{variable}={BEHIND[variable][0]}"
        return Meaning(port, (values.problem(variable, "reserved-port", better, port=port, service=RESERVED[port]),))
    return Meaning(port)


def _web_address(values: Values, published: Published) -> Meaning[str]:
    variable, value = published.bind, values.text(published.bind)
    bare = unbracketed(value)
    if not bare:
        return Meaning("", values.reference(variable))
    address, bound = parse_mapped(bare), split_port(value)
    if address is None:
        better = f"{variable}={bracketed(bound[0])}\n{published.variable}={bound[1]}" if bound else f"{variable}="
        return Meaning("", (values.problem(variable, "not-an-address", better),))
    if _unreachable(address):
        return Meaning("", (values.problem(variable, "unreachable-address", f"{variable}=", address=bare),))
    if ":" in value and bare == value:
        return Meaning(str(address), (values.problem(variable, "no-brackets", f"{variable}={bracketed(address)}"),))
    return Meaning(str(address))


def _unreachable(address: IpAddress) -> bool:
    """Say whether the kernel lets a socket have an address at which no connection can ever come."""
    return address.is_multicast or address == ipaddress.IPv4Address("255.255.255.255")
