"""Variables that only mailcow's own programs read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from preflight.mailcow.conf.problems import Meaning, Problem, ProblemKind, Values
from preflight.mailcow.layout import PROJECT
from preflight.net import hostnames
from preflight.net.addresses import parse_address, parse_mapped

SWITCHES = (
    "SKIP_CLAMD", "SKIP_FTS", "SKIP_SOGO", "SKIP_OLEFY", "SKIP_UNBOUND_HEALTHCHECK", "SKIP_LETS_ENCRYPT",
    "SKIP_IP_CHECK", "SKIP_HTTP_VERIFICATION", "ACME_DNS_CHALLENGE", "HTTP_REDIRECT",
    "DISABLE_NETFILTER_ISOLATION_RULE",
)  # fmt: skip
# Those for which y has to be written so, and what comes of it otherwise.
_EXACT: dict[str, ProblemKind] = {"SKIP_UNBOUND_HEALTHCHECK": "y-ignored", "SKIP_SOGO": "y-half-ignored"}
# Addresses to send from: variable and version of IP.
SOURCES = {"SNAT_TO_SOURCE": 4, "SNAT6_TO_SOURCE": 6}


def source_variable(version: int) -> str:
    """Return the variable that names the address to send from, of IP version 4 or 6."""
    return next(variable for variable, its in SOURCES.items() if its == version)


def sources(values: Values) -> tuple[tuple[str, str], ...]:
    """Return the variables that name an address to send from, with it; what is no address is left out."""
    named = ((name, parse_mapped(values.text(name))) for name in SOURCES)
    return tuple((name, str(address)) for name, address in named if address is not None)


def project(values: Values) -> Meaning[str]:
    """Read COMPOSE_PROJECT_NAME, which Compose wants in lower case."""
    variable, better = "COMPOSE_PROJECT_NAME", f"COMPOSE_PROJECT_NAME={PROJECT}"
    value = values.text(variable)
    if values.refers(variable):
        return Meaning(PROJECT, values.reference(variable, PROJECT))
    if not value and variable in values.settings:
        return Meaning(PROJECT, (values.problem(variable, "project-empty", better, fatal=False),))
    if value and not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", value):
        return Meaning(PROJECT, (values.problem(variable, "project", better),))
    return Meaning(value or PROJECT)


def problems(values: Values, zone: bool | None) -> Iterator[Problem]:
    """Yield what mailcow's programs would not take; `zone`: whether the host knows TZ as a time zone."""
    yield from _hostname(values)
    yield from _zone(values, zone)
    for variable in SWITCHES:
        yield from _switch(values, variable)
    yield from _number(values, "FTS_HEAP", 128)
    yield from _number(values, "FTS_PROCS", 1)
    for variable, version in SOURCES.items():
        yield from _source(values, variable, version)
    yield from values.reference("DOCKER_COMPOSE_VERSION")
    if values.text("DOCKER_COMPOSE_VERSION") not in ("", "native", "standalone"):
        better = "DOCKER_COMPOSE_VERSION=native"
        yield values.problem("DOCKER_COMPOSE_VERSION", "compose-version", better, fatal=False)
    if values.yes("ACME_DNS_CHALLENGE"):
        yield from values.reference("ACME_DNS_PROVIDER")
        if values.text("ACME_DNS_PROVIDER") in ("", "dns_xxx") and not values.refers("ACME_DNS_PROVIDER"):
            yield values.problem("ACME_DNS_PROVIDER", "no-acme-provider", "ACME_DNS_CHALLENGE=n", fatal=False)


def _hostname(values: Values) -> Iterator[Problem]:
    variable, name = "MAILCOW_HOSTNAME", values.text("MAILCOW_HOSTNAME")
    yield from values.reference(variable)
    if variable not in values.settings or values.refers(variable) or not name.isascii():
        return  # the DNS checks say what a name with umlauts is to be written as
    if not name or hostnames.fault(name, name.lower()):
        kind: ProblemKind = "hostname" if name else "hostname-empty"
        yield values.problem(variable, kind, "MAILCOW_HOSTNAME=mail.example.org (your own)")


def _zone(values: Values, known: bool | None) -> Iterator[Problem]:
    value = values.text("TZ")
    yield from values.reference("TZ")
    if value and not re.fullmatch(r"[A-Za-z0-9_+/-]{1,100}", value):
        yield values.problem("TZ", "not-a-zone", "TZ=Etc/UTC")
    elif value and known is False:
        yield values.problem("TZ", "unknown-zone", "TZ=Etc/UTC", fatal=False)


def _switch(values: Values, variable: str) -> Iterator[Problem]:
    """Complain of a switch that does nothing, or not all: scripts compare with y or yes, two of them with y."""
    value = values.text(variable)
    yield from values.reference(variable, "n")
    word = value.lower()
    if word in ("", "n", "no") or (word in ("y", "yes") and (value == "y" or variable not in _EXACT)):
        return
    kind = _EXACT[variable] if word in ("y", "yes") else "neither-y-nor-n"
    better = "y" if word in ("y", "yes", "true", "t", "1", "on") else "n"
    yield values.problem(variable, kind, f"{variable}={better}", fatal=False)


def _number(values: Values, variable: str, default: int) -> Iterator[Problem]:
    value = values.text(variable)
    yield from values.reference(variable)
    if value and not re.fullmatch(r"0*[1-9][0-9]{0,8}", value):
        yield values.problem(variable, "not-a-number", f"{variable}={default}", fatal=False)


def _source(values: Values, variable: str, version: int) -> Iterator[Problem]:
    value = values.text(variable)
    yield from values.reference(variable)
    if value in ("", "n"):
        return
    address = parse_address(value)
    if address is None or address.version != version or address.is_loopback or address.is_unspecified:
        yield values.problem(variable, "not-a-source", f"{variable}=n", fatal=False, version=version)
