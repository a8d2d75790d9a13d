"""A stand-in for an engine on which a rehearsal is played: it publishes ports, runs health checks, and lets ask."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.probes.engine import IMAGE, FakeEngine

Told = tuple[int, object]


class Stage(FakeEngine):
    """An engine with faults of mailcow's size.

    `taken`: what it says of a port that it cannot publish. `refused`: of a container that asks for more than a place on
    the network. `never`: of one that it starts in no shape. `health`: the states of a container's health, look by look.
    `answers`: how a port answers, where that is not its own stand-in; `ways`: how a connection out ends, by address.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.taken: dict[int, str] = {}
        self.refused: dict[str, str] = {}
        self.lingers: dict[int, int] = {}  # ports that a refused container keeps for so many further starts
        self.never: dict[str, str] = {}
        self.health: dict[str, list[str]] = {}
        self.answers: dict[int, dict[str, Any]] = {}
        self.ways: dict[str, str] = {}
        self.ended: set[str] = set()
        self.six = True  # networks get the IPv6 that they ask for
        self.logs: str | None = None  # in place of what a container that asks prints
        self.started: list[str] = []
        self.overlap = ""  # what it says of mailcow's network

    def _routes(self) -> dict[str, Callable[..., Told]]:
        return super()._routes() | {
            "POST /networks/create": self._create_network,
            "GET /networks/([^/]+)": self._network,
            "GET /containers/([^/]+)/logs": self._logs,
            "POST /containers/([^/]+)/start": self._start,
        }

    def _list(self, kind: str, query: dict[str, str], body: object) -> Told:
        if "label" in json.loads(query.get("filters", "{}")):
            return super()._list(kind, query, body)
        return 200, list(getattr(self, kind).values())

    def _network(self, key: str, query: object, body: object) -> Told:
        if key not in self.networks:
            return 404, {"message": f"network {key} not found"}
        six = self.six and self.networks[key]["Asked"].get("EnableIPv6", False)
        return 200, {"Id": key, "EnableIPv6": six, "Options": self.networks[key]["Asked"].get("Options")}

    def _create_network(self, query: object, body: dict[str, Any]) -> Told:
        if self.overlap:
            return 403, {"message": self.overlap}
        told = super()._create_network(query, body)
        self.networks[f"id-{body['Name']}"] |= {"Asked": body, "Options": body.get("Options")}
        return told

    def service(self, key: str) -> str:
        """Return the service that a container stands for."""
        return re.sub(r"^id-mailcow-preflight-[0-9a-f]+-|(?<=mailcow)(?:-\d+)?$", "", key)

    def bindings(self, key: str) -> dict[int, int]:
        """Return the ports of the host that a container publishes, and its own behind them."""
        bound = self.containers[key]["Body"]["HostConfig"].get("PortBindings") or {}
        return {int(one["HostPort"]): int(port.split("/")[0]) for port, places in bound.items() for one in places}

    def _start(self, key: str, query: object, body: object) -> Told:
        host, name = self.containers[key]["Body"]["HostConfig"], self.service(key)
        self.started.append(key.removeprefix("id-"))
        asks = any(host.get(word) for word in ("Privileged", "Ulimits", "Sysctls", "CapAdd", "SecurityOpt", "Mounts"))
        if name in self.never or (name in self.refused and asks):
            return 400, {"message": self.never.get(name) or self.refused[name]}
        for port in self.bindings(key):
            if port in self.taken:
                return 500, {"message": self.taken[port]}
            if not asks and self.lingers.get(port):
                self.lingers[port] -= 1
                return 500, {"message": f"listen tcp4 :{port}: bind: address already in use"}
        self.containers[key]["up"] = True
        return 204, None

    def _inspect(self, key: str, query: object, body: object) -> Told:
        if key not in self.containers:
            return 404, {"message": f"No such container: {key}"}
        name, row = self.service(key), self.containers[key].get("Body", {})
        running = name not in ("asks", "leaves", "sweeps") and name not in self.ended
        state: dict[str, Any] = {"Status": "running" if running else "exited", "Running": running, "ExitCode": 0}
        if row.get("Healthcheck"):
            script = self.health.setdefault(name, ["starting", "healthy"])
            state["Health"] = {"Status": script.pop(0) if len(script) > 1 else script[0], "Log": []}
        ends = row.get("NetworkingConfig", {}).get("EndpointsConfig", {})
        networks = {
            network: {"IPAddress": ((end or {}).get("IPAMConfig") or {}).get("IPv4Address") or "172.22.1.9"}
            for network, end in ends.items()
        }
        told = {"Networks": networks, "Ports": {}}
        return 200, {"Id": key, "Image": IMAGE, "State": state, "Config": {"Tty": True}, "NetworkSettings": told}

    def _logs(self, key: str, query: object, body: object) -> Told:
        if self.logs is not None:
            return 200, self.logs
        asked = json.loads(self.containers[key]["Body"]["Cmd"][-1])
        return 200, [self._answer(*place) for place in asked["ports"]] + [self._way(at) for at, _ in asked["exits"]]

    def _answer(self, address: str, port: int) -> dict[str, Any]:
        if port in self.answers:
            return self.answers[port]
        for key, row in self.containers.items():
            if row.get("up") and port in self.bindings(key):
                inside = str(self.bindings(key)[port])
                return {"answer": "answered", "name": self.service(key), "inside": inside, "peer": "172.22.1.1"}
        return {"answer": "refused"}

    def _way(self, address: str) -> dict[str, Any]:
        return {"way": self.ways.get(address, "reached"), "error": "", "seconds": 0.01}
