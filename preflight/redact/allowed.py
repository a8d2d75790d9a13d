"""The allow-list: for each place of the facts what may be shown of it. What is not listed here is a secret.

Numbers, truth values and times are shown everywhere. A new fact is a secret until it has its line here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from preflight.facts import Fact
from preflight.redact.masks import Masks

_UTC = ("", "UTC", "Etc/UTC")
Mask = Callable[[Masks, str], str]

# Of a dictionary `field` is its values and `field.keys` its keys.
_PLACES: dict[Mask, str] = {
    Masks.word: """
        Missing.kind Virtualization.container Virtualization.vm Virtualization.nas OsRelease.id OsRelease.id_like
        OsRelease.codename OsRelease.variant OsRelease.base KernelFeatures.options
        KernelFeatures.options.keys KernelFeatures.loaded
        KernelFeatures.tables KernelFeatures.absent SecurityModules.selinux Space.filesystem Space.options
        Service.kind Services.init Contact.state PublishedPort.protocol Container.state Container.restart
        Service.closes Service.chains Holder.runtime MailTrace.kind
        Userland.shell Userland.engine Userland.packages Engine.built_for
        EngineNetwork.driver Engine.architecture Engine.driver Engine.driver_status.keys Engine.cgroup_version
        Engine.swarm Engine.cut Engine.firewall_backend Engine.components DaemonConfig.settings.keys Compose.kind
        HealthRun.states Way.error Route.kind Rule.action Rule.others
        Directive.path Directive.form Directive.flaw GivenFlag.name
        Address.scope Holder.state BindAttempt.outcome ConfFile.settings.keys ConfFile.duplicates.keys
        ConfFile.marks EnvFile.kind Diversion.family Diversion.backend Diversion.owner
        Diversion.order Diversion.conditions Nat.unread Answer.type
        Answer.rcode Answer.denied Host.machine Host.sysctls.keys View.missing_flags
    """,
    Masks.text: """
        Missing.reason Missing.help Missing.commands Fact.source Virtualization.hints OsRelease.pretty_name
        OsRelease.name CpuSpeed.source CpuFeatures.model Service.detail Service.unmet Contact.detail Container.error
        Engine.operating_system Engine.driver_status Engine.security_options Engine.warnings DaemonConfig.error
        Engine.platform
        Compose.detail HealthRun.error HealthRun.output TrialRun.error Sockets.why ConfFile.remarks ConfFile.reasons
        Diversion.table Diversion.chain
        Answer.detail Answer.server
    """,
    Masks.version: """
        Host.version Host.kernel OsRelease.version_id Engine.version Engine.api_version Engine.min_api_version
        Engine.kernel Compose.version EngineStart.version
    """,
    Masks.path: """
        MailTrace.path
        View.root Asked.mailcow_conf Command.path KernelFeatures.options_source Host.spaces.keys Space.path
        Space.existing Space.mount Service.source Engine.root_dir DaemonConfig.path Compose.path Holder.binary
        Compose.of_user Compose.inert ConfFile.path Override.path EnvFile.path EnvFile.target
        EngineStart.containerd_root EngineStart.command GivenFlag.source
    """,
    Masks.program: "Host.commands.keys Service.name Holder.process Parent.process MailTrace.name",
    Masks.unit: "Service.unit Service.sockets SocketUnit.unit Holder.unit",
    Masks.package: "Service.package Service.dependents Holder.package Command.package",
    Masks.user: "Holder.user",
    Masks.container: """
        Container.id Container.name Container.project Container.service EngineNetwork.name EngineNetwork.project
        Engine.volumes Holder.container
    """,
    Masks.image: "Container.image Holder.image HealthRun.image",
    Masks.interface: """
        EngineNetwork.interface Link.name Route.interface Diversion.interfaces Diversion.not_interfaces Way.interface
        Rule.incoming Rule.outgoing Ipv6.accept_ra.keys
    """,
    Masks.address: """
        Asked.public_ips SocketUnit.streams Service.streams PublishedPort.address
        EngineNetwork.subnets Engine.address_pools Address.address
        Route.destination Route.gateway Way.destination Way.gateway Way.source
        Rule.source Rule.destination Host.handed
        Holder.address Holder.peer BindAttempt.address HostsEntry.address
        Diversion.destinations Diversion.not_destinations Diversion.sources
    """,
    Masks.server: "Diversion.to",
    Masks.url: "Contact.url",
    Masks.argument: "DaemonConfig.settings DaemonConfig.arguments",
    Masks.name: "Host.name Asked.hostname Asked.domains HostsEntry.names Answer.name Answer.alias Answer.above",
    Masks.names: "Host.answers.keys",
    Masks.record: "Answer.records",
}
ALLOWED: dict[str, Mask] = {place: mask for mask, places in _PLACES.items() for place in places.split()}


def masked(value: Any, masks: Masks, place: str = "") -> Any:
    """Return a value of a host with all that may not be shown replaced."""
    if isinstance(value, str):
        return ALLOWED.get(place, Masks.secret)(masks, value)
    if isinstance(value, msgspec.Struct):
        return _struct(value, masks, place)
    if isinstance(value, dict):
        return {masked(key, masks, f"{place}.keys"): masked(item, masks, place) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(masked(item, masks, place) for item in value)
    return value


def _struct(value: msgspec.Struct, masks: Masks, place: str) -> Any:
    name = type(value).__name__
    changed = {}
    for field in value.__struct_fields__:
        # What a fact holds has the place of the fact.
        inner = place if isinstance(value, Fact) and field == "value" else f"{name}.{field}"
        special = SPECIAL.get(inner)
        item = getattr(value, field)
        changed[field] = special(item, masks) if special else masked(item, masks, inner)
    return type(value)(**changed)


def _settings(settings: Any, masks: Masks) -> Any:
    """Replace mailcow.conf's values, each by what its variable means."""
    if not isinstance(settings, dict):
        return masked(settings, masks, "ConfFile.settings")
    return {
        masks.word(name): msgspec.structs.replace(
            setting,
            value=_setting(name, setting.value, masks),
            shell=None if setting.shell is None else _setting(name, setting.shell, masks),
        )
        for name, setting in settings.items()
    }


