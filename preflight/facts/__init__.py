"""What is known of a host, and where it came from: a frozen, JSON-shaped document.

Nothing here is a judgement. A `Fact` holds a value or the reason why there is none; reading the value of a
fact that has none raises `MissingFact`, which ends a check as `unknown` (or `skip`) with that reason.
Sizes are in bytes, times in seconds, ports are numbers, addresses are strings as `ipaddress` writes them.
"""

from __future__ import annotations

from preflight.facts.base import Fact, Missing, MissingFact, require
from preflight.facts.blocklists import BlockListed, BlockLists, Listing, Mirrors
from preflight.facts.daemon import NO_SETTINGS, DaemonConfig, Directive, EngineStart, Form, GivenFlag, JsonFault
from preflight.facts.engine import (
    NO_ENGINE,
    Compose,
    Contact,
    Container,
    Engine,
    EngineLimits,
    EngineNetwork,
    PublishedPort,
    SwarmService,
)
from preflight.facts.host import SCHEMA, Host
from preflight.facts.mailcow import ConfFile, EnvFile, LineFault, Mark, Override, Setting
from preflight.facts.names import Answer, Answers, HostsEntry, ZoneServer, absolute
from preflight.facts.network import Address, Ipv6, Link, Route, RoutingRule, Way
from preflight.facts.outgoing import Attempt, Goal, Outgoing, Trial
from preflight.facts.probes import Differing, ExecRun, HealthRun, Probes, PublishRun, Refusal, StartRun, TimeoutRun
from preflight.facts.recursion import Asking, Ping, Query, RecursionRun
from preflight.facts.rehearsal import ContainerRun, NetworkRun, PortRun, Rehearsal, Reply, Visit, WayOut
from preflight.facts.resources import CpuFeatures, CpuSpeed, Memory, Space
from preflight.facts.services import (
    NO_SERVICES,
    Clock,
    MailTrace,
    OtherKey,
    Parent,
    RuleFile,
    Service,
    ServiceKind,
    Services,
    SocketUnit,
    Switch,
    Timezone,
)
from preflight.facts.sightings import AddressService, Sighting
from preflight.facts.sockets import NO_SOCKETS, BindAttempt, Diversion, Holder, Nat, Sockets
from preflight.facts.system import Command, KernelFeatures, OsRelease, SecurityModules, Userland, Virtualization
from preflight.facts.time import Times, TimeServer, WebDate
from preflight.facts.twin import Arrival, Chain, Culprit, Exit, Family, Journey, Step, Table, Twin, Uncopied, Unseen
from preflight.facts.view import Asked, View

__all__ = [
    "NO_ENGINE",
    "NO_SERVICES",
    "NO_SETTINGS",
    "NO_SOCKETS",
    "SCHEMA",
    "Address",
    "AddressService",
    "Answer",
    "Answers",
    "Arrival",
    "Asked",
    "Asking",
    "Attempt",
    "BindAttempt",
    "BlockListed",
    "BlockLists",
    "Chain",
    "Clock",
    "Command",
    "Compose",
    "ConfFile",
    "Contact",
    "Container",
    "ContainerRun",
    "CpuFeatures",
    "CpuSpeed",
    "Culprit",
    "DaemonConfig",
    "Differing",
    "Directive",
    "Diversion",
    "Engine",
    "EngineLimits",
    "EngineNetwork",
    "EngineStart",
    "EnvFile",
    "ExecRun",
    "Exit",
    "Fact",
    "Family",
    "Form",
    "GivenFlag",
    "Goal",
    "HealthRun",
    "Holder",
    "Host",
    "HostsEntry",
    "Ipv6",
    "Journey",
    "JsonFault",
    "KernelFeatures",
    "LineFault",
    "Link",
    "Listing",
    "MailTrace",
    "Mark",
    "Memory",
    "Mirrors",
    "Missing",
    "MissingFact",
    "Nat",
    "NetworkRun",
    "OsRelease",
    "OtherKey",
    "Outgoing",
    "Override",
    "Parent",
    "Ping",
    "PortRun",
    "Probes",
    "PublishRun",
    "PublishedPort",
    "Query",
    "RecursionRun",
    "Refusal",
    "Rehearsal",
    "Reply",
    "Route",
    "RoutingRule",
    "RuleFile",
    "SecurityModules",
    "Service",
    "ServiceKind",
    "Services",
    "Setting",
    "Sighting",
    "SocketUnit",
    "Sockets",
    "Space",
    "StartRun",
    "Step",
    "SwarmService",
    "Switch",
    "Table",
    "TimeServer",
    "TimeoutRun",
    "Times",
    "Timezone",
    "Trial",
    "Twin",
    "Uncopied",
    "Unseen",
    "Userland",
    "View",
    "Virtualization",
    "Visit",
    "Way",
    "WayOut",
    "WebDate",
    "ZoneServer",
    "absolute",
    "require",
]
