"""The engine is seen at work: a network of our own, whose rules are held against those derived for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from preflight.facts.probes import Differing, PublishRun
from preflight.twin import derive, derive_nft, held
from preflight.twin.derive_programs import Programs, words
from preflight.twin.derive_state import State, Underivable
from preflight.twin.derive_wanted import concerned, engine_of
from preflight.twin.held import Chains, Names, Version
from preflight.twin.request import Given, Port, Request

LISTED = 20  # differences that are told
# Ports in the container. No engine chooses one of them for the host.
INSIDE, LOCAL_INSIDE = 7325, 7326
Obstacle = Literal["", "rules", "forwarding", "modules", "missing", "lasting", "raw"]
CABLE = ("veth",)  # the module of a container's interface
RAW = (28,)  # from which version on a published port has rules in the table raw


class Up(Struct, frozen=True, kw_only=True):
    """What the engine says of a container that is up: addresses and ports by version, and the numbers of objects."""

    containers: Mapping[int, str]
    gateways: Mapping[int, str]
    ports: Mapping[int, int]
    local: int = 0  # the port on 127.0.0.1
    ids: tuple[str, ...] = ()


class Rules(Struct, frozen=True):
    """The rules of a version at one moment; of an engine with nf_tables there is no state of ip_tables."""

    chains: Chains
    state: State | None = None


class Trial:
    """A network that is not there yet, with the rules as they are before; `Underivable` where they cannot be read.

    `request`: of the network, without ports; what is not filtered in it is not compared.
    """

    def __init__(self, request: Request) -> None:
        engine_of(request)
        self._request = request
        self._programs = Programs(request.root, request.seconds)
        self.versions = tuple(version for version in derive.VERSIONS if concerned(request, version))
        self._before = {version: self._read(version) for version in self.versions}

    def obstacle(self, version: Version) -> Obstacle:
        """Say why there should be no such network: making it would fail, or change what stays when it has gone."""
        if version not in self.versions:
            return "rules"
        if not derive.forwards(version):
            return "forwarding"
        rules = self._before[version]
        if rules.state is None and not rules.chains:
            return "missing"
        return self._by_rules(version, rules) or ("modules" if self._loads() else "") or self._raw(rules)

    def _raw(self, rules: Rules) -> Obstacle:
        """Say whether the engine would make the table for a published port, and leave it there."""
        made = rules.state is not None and engine_of(self._request) >= RAW
        return "raw" if made and ("raw", "PREROUTING") not in rules.chains else ""

    def _by_rules(self, version: Version, rules: Rules) -> Obstacle:
        """Say what the rules themselves have against it."""
        if rules.state is None:
            return ""
        changes = derive.wanted(self._request, version, rules.state)
        if any(one.chain.startswith("DOCKER") and (one.table, one.chain) not in rules.chains for one in changes):
            return "missing"
        names = Names(
            bridge=self._request.bridge, subnet=_subnet(self._request, version), container="", port=0, inside=0
        )
        return "lasting" if held.lasting(rules.chains, held.after(rules.chains, changes), names) else ""

    def _loads(self) -> bool:
        """Say whether the engine would load a module of the kernel."""
        return not all(self._request.there(*names) for names in (*derive.needs(self._request), CABLE))

    def without(self, version: Version) -> None:
        """Leave a version out."""
        self.versions = tuple(one for one in self.versions if one != version)

    def result(self, up: Up, mailcow: Request) -> tuple[PublishRun, tuple[Given, ...]]:
        """Compare, now that the container is up; return what to do for mailcow where the engine differs.

        Raise `Underivable` where the rules cannot be read.
        """
        compared = {version: self._compared(version, up, mailcow) for version in self.versions}
        told = [one for differing, _ in compared.values() for one in differing]
        if not told:
            return PublishRun(self.versions), ()
        given = [one for _, one in compared.values() if one is not None]
        # A version that was not tried may differ in the same way.
        given += [
            Given(version, doubt=f"IPv{version}: {_words(told)}")
            for version in derive.VERSIONS
            if version not in self.versions and concerned(mailcow, version)
        ]
        doubt = next((one.doubt for one in given if one.doubt), "")
        return PublishRun(self.versions, tuple(told[:LISTED]), max(0, len(told) - LISTED), doubt), tuple(given)

    def _compared(self, version: Version, up: Up, mailcow: Request) -> tuple[list[Differing], Given | None]:
        names, asked = self._named(version, up)
        found = self._read(version)
        before = self._before[version]
        native = found.state is None
        if found.state is None or before.state is None:
            changes = derive_nft.changes(asked, version)
        else:
            # Tables that the engine has loaded meanwhile are there when mailcow comes.
            tables = {table for table, _ in before.chains}
            there = {key for key in found.state.chains if key[0] not in tables and "DOCKER" not in key[1]}
            state = replace(before.state, chains=before.state.chains | there)
            before = Rules(held.chains(state), state)
            changes = derive.wanted(asked, version, state)
        derived = held.after(before.chains, changes)
        differing = held.differing(version, derived, found.chains, names, order=not native)
        if not differing:
            return [], None
        if native:
            return differing, Given(version, doubt=_words(differing))
        try:
            return differing, Given(version, held.carried(version, before.chains, found.chains, names, mailcow))
        except Underivable as error:
            return differing, Given(version, doubt=str(error) or _words(differing))

    def _named(self, version: Version, up: Up) -> tuple[Names, Request]:
        """Return the names of the network, and what was asked of the engine."""
        container, port = up.containers.get(version, ""), up.ports.get(version, 0)
        if not container or not port:
            raise Underivable(f"IPv{version}: no address, or no port")
        local = up.local if version == 4 else 0
        names = Names(
            bridge=self._request.bridge, subnet=_subnet(self._request, version), container=container,
            gateway=up.gateways.get(version, ""), port=port, inside=INSIDE, local_port=local,
            local_inside=LOCAL_INSIDE if local else 0, ids=up.ids,
        )  # fmt: skip
        four, six = up.containers.get(4, ""), up.containers.get(6, "")
        ports = [Port("", port, "", INSIDE, four, six)]
        if up.local:
            ports.append(Port("127.0.0.1", up.local, "", LOCAL_INSIDE, four, six))
        return names, replace(self._request, ports=tuple(ports))

    def _read(self, version: Version) -> Rules:
        if derive.native(self._request):
            family, table = derive_nft.table_of(version).split(" ")
            ran = self._programs.run("nft", "list", "table", family, table)
            if ran.code:
                raise Underivable(words(ran))
            return Rules(derive_nft.listed(version, ran.out))
        state = derive.state_of(self._request, version, derive.forwards(version), self._programs)
        return Rules(held.chains(state), state)


def _subnet(request: Request, version: Version) -> str:
    return request.subnet4 if version == 4 else request.subnet6


def _words(differing: Iterable[Differing]) -> str:
    """Return the first differences in short, as a program would print them."""
    return "; ".join(f"{one.only}: {one.table} {one.chain} {one.rule}".rstrip() for one in list(differing)[:3])
