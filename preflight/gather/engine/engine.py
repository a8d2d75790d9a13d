"""The Docker engine: where it is, whether it answers, what it says. The only module that imports docker."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any

from preflight.facts import Contact, Engine, Fact, Missing
from preflight.facts.engine import is_podman
from preflight.gather.access.errand import Errand
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.engine import client as http
from preflight.gather.engine import reply
from preflight.gather.engine.address import address
from preflight.gather.engine.client import EngineError
from preflight.text.sentences import noted, phrase, say

if TYPE_CHECKING:
    from docker import APIClient

SOCKET = "/var/run/docker.sock"
TIMEOUT = 5.0
INSPECTED = 500
NO_ANSWER = noted("The Docker engine does not answer (see docker.engine).")
LISTS = ("/containers/json", "/networks", "/volumes")
_NAMES = {"/containers/json": "containers", "/networks": "networks", "/volumes": "volumes", "/services": "services"}
SERVICES = "/services"


def locate(
    roots: Roots, environ: Mapping[str, str], docker_host: str | None, *, root_given: bool = False
) -> str | Missing:
    """Return the engine's URL: as given, DOCKER_HOST, the host's own socket, one mounted into our container.

    With a root that was given by name (`root_given`), only an engine that is named too is that root's.
    """
    if docker_host:
        return _named(roots, docker_host)
    if not roots.view.live:
        why = say("The root is a copy of a host's files. Only a running host has an engine.")
        return Missing(
            "unknown",
            why,
            say("Run preflight on the host itself, or name its engine with --docker-host."),
            cause="copy",
            place="docker-run",
        )
    if root_given:
        why = say("With --root, the engine is queried only if --docker-host is given.")
        return Missing(
            "unknown",
            why,
            say("Add --docker-host {url}.", url=f"unix://{(roots.view.root or '').rstrip('/')}{SOCKET}"),
            place="docker-run",
        )
    if environ.get("DOCKER_HOST"):
        try:
            return _named(roots, environ["DOCKER_HOST"])
        except ValueError:
            return Missing(
                "unknown",
                say("The variable DOCKER_HOST does not contain the address of an engine."),
                say("Unset DOCKER_HOST, or name the engine with --docker-host."),
                place="docker-run",
            )
    return _default(roots)


def _default(roots: Roots) -> str | Missing:
    try:
        path = roots.locate(SOCKET)
    except Unreadable as error:
        if _is_socket(SOCKET):
            return f"unix://{SOCKET}"
        return roots.why or Missing("unknown", error.sentence)
    if not _is_socket(path) and roots.view.container and _is_socket(SOCKET):
        return f"unix://{SOCKET}"
    return f"unix://{path}"


def _named(roots: Roots, url: str) -> str | Missing:
    """Take an address as docker does; a socket that our container does not have is looked for on the host.

    Raise `ValueError` for a text that is no address.
    """
    url = address(url)
    path = url.removeprefix("unix://")
    if not path.startswith("/"):
        return url
    if _is_socket(path):
        return f"unix://{path}"
    if roots.root is None and roots.why is not None:
        return roots.why  # where the socket is the host's, only the host's files would tell
    try:
        there = roots.locate(path)
    except Unreadable:
        there = path
    return f"unix://{there if _is_socket(there) else path}"


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def own_container(roots: Roots) -> str | None:
    """Return the id of the container that the program runs in; None: in none of ours, or it cannot be told."""
    if not roots.view.container:
        return None
    for name in ("mountinfo", "cgroup"):
        try:
            with open(f"/proc/self/{name}", encoding="utf-8", errors="replace") as file:
                found = parse_own(file.read(1 << 20))
        except OSError:
            continue
        if found:
            return found
    name = os.uname().nodename  # the engine's default, unless the network is the host's
    return name if re.fullmatch(r"[0-9a-f]{12}", name) else None


def parse_own(captured: str) -> str | None:
    """Find a container's id in its own /proc/self/mountinfo or /proc/self/cgroup."""
    mounted = re.search(r"containers/([0-9a-f]{64})/(?:userdata/)?(?:hostname|hosts|resolv\.conf) ", captured)
    grouped = re.search(r"(?m)^[0-9]+:[^:\n]*:[^\n]*(?:docker|libpod)[-/]([0-9a-f]{64})(?:\.scope)?$", captured)
    found = mounted or grouped
    return found[1] if found else None


def engine(url: str | Missing, timeout: float = TIMEOUT, own: str | None = None) -> tuple[Fact[Contact], Fact[Engine]]:
    """Ask the engine for all that matters, within `timeout` seconds in all; `own` is our own container's id."""
    if isinstance(url, Missing):
        return Fact("docker", None, url), Fact("docker", None, url)
    began = time.monotonic()
    shown = re.sub(r"^unix:///proc/[0-9]+/root/", "unix:///", reply.text(url))
    try:
        said = _ask(url, began + timeout, own)
    except EngineError as error:
        seconds = round(time.monotonic() - began, 3)
        return Fact.of(shown, Contact(shown, error.state, str(error), seconds)), Fact.skipped(
            shown, say(NO_ANSWER), cause="engine"
        )
    return Fact.of(shown, Contact(shown, "ok", "", round(time.monotonic() - began, 3))), Fact.of(shown, said)


