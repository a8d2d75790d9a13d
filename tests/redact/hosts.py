"""A host that has something of everything, with names and addresses that are its own."""

from __future__ import annotations

from preflight.facts import (
    Address,
    Answer,
    Answers,
    Arrival,
    Asked,
    BindAttempt,
    Chain,
    Command,
    Compose,
    ConfFile,
    Contact,
    Container,
    CpuFeatures,
    CpuSpeed,
    Culprit,
    DaemonConfig,
    Differing,
    Engine,
    EngineLimits,
    EngineNetwork,
    Exit,
    Fact,
    Family,
    HealthRun,
    Holder,
    Host,
    HostsEntry,
    Ipv6,
    Journey,
    Link,
    Memory,
    OsRelease,
    PublishedPort,
    PublishRun,
    Route,
    RuleFile,
    SecurityModules,
    Service,
    Services,
    Setting,
    Sockets,
    SocketUnit,
    Space,
    StartRun,
    Step,
    Switch,
    Table,
    Timezone,
    Twin,
    Uncopied,
    Unseen,
    Virtualization,
    ZoneServer,
    absolute,
)
from preflight.facts.records import A, Aaaa, Mx, Ptr, Soa
from preflight.mailcow.layout import SHAPE
from preflight.mailcow.plan import DEFAULT_CONF
from tests.build import host

NAME = "post.kundenname.example"
DOMAIN = "kundenname.example"
IPV4, GATEWAY, IPV6 = "203.0.113.25", "203.0.113.1", "2001:db8:77:1::25"
SECRETS = (
    "kundenname", "post.", "203.0.113", "2001:db8:77", "113.0.203", "geheim", "tannhaeuser", "10.44.", "alice",
    "s3cr3t", "registry.intern", "0242ac", "fe80::42", "192.168.77", "Musterstadt", "acme-corp", "9f8e7d",
)  # fmt: skip
"""What may stand in no redacted document of this host."""


def holder(port: int, process: str, **given: object) -> Holder:
    values: dict[str, object] = {
        "pid": 800 + port, "process": process, "user": "root", "unit": None, "container": None, "image": None,
        "address": "0.0.0.0", "port": port, "state": "listening",
    } | given  # fmt: skip
    return Holder(**values)  # type: ignore[arg-type]  # the test gives what fits


def container(name: str, image: str, **given: object) -> Container:
    values: dict[str, object] = {"id": f"9f8e7d{name:0>10}", "name": name, "image": image, "state": "running"} | given
    return Container(**values)  # type: ignore[arg-type]  # the test gives what fits


