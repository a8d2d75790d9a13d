"""What Docker writes with iptables when it starts, and for mailcow's network: as engines of these versions have it.

Independent of preflight.twin.derive: written off tests/twin/engines and running engines, as lists of lines.
"""

from __future__ import annotations

from tests.differential.cases import HOST, PUBLISHED, SERVICES, SUBNET4, SUBNET6, Case

S1, S2, USER, BR = "DOCKER-ISOLATION-STAGE-1", "DOCKER-ISOLATION-STAGE-2", "DOCKER-USER", "br-mailcow"
EST = "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
ENGINES = ("20.10.24", "26.1.5", "28.5.2")


def generation(case: Case) -> int:
    """Return the engine's major version."""
    return int(case.engine.split(".")[0])


def start(case: Case, version: int) -> list[str]:
    """Return what the engine writes at its start, for its own bridge docker0 (IPv4 only)."""
    lines = ["nat -N DOCKER", "nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER"]
    but = "" if not case.proxy else "! -d 127.0.0.0/8 " if version == 4 else "! -d ::1/128 "
    lines.append(f"nat -A OUTPUT {but}-m addrtype --dst-type LOCAL -j DOCKER")
    if version == 4:
        lines.append("nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE")
        lines += ["nat -A DOCKER -i docker0 -j RETURN"] if case.proxy else []
    lines += ["filter -P FORWARD DROP", "filter -N DOCKER", f"filter -N {USER}"]
    new = _start28 if generation(case) >= 28 else _start
    made = new(version, generation(case))
    # It puts its own to the top of FORWARD, the last one first.
    forward = [line.replace("-A", "-I", 1) for line in reversed(made) if line.startswith("-A FORWARD")]
    others = [line for line in made if not line.startswith("-A FORWARD")]
    return lines + [f"filter {line}" for line in (*others, *forward)]


def _start(version: int, engine: int) -> list[str]:
    lines = [f"-N {S1}", f"-N {S2}"]
    own = version == 4
    if engine >= 23 or own:
        lines += [f"-A FORWARD -j {USER}", f"-A {USER} -j RETURN"]
    lines.append(f"-A FORWARD -j {S1}")
    if own:
        lines += [f"-A FORWARD -o docker0 {EST}", "-A FORWARD -o docker0 -j DOCKER"]
        lines += ["-A FORWARD -i docker0 ! -o docker0 -j ACCEPT", "-A FORWARD -i docker0 -o docker0 -j ACCEPT"]
        lines += [f"-A {S1} -i docker0 ! -o docker0 -j {S2}", f"-A {S2} -o docker0 -j DROP"]
    return [*lines, f"-A {S1} -j RETURN", f"-A {S2} -j RETURN"]


def _start28(version: int, engine: int) -> list[str]:
    lines = ["-N DOCKER-FORWARD", "-N DOCKER-CT", "-N DOCKER-BRIDGE", f"-N {S1}", f"-N {S2}"]
    lines += [f"-A FORWARD -j {USER}", "-A FORWARD -j DOCKER-FORWARD"]
    lines += [f"-A DOCKER-FORWARD -j {chain}" for chain in ("DOCKER-CT", S1, "DOCKER-BRIDGE")]
    if version == 4:
        lines += ["-A DOCKER-FORWARD -i docker0 -j ACCEPT", "-A DOCKER ! -i docker0 -o docker0 -j DROP"]
        lines += [f"-A DOCKER-CT -o docker0 {EST}", "-A DOCKER-BRIDGE -o docker0 -j DOCKER"]
        lines += [f"-A {S1} -i docker0 ! -o docker0 -j {S2}", f"-A {S2} -o docker0 -j DROP"]
    return lines


def up(case: Case, version: int, forward: list[str]) -> list[str]:
    """Return what the engine writes for mailcow's network and ports; `forward`: the rules of FORWARD now."""
    subnet = SUBNET4 if version == 4 else SUBNET6
    nat = [f"-I POSTROUTING -s {subnet} ! -o {BR} -j MASQUERADE"]
    if case.proxy:
        nat.append(f"-I DOCKER -i {BR} -j RETURN")
    else:
        nat.append(f"-I POSTROUTING -o {BR} -m addrtype --src-type LOCAL -j MASQUERADE")
    new = generation(case) >= 28
    lines = [f"nat {line}" for line in nat]
    lines += [f"filter {line}" for line in (_network28() if new else _network(case, version, forward))]
    for number, service in PUBLISHED.items():
        lines += _port(case, version, number, SERVICES[service][0 if version == 4 else 1], new=new)
    if new:
        long = 32 if version == 4 else 128
        containers = dict.fromkeys(SERVICES[service][0 if version == 4 else 1] for service in PUBLISHED.values())
        lines += [f"raw -A PREROUTING -d {one}/{long} ! -i {BR} -j DROP" for one in containers]
    return lines


def _network(case: Case, version: int, forward: list[str]) -> list[str]:
    def top(chain: str) -> list[str]:
        rule = f"FORWARD -j {chain}"
        return [f"-D {rule}"] * (f"-A {rule}" in forward) + [f"-I {rule}"]

    lines = [f"-I FORWARD -i {BR} -o {BR} -j ACCEPT", f"-I FORWARD -i {BR} ! -o {BR} -j ACCEPT"]
    lines += [f"-I FORWARD -o {BR} -j DOCKER", f"-I FORWARD -o {BR} {EST}", *top(S1)]
    lines += [f"-I {S1} -i {BR} ! -o {BR} -j {S2}", f"-I {S2} -o {BR} -j DROP"]
    return lines + (top(USER) if version == 4 or generation(case) >= 23 else [])


def _network28() -> list[str]:
    return [
        f"-A DOCKER-FORWARD -i {BR} -j ACCEPT", f"-A DOCKER ! -i {BR} -o {BR} -j DROP",
        f"-A DOCKER-CT -o {BR} {EST}", f"-A DOCKER-BRIDGE -o {BR} -j DOCKER",
        f"-A {S1} -i {BR} ! -o {BR} -j {S2}", f"-I {S2} -o {BR} -j DROP",
    ]  # fmt: skip


def _port(case: Case, version: int, number: int, container: str, *, new: bool) -> list[str]:
    long = 32 if version == 4 else 128
    where = "! -s fe80::/10 " if version == 6 and new else ""
    where += f"-d {HOST[version]}/{long} " if case.bound else ""
    where += f"! -i {BR} " if case.proxy else ""
    to = f"{container}:{number}" if version == 4 else f"[{container}]:{number}"
    port = f"-p tcp -m tcp --dport {number}"
    lines = [
        f"nat -A DOCKER {where}{port} -j DNAT --to-destination {to}",
        f"filter -{'I' if new else 'A'} DOCKER -d {container}/{long} ! -i {BR} -o {BR} {port} -j ACCEPT",
    ]
    if not (new and case.proxy):
        lines.append(f"nat -A POSTROUTING -s {container}/{long} -d {container}/{long} {port} -j MASQUERADE")
    return lines