def _ask(url: str, until: float, own: str | None) -> Engine:
    """Ask for everything at once. Silence is an error of the whole; a list that is refused only leaves its part out."""
    with ExitStack() as stack:

        def send(path: str, **parameters: object) -> http.ApiRequest:
            return stack.enter_context(closing(http.ApiRequest(url, path, until, **parameters)))

        requests = {path: send(path) for path in ("/version", "/info", "/networks", "/volumes")}
        requests["/containers/json"] = send("/containers/json", all=1)
        version = _await(requests, "/version")
        if not reply.is_version(version):
            raise EngineError(phrase("the reply to /version is not from an engine"))
        info = _await(requests, "/info")
        wanted = (*LISTS, SERVICES) if reply.is_manager(info) else LISTS
        if SERVICES in wanted:
            requests[SERVICES] = send(SERVICES)
        lists: dict[str, object] = {}
        for path in wanted:
            try:
                lists[path] = _await(requests, path)
            except EngineError as error:
                if error.state == "timeout":
                    raise
    inspected, complete = _inspect(url, lists.get("/containers/json"), until)
    cut = tuple(_NAMES[path] for path in wanted if not reply.is_whole(lists.get(path))) + ("stopped",) * (not complete)
    return reply.parse_engine(
        version,
        info,
        containers=reply.parse_containers(lists.get("/containers/json"), inspected, own),
        networks=reply.parse_networks(lists.get("/networks"), podman=is_podman(reply.components(version))),
        volumes=reply.parse_volumes(lists.get("/volumes")),
        services=reply.parse_services(lists.get(SERVICES)),
        truncated=bool(cut),
        cut=cut,
    )


def _await(requests: Mapping[str, http.ApiRequest], path: str) -> object:
    try:
        return requests[path].answer()
    except EngineError as error:
        if error.state == "timeout":
            raise EngineError(phrase("no reply to {path} in time", path=path), "timeout") from None
        raise


def _inspect(url: str, listed: object, until: float) -> tuple[dict[str, object], bool]:
    """Inspect containers, in four threads, those that do not run first, for the ports that they will publish.

    Returns the replies by id, and whether every one was inspected of which the list does not tell the ports itself.
    """
    found = sorted(reply.tables(listed), key=lambda row: row.get("State") == "running")
    wanted = [key for key in map(reply.identity, found) if key]
    silent = {key for row in found if row.get("State") != "running" and (key := reply.identity(row))}
    todo, told = wanted[:INSPECTED][::-1], dict[str, object]()

    def work() -> None:
        while todo and time.monotonic() < until:
            try:
                key = todo.pop()
            except IndexError:  # another thread took the last one
                return
            try:
                told[key] = http.get(url, f"/containers/{key}/json", until)
            except EngineError as error:
                if error.status == 404:
                    told[key] = None  # removed meanwhile

    for errand in [Errand(work) for _ in range(min(4, len(todo)))]:
        errand.wait(max(0.0, until - time.monotonic()))
    return dict(told), silent <= set(told)


def connect(url: str, timeout: float = TIMEOUT) -> APIClient:
    """Return docker's own low-level client for an engine that answers, speaking its newest API; raise `EngineError`.

    For probes, which make and remove things; close it after use.
    """
    version = Errand(lambda: http.get(url, "/version", time.monotonic() + timeout))
    with translated():
        from docker import APIClient

        said = version.get(time.monotonic() + timeout)
        if not reply.is_version(said):
            raise EngineError(phrase("the reply to /version is not from an engine"))
        client = APIClient(_short(url), reply.api_version(said), timeout=max(1, round(timeout)), tls=_tls(url))
    client.trust_env = False  # no proxy, no .netrc: an engine is a neighbour
    return client


def _tls(url: str) -> Any:
    if not url.startswith("tcp://") or not os.environ.get("DOCKER_TLS_VERIFY"):
        return False
    from docker.tls import TLSConfig

    folder = http.certificates()
    return TLSConfig((f"{folder}/cert.pem", f"{folder}/key.pem"), f"{folder}/ca.pem", verify=True)


def _short(url: str) -> str:
    """Make a socket's path fit into the 107 bytes that the kernel takes, through an open directory."""
    path = url.removeprefix("unix://")
    if path == url or len(os.fsencode(path)) < 108:
        return url
    folder, _, name = path.rpartition("/")
    # Stays open as long as the program runs: the client connects again and again.
    return f"unix:///proc/self/fd/{os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)}/{name}"


@contextmanager
def translated() -> Iterator[None]:
    """Turn whatever docker's client raises into `EngineError`, with the engine's words where it had some."""
    try:
        yield
    except EngineError:
        raise
    except Exception as error:  # noqa: BLE001 - the client lets through what its layers raise, and parses replies
        from docker.errors import APIError
        from requests.exceptions import Timeout

        if not isinstance(error, APIError):
            state = "timeout" if isinstance(error, Timeout) else http.state_of(error)
            raise EngineError(f"{type(error).__name__}: {error}", state) from None
        status = error.response.status_code if error.response is not None else None
        words = error.explanation if isinstance(error.explanation, str) else str(error)
        raise EngineError(words, "denied" if status in (401, 403) else "invalid", status) from None