CONTAINERS = (
    container(
        "geheim-web-1", "registry.intern.kundenname.example:5000/geheim/web:3.1", project="geheim", service="web",
        restart="always", ports=(PublishedPort("", 443, 8443), PublishedPort("203.0.113.25", 8081, 80)),
    ),
    container(
        "proxy", "nginx:1.27", restart="always", state="exited", exit_code=1, ports=(PublishedPort("", 80, 80),),
        error="driver failed programming external connectivity on endpoint tannhaeuser: bind 203.0.113.25:80",
    ),
    container("mailcowdockerized-postfix-mailcow-1", "ghcr.io/mailcow/postfix:1.80", state="exited",
              project="mailcowdockerized", service="postfix-mailcow"),
)  # fmt: skip
ENGINE = Engine(
    version="27.5.1", api_version="1.47", components=("Engine", "containerd", "runc"),
    operating_system="Debian GNU/Linux 12 (bookworm)", kernel="6.1.0-28-amd64", architecture="x86_64",
    root_dir="/srv/geheim/docker", driver="overlay2",
    driver_status={"Backing Filesystem": "extfs", "Supports d_type": "true"},
    security_options=("name=apparmor", "name=seccomp,profile=/etc/geheim.json"), swarm="active",
    warnings=("WARNING: API is accessible on http://203.0.113.25:2375 without encryption.",),
    address_pools=("10.44.0.0/16",), containers=CONTAINERS, volumes=("geheim_data", "mailcowdockerized_vmail-vol-1"),
    networks=(
        EngineNetwork("bridge", "9f8e7d1", "bridge", ("172.17.0.0/16",), "docker0", False),
        EngineNetwork("geheim_default", "9f8e7d2", "bridge", ("172.22.0.0/16",), "br-9f8e7d2a3b4c", False, "geheim"),
    ),
)  # fmt: skip
SETTINGS = {
    "MAILCOW_HOSTNAME": Setting(NAME, 1),
    "SMTP_PORT": Setting("203.0.113.25:25", 2),
    "SMTPS_PORT": Setting("203.0.113.99:465", 3),
    "IMAP_PORT": Setting("[2001:db8:77:1::25]:143", 4),
    "HTTP_PORT": Setting("203.0.113.25:8080", 5),
    "HTTPS_BIND": Setting("[2001:db8:77:1::25]", 6),
    "POP_PORT": Setting("s3cr3t", 7, shell="s3cr3t more"),
    "SQL_PORT": Setting("10.44.1.1:13306", 8),
    "IPV4_NETWORK": Setting("172.22.1", 9),
    "COMPOSE_PROJECT_NAME": Setting("mailcowdockerized", 10),
    "TZ": Setting("Europe/Musterstadt", 11),
    "SNAT_TO_SOURCE": Setting("203.0.113.98", 12),
}
SERVICES = (
    Service(name="exim4", kind="mta", unit="exim4.service", enabled=True, active=True, package="exim4-daemon-light"),
    Service(
        name="nginx", kind="web", unit="nginx.service", enabled=True, active=True,
        opens=(SocketUnit("nginx.socket", (("203.0.113.25", 80),)),),
        source="/etc/systemd/system/nginx.service",
    ),
    Service(name="dovecot", kind="imap", unit=None, enabled=None, active=True, process=4711),
    Service(
        name="ufw", kind="firewall", unit="ufw.service", enabled=True, active=True,
        switch=Switch("ENABLED", "yes", True),
    ),
    Service(
        name="nftables", kind="firewall", unit="nftables.service", enabled=True, active=None,
        rule_files=(RuleFile("/etc/geheim.nft", 0, why="geheim: Permission denied"),),
    ),
    Service(name="chrony", kind="time", unit="chrony.service", enabled=True, active=True),
)  # fmt: skip
HOLDERS = (
    holder(
        25, "exim4", address="203.0.113.25", user="Debian-exim", unit="exim4.service", binary="/usr/sbin/exim4",
        command=("/usr/sbin/exim4", "-bd", "-q30m", "--secret=s3cr3t"), package="exim4-daemon-light",
    ),
    holder(
        993, "tannhaeuser", user="alice", unit="tannhaeuser@alice.service", binary="/home/alice/bin/tannhaeuser",
        command=("/home/alice/bin/tannhaeuser", "--key", "s3cr3t"),
    ),
    holder(443, "docker-proxy", command=("/usr/bin/docker-proxy", "-container-ip", "172.22.0.5")),
    holder(143, "java", address="::", container="9f8e7dlxc", user="acme-corp", command=("java", "-jar", "geheim.jar")),
)  # fmt: skip


def answers(name: str = NAME, domain: str = DOMAIN) -> Answers:
    """Return what the DNS says of a host of this name."""
    told = (
        Answer(f"{name}", "A", "NOERROR", (A(IPV4), A("203.0.113.99"))),
        Answer(f"{name}", "AAAA", "NOERROR", (Aaaa(IPV6),)),
        Answer("25.113.0.203.in-addr.arpa", "PTR", "NOERROR", (Ptr("static.25.113.0.203.geheim-hosting.example."),)),
        Answer(
            "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.7.7.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
            "PTR",
            "NOERROR",
            (Ptr(f"{name}."),),
        ),
        Answer(domain, "MX", "NOERROR", (Mx(10, "mx.geheim-hosting.example."), Mx(20, f"{name}."))),
        Answer("mx.geheim-hosting.example", "A", "NOERROR", (A("198.51.100.9"),)),
        Answer(f"autodiscover.{domain}", "A", "NXDOMAIN"),
        Answer(f"autodiscover.{domain}", "AAAA", "NXDOMAIN"),
        Answer(f"autoconfig.{domain}", "A", "SERVFAIL", server="203.0.113.53:53", detail="from 203.0.113.53 of geheim"),
    )
    by_question = {Answers.key(answer.name, answer.type): answer for answer in told}
    return Answers(by_question, zones={absolute(domain): zone_servers(domain)}, own=own(name))


