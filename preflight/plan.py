"""What mailcow will want of this host: ports, addresses and networks, from mailcow.conf and mailcow's defaults.

Read from mailcow's docker-compose.yml as of 2026-08-05. A value that mailcow could not use becomes a `Problem`
and mailcow's default takes its place, so that the other checks still have something to look at.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Literal

from msgspec import Struct

from preflight.facts import Asked, ConfFile, Setting

DEFAULT_CONF = "/opt/mailcow-dockerized/mailcow.conf"
BRIDGE = "br-mailcow"
IPV4_NETWORK = "172.22.1"
IPV6_NETWORK = "fd4d:6169:6c63:6f77::/64"
PROJECT = "mailcowdockerized"

# Ports inside nginx-mailcow that HTTP_PORT and HTTPS_PORT may not take, and what listens there.
RESERVED = {8081: "Rspamd's maps", 9081: "the metadata exporter", 9082: "the authentication service", 65510: "SOGo's authentication"}

Kind = Literal["mail", "web", "local"]


class Published(Struct, frozen=True):
    """A port of mailcow's: what it is for, whose it is, and how docker-compose.yml publishes it."""

    title: str
    service: str
    variable: str
    port: int
    kind: Kind
    address: str = ""  # the default bind address
    bind: str = ""  # the variable that holds the bind address, of web ports


# In mailcow's own order: the page's table, then the ports that are for the host alone.
SHAPE = (
    Published("Postfix SMTP", "postfix-mailcow", "SMTP_PORT", 25, "mail"),
    Published("Postfix SMTPS", "postfix-mailcow", "SMTPS_PORT", 465, "mail"),
    Published("Postfix Submission", "postfix-mailcow", "SUBMISSION_PORT", 587, "mail"),
    Published("Dovecot IMAP", "dovecot-mailcow", "IMAP_PORT", 143, "mail"),
    Published("Dovecot IMAPS", "dovecot-mailcow", "IMAPS_PORT", 993, "mail"),
    Published("Dovecot POP3", "dovecot-mailcow", "POP_PORT", 110, "mail"),
    Published("Dovecot POP3S", "dovecot-mailcow", "POPS_PORT", 995, "mail"),
    Published("Dovecot ManageSieve", "dovecot-mailcow", "SIEVE_PORT", 4190, "mail"),
    Published("HTTP", "nginx-mailcow", "HTTP_PORT", 80, "web", bind="HTTP_BIND"),
    Published("HTTPS", "nginx-mailcow", "HTTPS_PORT", 443, "web", bind="HTTPS_BIND"),
    Published("MariaDB", "mysql-mailcow", "SQL_PORT", 13306, "local", address="127.0.0.1"),
    Published("Redis", "redis-mailcow", "REDIS_PORT", 7654, "local", address="127.0.0.1"),
    Published("Dovecot doveadm", "dovecot-mailcow", "DOVEADM_PORT", 19991, "local", address="127.0.0.1"),
)


class Problem(Struct, frozen=True):
    """A value in mailcow.conf that mailcow cannot use (fatal), or should not (not fatal)."""

    variable: str
    line: int
    value: str
    text: str  # a whole sentence
    fix: str  # the line to write instead
    fatal: bool = True


class Binding(Struct, frozen=True):
    """One port that will be published on one address ('' = every IPv4 and IPv6 address)."""

    address: str
    port: int
    wanted: tuple[Published, ...]  # the variables that lead here; more than one is a conflict

    @property
    def subject(self) -> str:
        """Name the binding as the report does: `25/tcp`, `198.51.100.7:25/tcp`, `[2001:db8::7]:25/tcp`."""
        if not self.address:
            return f"{self.port}/tcp"
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{shown}:{self.port}/tcp"


class Plan(Struct, frozen=True, kw_only=True):
    """All that mailcow will want. `hostname` as given; `fqdn` lower case, as A-labels, without a trailing dot."""

    conf_path: str
    conf_present: bool
    bindings: tuple[Binding, ...]
    problems: tuple[Problem, ...]
    hostname: str | None
    fqdn: str | None
    domains: tuple[str, ...]
    ipv4_network: str  # 172.22.1.0/24
    ipv6_network: str
    ipv6: bool  # ENABLE_IPV6
    bridge: str
    project: str
    skip_clamd: bool
    skip_fts: bool
    skip_lets_encrypt: bool

    @property
    def ports(self) -> tuple[int, ...]:
        """Return the host ports wanted, each once."""
        return tuple(dict.fromkeys(binding.port for binding in self.bindings))

    @property
    def directory(self) -> str:
        """Return where mailcow is, or will be, cloned."""
        return self.conf_path.rpartition("/")[0] or "/"


