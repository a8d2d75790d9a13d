"""What is known of a host, and where it came from: a frozen, JSON-shaped document. Imports nothing of ours.

Nothing here is a judgement. A `Fact` holds a value or the reason why there is none; reading the value of a
fact that has none raises `MissingFact`, which ends a check as `unknown` (or `skip`) with that reason.
Sizes are in bytes, times in seconds, ports are numbers, addresses are strings as `ipaddress` writes them.
"""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct, field

SCHEMA = 1

T = TypeVar("T")


class Missing(Struct, frozen=True):
    """Why there is no value. `unknown`: could not be found out; `skip`: not asked for, or does not apply.

    `help` is a sentence on what would make it known, `commands` can be pasted for that.
    """

    kind: Literal["unknown", "skip"]
    reason: str
    help: str = ""
    commands: tuple[str, ...] = ()


class MissingFact(Exception):
    """A fact was read that has no value."""

    def __init__(self, missing: Missing, source: str) -> None:
        super().__init__(missing.reason)
        self.missing = missing
        self.source = source


class Fact(Struct, Generic[T], frozen=True):
    """A value and its source, or the reason why there is none (then `value` means nothing)."""

    source: str
    value: T | None = None
    missing: Missing | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.missing is None):
            raise ValueError("a fact has either a value or the reason why there is none")

    def get(self) -> T:
        """Return the value; raise `MissingFact` where there is none."""
        if self.missing is not None:
            raise MissingFact(self.missing, self.source)
        return self.value  # type: ignore[return-value]  # a value that may be None has that in its T

    @property
    def known(self) -> bool:
        """Say whether there is a value."""
        return self.missing is None

    @classmethod
    def of(cls, source: str, value: T) -> Fact[T]:
        """Make a fact that is known."""
        return cls(source, value)

    @classmethod
    def unknown(cls, source: str, reason: str, help: str = "", *commands: str) -> Fact[T]:
        """Make a fact that could not be found out."""
        return cls(source, None, Missing("unknown", reason, help, commands))

    @classmethod
    def skipped(cls, source: str, reason: str, help: str = "") -> Fact[T]:
        """Make a fact that was not asked for or does not apply."""
        return cls(source, None, Missing("skip", reason, help))


# --- how the host was looked at ------------------------------------------------------------------------------


class View(Struct, frozen=True, kw_only=True):
    """How the host was looked at. `network` says whether our sockets are the host's: None = cannot be told."""

    container: bool  # the program runs in its own image
    root: str | None  # where the host's root was found; None = out of reach
    live: bool  # the root has a live procfs: not a copy
    network: bool | None
    privileged: bool | None
    missing_flags: tuple[str, ...] = ()  # of the documented `docker run` line


class Asked(Struct, frozen=True, kw_only=True):
    """What the user said on the command line about the host and its future."""

    hostname: str | None = None
    domains: tuple[str, ...] = ()
    public_ips: tuple[str, ...] = ()
    mailcow_conf: str | None = None  # only when given by name
    offline: bool = False
    probe: bool = True


# --- system --------------------------------------------------------------------------------------------------


class OsRelease(Struct, frozen=True):
    """Fields of os-release(5), '' where missing."""

    id: str
    version_id: str
    id_like: tuple[str, ...]
    pretty_name: str
    codename: str
    name: str = ""
    variant: str = ""  # VARIANT_ID: coreos, server …
    base: str = ""  # code name of the release of Ubuntu or Debian that a derivative is made of


class Virtualization(Struct, frozen=True):
    """What the host itself runs in. None = none seen; names as systemd-detect-virt gives them."""

    container: str | None  # lxc, openvz, wsl, docker, podman, systemd-nspawn …
    vm: str | None  # kvm, vmware, microsoft, xen, …
    nas: str | None  # synology, qnap, unraid, truenas …
    hints: tuple[str, ...] = ()  # file: what it said


class Command(Struct, frozen=True):
    """A program on the host's PATH; `path` None = not there; `busybox` None = cannot be told."""

    path: str | None
    busybox: bool | None = None
    package: str | None = None  # that brought it; of Docker's programs alone. None as well: not known


