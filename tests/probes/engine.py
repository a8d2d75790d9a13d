"""A stand-in for an engine: as much of its API as the probes use, on a socket, with faults at will."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from msgspec.structs import replace

from preflight.facts import Fact
from preflight.probes.bench import Bench
from preflight.probes.frame import run_probe
from preflight.probes.registry import PROBES

IMAGE = "sha256:" + "1" * 64


def performed(name: str, bench: Bench, budget: float | None = None) -> Fact[Any]:
    """Run a probe of the registry, within another budget of seconds where one is given."""
    (probe,) = [entry for entry in PROBES if entry.name == name]
    return run_probe(probe if budget is None else replace(probe, seconds=budget), bench)


class FakeEngine:
    """Containers, networks and volumes by id, and what was asked, as `METHOD /path`. A network in use stays.

    `faults` answer instead of the engine where their pattern is found in a request: a status with the engine's words,
    or "die" (the engine is gone, in the middle of that request), "cut" (the answer never comes, the engine stays),
    "late" (done, but answered only when `release` is set), "slow" (done only then), "lost" (done, but the answer never
    comes).
    """

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "docker.sock")
        self.url = f"unix://{self.path}"
        self.images: dict[str, dict[str, str]] = {"mailcow-preflight": {}}  # name: labels
        self.containers: dict[str, dict[str, Any]] = {}
        self.networks: dict[str, dict[str, Any]] = {}
        self.volumes: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.created: list[dict[str, Any]] = []
        self.removed: list[str] = []
        self.before = ["starting", "unhealthy"]  # states of health, look by look, until the container is told
        self.after = ["unhealthy", "healthy"]
        self.state: dict[str, Any] = {"Status": "running", "Running": True}
        self.commands: dict[str, tuple[str, str]] = {}  # by the id of an execution: its container, its code
        self.ends: Callable[[str], object] = _exit_code  # how the engine says that a command ended, by its code
        self.version = "28.0.0"
        self.lies: dict[str, Any] = {}  # laid over a container's state
        self.faults: dict[str, tuple[int, str] | str] = {}
        self.filters = True  # whether lists are filtered as asked
        self.release = threading.Event()
        self.pace = 0.0  # seconds before each answer
        self.dead = False
        self.server = _Server(self.path, _handler(self))
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def bench(self, seconds: float = 10.0, stop: threading.Event | None = None) -> Bench:
        """Return a bench on this engine that ends after so many seconds."""
        return Bench(self.url, None, stop or threading.Event(), time.monotonic() + seconds)

    def close(self) -> None:
        self.release.set()
        self.server.shutdown()
        self.server.server_close()

    def put(self, kind: str, name: str, labels: object) -> None:
        """Put an object there, as if somebody had made it."""
        row = {"Id": "id-" + re.sub(r"[^\w-]", "", name), "Name": name, "Names": [f"/{name}"], "Labels": labels}
        getattr(self, kind)[name if kind == "volumes" else row["Id"]] = row

    @property
    def left(self) -> set[str]:
        """The names of all that is there."""
        return {row["Name"] for kind in (self.containers, self.networks, self.volumes) for row in kind.values()}

    def held(self, hold: bool) -> None:
        """Wait for the release, where an answer is held back."""
        if hold:
            self.release.wait(20)

    def fault(self, asked: str) -> tuple[int, str] | str | None:
        return next((what for pattern, what in self.faults.items() if re.search(pattern, asked)), None)

    def answer(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> tuple[int, object]:
        """Do what a request says."""
        time.sleep(self.pace)
        if path == "/version":
            return 200, {"Version": self.version, "ApiVersion": "1.48"}
        for pattern, function in self._routes().items():
            if found := re.fullmatch(pattern, f"{method} {path}"):
                return function(*found.groups(), query, body)
        raise AssertionError(f"the stand-in has no {method} {path}")

    def _routes(self) -> dict[str, Callable[..., tuple[int, object]]]:
        return {
            "GET /images/json": lambda query, body: (200, [{"Id": IMAGE} for labels in self.images.values() if labels]),
            "GET /images/(.+)/json": self._image,
            "GET /(containers)/json": self._list,
            "GET /(networks|volumes)": self._list,
            "POST /containers/create": self._create,
            "POST /networks/create": self._create_network,
            "GET /containers/([^/]+)/json": self._inspect,
            "POST /containers/([^/]+)/start": lambda key, query, body: (204, None),
            "POST /containers/([^/]+)/exec": self._prepare,
            "POST /exec/([^/]+)/start": self._exec,
            "GET /exec/([^/]+)/json": self._ended,
            "DELETE /(containers|networks|volumes)/([^/]+)": self._delete,
        }

    def _image(self, name: str, query: object, body: object) -> tuple[int, object]:
        return (200, {"Id": IMAGE}) if name in self.images else (404, {"message": f"No such image: {name}"})

    def _list(self, kind: str, query: dict[str, str], body: object) -> tuple[int, object]:
        wanted = json.loads(query["filters"])["label"][0]
        name, _, value = wanted.partition("=")
        rows = [
            row
            for row in getattr(self, kind).values()
            if not self.filters or (name in row["Labels"] and value in ("", row["Labels"][name]))
        ]
        return 200, {"Volumes": rows or None} if kind == "volumes" else rows

    def _create(self, query: dict[str, str], body: dict[str, Any]) -> tuple[int, object]:
        self.created.append(body)
        self.put("containers", query["name"], body["Labels"])
        self.containers[f"id-{query['name']}"]["Body"] = body
        return 201, {"Id": f"id-{query['name']}"}

    def _create_network(self, query: object, body: dict[str, Any]) -> tuple[int, object]:
        self.created.append(body)
        self.put("networks", body["Name"], body.get("Labels"))
        return 201, {"Id": f"id-{body['Name']}", "Warning": ""}

    def _uses(self, network: dict[str, Any]) -> bool:
        modes = [row.get("Body", {}).get("HostConfig", {}).get("NetworkMode") for row in self.containers.values()]
        return network["Id"] in modes or network["Name"] in modes

    def _inspect(self, key: str, query: object, body: object) -> tuple[int, object]:
        if key not in self.containers:
            return 404, {"message": f"No such container: {key}"}
        script = self.after if self.containers[key].get("told") else self.before
        status = script.pop(0) if len(script) > 1 else script[0]
        log = [{"ExitCode": 1, "Output": "not yet\n"}] if status == "unhealthy" else []
        state = {**self.state, "Health": {"Status": status, "Log": log}, **self.lies}
        bound = self.containers[key].get("Body", {}).get("HostConfig", {}).get("PortBindings") or {}
        ports = {
            port: [{"HostIp": one["HostIp"] or "0.0.0.0", "HostPort": one["HostPort"] or "32768"} for one in places]
            for port, places in bound.items()
        }
        return 200, {"Id": key, "Image": IMAGE, "State": state, "NetworkSettings": {"Ports": ports}}

    def _prepare(self, key: str, query: object, body: dict[str, Any]) -> tuple[int, object]:
        number = f"exec-{len(self.commands)}"
        self.commands[number] = key, body["Cmd"][-1]
        return 201, {"Id": number}

    def _exec(self, number: str, query: object, body: object) -> tuple[int, object]:
        self.containers[self.commands[number][0]]["told"] = True
        return 200, None

    def _ended(self, number: str, query: object, body: object) -> tuple[int, object]:
        code = self.ends(self.commands[number][1])
        return 200, {"ID": number, "Running": code is None, "ExitCode": code}

    def _delete(self, kind: str, key: str, query: object, body: object) -> tuple[int, object]:
        rows = getattr(self, kind)
        found = [number for number, row in rows.items() if key in (row["Id"], row["Name"])]
        if kind == "networks" and any(self._uses(rows[number]) for number in found):
            return 403, {"message": f"network {key} has active endpoints"}
        self.removed += [rows[number]["Name"] for number in found]
        there = [rows.pop(number) for number in found]
        return (204, None) if there else (404, {"message": "no such object"})


def _exit_code(code: str) -> int:
    """Return the exit code that a program itself names, 0 where it names none."""
    found = re.search(r"_exit\((\d+)\)", code)
    return int(found[1]) if found else 0


class _Server(ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Be silent about clients that do not wait for their answer; what the stand-in lacks comes as status 500."""


def _handler(engine: FakeEngine) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def address_string(self) -> str:
            return "client"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def respond(self) -> None:
            url = urlsplit(self.path)
            path = re.sub(r"^/v1\.\d+", "", url.path)
            asked = f"{self.command} {path}"
            engine.asked.append(asked)
            fault = engine.fault(asked)
            if fault == "die":
                engine.dead = True
            if engine.dead or fault == "cut":
                return
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            if isinstance(fault, tuple):
                status, said = fault[0], {"message": fault[1]}
            else:
                try:
                    engine.held(fault == "slow")
                    status, said = engine.answer(self.command, path, query, body)  # type: ignore[assignment]
                except Exception as error:  # noqa: BLE001 - a test sees it as the engine's words
                    status, said = 500, {"message": f"the stand-in failed: {error!r}"}
            engine.held(fault == "late")
            if fault == "lost":
                return
            self.send_response(status)
            data = b"" if said is None else json.dumps(said).encode()
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = respond

    return Handler
