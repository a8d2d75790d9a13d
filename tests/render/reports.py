"""Reports made by hand, as an administrator would meet them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from preflight.assess import verdict
from preflight.mailcow.plan import SHAPE
from preflight.report.evidence.engine import HealthEvidence
from preflight.report.evidence.firewall import FamiliesEvidence, FamilyEvidence, FirewallEvidence
from preflight.report.evidence.host import MemoryEvidence, SizeEvidence, SpaceEvidence
from preflight.report.evidence.names import RecordsEvidence
from preflight.report.evidence.ports import HolderEvidence, PortEvidence
from preflight.report.model import (
    Counts,
    Evidence,
    HostSummary,
    Remedy,
    Report,
    RequirementsSource,
    Result,
    Severity,
    Status,
    Tool,
)

DOCS = "https://docs.mailcow.email/getstarted/prerequisite-system/"
GIB = 1 << 30
WHY = {
    "ports.free": "mailcow publishes its ports on the host. Docker refuses to start a container whose port is taken.",
    "resources.memory": "ClamAV alone takes more than 1 GiB. Where memory runs out the kernel ends containers.",
    "dns.reverse": "Most operators refuse mail from an address whose name does not lead back to it.",
    "dns.autodiscover": "Outlook finds its settings there; see `autodiscover` in mailcow's documentation.",
}


def result(check: str, status: str = "pass", message: str = "", **given: Any) -> Result:
    """Make a result; severity required, the rest from the id and the status where not given."""
    told = status in ("unknown", "skip", "ignored", "error")
    values: dict[str, Any] = {
        "subject": None,
        "section": check.partition(".")[0],
        "severity": Severity.REQUIRED,
        "was": Status.FAIL if status == "ignored" else None,
        "title": f"The check {check} passes",
        "expected": None,
        "found": None,
        "evidence": Evidence(),
        "remedy": None if status in ("pass", "skip") else Remedy("Mend it."),
        "docs": (DOCS,),
        "reason": "it is so" if told else None,
        "seconds": 0.001,
    } | given
    return Result(check=check, status=Status(status), message=message or f"{check} is as it should be.", **values)


def report(*results: Result, **host: str | None) -> Report:
    """Make a report of these results."""
    statuses = [result.status for result in results]
    counts = {("pass_" if status is Status.PASS else status.value): statuses.count(status) for status in Status}
    named = {
        "name": "vm1",
        "os": "Debian GNU/Linux 13 (trixie)",
        "kernel": "6.12.48+deb13-amd64",
        "architecture": "x86_64",
        "engine": "28.5.2",
    } | host
    return Report(
        schema=1,
        tool=Tool("mailcow-preflight", "0.1.0"),
        requirements=RequirementsSource("current", DOCS, "2026-08-22"),
        host=HostSummary(**named),
        started="2026-11-23T01:23:45Z",
        seconds=1.234,
        verdict=verdict(results),
        counts=Counts(**counts),
        results=results,
    )


def ports(**other: Result) -> list[Result]:
    """Return all ports of mailcow's, free but for those given by their variable."""
    return [other.get(entry.variable) or port(entry.variable) for entry in SHAPE]


def port(variable: str, status: str = "pass", **given: Any) -> Result:
    """Return the result on one port."""
    entry = next(entry for entry in SHAPE if entry.variable == variable)
    subject = f"{entry.address}:{entry.port}/tcp" if entry.address else f"{entry.port}/tcp"
    holders = given.pop("holders", ())
    evidence = PortEvidence(
        service=entry.service,
        variables=(variable,),
        bind=f"*:{entry.port}",
        holder=holders[0] if holders else None,
        holders=holders,
        decided_by="bind",
    )
    values = {
        "message": f"{subject} is free.",
        "title": "Every port that mailcow publishes can be bound",
        "subject": subject,
        "expected": "free",
        "found": "free",
        "evidence": evidence,
    }
    return result("ports.free", status, **(values | given))