def _setting(name: str, value: str, masks: Masks) -> str:
    if name == "IPV4_NETWORK":
        return masks.octets(value)
    if name == "MAILCOW_HOSTNAME":
        return masks.name(value)
    if name == "COMPOSE_PROJECT_NAME":
        return masks.container(value)
    if name == "TZ":
        return masks.secret(value, "zone") if value not in _UTC else value
    return masks.value(value)


def _zone(value: Any, masks: Masks) -> Any:
    """Keep UTC; where else in the world a host is, is nobody's business."""
    return value if value is None or value in _UTC else masks.secret(value, "zone")


def _command(value: Any, masks: Masks) -> Any:
    """Keep the program of a command line; its arguments may be anything."""
    program, *arguments = value or ("",)
    if not value:
        return ()
    shown = masks.path(program) if program.startswith("/") else masks.program(program.partition(" ")[0])
    return (shown, masks.secret("\0".join(arguments), "arguments")) if arguments else (shown,)


def _flags(value: Any, masks: Masks) -> Any:
    """Keep the processor's features that somebody asks for; the rest of a hundred would be noise."""
    return tuple(flag for flag in value if masks.word(flag) == flag)


def _kept(value: Any, _: Masks) -> Any:
    """Keep a moment as it is written by this program alone."""
    return value


SPECIAL: dict[str, Callable[[Any, Masks], Any]] = {
    "ConfFile.settings": _settings,
    "CpuFeatures.flags": _flags,
    "Timezone.zone": _zone,
    "Timezone.written": _zone,
    "Holder.command": _command,
    "Host.started": _kept,
    "Host.stand_ins": lambda _value, _masks: {},
}