class Userland(Struct, frozen=True, kw_only=True):
    """What the host's programs are made for, whatever its kernel is; names as `uname -m` gives them, '' = not known.

    `packages`: the package manager's own architecture, not the foreign ones that it takes too.
    """

    shell: str = ""
    engine: str = ""  # the program dockerd
    packages: str = ""


class KernelFeatures(Struct, frozen=True):
    """Kernel options by their state (y, m, n), and whether modules for the running release are installed."""

    options: dict[str, str]
    options_source: str | None  # None = the kernel's configuration was not found
    modules_directory: bool | None  # /lib/modules/RELEASE exists; None = cannot be told
    loaded: tuple[str, ...] = ()  # of the modules that matter: in /proc/modules or built in
    tables: tuple[str, ...] = ()  # ip_tables_names and ip6_tables_names, as ip:nat, ip6:filter
    absent: tuple[str, ...] = ()  # options that are m whose module is neither loaded nor installed


class SecurityModules(Struct, frozen=True):
    """SELinux: enforcing, permissive or disabled. AppArmor: enabled in the kernel; its parser on the host."""

    selinux: str
    apparmor: bool
    apparmor_parser: bool
    container_selinux: bool  # the policy package for containers is installed


# --- resources -----------------------------------------------------------------------------------------------


class CpuSpeed(Struct, frozen=True):
    """A clock rate; `maximum` False: only the moment's rate is known, the maximum is at least that."""

    mhz: float
    source: str
    maximum: bool


class CpuFeatures(Struct, frozen=True):
    """The processor's name and the instruction-set flags that matter (x86: ssse3, sse4_2 …; arm: asimd)."""

    model: str
    flags: tuple[str, ...]
    count: int


class Memory(Struct, frozen=True):
    """From /proc/meminfo, in bytes; `limit_bytes`: the lowest cgroup limit on PID 1 (LXC), None = none."""

    total_bytes: int
    available_bytes: int | None
    swap_total_bytes: int
    swap_free_bytes: int
    limit_bytes: int | None = None


class Space(Struct, frozen=True):
    """A file system as seen at a path of the host. `existing`: the nearest parent that exists, where measured."""

    path: str
    existing: str
    mount: str
    filesystem: str
    options: tuple[str, ...]
    total_bytes: int
    available_bytes: int
    inodes_total: int  # 0 = the file system has no fixed number
    inodes_available: int
    read_only: bool


# --- services and time ---------------------------------------------------------------------------------------

ServiceKind = Literal["mta", "imap", "web", "time", "firewall"]


class Parent(Struct, frozen=True):
    """The process that started another one."""

    pid: int
    process: str | None


class Service(Struct, frozen=True, kw_only=True):
    """A known service that is installed or running. None = cannot be told."""

    name: str  # exim4
    kind: ServiceKind
    unit: str | None  # exim4.service; of SysV and OpenRC the script's name
    enabled: bool | None  # starts at boot
    active: bool | None  # runs now
    masked: bool = False
    sockets: tuple[str, ...] = ()  # enabled .socket units that start it
    package: str | None = None
    detail: str = ""  # ufw: ENABLED=yes; what else matters
    source: str = ""
    streams: tuple[tuple[str, int], ...] | None = None  # its settings open these TCP ports, as of a `SocketUnit`
    dependents: tuple[str, ...] | None = None  # installed packages that go when its own go
    unmet: str = ""  # a condition of its unit that keeps it from starting as things are now
    seen: bool | None = None  # a process of it runs; None: not looked for. A unit may be active without one
    pid: int | None = None  # a process of it that no unit accounts for
    parent: Parent | None = None  # what started that process
    closes: tuple[str, ...] = ()  # of a firewall: the chains that its files close (INPUT, FORWARD)
    chains: tuple[str, ...] = ()  # of a firewall: the chains that its files make
    flushes: bool = False  # of a firewall: its file takes away everybody's rules first


