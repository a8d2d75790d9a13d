"""A host on which all is well: every check but those of the firewall passes on it."""

from __future__ import annotations

from typing import Any

from preflight.checks import catalogue
from preflight.facts import (
    Address,
    AddressService,
    Answer,
    Answers,
    Asked,
    Attempt,
    BlockListed,
    BlockLists,
    Clock,
    Command,
    Compose,
    ConfFile,
    Contact,
    CpuFeatures,
    CpuSpeed,
    DaemonConfig,
    EngineLimits,
    EngineStart,
    ExecRun,
    Fact,
    Goal,
    HealthRun,
    Host,
    Ipv6,
    KernelFeatures,
    Link,
    Listing,
    Memory,
    Nat,
    Outgoing,
    Override,
    PublishRun,
    Route,
    RoutingRule,
    SecurityModules,
    Service,
    Services,
    Sighting,
    Sockets,
    Space,
    StartRun,
    TimeoutRun,
    Times,
    TimeServer,
    Timezone,
    Trial,
    Userland,
    Virtualization,
    Way,
)
from preflight.facts.records import Caa, Record, Srv, Txt
from preflight.mailcow.plan import DEFAULT_CONF
from preflight.mailcow.services import ANNOUNCED, DAV
from tests.build import host, look
from tests.checks.engines import engine
from tests.checks.hosts import release
from tests.checks.published import attempts
from tests.checks.recursions import recursed
from tests.checks.rehearsals import rehearsal
from tests.checks.test_dns import NAME, POINTER6, answer, zone
from tests.checks.test_system import OPTIONS

GIB = 1 << 30
V4, V6 = "198.51.100.7", "2001:db8::7"
CIDR = "fd00:dead:beef:c0::/80"
COMMANDS = ("openssl", "curl", "docker", "git", "awk", "sha1sum", "grep", "cut", "jq", "cp", "sed", "dockerd")
RULES = tuple(
    RoutingRule(version=version, priority=priority, action="table", table=table)
    for version in (4, 6)
    for priority, table in ((0, 255), (32766, 254), *(((32767, 253),) if version == 4 else ()))
)
CHRONY = Service(name="chrony", kind="time", unit="chrony.service", enabled=True, active=True)
TIMES = Times(
    tuple(
        TimeServer(server=name, address="192.0.2.123", outcome="measured", seconds=0.002, delay=0.03, samples=3)
        for name in ("ntp1.example.net", "ntp2.example.net")
    )
)
CHECKS = tuple(entry for entry in catalogue() if entry.section != "firewall")


def space(path: str) -> Fact[Space]:
    return Fact.of("statvfs", Space(path, path, "/", "ext4", (), 200 * GIB, 100 * GIB, 10**7, 9 * 10**6, False))


def _system() -> dict[str, Any]:
    return {
        "os_release": release(), "kernel": "6.1.0-28-amd64", "machine": "x86_64",
        "userland": Userland(shell="x86_64", engine="x86_64", packages="amd64"),
        "virtualization": Virtualization(None, "kvm", None),
        "commands": {name: Command(f"/usr/bin/{name}", False) for name in COMMANDS},
        "kernel_features": KernelFeatures(dict(OPTIONS), "/boot/config-6.1.0-28-amd64", True),
        "security": SecurityModules("disabled", True, True, False),
        "sysctls": {"fs.inotify.max_user_instances": 1024, "vm.overcommit_memory": 1},
        "engine_limits": EngineLimits(1 << 20),
        "cpu_speed": CpuSpeed(3600.0, "cpufreq", True),
        "cpu_features": CpuFeatures("Xeon", ("ssse3", "sse4_2"), 4),
        "memory": Memory(16 * GIB, 15 * GIB, 2 * GIB, 2 * GIB),
        "spaces": {path: space(path) for path in ("/var/lib/docker", "/opt/mailcow-dockerized")},
        "services": Services("systemd", (CHRONY,)), "mail_traces": (), "timezone": Timezone("Europe/Berlin", False),
        "clock": Clock(12_345, False), "times": TIMES, "mailcow_conf": ConfFile(DEFAULT_CONF, False, {}),
    }  # fmt: skip


