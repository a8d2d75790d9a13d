"""What the values in mailcow.conf mean to docker-compose.yml, and what is wrong with those that mean nothing.

Read from mailcow's docker-compose.yml as of 2026-08-05. A value that mailcow could not use becomes a `Problem`
and mailcow's default takes its place, so that the other checks still have something to look at.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from msgspec import Struct, field

from preflight.facts import Setting
from preflight.mailcow.layout import IPV4_NETWORK, IPV6_NETWORK, PROJECT, RESERVED, Published
from preflight.net import hostnames
from preflight.net.addresses import IpAddress, bracketed, parse_mapped, split_port
from preflight.text.sentences import noted, say

# Where a web server stays in front of mailcow: the ports of mailcow's documentation.
REVERSE_PROXY = {"HTTP_PORT": 8080, "HTTPS_PORT": 8443}
SWITCHES = (
    "SKIP_CLAMD", "SKIP_FTS", "SKIP_SOGO", "SKIP_OLEFY", "SKIP_UNBOUND_HEALTHCHECK", "SKIP_LETS_ENCRYPT",
    "SKIP_IP_CHECK", "SKIP_HTTP_VERIFICATION", "ACME_DNS_CHALLENGE", "HTTP_REDIRECT",
    "DISABLE_NETFILTER_ISOLATION_RULE",
)  # fmt: skip
# Those for which y has to be written so, and what else comes of it.
EXACT = {
    "SKIP_UNBOUND_HEALTHCHECK": noted("{setting} does nothing: mailcow compares it with a lower-case y."),
    "SKIP_SOGO": noted("{setting} leaves SOGo in the web interface: mailcow compares it with a lower-case y."),
}
SOURCES = ("SNAT_TO_SOURCE", "SNAT6_TO_SOURCE")
NOWHERE = noted(
    "{variable} names {address}, at which no host can be reached by TCP: it is a multicast or broadcast address."
)


class Problem(Struct, frozen=True):
    """A value in mailcow.conf that mailcow cannot use (fatal), or should not (not fatal)."""

    variable: str
    line: int
    value: str
    text: str  # a whole sentence
    fix: str  # the line to write instead
    fatal: bool = True


class Reader(Struct, frozen=True):
    """Reads settings one by one, and collects what is wrong with them."""

    settings: Mapping[str, Setting]
    problems: list[Problem] = field(default_factory=list)

    def text(self, variable: str, default: str = "") -> str:
        """Return a value; '' where Compose would take the default of docker-compose.yml instead.

        A value that refers to another variable is not followed: it counts as the default, with a remark.
        """
        setting = self.settings.get(variable)
        if setting and setting.refers:
            text = say(
                "{variable} refers to another variable, which is not followed here, so that it was not judged.",
                variable=variable,
            )
            self.complain(variable, text, f"{variable}={default}", fatal=False)
            return ""
        return setting.value if setting else ""

    def complain(self, variable: str, text: str, fix: str, *, fatal: bool = True) -> None:
        """Note a problem with a variable, once."""
        setting = self.settings.get(variable, Setting("", 0))
        problem = Problem(variable, setting.line, setting.value, text, fix, fatal)
        if problem not in self.problems:
            self.problems.append(problem)

    def yes(self, variable: str) -> bool:
        """Read a switch as mailcow's start scripts do: y or yes in any case."""
        return self.text(variable, "n").lower() in ("y", "yes")

    def place(self, published: Published) -> tuple[str, int]:
        """Return the address ('' = every one) and the port that a port of mailcow's is published on."""
        return self._web(published) if published.kind == "web" else self._mail(published)

    def _mail(self, published: Published) -> tuple[str, int]:
        """Read `PORT`, `:PORT`, `IPv4:PORT` or `[IPv6]:PORT`; empty means mailcow's default."""
        variable, default = published.variable, (published.address, published.port)
        value = self.text(variable, published.default.partition("=")[2])
        if not value:
            return default
        match = re.fullmatch(
            r"(?:(?P<v4>[0-9.]*):|\[(?P<v6>[0-9a-fA-F:.]*)\]:)?(?P<port>[0-9]{0,9})(?:-(?P<last>[0-9]{1,9}))?", value
        )
        if match is None or (match["last"] and not match["port"]):
            example = f"192.0.2.1:{published.port}"
            text = say(
                "{variable} is neither a port nor an address and a port (such as {example}).",
                variable=variable,
                example=example,
            )
            self.complain(variable, text, published.default)
            return default
        written = match["v4"] or match["v6"]
        address = parse_mapped(written) if written else None
        if written and (address is None or nowhere(address)):
            text = say("{variable} has an address that does not exist: {written}.", variable=variable, written=written)
            if address is not None:
                text = say(NOWHERE, variable=variable, address=written)
            self.complain(variable, text, published.default)
            return default
        if not match["port"]:
            text = say("{variable} names no port: Docker would publish a different one each time.", variable=variable)
            self.complain(variable, text, f"{variable}={value}{published.port}")
            return str(address) if address else "", published.port
        port, last = int(match["port"]), int(match["last"] or match["port"])
        if not 1 <= port <= last <= 65535:
            self.complain(
                variable, say("{variable} has a port outside 1 to 65535.", variable=variable), published.default
            )
            return default
        if last > port:
            text = say(
                "{variable} is a range of ports: Docker publishes the first one that is free, whichever that is.",
                variable=variable,
            )
            self.complain(variable, text, published.default, fatal=False)
        if published.kind == "local" and not (address and address.is_loopback):
            text = say(
                "{variable} opens a port on {address} that is meant for the host alone: {title}.",
                variable=variable,
                title=published.title,
                address=address or "*",
            )
            self.complain(variable, text, f"{variable}={published.address}:{port}", fatal=False)
        return str(address) if address else "", port

    def _web(self, published: Published) -> tuple[str, int]:
        """Read HTTP_PORT or HTTPS_PORT, a bare port, and its bind address, which stands in a variable of its own."""
        address, variable = self._web_bind(published), published.variable
        value = self.text(variable, str(published.port))
        if not value:
            return address, published.port
        if not re.fullmatch(r"[0-9]{1,9}", value):
            bound = split_port(value)
            if bound:
                text = say(
                    "{variable} takes a port alone; the address belongs into {bind}.",
                    variable=variable,
                    bind=published.bind,
                )
                self.complain(variable, text, f"{published.bind}={bracketed(bound[0])}\n{variable}={bound[1]}")
            else:
                self.complain(variable, say("{variable} is not a port.", variable=variable), published.default)
            return address, published.port
        port = int(value)
        if not 1 <= port <= 65535:
            self.complain(variable, say("{variable} is outside 1 to 65535.", variable=variable), published.default)
            return address, published.port
        if port in RESERVED:
            text = say(
                "{variable} may not be {port}: inside the web server that port is taken by this: {service}.",
                variable=variable,
                port=port,
                service=RESERVED[port],
            )
            self.complain(variable, text, f"{variable}={REVERSE_PROXY[variable]}")
        return address, port

    def _web_bind(self, published: Published) -> str:
        variable, value = published.bind, self.text(published.bind)
        if not value:
            return ""
        bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
        if not bare:
            return ""
        address = parse_mapped(bare)
        if address is None:
            bound = split_port(value)
            better = f"{variable}={bracketed(bound[0])}\n{published.variable}={bound[1]}" if bound else f"{variable}="
            self.complain(variable, say("{variable} takes an address alone.", variable=variable), better)
            return ""
        if nowhere(address):
            self.complain(variable, say(NOWHERE, variable=variable, address=bare), f"{variable}=")
            return ""
        if ":" in value and bare == value:
            text = say("{variable} needs brackets around an IPv6 address.", variable=variable)
            self.complain(variable, text, f"{variable}={bracketed(address)}")
        return str(address)

    def ipv4_network(self) -> str:
        """Read the three octets that mailcow completes to a /24."""
        default = f"{IPV4_NETWORK}.0/24"
        value = self.text("IPV4_NETWORK", IPV4_NETWORK)
        if not value:
            return default
        try:
            return str(ipaddress.IPv4Network(f"{value}.0/24"))
        except ValueError:
            octets = re.match(r"(\d{1,3}\.\d{1,3}\.\d{1,3})(?:\.|/|$)", value, re.ASCII)
            better = octets[1] if octets and parse_mapped(f"{octets[1]}.0") else IPV4_NETWORK
            text = say("IPV4_NETWORK takes three octets, such as 172.22.1: mailcow adds the last octet and /24 itself.")
            self.complain("IPV4_NETWORK", text, f"IPV4_NETWORK={better}")
            return default

    def ipv6_network(self) -> str:
        """Read IPV6_NETWORK, a whole network with its length."""
        value = self.text("IPV6_NETWORK", IPV6_NETWORK)
        if not value:
            return IPV6_NETWORK
        try:
            network = ipaddress.IPv6Network(value)
        except ValueError:
            network = None
        if network is None or "/" not in value or network.prefixlen > 120:
            text = say("IPV6_NETWORK takes a whole network, such as fd4d:6169:6c63:6f77::/64.")
            self.complain("IPV6_NETWORK", text, f"IPV6_NETWORK={_whole(value)}")
            return IPV6_NETWORK
        return str(network)

    def ipv6(self) -> bool:
        """Read ENABLE_IPV6, a boolean as Compose reads one."""
        value = self.text("ENABLE_IPV6", "true").lower()
        if value not in ("", "true", "y", "yes", "on", "false", "n", "no", "off"):
            fix = "false" if value in ("0", "f") else "true"
            self.complain("ENABLE_IPV6", say("ENABLE_IPV6 is neither true nor false."), f"ENABLE_IPV6={fix}")
        elif value in ("n", "no", "off"):
            text = say(
                "ENABLE_IPV6={value} is no to Docker Compose, but yes to mailcow's web server, which knows false.",
                value=value,
            )
            self.complain("ENABLE_IPV6", text, "ENABLE_IPV6=false", fatal=False)
        return value not in ("false", "n", "no", "off")

    def project(self) -> str:
        """Read COMPOSE_PROJECT_NAME, which Compose wants in lower case."""
        value = self.text("COMPOSE_PROJECT_NAME", PROJECT)
        setting = self.settings.get("COMPOSE_PROJECT_NAME")
        if setting and not value and not setting.refers:
            text = say(
                "COMPOSE_PROJECT_NAME is empty: Compose takes its directory's name, by which no script of mailcow asks."
            )
            self.complain("COMPOSE_PROJECT_NAME", text, f"COMPOSE_PROJECT_NAME={PROJECT}", fatal=False)
        if value and not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", value):
            text = say(
                "COMPOSE_PROJECT_NAME takes lower-case letters, digits, dashes and underscores "
                "alone, and starts with a letter or digit."
            )
            self.complain("COMPOSE_PROJECT_NAME", text, f"COMPOSE_PROJECT_NAME={PROJECT}")
            return PROJECT
        return value or PROJECT

    def rest(self, zone: bool | None) -> None:
        """Judge the variables that only mailcow's own programs read; `zone`: whether the host knows TZ as one."""
        self._hostname()
        self._zone(zone)
        for variable in SWITCHES:
            self._switch(variable)
        for variable in ("FTS_HEAP", "FTS_PROCS"):
            value = self.text(variable)
            if value and not re.fullmatch(r"0*[1-9][0-9]{0,8}", value):
                fix = "128" if variable == "FTS_HEAP" else "1"
                self.complain(
                    variable,
                    say("{variable} takes a number alone.", variable=variable),
                    f"{variable}={fix}",
                    fatal=False,
                )
        for variable, version in (("SNAT_TO_SOURCE", 4), ("SNAT6_TO_SOURCE", 6)):
            self._source(variable, version)
        if self.text("DOCKER_COMPOSE_VERSION") not in ("", "native", "standalone"):
            text = say(
                "DOCKER_COMPOSE_VERSION is neither native nor standalone, so that mailcow's helper scripts stop."
            )
            self.complain("DOCKER_COMPOSE_VERSION", text, "DOCKER_COMPOSE_VERSION=native", fatal=False)
        if self.yes("ACME_DNS_CHALLENGE") and self.text("ACME_DNS_PROVIDER") in ("", "dns_xxx"):
            text = say(
                "ACME_DNS_CHALLENGE is on, but ACME_DNS_PROVIDER names no provider: there will be no certificate."
            )
            self.complain("ACME_DNS_PROVIDER", text, "ACME_DNS_CHALLENGE=n", fatal=False)

    def _hostname(self) -> None:
        name = self.text("MAILCOW_HOSTNAME")
        setting = self.settings.get("MAILCOW_HOSTNAME")
        if setting is None or setting.refers:
            return
        wrong = hostnames.fault(name, name.lower()) if name else say("MAILCOW_HOSTNAME is empty.")
        if wrong and name.isascii():  # the DNS checks say what a name with umlauts is to be written as
            self.complain("MAILCOW_HOSTNAME", wrong, "MAILCOW_HOSTNAME=mail.example.org (your own)")

    def _zone(self, known: bool | None) -> None:
        value = self.text("TZ")
        if value and not re.fullmatch(r"[A-Za-z0-9_+/-]{1,100}", value):
            text = say("TZ is no time zone's name, and php-fpm has it in its command line.")
            self.complain("TZ", text, "TZ=Etc/UTC")
        elif value and known is False:
            self.complain("TZ", say("TZ is none of this host's time zones."), "TZ=Etc/UTC", fatal=False)

    def _switch(self, variable: str) -> None:
        """Complain of a switch that does nothing, or not all: scripts compare with y or yes, two of them with y."""
        value = self.text(variable, "n")
        word = value.lower()
        if word in ("", "n", "no") or (word in ("y", "yes") and (value == "y" or variable not in EXACT)):
            return
        if word in ("y", "yes"):
            text = say(EXACT[variable], setting=f"{variable}={value}")
        else:
            text = say("{variable} takes y or n; anything else counts as n.", variable=variable)
        fix = "y" if word in ("y", "yes", "true", "t", "1", "on") else "n"
        self.complain(variable, text, f"{variable}={fix}", fatal=False)

    def sources(self) -> tuple[tuple[str, str], ...]:
        """Return the variables that name an address to send from, with it; what is no address is left out."""
        named = ((name, parse_mapped(self.settings[name].value)) for name in SOURCES if name in self.settings)
        return tuple((name, str(address)) for name, address in named if address is not None)

    def _source(self, variable: str, version: int) -> None:
        value = self.text(variable)
        if value in ("", "n"):
            return
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            address = None
        if address is None or address.version != version or address.is_loopback or address.is_unspecified:
            text = say(
                "{variable} is no IPv{version} address that others could answer, and mailcow leaves it out.",
                variable=variable,
                version=version,
            )
            self.complain(variable, text, f"{variable}=n", fatal=False)


def _whole(value: str) -> str:
    """Make a network of what was meant as one, mailcow's own where that cannot be told."""
    try:
        network = ipaddress.IPv6Interface(value if "/" in value else f"{value}/64").network
    except ValueError:
        return IPV6_NETWORK
    return str(network) if network.prefixlen <= 120 else IPV6_NETWORK


def nowhere(address: IpAddress) -> bool:
    """Say whether the kernel lets a socket have an address at which no connection can ever come."""
    return address.is_multicast or address == ipaddress.IPv4Address("255.255.255.255")
