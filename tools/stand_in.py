"""Print compose/stand-in.yml: mailcow's shape, every container from our own image.

.venv/bin/python tools/stand_in.py > compose/stand-in.yml     (make docs)
"""

from __future__ import annotations

from collections.abc import Iterator

from preflight.mailcow.layout import (
    BRIDGE,
    CONTAINERS,
    IPV4_NETWORK,
    IPV6_NETWORK,
    SHAPE,
    UNBOUND,
    Container,
    Published,
)

HEAD = """\
# A stand-in for mailcow: its ports, networks, privileges and conditions, every container from our own image.
# Written by `make docs` from preflight/mailcow/layout.py. Put it where mailcow would be, beside a mailcow.conf:
#
#     docker compose --env-file mailcow.conf -f stand-in.yml up -d
#
# Each published port answers with a line that holds PREFLIGHT_TOKEN and the client's address as the container sees it.
"""
PROGRAM = '"-I", "-m", "preflight.probes.stand_in"'


def published(entry: Published) -> str:
    """Write a port as docker-compose.yml does: web ports inside and outside alike, with the address apart."""
    if entry.kind == "web":
        port = f"${{{entry.variable}:-{entry.port}}}"
        return f'"${{{entry.bind}:-}}:{port}:{port}"'
    return f'"${{{entry.default.replace("=", ":-")}}}:{entry.inside or entry.port}"'


def ports(container: Container) -> list[str]:
    """List the ports that the container listens on, as words of its command."""
    own = [entry for entry in SHAPE if entry.service == container.name]
    inner = [f"${{{e.variable}:-{e.port}}}" if e.kind == "web" else str(e.inside or e.port) for e in own]
    return inner or ([str(container.health_port)] if container.healthcheck else [])


def quoted(word: str) -> str:
    return f'"{word}"'


def conditions(container: Container) -> Iterator[str]:
    if container.after or container.after_healthy:
        yield "depends_on:"
    for names, condition in ((container.after, "service_started"), (container.after_healthy, "service_healthy")):
        for name in names:
            yield f"  {name}:"
            yield f"    condition: {condition}"


def health(container: Container) -> Iterator[str]:
    if container.healthcheck:
        yield "healthcheck:"
        yield f'  test: ["CMD", "/usr/bin/python3", {PROGRAM}, "--healthy", "{container.health_port}"]'
        # mailcow's own interval is 30 s; how often changes nothing but the waiting.
        yield from ("  interval: 1s", "  timeout: 10s", "  retries: 3")


def rights(container: Container) -> Iterator[str]:
    if container.host:
        yield "privileged: true"
    if container.unconfined:
        yield from ("security_opt:", "  - label=disable")
    if container.capabilities:
        yield from ("cap_add:", *(f"  - {name}" for name in container.capabilities))
    if container.sysctls:
        yield from ("sysctls:", *(f"  - {name}={value}" for name, value in container.sysctls))
    if container.ulimits:
        yield "ulimits:"
        for name, soft, hard in container.ulimits:
            if soft == hard:
                yield f"  {name}: {soft}"
            else:
                yield from (f"  {name}:", f"    soft: {soft}", f"    hard: {hard}")
    if container.binds:
        yield from ("volumes:", *(f"  - {bind}" for bind in container.binds))


def network(container: Container) -> Iterator[str]:
    prefix = f"${{IPV4_NETWORK:-{IPV4_NETWORK}}}"
    if container.dns:
        yield from ("dns:", f"  - {prefix}.{UNBOUND}")
    if container.host:
        yield 'network_mode: "host"'
        return
    yield from ("networks:", "  mailcow-network:")
    if container.address:
        yield f"    ipv4_address: {prefix}.{container.address}"
    yield from ("    aliases:", f"      - {container.name.removesuffix('-mailcow')}")


def service(container: Container) -> Iterator[str]:
    words = [container.name, *ports(container)]
    yield "image: mailcow-preflight"
    yield "pull_policy: never"
    yield 'entrypoint: ["/usr/bin/python3"]'
    yield f"command: [{PROGRAM}, {', '.join(map(quoted, words))}]"
    yield from ("environment:", "  - PREFLIGHT_TOKEN=${PREFLIGHT_TOKEN:-}")
    yield "restart: always"
    yield from conditions(container)
    yield from health(container)
    yield from rights(container)
    own = [entry for entry in SHAPE if entry.service == container.name]
    if own:
        yield from ("ports:", *(f"  - {published(entry)}" for entry in own))
    yield from network(container)


def document() -> Iterator[str]:
    yield "services:"
    for container in CONTAINERS:
        yield f"  {container.name}:"
        yield from (f"    {line}" for line in service(container))
        yield ""
    yield "networks:"
    yield "  mailcow-network:"
    yield "    driver: bridge"
    yield "    driver_opts:"
    yield f"      com.docker.network.bridge.name: {BRIDGE}"
    yield "    enable_ipv6: ${ENABLE_IPV6:-true}"
    yield "    ipam:"
    yield "      driver: default"
    yield "      config:"
    yield f"        - subnet: ${{IPV4_NETWORK:-{IPV4_NETWORK}}}.0/24"
    yield f"        - subnet: ${{IPV6_NETWORK:-{IPV6_NETWORK}}}"


if __name__ == "__main__":
    print(HEAD + "\n".join(document()))