def zone_servers(domain: str) -> tuple[ZoneServer, ...]:
    """Return the own name servers of its domain, of which one does not serve it and another one is silent."""
    start = Soa("ns1.geheim-hosting.example.", "tannhaeuser.geheim-hosting.example.", 7, 3600, 600, 86400, 300)
    said = (
        Answer(absolute(domain), "SOA", "NOERROR", (start,), server="203.0.113.61", authoritative=True, ttl=600),
        Answer(absolute(domain), "SOA", "REFUSED", server="203.0.113.62", extended=(18,)),
        Answer(absolute(domain), "SOA", "timeout", server="203.0.113.63", detail="from 203.0.113.63 of geheim"),
    )
    return tuple(
        ZoneServer(one.server, (f"ns{number}.geheim-hosting.example.",), one) for number, one in enumerate(said, 1)
    )


def own(name: str) -> dict[str, tuple[Answer, ...]]:
    """Return what one of them says: another address than the resolver's."""
    address = A("203.0.113.98")
    told = Answer(absolute(name), "A", "NOERROR", (address,), server="203.0.113.61", authoritative=True, ttl=600)
    return {Answers.key(told.name, told.type): (told,)}


def tried() -> Twin:
    """Return what became of packets on it: rules in chains of somebody's own drop those to some ports."""

    def journey(chain: str) -> Journey:
        stops = Culprit(
            kind="rule", backend="nf_tables", family="ip", table="filter", chain=chain, handle=12,
            rule="-A GEHEIM-IN -s 203.0.113.25 -j DROP", counter=3,
        )  # fmt: skip
        steps = (Step("forward", "ip filter", "FORWARD", "continue"), Step("forward", "ip filter", chain, "drop"))
        return Journey(version=4, source="internet", verdict="dropped", culprit=stops, steps=steps)

    fine = Journey(version=4, source="internet", verdict="delivered")
    chains = {465: "GEHEIM-IN", 587: "f2b-geheim", 143: "ufw-user-forward"}
    return Twin(
        derived=True,
        families=(
            Family(version=4, state="judged", interface="enx0242ac110002", address=IPV4),
            Family(version=6, state="blind", doubt="rules", detail="geheim", interface="enx0242ac110002", address=IPV6),
        ),
        arrivals=(
            Arrival(IPV4, 25, (fine,)),
            *(Arrival("", port, (journey(chain),)) for port, chain in chains.items()),
            *(Arrival("", port, (fine,)) for port in (993, 110, 995, 4190, 80, 443)),
        ),
        exits=(Exit("tcp", 25, journey("GEHEIM-OUT")), Exit("tcp", 443, fine)),
        uncopied=(Uncopied("nf_tables", "geheim", "GEHEIM-IN", 3, "tproxy", "EOPNOTSUPP"),),
        unseen=(Unseen("xdp", "enx0242ac110002"),),
        tables=(
            Table("nf_tables", "ip", "filter", (
                Chain("FORWARD", 5, "forward", 0, "drop"), Chain("DOCKER", 2), Chain("GEHEIM-IN", 1),
            )),
            Table("nf_tables", "ip", "nat", (Chain("PREROUTING", 1, "prerouting", -100), Chain("DOCKER", 2))),
        ),
        sets=("geheim-bans",),
    )  # fmt: skip