def holder(process: str, unit: str | None, address: str, port: int) -> HolderEvidence:
    """Return who holds a port, as a report has it."""
    return HolderEvidence(
        pid=812,
        process=process,
        user="root",
        unit=unit,
        container=None,
        image=None,
        address=address,
        port=port,
        state="listening",
        command=(),
        binary=None,
        package=None,
        project=None,
        restart=None,
        swarm_service=None,
    )


def held(variable: str, process: str, unit: str, *commands: str, address: str = "0.0.0.0") -> Result:
    """Return the result on a port that a process holds."""
    entry = next(entry for entry in SHAPE if entry.variable == variable)
    return port(
        variable,
        "fail",
        message=f"{entry.port}/tcp is held by {process} (pid 812, {unit}).",
        found=f"{address}:{entry.port}",
        holders=(holder(process, unit, address, entry.port),),
        remedy=Remedy(f"Stop {process} and keep it from starting at boot; mailcow brings its own.", commands),
    )


def of_memory(gib: float) -> MemoryEvidence:
    """Return so much memory, where mailcow asks for 6 GiB."""
    return MemoryEvidence(bytes=int(gib * GIB), needed_bytes=6 * GIB, limit_bytes=None, available_bytes=None)


def of_space(gib: float) -> SpaceEvidence:
    """Return a file system with so much space, where mailcow asks for 20 GiB."""
    return SpaceEvidence(
        path="/var/lib/docker",
        mount="/",
        filesystem="ext4",
        available_bytes=int(gib * GIB),
        total_bytes=100 * GIB,
        needed_bytes=20 * GIB,
    )


def passes() -> list[Result]:
    """Return what passes on a good host, without the ports."""
    return [
        result(
            "system.os", message="Debian 13 is on mailcow's list of supported systems.", severity=Severity.RECOMMENDED
        ),
        result("system.architecture", message="The processor is an x86_64."),
        *(
            result("system.commands", message=f"{name} is there.", subject=name)
            for name in ("openssl", "curl", "git", "awk")
        ),
        result(
            "resources.memory",
            message="The host has 7.8 GiB of RAM; mailcow asks for 6 GiB.",
            expected="6.0 GiB",
            found="7.8 GiB",
            evidence=of_memory(7.8),
        ),
        result(
            "resources.disk",
            message="80.2 GiB are free where the engine keeps its data.",
            subject="/var/lib/docker",
            expected="20.0 GiB free",
            found="80.2 GiB free",
            evidence=of_space(80.2),
        ),
        result("docker.engine", message="Docker 28.5.2 answers; mailcow needs 24.0.0."),
        result(
            "docker.healthcheck",
            message="A container went from starting to unhealthy to healthy within 2.1 s.",
            evidence=HealthEvidence(states=((0.4, "starting"), (1.1, "unhealthy"), (2.1, "healthy"))),
        ),
        result("clock.synchronized", message="The kernel's clock is synchronised.", severity=Severity.RECOMMENDED),
    ]


def skips() -> list[Result]:
    """Return what is skipped without a host name."""
    reason = "no host name was given: add --hostname mail.example.org"
    return [
        result(f"dns.{name}", "skip", f"This was not checked: {reason}.", reason=reason)
        for name in ("hostname", "address", "reverse", "mx")
    ]


def ready() -> Report:
    """Return the report on a host with nothing to complain of."""
    return report(*passes(), *ports(), *skips())


def warned() -> Report:
    """Return the report on a host that is ready, with warnings."""
    swap = result(
        "resources.swap",
        "warn",
        "The host has no swap; mailcow asks for 1 GiB.",
        severity=Severity.RECOMMENDED,
        title="There is swap",
        expected="1.0 GiB",
        found="none",
        evidence=SizeEvidence(bytes=0, needed_bytes=GIB),
        remedy=Remedy(
            "Add a swap file.",
            (
                "fallocate -l 1G /swapfile",
                "chmod 600 /swapfile",
                "mkswap /swapfile && swapon /swapfile",
                "echo '/swapfile none swap sw 0 0' >> /etc/fstab",
            ),
        ),
    )
    names = [
        result(
            "dns.autodiscover",
            "warn",
            f"autodiscover.{domain} does not exist.",
            severity=Severity.RECOMMENDED,
            subject=domain,
            title="Mail programs find their settings",
            expected="mail.example.org",
            found="no such name",
            remedy=Remedy(
                "Add this to the zone.", (f"autodiscover.{domain}. 3600 IN CNAME mail.example.org.",), place="dns"
            ),
        )
        for domain in ("example.org", "example.net", "example.com")
    ]
    waived = result(
        "network.mtu",
        "ignored",
        "eth0 has an MTU of 1400.",
        was=Status.WARN,
        severity=Severity.RECOMMENDED,
        reason="the provider's tunnel (through 2027-01-31)",
        remedy=Remedy("Set it."),
    )
    return report(*passes(), swap, *ports(), *names, waived)