class SocketUnit(Struct, frozen=True):
    """A .socket unit that opens TCP ports at boot. `streams`: address ('' = every one) and port of each."""

    unit: str
    streams: tuple[tuple[str, int], ...]
    active: bool | None = None


class Services(Struct, frozen=True):
    """Which init system the host has (systemd, openrc, sysv, other) and the known services found.

    `processes` False: running processes could not be seen, so that a daemon without a unit may be missing.
    `sockets`: the enabled .socket units that are none of a known service's.
    """

    init: str
    services: tuple[Service, ...]
    processes: bool = True
    sockets: tuple[SocketUnit, ...] = ()


class MailTrace(Struct, frozen=True):
    """A sign that mail or a hosting panel lives on the host. `count`: messages or mailboxes seen, 0 for a panel."""

    kind: Literal["queue", "mailboxes", "panel"]
    path: str
    count: int = 0
    name: str = ""  # of a panel


class Timezone(Struct, frozen=True):
    """The zone's name (None: not set, so UTC) and whether the hardware clock runs in local time (None: unknown).

    `written`: what /etc/timezone says, which mailcow's installer takes first; '' = no zone's name; None: it is not
    there, or not read.
    """

    zone: str | None
    rtc_local: bool | None
    written: str | None = None


class Clock(Struct, frozen=True):
    """adjtimex(2): the kernel's own word."""

    maxerror_us: int
    unsynchronized: bool  # STA_UNSYNC


# --- engine --------------------------------------------------------------------------------------------------


class Contact(Struct, frozen=True):
    """How the engine was reached. state: ok, absent, refused, timeout, denied, invalid."""

    url: str
    state: Literal["ok", "absent", "refused", "timeout", "denied", "invalid"]
    detail: str = ""
    seconds: float = 0.0


class PublishedPort(Struct, frozen=True):
    """A port of the host that a container publishes ('' = every address)."""

    address: str
    port: int
    container_port: int
    protocol: str = "tcp"


class Container(Struct, frozen=True, kw_only=True):
    """A container on the engine. `ports`: published now, or (stopped) when started again."""

    id: str
    name: str
    image: str
    state: str
    restart: str = ""
    exit_code: int | None = None  # of one that ran and ended
    error: str = ""  # what the engine said when it could not start it
    project: str = ""  # com.docker.compose.project
    service: str = ""  # com.docker.compose.service
    ports: tuple[PublishedPort, ...] = ()
    host_network: bool = False
    run: str = ""  # mailcow-preflight.run: one of our own
    swarm: str = ""  # the swarm's service that it is a task of


class SwarmService(Struct, frozen=True, kw_only=True):
    """A service of the swarm that the engine manages, with the ports it publishes.

    `mesh`: every node of the swarm takes these ports for it, and the engine itself holds them; else each node that a
    task runs on does, and the task's container has them.
    """

    name: str
    image: str
    ports: tuple[PublishedPort, ...] = ()
    mesh: bool = True


class EngineNetwork(Struct, frozen=True):
    """A network of the engine with its subnets and, for a bridge, the interface's name."""

    name: str
    id: str
    driver: str
    subnets: tuple[str, ...]
    interface: str
    ipv6: bool
    project: str = ""
    run: str = ""
    mtu: int | None = None  # that it was made with; None: the driver's own


class Engine(Struct, frozen=True, kw_only=True):
    """What the engine says of itself and what lives on it."""

    version: str
    api_version: str
    min_api_version: str = ""
    components: tuple[str, ...] = ()  # "Engine", "Podman Engine", "containerd" …
    platform: str = ""  # "Docker Engine - Community": Docker's own build
    operating_system: str = ""
    kernel: str = ""
    architecture: str = ""  # of the kernel that it runs on
    built_for: str = ""  # what its program is made for, named as `machine` is; '' = not told
    root_dir: str = ""
    driver: str = ""
    driver_status: dict[str, str] = field(default_factory=dict)
    security_options: tuple[str, ...] = ()
    cgroup_version: str = ""
    swarm: str = ""
    services: tuple[SwarmService, ...] = ()  # those that publish ports; only a manager of the swarm knows them
    firewall_backend: str = ""
    live_restore: bool = False
    warnings: tuple[str, ...] = ()
    address_pools: tuple[str, ...] = ()
    containers: tuple[Container, ...] = ()
    networks: tuple[EngineNetwork, ...] = ()
    volumes: tuple[str, ...] = ()
    truncated: bool = False  # more objects than are kept, or a list that was refused
    cut: tuple[str, ...] = ()  # which: containers, stopped (what those publish), networks, volumes, services

    def whole(self, *lists: str) -> bool:
        """Say whether these lists hold all that lives on the engine; older facts do not tell one from another."""
        return not self.truncated if not self.cut else not set(lists) & set(self.cut)