def rich(**given: object) -> Host:
    """Return the host; `given` replaces parts of it."""
    space = Space(
        "/srv/geheim/docker", "/srv/geheim", "/srv/geheim", "ext4", ("rw",), 50 << 30, 9 << 30, 3 << 20, 2 << 20, False
    )
    parts: dict[str, object] = {
        "asked": Asked(hostname=NAME, domains=(DOMAIN,), public_ips=(), mailcow_conf=None),
        "name": "tannhaeuser",
        "os_release": OsRelease("debian", "12", (), "Debian GNU/Linux 12 (bookworm)", "bookworm", "Debian GNU/Linux"),
        "kernel": "6.1.0-28-amd64",
        "machine": "x86_64",
        "virtualization": Virtualization(None, "kvm", None, ("/sys/class/dmi/id/sys_vendor: geheim GmbH",)),
        "commands": {
            name: Command(f"/usr/bin/{name}", False)
            for name in ("openssl", "curl", "docker", "git", "awk", "sha1sum", "grep", "cut", "jq", "cp", "sed")
        },
        "security": SecurityModules("disabled", True, True, False),
        "sysctls": {"fs.inotify.max_user_instances": 128, "vm.overcommit_memory": 0},
        "engine_limits": EngineLimits(1024),
        "cpu_speed": CpuSpeed(2400.0, "cpu MHz", False),
        "cpu_features": CpuFeatures("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", ("ssse3", "sse4_2", "avx"), 4),
        "memory": Memory(4 << 30, 1 << 30, 0, 0),
        "spaces": {"/srv/geheim/docker": Fact.of("statvfs", space)},
        "services": Services("systemd", SERVICES),
        "timezone": Timezone("Europe/Musterstadt", False),
        "contact": Contact("tcp://alice:s3cr3t@docker.kundenname.example:2375", "ok"),
        "engine": ENGINE,
        "daemon_config": DaemonConfig(
            "/etc/docker/daemon.json", True, {"data-root": "/srv/geheim/docker", "hosts": ["tcp://203.0.113.25:2375"]},
            ("--host=tcp://203.0.113.25:2375",),
        ),
        "compose": Compose("plugin", "/home/alice/.docker/cli-plugins/docker-compose", "2.32.1"),
        "healthcheck": HealthRun(((0.6, "starting"), (1.2, "healthy")), "", "s3cr3t", "sha256:9f8e7d"),
        "privileged": StartRun(True, 0, granted=True),
        "limits": StartRun(False, None, "failed to create task for container tannhaeuser: operation not permitted"),
        "publishing": PublishRun(
            (4,), (Differing(4, "engine", "filter", "DOCKER-GEHEIM", "-s 203.0.113.25/32 -j tannhaeuser"),), 1, "s3cr3t"
        ),
        "twin": tried(),
        "links": (
            Link("lo", 65536, True, (Address("127.0.0.1", 8, "host"), Address("::1", 128, "host"))),
            Link("enx0242ac110002", 1400, True, (
                Address(IPV4, 24, "global"), Address(IPV6, 64, "global"), Address("fe80::42:acff:fe11:2", 64, "link"),
            )),
            Link("wg-geheim", 1420, True, (Address("10.44.0.2", 16, "global"),)),
            Link("docker0", 1500, True, (Address("172.17.0.1", 16, "global"),)),
        ),
        "routes": (
            Route("0.0.0.0/0", "enx0242ac110002", GATEWAY, 0),
            Route("203.0.113.0/24", "enx0242ac110002", "", 0),
            Route("10.44.0.0/16", "wg-geheim", "", 0),
            Route("172.22.0.0/16", "br-9f8e7d2a3b4c", "", 0),
            Route("192.168.77.0/24", "wg-geheim", "10.44.0.1", 0),
            Route("2001:db8:77:1::/64", "enx0242ac110002", "", 256),
            Route("::/0", "enx0242ac110002", "fe80::42:1", 1024),
        ),
        "ipv6": Ipv6(True, False, True),
        "sockets": Sockets(HOLDERS, True, "", True),
        "binds": tuple(
            BindAttempt(address, entry.port, "EADDRINUSE" if entry.port in (25, 443, 993, 143) else "free")
            for entry in SHAPE
            for address in ("0.0.0.0", "::", IPV4, IPV6, "203.0.113.99", "127.0.0.1")
        ),
        "mailcow_conf": ConfFile(
            DEFAULT_CONF, True, SETTINGS, {"IMAP_PORT": [4, 40]}, (20,), ("space",),
        ),
        "hosts_file": (HostsEntry("127.0.1.1", (NAME, "tannhaeuser"), 3),),
        "answers": answers(),
    }  # fmt: skip
    return host(**(parts | given))  # type: ignore[arg-type]  # the test gives what fits