def failing() -> Report:
    """Return the report on a host with much to mend."""
    exim = "systemctl disable --now exim4.service"
    nginx = "systemctl disable --now nginx.service"
    memory = result(
        "resources.memory",
        "fail",
        "The host has 1.9 GiB of RAM; mailcow asks for 6 GiB.",
        title="There is enough memory",
        expected="6.0 GiB",
        found="1.9 GiB",
        evidence=of_memory(1.9),
        remedy=Remedy("Give the machine more memory: 6 GiB at least, 8 GiB for 5 to 10 users."),
    )
    compose = result(
        "docker.compose",
        "fail",
        "Docker Compose is not installed.",
        title="Docker Compose is there",
        expected="≥ 2.0.0",
        found="nothing",
        remedy=Remedy(
            "Install the plugin.",
            (
                "apt-get update && apt-get install -y docker-ce docker-ce-cli containerd.io docker-buildx-plugin "
                "docker-compose-plugin",
            ),
        ),
    )
    leftovers = [
        result(
            "docker.leftovers",
            "warn",
            message,
            subject=subject,
            severity=Severity.RECOMMENDED,
            title="Nothing is left over from an earlier mailcow",
            remedy=Remedy("Remove what you do not need any more.", (command,)),
        )
        for subject, message, command in (
            (
                "container:mailcowdockerized-sogo-mailcow-1",
                "The container mailcowdockerized-sogo-mailcow-1 is left.",
                "docker rm mailcowdockerized-sogo-mailcow-1",
            ),
            (
                "network:mailcowdockerized_mailcow-network",
                "The network mailcowdockerized_mailcow-network is left.",
                "docker network rm mailcowdockerized_mailcow-network",
            ),
        )
    ]
    broken = result(
        "network.subnet",
        "error",
        "The check itself failed: ValueError: bad.",
        subject="IPv4",
        reason="ValueError: bad",
        remedy=Remedy("This is a bug in mailcow preflight: please report it."),
    )
    taken = ports(
        SMTP_PORT=held("SMTP_PORT", "exim4", "exim4.service", exim, address="127.0.0.1"),
        HTTP_PORT=held("HTTP_PORT", "nginx", "nginx.service", nginx),
        HTTPS_PORT=held("HTTPS_PORT", "nginx", "nginx.service", nginx),
    )
    good = [entry for entry in passes() if entry.check != "resources.memory"]
    return report(memory, compose, *leftovers, *good, *taken, broken, *skips(), os="Debian GNU/Linux 12 (bookworm)")


def blind() -> Report:
    """Return the report of a container that was started without its flags."""
    network = "the container does not share the host's network, so its ports are not the host's"
    processes = "the processes of the host are out of sight"
    unseen = [
        port(
            entry.variable,
            "unknown",
            message=f"This could not be found out: {network}.",
            found=None,
            reason=network,
            remedy=Remedy("Add --network=host to docker run.", place="docker-run"),
        )
        for entry in SHAPE
    ]
    others = [
        result(
            check,
            "unknown",
            f"This could not be found out: {reason}.",
            reason=reason,
            remedy=Remedy("Add --pid=host to docker run.", place="docker-run"),
        )
        for check, reason in (
            ("system.os", "the root directory of the host is out of reach"),
            ("services.mail", processes),
            ("firewall.managers", processes),
        )
    ]
    return report(
        result("system.architecture", message="The processor is an x86_64."), *unseen, *others, os=None, engine=None
    )


