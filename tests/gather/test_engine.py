"""The engine is asked in time; whoever answers nonsense, or nothing, is described and not believed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from preflight.facts import Contact, Engine, Missing
from preflight.gather.engine import engine as adapter
from preflight.gather.engine import reply
from preflight.gather.engine.client import EngineError
from tests.gather.fakeengine import (
    DOCKER,
    PODMAN,
    FakeEngine,
    Script,
    endless,
    hangs,
    http,
    says,
    sends,
    serve,
    serve_tcp,
    trickles,
)
from tests.gather.replies import BINDINGS, ID, ROW

NO = http({"message": "no"}, "500 Internal Server Error")


def ask(folder: Path, script: Script, timeout: float = 5.0, own: str | None = None) -> tuple[Contact, Engine | None]:
    with serve(folder, script) as engine:
        contact, said = adapter.engine(engine.url, timeout, own)
        assert contact.source == said.source == contact.get().url == engine.url
    assert said.missing == (None if said.known else Missing("skip", adapter.NO_ANSWER, cause="engine"))
    return contact.get(), said.value


def with_containers(*numbers: int) -> dict[str, Any]:
    rows = [ROW | {"Id": f"{number:064x}", "Names": [f"/c{number}"], "State": "running"} for number in numbers]
    details = {f"/containers/{row['Id']}/json": {"HostConfig": {"PortBindings": BINDINGS}} for row in rows}
    return DOCKER | {"/containers/json": rows} | details


# --- an engine that answers ----------------------------------------------------------------------------------


def test_an_engine_is_asked_for_all_that_matters(tmp_path: Path) -> None:
    replies = with_containers(1, 2) | {
        "/networks": [{"Name": "bridge", "Id": ID, "Driver": "bridge"}],
        "/volumes": {"Volumes": [{"Name": "mailcowdockerized_vmail-vol-1"}]},
    }
    with serve(tmp_path, says(replies)) as engine:
        contact, said = adapter.engine(engine.url)
    found = said.get()
    assert (contact.get().state, contact.get().detail) == ("ok", "")
    assert (found.version, found.driver, found.truncated) == ("28.5.2", "overlay2", False)
    assert [container.name for container in found.containers] == ["c1", "c2"]
    assert [network.name for network in found.networks] == ["bridge"]
    assert found.volumes == ("mailcowdockerized_vmail-vol-1",)
    lists = ["/containers/json?all=1", "/info", "/networks", "/version", "/volumes"]
    assert sorted(engine.asked) == sorted([*lists, *(f"/containers/{number:064x}/json" for number in (1, 2))])


def test_podman_and_an_old_engine_are_engines_too(tmp_path: Path) -> None:
    contact, said = ask(tmp_path, says(PODMAN))
    assert (contact.state, said and said.components[0]) == ("ok", "Podman Engine")
    old = DOCKER | {"/version": {"Version": "1.13.1", "ApiVersion": "1.26"}, "/volumes": {"Volumes": None}}
    (tmp_path / "docker.sock").unlink()
    contact, said = ask(tmp_path, says(old))
    assert (contact.state, said and (said.version, said.truncated)) == ("ok", ("1.13.1", False))


def test_a_list_that_is_refused_leaves_its_part_out_and_is_told(tmp_path: Path) -> None:
    for number, (path, answer) in enumerate(
        (path, answer) for path in adapter.LISTS for answer in (NO, http({}), http("null"), http("<html>"))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        contact, said = ask(folder, says(with_containers(1) | {path: answer}))
        assert said is not None
        assert (contact.state, said.truncated, said.version) == ("ok", True, "28.5.2"), path
        name = path.strip("/").removesuffix("/json")
        assert (said.cut, said.whole(name), said.whole("others")) == ((name,), False, True)


def test_facts_of_before_do_not_tell_which_list_was_cut() -> None:
    assert Engine(version="28.5.2", api_version="1.51").whole("networks")
    assert not Engine(version="28.5.2", api_version="1.51", truncated=True).whole("networks")


def test_a_container_that_was_removed_meanwhile_is_whole_one_that_is_refused_is_not(tmp_path: Path) -> None:
    """Of one that runs the list tells all that matters, of a stopped one only its own answer which ports it has."""
    gone, refused = tmp_path / "gone", tmp_path / "refused"
    gone.mkdir()
    refused.mkdir()
    key = f"/containers/{1:064x}/json"
    _, said = ask(gone, says(with_containers(1) | {key: http({}, "404 Not Found")}))
    assert said is not None
    assert (len(said.containers), said.truncated) == (1, False)
    for state, cut in (("running", ()), ("exited", ("stopped",))):
        replies = with_containers(1) | {key: NO}
        replies["/containers/json"][0]["State"] = state
        (refused / "docker.sock").unlink(missing_ok=True)
        _, said = ask(refused, says(replies))
        assert said is not None
        assert (len(said.containers), said.cut, said.truncated) == (1, cut, bool(cut))


def test_of_many_containers_those_that_do_not_run_are_inspected_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = with_containers(*range(1, 9))
    replies["/containers/json"][5]["State"] = replies["/containers/json"][7]["State"] = "exited"
    for most, cut in ((3, ()), (1, ("stopped",))):
        monkeypatch.setattr(adapter, "INSPECTED", most)
        with serve(tmp_path, says(replies)) as engine:
            found = adapter.engine(engine.url)[1].get()
        (tmp_path / "docker.sock").unlink()
        inspected = {int(path.split("/")[2], 16) for path in engine.asked if path.startswith("/containers/0")}
        assert (len(inspected), inspected >= {6, 8}, found.cut) == (most, most == 3, cut)
        assert [bool(container.ports) for container in found.containers].count(False) == len(cut)


def test_a_manager_of_a_swarm_is_asked_for_its_services(tmp_path: Path) -> None:
    info = DOCKER["/info"] | {"Swarm": {"LocalNodeState": "active", "ControlAvailable": True}}
    port = {"TargetPort": 25, "PublishedPort": 25, "Protocol": "tcp", "PublishMode": "ingress"}
    listed = [{"Spec": {"Name": "mx"}, "Endpoint": {"Ports": [port]}}]
    _, said = ask(tmp_path, says(DOCKER | {"/info": info, "/services": listed}))
    assert said is not None
    assert ([service.name for service in said.services], said.truncated) == (["mx"], False)
    (tmp_path / "docker.sock").unlink()
    _, said = ask(tmp_path, says(DOCKER | {"/info": info, "/services": NO}))
    assert said is not None
    assert (said.services, said.truncated) == ((), True)


def test_ids_of_hostile_shape_are_not_asked_for(tmp_path: Path) -> None:
    rows = [ROW | {"Id": key} for key in ("../../secrets", "", "x" * 64, None)]
    with serve(tmp_path, says(DOCKER | {"/containers/json": [*rows, 7]})) as engine:
        found = adapter.engine(engine.url)[1].get()
    assert (len(engine.asked), len(found.containers), found.truncated) == (5, 4, True)


def test_our_own_container_is_known(tmp_path: Path) -> None:
    _, said = ask(tmp_path, says(with_containers(1, 2)), own=f"{2:064x}")
    assert said is not None
    assert [container.run for container in said.containers] == ["", reply.OWN]


def test_the_hosts_own_path_is_shown(tmp_path: Path) -> None:
    contact, _ = adapter.engine(f"unix:///proc/{os.getpid()}/root{tmp_path}/none")
    assert contact.get().url == f"unix://{tmp_path}/none"


# --- one that does not ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "state", "words"),
    [
        (hangs, "timeout", "no reply to /version in time"),
        (trickles(http(DOCKER["/version"])), "timeout", "no reply to /version in time"),
        *(
            (says(DOCKER | {path: hangs}), "timeout", f"no reply to {path} in time")
            for path in ("/info", "/containers/json", "/networks", "/volumes")
        ),
        (sends(b""), "invalid", "not HTTP"),
        (endless(b"HTTP/1.0 200 OK\r\nX:", b"y" * 4000), "invalid", "not HTTP"),
        (sends(http("<html>nginx</html>")), "invalid", "the reply to /version is not JSON"),
        (sends(http({"hello": "world"})), "invalid", "the reply to /version is not from an engine"),
        (sends(http("[" * 100_000)), "invalid", "not JSON"),
        (says({}), "invalid", "No such thing: /version"),
        (says(DOCKER | {"/info": NO}), "invalid", "no"),
        (says(DOCKER | {"/info": http({}, "403 Forbidden")}), "denied", "HTTP status 403"),
        (sends(http({"message": "authorization denied"}, "401 Unauthorized")), "denied", "authorization denied"),
    ],
)
def test_what_is_wrong_with_it(tmp_path: Path, script: Script, state: str, words: str) -> None:
    began = time.monotonic()
    contact, said = ask(tmp_path, script, 0.5 if state == "timeout" else 5.0)
    assert (contact.state, words in contact.detail, said) == (state, True, None), contact.detail
    assert time.monotonic() - began < 20  # who hangs does so for 30 s
    assert (contact.seconds >= 0.5) is (state == "timeout")


def test_one_that_inspects_no_container_in_time_is_not_seen_whole(tmp_path: Path) -> None:
    began = time.monotonic()
    replies = with_containers(1) | {f"/containers/{1:064x}/json": hangs}
    replies["/containers/json"][0]["State"] = "exited"
    contact, said = ask(tmp_path, says(replies), 0.5)
    assert said is not None
    assert (contact.state, said.truncated, len(said.containers)) == ("ok", True, 1)
    assert time.monotonic() - began < 20


def test_nobody_there(tmp_path: Path) -> None:
    contact, said = adapter.engine(f"unix://{tmp_path}/none")
    assert (contact.get().state, said.missing and said.missing.kind) == ("absent", "skip")


def test_an_engine_that_was_not_looked_for_keeps_its_reason() -> None:
    why = Missing("unknown", "The root is a copy.")
    assert [fact.missing for fact in adapter.engine(why)] == [why, why]


# --- docker's own client -------------------------------------------------------------------------------------


def client_says(engine: FakeEngine) -> Any:
    client = adapter.connect(engine.url)
    try:
        with adapter.translated():
            return client.networks()
    finally:
        client.close()


def test_a_client_speaks_the_engines_newest_version(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    for place in (tmp_path, folder):
        with serve(place, says(DOCKER | {"/v1.51/networks": [{"Id": ID}]})) as engine:
            assert client_says(engine) == [{"Id": ID}]
        assert [path.partition("?")[0] for path in engine.asked] == ["/version", "/v1.51/networks"]


def test_a_client_over_tcp_takes_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_TLS_VERIFY", raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with serve_tcp(says(DOCKER | {"/v1.51/networks": []})) as engine:
        assert client_says(engine) == []


@pytest.mark.parametrize(
    ("answer", "state", "status", "words"),
    [
        (http({"message": "cannot do that"}, "409 Conflict"), "invalid", 409, "cannot do that"),
        (http({"message": "denied"}, "403 Forbidden"), "denied", 403, "denied"),
        (http({"message": ["odd"]}, "500 Internal Server Error"), "invalid", 500, "500"),
        (http("<html>"), "invalid", None, "JSON"),
        (b"nonsense\r\n\r\n", "invalid", None, ""),
        (b"", "invalid", None, ""),
    ],
)
def test_a_clients_errors_are_the_engines(
    tmp_path: Path, answer: bytes, state: str, status: int | None, words: str
) -> None:
    with (
        serve(tmp_path, says(DOCKER | {"/v1.51/networks": answer})) as engine,
        pytest.raises(EngineError) as caught,
    ):
        client_says(engine)
    assert (caught.value.state, caught.value.status) == (state, status)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("script", "state"),
    [
        (hangs, "timeout"),
        (sends(http({})), "invalid"),
        (says(DOCKER | {"/version": {"Version": "1.9.1", "ApiVersion": "1.21"}}), "invalid"),
    ],
)
def test_a_client_is_not_made_for_an_engine_that_is_none(tmp_path: Path, script: Script, state: str) -> None:
    with serve(tmp_path, script) as engine, pytest.raises(EngineError) as caught:
        adapter.connect(engine.url, timeout=0.5)
    assert caught.value.state == state