class DaemonConfig(Struct, frozen=True):
    """daemon.json and the daemon's own arguments. `settings` holds the keys that matter, JSON values.

    `error`: the file is there and not usable (then `settings` comes from the arguments alone).
    """

    path: str
    present: bool
    error: str
    settings: dict[str, bool | int | float | str | list[str] | None]
    arguments: tuple[str, ...] = ()  # --name=value of the running daemon that override the file
    directory: bool = False  # Docker makes one where a container is given a file that is not there


Form = Literal["null", "boolean", "integer", "fraction", "huge", "string", "list", "object"]


class Directive(Struct, frozen=True):
    """A value in daemon.json: the keys that lead to it (of lists the numbers), its line, its kind, never the value.

    Of the numbers, `integer` are those of 64 bits, `huge` those that no floating-point number holds.
    `flaw`: in what way the value is none that its key could have (address, size, level …); '' = none that is known.
    """

    path: tuple[str, ...]
    line: int
    form: Form
    flaw: str = ""
    number: int | None = None  # of log options that are no secret: the number that stands where a string has to be


class GivenFlag(Struct, frozen=True):
    """A flag that the engine will be started with: its name in daemon.json, and the file that gives it."""

    name: str
    source: str


class EngineStart(Struct, frozen=True, kw_only=True):
    """What the engine meets when it is started next: its version, daemon.json as it is written, the unit's flags."""

    version: str  # of the engine that answers, else of its package; '' = not known
    directives: tuple[Directive, ...] = ()
    flags: tuple[GivenFlag, ...] = ()
    command: str = ""  # the file whose command counts: the unit, a drop-in, a script's settings; '' = none found
    containerd_root: str = ""  # root in containerd's own settings; '' = not set there
    driver_images: bool = False  # a storage driver of the engine's own keeps images below the data-root already


class Compose(Struct, frozen=True):
    """Docker Compose on the host: plugin or standalone; version as it prints it ('' = it did not say)."""

    kind: Literal["plugin", "standalone"] | None  # None: neither is there
    path: str | None
    version: str
    detail: str = ""
    of_user: str = ""  # where neither is there for root: a plugin in another user's home
    inert: str = ""  # where neither is there: a plugin that may not be executed, so that docker passes it over


class Override(Struct, frozen=True, kw_only=True):
    """What the administrator adds to mailcow's docker-compose.yml: the one file that Compose merges into it.

    `clear` False: it is written in a way that this program does not read, and the rest means nothing.
    """

    path: str  # where it is, or would be written
    present: bool
    clear: bool = True
    mtu: int | None = None  # of mailcow's network
    networks: bool = False  # it has a part on networks already


# Why an engine started no container, as far as that has a name: the control groups are not mounted.
Refusal = Literal["", "cgroups"]


class HealthRun(Struct, frozen=True):
    """What a container with a HEALTHCHECK did: states with the seconds since its start, in order."""

    states: tuple[tuple[float, str], ...]
    error: str = ""  # what the engine said when it would not
    output: str = ""  # of the last failed probe
    image: str = ""
    cause: Refusal = ""


class TrialRun(Struct, frozen=True):
    """Whether a container started that asked for something, and what the engine said when it did not."""

    started: bool
    exit_code: int | None
    error: str = ""
    cause: Refusal = ""


# --- network -------------------------------------------------------------------------------------------------