def _engine() -> dict[str, Any]:
    plugin = "/usr/libexec/docker/cli-plugins/docker-compose"
    return {
        "contact": Contact("unix:///run/docker.sock", "ok"),
        "engine": engine(platform="Docker Engine - Community", build="docker", built_for="x86_64"),
        "daemon_config": DaemonConfig("/etc/docker/daemon.json", True, {"ipv6": True, "fixed-cidr-v6": CIDR}),
        "engine_start": EngineStart(version="28.5.2"),
        "compose": Compose("plugin", plugin, "2.40.3"),
        "override": Override(path="/opt/mailcow-dockerized/docker-compose.override.yml", present=False),
        "healthcheck": HealthRun(((0.1, "starting"), (0.6, "unhealthy"), (1.2, "healthy"))),
        "timeout": TimeoutRun(((0.1, "starting"), (1.6, "unhealthy")), gone=True),
        "executions": ExecRun(tuple(range(1, 21))),
        "privileged": StartRun(True, 0, granted=True), "limits": StartRun(True, 0, granted=True),
        "publishing": PublishRun((4, 6)), "recursion": recursed(), "rehearsal": rehearsal(),
    }  # fmt: skip


def text(name: str, written: str) -> Answer:
    """Return the answer for a name with one TXT record."""
    return Answer(f"{name}.", "TXT", "NOERROR", (Txt((written,)),))


def answered(name: str, kind: str, *records: Record) -> Answer:
    """Return the answer for a name with these records."""
    return Answer(f"{name}.", kind, "NOERROR", records, authentic=True)


def announced() -> dict[str, Answer]:
    """Return what is announced of the host: services, the certificate's key, and who may issue it."""
    services = {one.owner("example.org"): Srv(0, 1, one.port, f"{NAME}.") for one in ANNOUNCED}
    found = [answered(name, "SRV", record) for name, record in services.items()]
    found += [text(one.owner("example.org"), f"path={DAV}") for one in ANNOUNCED if one.path]
    found += [answered(f"_25._tcp.{NAME}", "TLSA"), answered("example.org", "CAA", Caa(0, "issue", "letsencrypt.org"))]
    found += [answered(name, "CAA") for name in (NAME, "autodiscover.example.org", "autoconfig.example.org", "org")]
    return {f"{one.name} {one.type}": one for one in found}


def _network() -> dict[str, Any]:
    addresses = (Address(V4, 24, "global"), Address(V6, 64, "global"))
    routes = (
        Route("0.0.0.0/0", "eth0", "198.51.100.1", 0), Route("198.51.100.0/24", "eth0", "", 0),
        Route("::/0", "eth0", "fe80::1", 0), Route("2001:db8::/64", "eth0", "", 0),
    )  # fmt: skip
    ways = (
        Way(destination="1.1.1.1", interface="eth0", gateway="198.51.100.1", source=V4, table=254),
        Way(destination="2606:4700:4700::1111", interface="eth0", gateway="fe80::1", source=V6, table=254),
    )
    answers = zone(
        AAAA=answer(NAME, "AAAA", V6),
        PTR6=answer(POINTER6, "PTR", f"{NAME}."),
        discover6=answer("autodiscover.example.org", "AAAA", V6, alias=f"{NAME}."),
        config6=answer("autoconfig.example.org", "AAAA", V6, alias=f"{NAME}."),
        spf=text("example.org", "v=spf1 mx a -all"),
        dkim=text("dkim._domainkey.example.org", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
        dmarc=text("_dmarc.example.org", "v=DMARC1; p=reject"),
        **announced(),
    )
    reached = (Attempt("203.0.113.80", "reached"),)
    return {
        "links": (Link("eth0", 1500, True, addresses),), "routes": routes, "rules": RULES, "handed": (), "ways": ways,
        "ipv6": Ipv6(True, False, True), "sockets": Sockets((), True, bound=True), "nat": Nat(), "hosts_file": (),
        "outgoing": Outgoing((Trial(Goal("ghcr.io", 443, speech="tls", use="images"), reached, "NOERROR"),)),
        "smtp": Outgoing((Trial(Goal("mx.example.net", 25, speech="smtp", use="mail"), reached, "NOERROR"),)),
        "sightings": (Sighting(AddressService("http://ip4.mailcow.email/", 4), "seen", V4),),
        "blocklists": BlockLists((BlockListed("zen.spamhaus.org", "alive", (Listing(V4, "clear"),)),), (V4,)),
        "answers": Answers({f"{name} {kind}": one for (name, kind), one in answers.items()}),
    }  # fmt: skip


def well(**changed: Any) -> Host:
    """Make the host; parts that are named are other ones there."""
    asked = Asked(hostname=NAME)
    facts = {"name": "mail", **_system(), **_engine(), **_network()}
    binds = attempts(look(asked=asked, **facts), 0, "free")
    return host(asked=asked, **({"binds": binds} | facts | changed))