def make(conf: ConfFile | None, asked: Asked) -> Plan:
    """Work out what mailcow wants; `conf` None: mailcow.conf could not be read, its defaults are taken."""
    settings = conf.settings if conf else {}
    problems: list[Problem] = []
    hostname = asked.hostname or _text(settings, "MAILCOW_HOSTNAME") or None
    fqdn = ascii_name(hostname) if hostname else None
    domains = tuple(dict.fromkeys(filter(None, map(ascii_name, asked.domains))))
    if fqdn and not domains:
        parent = fqdn.partition(".")[2]
        domains = (parent,) if "." in parent else (fqdn,)
    return Plan(
        conf_path=conf.path if conf else asked.mailcow_conf or DEFAULT_CONF,
        conf_present=bool(conf and conf.present),
        bindings=_bindings(settings, problems),
        ipv4_network=_ipv4_network(settings, problems),
        ipv6_network=_ipv6_network(settings, problems),
        problems=tuple(problems),
        hostname=hostname,
        fqdn=fqdn,
        domains=domains,
        ipv6=_text(settings, "ENABLE_IPV6").lower() not in ("false", "n", "no"),
        bridge=BRIDGE,
        project=_text(settings, "COMPOSE_PROJECT_NAME") or PROJECT,
        skip_clamd=_yes(settings, "SKIP_CLAMD"),
        skip_fts=_yes(settings, "SKIP_FTS"),
        skip_lets_encrypt=_yes(settings, "SKIP_LETS_ENCRYPT"),
    )


def ascii_name(name: str) -> str:
    """Return a host name in lower case and A-labels, without a trailing dot; as it is where it has none."""
    name = name.strip().rstrip(".").lower()
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return name


def _text(settings: dict[str, Setting], variable: str) -> str:
    return settings[variable].value.strip() if variable in settings else ""


def _yes(settings: dict[str, Setting], variable: str) -> bool:
    """Read a switch as mailcow's start scripts do: y or yes in any case."""
    return _text(settings, variable).lower() in ("y", "yes")


def _bindings(settings: dict[str, Setting], problems: list[Problem]) -> tuple[Binding, ...]:
    found: dict[tuple[str, int], list[Published]] = {}
    for published in SHAPE:
        read = _web if published.kind == "web" else _mail
        address, port = read(settings, published, problems)
        found.setdefault((address, port), []).append(published)
    bindings = tuple(Binding(address, port, tuple(wanted)) for (address, port), wanted in found.items())
    problems.extend(_duplicates(bindings, settings))
    return bindings


def _duplicates(bindings: tuple[Binding, ...], settings: dict[str, Setting]) -> list[Problem]:
    """Complain of each later variable that wants a port which an earlier one has, on an address they share."""
    rows = [(binding, published) for binding in bindings for published in binding.wanted]
    rows.sort(key=lambda row: SHAPE.index(row[1]))
    problems = []
    for number, (binding, published) in enumerate(rows):
        for other, earlier in rows[:number]:
            if other.port == binding.port and _overlap(other.address, binding.address):
                setting = settings.get(published.variable) or settings.get(earlier.variable) or Setting("", 0)
                text = f"{published.variable} and {earlier.variable} both publish port {binding.port}."
                fix = f"{published.variable}={_default(published)}"
                problems.append(Problem(published.variable, setting.line, setting.value, text, fix))
                break
    return problems


def _overlap(one: str, other: str) -> bool:
    """Say whether two bind addresses meet ('' and the unspecified address of a family are everywhere in it)."""
    if not one or not other or one == other:
        return True
    first, second = ipaddress.ip_address(one), ipaddress.ip_address(other)
    return first.version == second.version and (first.is_unspecified or second.is_unspecified)


def _default(published: Published) -> str:
    return f"{published.address}:{published.port}" if published.address else str(published.port)