class Address(Struct, frozen=True, omit_defaults=True):
    """An address on an interface. `secondary`: not the first of its network (IPv4), or temporary (IPv6)."""

    address: str
    prefix: int
    scope: str  # global, link, host
    secondary: bool = False


class Link(Struct, frozen=True):
    """A network interface of the host."""

    name: str
    mtu: int | None
    up: bool | None
    addresses: tuple[Address, ...] = ()
    inner: bool = False  # a bridge to containers alone: nothing but ends of their virtual cables is in it


class Route(Struct, frozen=True, omit_defaults=True):
    """A route; `destination` in CIDR form; gateway '' = on the link; interface '*' = to nowhere, '' = not told.

    `kind` as ip-route(8) names it: unicast, blackhole, unreachable, prohibit, throw (ask the next table), local (whole
    networks that the host takes for its own; its addresses are those of the links).
    """

    destination: str
    interface: str
    gateway: str
    metric: int
    table: int = 254  # of the policy routing: 254 is the main one
    kind: str = "unicast"
    learned: bool = False  # IPv6: the kernel itself took it from a router's advertisement


class Rule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule of the policy routing, as `ip rule` shows it: which table is asked next. Rules are asked by priority.

    `others`: what else it looks at (a user, ports, a protocol, a VRF). `inverted`: it holds for all but what it names.
    """

    version: int  # 4, 6
    priority: int
    action: str  # table, goto, nop, blackhole, unreachable, prohibit
    table: int = 0
    goto: int = 0
    source: str = ""
    destination: str = ""
    mark: int = 0
    mask: int = 0
    incoming: str = ""  # 'lo': the host's own packets
    outgoing: str = ""
    others: tuple[str, ...] = ()
    inverted: bool = False
    suppress: int | None = None  # routes whose prefix is that short or shorter do not count


class Way(Struct, frozen=True, kw_only=True):
    """What the kernel says to one of the host's own packets that leaves without a source of its own (RTM_GETROUTE).

    `error` is the error's name where it refuses (ENETUNREACH …); then the rest means nothing. Nothing was sent.
    """

    destination: str  # the address on the Internet that was asked about
    interface: str = ""
    gateway: str = ""
    source: str = ""  # the address that it would be sent from; '' = not told
    mtu: int | None = None  # of this way, where it is less than the interface's (RTAX_MTU, a path MTU learned)
    table: int = 0  # of the policy routing: 254 is the main one; 0 = not told
    error: str = ""


class Ipv6(Struct, frozen=True, omit_defaults=True):
    """The kernel's word on IPv6: compiled in and not switched off; `listenable`: [::1] can be bound."""

    supported: bool
    disabled: bool  # net.ipv6.conf.all.disable_ipv6
    listenable: bool | None
    forwarding: bool | None = None  # net.ipv6.conf.all.forwarding
    accept_ra: dict[str, int] = field(default_factory=dict)  # net.ipv6.conf.INTERFACE.accept_ra


class Holder(Struct, frozen=True, kw_only=True):
    """Who holds a port. Every None could not be found out."""

    pid: int | None
    process: str | None
    user: str | None
    unit: str | None
    container: str | None
    image: str | None
    address: str
    port: int
    state: str  # listening, bound, established, time-wait …
    v6only: bool | None = None  # of an IPv6 socket: it leaves IPv4 alone; None: not told
    command: tuple[str, ...] = ()
    binary: str | None = None  # what runs; of an interpreter the script, where it is named by its whole path
    package: str | None = None  # that brought the binary; None as well where the database cannot be read
    parent: Parent | None = None  # what started it
    runtime: Literal["docker", "podman", "kubernetes", "lxc", "nspawn"] | None = None  # whose container it runs in
    clients: int = 0  # connections from other machines that it serves on this port now
    peer: str = ""  # of a connection: the other end
    peer_port: int = 0


