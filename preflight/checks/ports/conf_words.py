"""The words for what is wrong with a value of mailcow.conf. Pure."""

from __future__ import annotations

from preflight.mailcow.conf.problems import Problem, ProblemKind
from preflight.net import hostnames
from preflight.text.sentences import noted, say

WORDS: dict[ProblemKind, str] = {
    "refers": noted("{variable} refers to another variable. References are not followed, so it was not checked."),
    "not-a-place": noted("{variable} is neither a port nor an address and a port (such as {example})."),
    "no-such-address": noted("{variable} has an address that does not exist: {written}."),
    "unreachable-address": noted(
        "{variable} names {address}, a multicast or broadcast address. No host can be reached there over TCP."
    ),
    "no-port": noted("{variable} names no port: Docker would publish a different one each time."),
    "port-out-of-range": noted("{variable} has a port outside 1 to 65535."),
    "port-range": noted("{variable} is a range of ports: Docker publishes the first free one, whichever that is."),
    "public": noted("{variable} opens a port on {address} that is meant only for the host: {title}."),
    "port-with-address": noted("{variable} takes only a port; the address belongs in {bind}."),
    "not-a-port": noted("{variable} is not a port."),
    "reserved-port": noted(
        "{variable} must not be {port}. Another service uses that port inside the web server: {service}."
    ),
    "not-an-address": noted("{variable} takes only an address."),
    "no-brackets": noted("{variable} needs brackets around an IPv6 address."),
    "port-twice": noted("{variable} and {other} both publish port {port}."),
    "not-three-octets": noted(
        "{variable} takes three octets, such as 172.22.1: mailcow adds the last octet and /24 itself."
    ),
    "not-a-network": noted("{variable} takes a whole network, such as fd4d:6169:6c63:6f77::/64."),
    "not-a-boolean": noted("{variable} is neither true nor false."),
    "no-for-compose-only": noted(
        "{variable}={written} means no to Docker Compose, but yes to mailcow's web server, which knows only false."
    ),
    "project-empty": noted(
        "{variable} is empty: Compose uses the directory name instead, which mailcow's scripts do not expect."
    ),
    "project": noted(
        "{variable} takes only lower-case letters, digits, dashes and underscores, and must start with a letter or "
        "digit."
    ),
    "hostname-empty": noted("{variable} is empty."),
    "not-a-zone": noted("{variable} is not the name of a time zone, and php-fpm uses it in its command line."),
    "unknown-zone": noted("{variable} is not one of this host's time zones."),
    "neither-y-nor-n": noted("{variable} takes y or n; anything else counts as n."),
    "y-ignored": noted("{variable}={value} does nothing: mailcow compares it with a lower-case y."),
    "y-half-ignored": noted(
        "{variable}={value} leaves SOGo in the web interface: mailcow compares it with a lower-case y."
    ),
    "not-a-number": noted("{variable} takes only a number."),
    "not-a-source": noted(
        "{variable} is not an IPv{version} address that others can reply to, so mailcow leaves it out."
    ),
    "compose-version": noted("{variable} is neither native nor standalone, so mailcow's helper scripts stop."),
    "no-acme-provider": noted(
        "ACME_DNS_CHALLENGE is on, but {variable} names no provider: there will be no certificate."
    ),
    "set-twice": noted("{variable} is set more than once (lines {lines}); the last one counts."),
    "shell-differs": noted("Docker Compose reads {variable} as '{value}', but mailcow's shell scripts read '{other}'."),
    "shell-reads-nothing": noted(
        "Docker Compose reads {variable} as '{value}', but mailcow's shell scripts read nothing."
    ),
}


def words(problem: Problem) -> str:
    """Return a whole sentence on a problem."""
    if problem.kind == "hostname":  # there are many rules for names, which the DNS checks share
        return hostnames.fault(problem.value, problem.value.lower()) or ""
    return say(WORDS[problem.kind], variable=problem.variable, value=problem.value, **problem.details)