def _mail(settings: dict[str, Setting], published: Published, problems: list[Problem]) -> tuple[str, int]:
    """Read `PORT`, `IPv4:PORT` or `[IPv6]:PORT`; empty means mailcow's default."""
    default = (published.address, published.port)
    setting = settings.get(published.variable)
    if setting is None or not setting.value.strip():
        return default
    value = setting.value.strip()
    match = re.fullmatch(r"(?:(?P<v4>[0-9.]+):|\[(?P<v6>[0-9a-fA-F:.]+)\]:)?(?P<port>[0-9]{1,6})", value)
    fix = f"{published.variable}={_default(published)}"

    def complain(text: str, *, fatal: bool = True) -> None:
        problems.append(Problem(published.variable, setting.line, value, text, fix, fatal))

    if match is None:
        complain(f"{published.variable} is neither a port nor an address and a port (such as 192.0.2.1:{published.port}).")
        return default
    address = match["v4"] or match["v6"] or ""
    if address and not _valid_address(address):
        complain(f"{published.variable} has an address that does not exist: {address}.")
        return default
    port = int(match["port"])
    if not 1 <= port <= 65535:
        complain(f"{published.variable} has a port outside 1 to 65535.")
        return default
    if published.kind == "local" and not (address and ipaddress.ip_address(address).is_loopback):
        where = address or "every address"
        complain(f"{published.variable} opens the {published.title} port on {where}; it is meant for the host alone.", fatal=False)
    return str(ipaddress.ip_address(address)) if address else "", port


def _web(settings: dict[str, Setting], published: Published, problems: list[Problem]) -> tuple[str, int]:
    """Read HTTP_PORT or HTTPS_PORT, a bare port, and its bind address, which stands in a variable of its own."""
    address = _web_bind(settings, published, problems)
    setting = settings.get(published.variable)
    if setting is None or not setting.value.strip():
        return address, published.port
    value = setting.value.strip()
    fix = f"{published.variable}={published.port}"

    def complain(text: str, better: str = fix) -> tuple[str, int]:
        problems.append(Problem(published.variable, setting.line, value, text, better))
        return address, published.port

    if not re.fullmatch(r"[0-9]{1,6}", value):
        bound = re.fullmatch(r"\[?([0-9a-fA-F.:]+?)\]?:([0-9]{1,5})", value)
        if bound:
            return complain(
                f"{published.variable} takes a port alone; the address belongs into {published.bind}.",
                f"{published.bind}={bound[1]}\n{published.variable}={bound[2]}",
            )
        return complain(f"{published.variable} is not a port.")
    port = int(value)
    if not 1 <= port <= 65535:
        return complain(f"{published.variable} is outside 1 to 65535.")
    if port in RESERVED:
        return complain(f"{published.variable} may not be {port}: inside the web server that port is taken by {RESERVED[port]}.")
    return address, port


def _web_bind(settings: dict[str, Setting], published: Published, problems: list[Problem]) -> str:
    setting = settings.get(published.bind)
    if setting is None or not setting.value.strip():
        return ""
    value = setting.value.strip()
    fix = f"{published.bind}="

    def complain(text: str, better: str = fix) -> str:
        problems.append(Problem(published.bind, setting.line, value, text, better))
        return ""

    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    if not _valid_address(bare):
        return complain(f"{published.bind} takes an address alone.")
    address = ipaddress.ip_address(bare)
    if address.version == 6 and bare == value:
        return complain(f"{published.bind} needs brackets around an IPv6 address.", f"{published.bind}=[{address}]")
    return str(address)


def _valid_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _ipv4_network(settings: dict[str, Setting], problems: list[Problem]) -> str:
    """Read the three octets that mailcow completes to a /24."""
    default = f"{IPV4_NETWORK}.0/24"
    setting = settings.get("IPV4_NETWORK")
    if setting is None or not setting.value.strip():
        return default
    value = setting.value.strip()
    try:
        network = ipaddress.IPv4Network(f"{value}.0/24")
    except ValueError:
        text = "IPV4_NETWORK takes three octets, such as 172.22.1: mailcow adds the last octet and /24 itself."
        problems.append(Problem("IPV4_NETWORK", setting.line, value, text, f"IPV4_NETWORK={IPV4_NETWORK}"))
        return default
    return str(network)


def _ipv6_network(settings: dict[str, Setting], problems: list[Problem]) -> str:
    setting = settings.get("IPV6_NETWORK")
    if setting is None or not setting.value.strip():
        return IPV6_NETWORK
    value = setting.value.strip()
    try:
        network = ipaddress.IPv6Network(value)
    except ValueError:
        text = "IPV6_NETWORK takes a whole network, such as fd4d:6169:6c63:6f77::/64."
        problems.append(Problem("IPV6_NETWORK", setting.line, value, text, f"IPV6_NETWORK={IPV6_NETWORK}"))
        return IPV6_NETWORK
    return str(network)