class Sockets(Struct, frozen=True):
    """Sockets on the ports that mailcow wants. `owners` False: processes could not be seen, why in `why`.

    `bound`: sockets that are bound without listening are shown as well, which tables and older kernels do not.
    `fleeting`: first and last of the ports that the kernel gives to whoever asks for none (most are connections to
    elsewhere), but for the `reserved` ranges; None: not known.
    """

    holders: tuple[Holder, ...]
    owners: bool
    why: str = ""
    bound: bool = False
    fleeting: tuple[int, int] | None = None
    reserved: tuple[tuple[int, int], ...] = ()


class BindAttempt(Struct, frozen=True):
    """What the kernel said to bind(2) with SO_REUSEADDR (IPv6 with V6ONLY): free, or the error's name."""

    address: str
    port: int
    outcome: str  # free, EADDRINUSE, EACCES, EADDRNOTAVAIL, EAFNOSUPPORT …


class Diversion(Struct, frozen=True, kw_only=True):
    """A rule of the firewall that sends packets for a port of this host elsewhere before any program gets them.

    `order`: whether the rule comes before the engine's own for a published port. Empty lists restrict nothing; those
    that begin with `not_` are what the rule leaves out.
    """

    port: int
    family: Literal["ipv4", "ipv6"]
    backend: Literal["nf_tables", "ip_tables"]
    table: str  # ip nat, inet netavark
    chain: str  # that the rule is in
    rule: int  # its handle, or its number in a table of ip_tables
    native: bool  # of nf_tables: written as such, not by iptables
    to: str  # 10.42.0.8:443, :8443 of this host, '' not known
    owner: Literal["", "docker", "podman", "kubernetes", "firewalld", "libvirt", "lxd", "incus", "cilium"]
    order: Literal["before", "after", "either"]
    destinations: tuple[str, ...] = ()  # networks
    not_destinations: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()  # that packets come in by; eth* stands for all that begin so
    not_interfaces: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()  # what else it asks, by the names of iptables and nftables


class Nat(Struct, frozen=True):
    """Rules that take mailcow's ports. `unread`: why some are not known: denied, refused, late; '' = all are known."""

    diversions: tuple[Diversion, ...] = ()
    unread: Literal["", "denied", "refused", "late"] = ""


# --- mailcow.conf and names ----------------------------------------------------------------------------------


class Setting(Struct, frozen=True):
    """A variable of mailcow.conf as Compose reads it: value and line (from 1)."""

    value: str
    line: int
    refers: bool = False  # to other variables, which is not followed
    shell: str | None = None  # what mailcow's shell scripts read instead; None: the same


class EnvFile(Struct, frozen=True):
    """What stands as `.env` beside mailcow.conf, which is what Compose reads; in mailcow's clone it is a link to it.

    `same`: a link leads to mailcow.conf; a file holds the same. `clone`: the directory is mailcow's clone.
    """

    path: str
    kind: Literal["absent", "link", "file", "other"]
    target: str = ""  # of a link, as written in it
    same: bool = False
    clone: bool = False


class ConfFile(Struct, frozen=True):
    """mailcow.conf, allow-listed variables only. `present` False: there is none, mailcow's defaults hold.

    `marks`: bom (it starts with a byte-order mark), crlf (lines end with CR LF): mailcow's shell scripts choke on them.
    """

    path: str
    present: bool
    settings: dict[str, Setting]
    duplicates: dict[str, list[int]] = field(default_factory=dict)  # variable: lines, the last wins
    remarks: tuple[str, ...] = ()  # in facts recorded before `marks`: the same in sentences
    bad_lines: tuple[int, ...] = ()  # lines that Compose would refuse
    reasons: tuple[str, ...] = ()  # why it would, one for each of them
    nameless: tuple[int, ...] = ()  # lines with a value and no name, which only some versions of Compose refuse
    commands: tuple[int, ...] = ()  # lines that a shell would run as commands
    shell_ends: int = 0  # the line at which a shell would give up; 0: none
    zone: bool | None = None  # whether the host's own zones have TZ; None: it has none, or TZ is not set
    marks: tuple[str, ...] = ()
    read_to: int = 0  # the line after which nothing was read, as the file is longer than any; 0: all was read
    env: EnvFile | None = None  # None: not looked at


