"""Mailcow's shape: what its docker-compose.yml asks of a host, as far as a host can refuse it.

Read from mailcow's docker-compose.yml as of 2026-08-05. The one description of it: the ports checks, the stand-in
stack (compose/stand-in.yml is generated from here) and the lab read it.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

BRIDGE = "br-mailcow"
IPV4_NETWORK = "172.22.1"
IPV6_NETWORK = "fd4d:6169:6c63:6f77::/64"
PROJECT = "mailcowdockerized"

# Ports inside nginx-mailcow that HTTP_PORT and HTTPS_PORT may not take, and what listens there.
RESERVED = {
    8081: "Rspamd's maps",
    9081: "the metadata exporter",
    9082: "the authentication service",
    65510: "SOGo's authentication",
}

# Ports for HTTP_PORT and HTTPS_PORT where a web server stays in front of mailcow: the documentation's first.
BEHIND = {"HTTP_PORT": (8080, 8088, 8880), "HTTPS_PORT": (8443, 8448, 9443)}

PortKind = Literal["mail", "web", "local"]


class Published(Struct, frozen=True):
    """A port of mailcow's: what it is for, whose it is, and how docker-compose.yml publishes it."""

    title: str
    service: str
    variable: str
    port: int
    kind: PortKind
    address: str = ""  # the default bind address
    bind: str = ""  # the variable that holds the bind address, of web ports
    inside: int = 0  # the port in its container, where that is another one

    @property
    def default(self) -> str:
        """Return the variable's line as mailcow's own mailcow.conf has it."""
        return f"{self.variable}={self.address}{':' if self.address else ''}{self.port}"


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
    Published("MariaDB", "mysql-mailcow", "SQL_PORT", 13306, "local", address="127.0.0.1", inside=3306),
    Published("Redis", "redis-mailcow", "REDIS_PORT", 7654, "local", address="127.0.0.1", inside=6379),
    Published("Dovecot doveadm", "dovecot-mailcow", "DOVEADM_PORT", 19991, "local", address="127.0.0.1", inside=12345),
)


class Container(Struct, frozen=True, kw_only=True):
    """A container of mailcow's: what it asks of the engine and the kernel beside its published ports."""

    name: str
    address: int = 0  # the last octet of its address on mailcow's network; 0: the engine chooses
    after: tuple[str, ...] = ()  # starts when these have started
    after_healthy: tuple[str, ...] = ()  # starts when these are healthy
    healthcheck: bool = False
    host: bool = False  # in the host's network, privileged
    capabilities: tuple[str, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    ulimits: tuple[tuple[str, int, int], ...] = ()  # name, soft, hard
    unconfined: bool = False  # without the SELinux label
    dns: bool = True  # asks unbound-mailcow, at its fixed address
    binds: tuple[str, ...] = ()  # of the host's own paths

    @property
    def health_port(self) -> int:
        """Return the port inside that a health check asks: the name server's own, clamd's for the others."""
        return 53 if self.address == UNBOUND else 3310


UNBOUND = 254  # the last octet of the name server's address

# Those that a host can refuse, wait for or break; what they leave out (memcached, olefy, ofelia, php-fpm, rspamd, sogo,
# watchdog) asks for nothing that none of these asks for.
CONTAINERS = (
    Container(name="unbound-mailcow", address=UNBOUND, healthcheck=True, dns=False),
    Container(name="netfilter-mailcow", host=True, dns=False, binds=("/lib/modules:/lib/modules:ro",)),
    Container(name="mysql-mailcow", after=("unbound-mailcow", "netfilter-mailcow"), dns=False),
    Container(
        name="redis-mailcow", address=249, after=("netfilter-mailcow",), dns=False,
        sysctls=(("net.core.somaxconn", "4096"),),
    ),
    Container(name="clamd-mailcow", after_healthy=("unbound-mailcow",), healthcheck=True),
    Container(
        name="dovecot-mailcow", address=250, after=("mysql-mailcow", "netfilter-mailcow", "redis-mailcow"),
        capabilities=("NET_BIND_SERVICE",), ulimits=(("nproc", 65535, 65535), ("nofile", 20000, 40000)),
    ),
    Container(name="postfix-tlspol-mailcow", after_healthy=("unbound-mailcow",)),
    Container(
        name="postfix-mailcow", address=253, after=("mysql-mailcow", "postfix-tlspol-mailcow"),
        after_healthy=("unbound-mailcow",), capabilities=("NET_BIND_SERVICE",),
    ),
    Container(name="nginx-mailcow", after=("redis-mailcow",)),
    Container(name="acme-mailcow", after=("nginx-mailcow",), after_healthy=("unbound-mailcow",)),
    Container(
        name="dockerapi-mailcow", unconfined=True, binds=("/var/run/docker.sock:/var/run/docker.sock:ro",),
    ),
)  # fmt: skip