def _port(value: str) -> PortEvidence:
    held_by = holder(value, value, value, 25)
    return PortEvidence(
        service=value, variables=(value,), bind=value, holder=held_by, holders=(held_by,), decided_by="bind"
    )


def _records(value: str) -> RecordsEvidence:
    return RecordsEvidence(name=value, type=value, expected=(value,), found=(value,), zone=(value,))


# What a report shows of the evidence, by check.
HOSTILE: dict[str, Callable[[str], Evidence]] = {"ports.free": _port, "dns.mx": _records}


def hostile(value: str) -> Report:
    """Return a report that has a value of a stranger's wherever a value of a host can stand."""

    def bad(check: str, status: str, **given: Any) -> Result:
        values: dict[str, Any] = {
            "message": f"25/tcp is held by {value} (pid 812).",
            "subject": value,
            "expected": value,
            "found": value,
            "reason": value,
            "detail": value,
            "evidence": HOSTILE.get(check, lambda _: Evidence())(value),
            "remedy": Remedy(f"Stop {value}.", (f"kill {value}", value)),
            "title": value,
            "docs": (value, DOCS),
        } | given
        return result(check, status, **values)

    return report(
        bad("ports.free", "fail"),
        bad("ports.free", "fail", subject="2", message=value),
        bad("services.mail", "warn", message=value),
        bad("services.mail", "warn", subject="x"),
        bad("services.mail", "warn", subject="y"),
        bad("clock.service", "unknown"),
        bad("clock.offset", "error"),
        bad("dns.mx", "skip"),
        bad("dns.caa", "ignored"),
        bad("dns.spf", "pass"),
        bad("dns.dkim", "pass", remedy=None, message=value),
        bad("dns.dkim", "pass", remedy=None, subject="z"),
        name=value,
        os=value,
        kernel=value,
        architecture=value,
        engine=value,
    )


def way(verdict: str, *steps: str, **more: Any) -> FamilyEvidence:
    """Return what became of a connection in one family."""
    return FamilyEvidence(verdict=verdict, way=steps, **more)


def inbound(subject: str, four: FamilyEvidence, six: FamilyEvidence | None = None, **more: Any) -> Result:
    """Return the result on a port that connections come in by."""
    status = "pass" if four.verdict == "delivered" else "fail"
    given = {
        "message": f"Connections from the Internet to {subject} do not reach mailcow: they are dropped (IPv4).",
        "title": "Connections from the Internet reach mailcow through this host's firewall",
        "subject": subject, "expected": "reaches mailcow", "found": "dropped",
        "evidence": FirewallEvidence(families=FamiliesEvidence(ipv4=four, ipv6=six)),
    }  # fmt: skip
    return result("firewall.inbound", status, **(given | more))


def firewalled() -> Report:
    """Return the report on a host whose firewall drops what is forwarded."""
    stops = "forward ip filter FORWARD drop"
    lost = way(
        "dropped", "eth0", "prerouting ip nat PREROUTING accept", stops,
        table="ip filter", chain="FORWARD", handle=12, rule="-A FORWARD -j DROP", counter=3,
    )  # fmt: skip
    rows = [
        inbound(
            f"{port}/tcp",
            lost,
            way("delivered", "eth0", "br-mailcow"),
            detail="-A FORWARD -j DROP",
            remedy=Remedy(
                "Add lines before the rule that stops them.", ("iptables -I FORWARD -o br-mailcow -j ACCEPT",)
            ),
        )
        for port in (25, 465, 587)
    ]
    out = way("delivered", "br-mailcow", "eth0")
    forwarding = result(
        "firewall.forwarding",
        message="Connections from mailcow's network get out.",
        evidence=FirewallEvidence(families=FamiliesEvidence(ipv4=out, ipv6=None)),
    )
    return report(*passes(), *ports(), *rows, forwarding, *skips())


SAMPLES = {
    "ready": ready, "warnings": warned, "not-ready": failing, "undetermined": blind, "firewalled": firewalled
}  # fmt: skip