class HostsEntry(Struct, frozen=True):
    """A line of /etc/hosts that names the future mail host."""

    address: str
    names: tuple[str, ...]
    line: int


class Answer(Struct, frozen=True):
    """One question's answer. rcode: NOERROR, NXDOMAIN, SERVFAIL, REFUSED …; 'timeout', 'error' when none came.

    `records` hold the data in presentation form; NOERROR with none means that the name has no such record.
    `alias`: the name is a CNAME, and its final target.
    `denied`: of NXDOMAIN, how far up the name server denies what is there: the root, a top-level domain that exists
    (`top`), one that nobody knows (`strange`), the domain that one can register (`domain`); `above` is that name.
    """

    name: str
    type: str
    rcode: str
    records: tuple[str, ...] = ()
    alias: str | None = None
    server: str = ""
    detail: str = ""
    denied: Literal["", "root", "top", "strange", "domain"] = ""
    above: str = ""


# A part that a version did not know yet which recorded the facts.
_BEFORE: Fact[Any] = Fact.unknown(
    "", "These facts were recorded before this was looked at.", "Record them again with this version."
)


class Host(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is known of a host: saved as facts.json, replayed by --facts. A part not gathered says so.

    Each part has a default, so that facts of older versions stay readable.

    `stand_ins`: in redacted facts, values of the same kind that take the placeholders' part when they are judged.
    """

    schema: int
    version: str  # of the program that gathered
    started: str  # UTC, 2026-11-23T01:23:45Z
    seconds: float
    view: View
    asked: Asked
    name: Fact[str] = _BEFORE
    os_release: Fact[OsRelease] = _BEFORE
    kernel: Fact[str] = _BEFORE
    machine: Fact[str] = _BEFORE
    userland: Fact[Userland] = _BEFORE
    virtualization: Fact[Virtualization] = _BEFORE
    commands: Fact[dict[str, Command]] = _BEFORE
    kernel_features: Fact[KernelFeatures] = _BEFORE
    security: Fact[SecurityModules] = _BEFORE
    sysctls: Fact[dict[str, int]] = _BEFORE
    cpu_speed: Fact[CpuSpeed] = _BEFORE
    cpu_features: Fact[CpuFeatures] = _BEFORE
    memory: Fact[Memory] = _BEFORE
    spaces: Fact[dict[str, Fact[Space]]] = _BEFORE
    services: Fact[Services] = _BEFORE
    mail_traces: Fact[tuple[MailTrace, ...]] = _BEFORE
    timezone: Fact[Timezone] = _BEFORE
    clock: Fact[Clock] = _BEFORE
    contact: Fact[Contact] = _BEFORE
    engine: Fact[Engine] = _BEFORE
    daemon_config: Fact[DaemonConfig] = _BEFORE
    engine_start: Fact[EngineStart] = _BEFORE
    compose: Fact[Compose] = _BEFORE
    override: Fact[Override] = _BEFORE
    healthcheck: Fact[HealthRun] = _BEFORE
    privileged: Fact[TrialRun] = _BEFORE
    limits: Fact[TrialRun] = _BEFORE
    links: Fact[tuple[Link, ...]] = _BEFORE
    routes: Fact[tuple[Route, ...]] = _BEFORE
    rules: Fact[tuple[Rule, ...]] = _BEFORE
    handed: Fact[tuple[str, ...]] = _BEFORE
    ways: Fact[tuple[Way, ...]] = _BEFORE
    ipv6: Fact[Ipv6] = _BEFORE
    sockets: Fact[Sockets] = _BEFORE
    binds: Fact[tuple[BindAttempt, ...]] = _BEFORE
    nat: Fact[Nat] = _BEFORE
    mailcow_conf: Fact[ConfFile] = _BEFORE
    hosts_file: Fact[tuple[HostsEntry, ...]] = _BEFORE
    answers: Fact[dict[str, Answer]] = _BEFORE  # key: "mail.example.org. A"
    stand_ins: dict[str, str] = field(default_factory=dict)
