"""The stages by which progress tells what is waited for, in the order shown."""

from __future__ import annotations

from preflight.probes.registry import PROBES
from preflight.text.sentences import noted

FILES = noted("files of the host")
ENGINE = noted("Docker engine")
COMPOSE = noted("Docker Compose")
NAME_SERVERS = noted("name servers")
TIME_SERVERS = noted("time servers")
SPACES = noted("file systems")
CONNECTIONS = noted("connections to the Internet")
PACKETS = noted("packets through the firewall")
REHEARSAL = noted("dress rehearsal")
_PROBES = tuple(probe.stage for probe in PROBES)
_REACHED = (NAME_SERVERS, TIME_SERVERS, CONNECTIONS)
STAGES = tuple(dict.fromkeys((FILES, ENGINE, COMPOSE, *_REACHED, SPACES, *_PROBES, PACKETS, REHEARSAL)))
