"""An engine is asked with hard bounds: whoever answers may be slow, hung or lying, and costs its deadline at most."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from preflight.gather.engine import client
from preflight.gather.engine.client import EngineError
from tests.gather.fakeengine import Script, endless, hangs, http, says, sends, serve, serve_tcp, trickles

PATIENCE = 0.4
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def ask(url: str, path: str = "/info", patience: float = 5.0, **parameters: object) -> object:
    return client.get(url, path, time.monotonic() + patience, **parameters)


def refused(url: str, path: str = "/info", patience: float = 5.0) -> EngineError:
    """Ask in vain, and return why, having seen that the deadline was kept."""
    began = time.monotonic()
    with pytest.raises(EngineError) as caught:
        ask(url, path, patience)
    assert time.monotonic() - began < patience + 15  # who hangs does so for 30 s
    return caught.value


# --- replies -------------------------------------------------------------------------------------------------


def test_a_document_is_asked_for_and_read(tmp_path: Path) -> None:
    with serve(tmp_path, says({"/containers/json": [{"Id": "ü"}]})) as engine:
        assert ask(engine.url, "/containers/json", all=1, filters="a b&c") == [{"Id": "ü"}]
    assert engine.asked == ["/containers/json?all=1&filters=a+b%26c"]
    assert engine.heads[0].startswith(b"GET /containers/json?all=1&filters=a+b%26c HTTP/1.1\r\nHost: docker\r\n")


@pytest.mark.parametrize(
    "reply",
    [
        http({"a": 1}), http({"a": 1}, length=False), http('{"a": 1}\n'), http('{"a": 1}', "200"),
        http({"a": 1}).replace(b"Content-Length", b"content-LENGTH"), http({"a": 1}) + b"more than was announced",
        http({"a": 1}).replace(b"HTTP/1.0", b"HTTP/1.1"), http('{"a": 2, "a": 1}'),
        http({"a": 1}, "200 OK", "Api-Version: 1.51", "Server: Docker/28.5.2 (linux)", "X:" + "y" * 60_000),
    ],
)  # fmt: skip
def test_replies_that_can_be_read(tmp_path: Path, reply: bytes) -> None:
    with serve(tmp_path, sends(reply)) as engine:
        assert ask(engine.url) == {"a": 1}


def test_a_hostile_path_stays_in_its_line(tmp_path: Path) -> None:
    with serve(tmp_path, sends(http({}))) as engine:
        ask(engine.url, "/containers/x\r\nX: y /json")
    assert engine.heads[0].startswith(b"GET /containers/x%0D%0AX%3A%20y%20/json HTTP/1.1\r\n")


def test_a_reply_in_chunks(tmp_path: Path) -> None:
    """As an engine sends it that is asked by HTTP/1.1, with what the standard allows beside."""
    reply = CHUNKED + b'4;x=y\r\n{"a"\r\n00004\r\n: 1}\r\n0\r\nX: y\r\n\r\n'
    with serve(tmp_path, sends(reply)) as engine:
        assert ask(engine.url) == {"a": 1}


_DEEP = "[" * 200_000
_HTML = "<html><body><h1>It works!</h1></body></html>"


@pytest.mark.parametrize(
    ("script", "state", "words"),
    [
        (hangs, "timeout", "no reply in time"),
        (trickles(http({"a": 1})), "timeout", "no reply in time"),
        (trickles(b"HTTP/1.0 200 OK\r\nContent-Length: 90\r\n\r\n" + b" " * 90, 0.02), "timeout", "no reply in time"),
        (sends(b""), "invalid", "not HTTP"),
        (sends(b"HTTP/1.0 200 OK\r\nContent-"), "invalid", "not JSON"),
        (sends(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n"), "invalid", "not HTTP"),
        (sends(b"HTTP/2 200\r\n\r\n{}"), "invalid", "not HTTP"),
        (sends(b"HTTP/1.0 2000 OK\r\n\r\n{}"), "invalid", "not HTTP"),
        (sends(b"HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\n{}"), "invalid", "ends too early"),
        (sends(b"HTTP/1.0 200 OK\r\nContent-Length: 999999999999\r\n\r\n{}"), "invalid", "ends too early"),
        (endless(b"HTTP/1.0 200 OK\r\n", b"X: " + b"y" * 4000 + b"\r\n"), "invalid", "not HTTP"),
        (endless(b"HTTP/1.0 200 OK\r\nX:", b"y" * 4000), "invalid", "not HTTP"),
        (endless(b"HTTP/1.0 200 OK\r\n\r\n[", b"1," * 8000), "invalid", "larger than 1 MiB"),
        (endless(b"HTTP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n", b"1," * 8000), "invalid", "larger than"),
        (sends(CHUNKED + b"2\r\n{}\r\n"), "invalid", "ends too early"),
        (sends(CHUNKED + b"3\r\n{}\r\n0\r\n\r\n"), "invalid", "ends too early"),
        (sends(CHUNKED + b"ffffffffffff\r\n{}"), "invalid", "ends too early"),
        (sends(CHUNKED + b"two\r\n{}\r\n0\r\n\r\n"), "invalid", "ends too early"),
        (endless(CHUNKED, b"2000\r\n" + b"1," * 4096 + b"\r\n"), "invalid", "larger than 1 MiB"),
        (endless(CHUNKED, b"1;" + b"x" * 60_000 + b"\r\n1\r\n"), "invalid", "larger than 1 MiB"),
        (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "invalid", "larger than 1 MiB"),
        (trickles(CHUNKED + b"2\r\n{}\r\n" * 9), "timeout", "no reply in time"),
        (sends(http(b"\x1f\x8b\x08", "200 OK", "content-encoding: gzip")), "invalid", "compressed"),
        (sends(http(_HTML)), "invalid", "not JSON"),
        (sends(http("")), "invalid", "not JSON"),
        (sends(http('{"a": 1')), "invalid", "not JSON"),
        (sends(http(b'{"a": "\xff\xfe"}')), "invalid", "not JSON"),
        (sends(http('{"a": NaN}')), "invalid", "not JSON"),
        (sends(http('{"a": 1e999}')), "invalid", "not JSON"),
        (sends(http("9" * 5000)), "invalid", "not JSON"),
        (sends(http(_DEEP)), "invalid", "not JSON"),
        (sends(http(_DEEP.replace("[", '{"a":'))), "invalid", "not JSON"),
        (sends(http({}, "301 Moved Permanently", "Location: http://192.0.2.1/")), "invalid", "HTTP status 301"),
        (sends(http({}, "204 No Content")), "invalid", "HTTP status 204"),
    ],
)  # fmt: skip
def test_replies_that_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Script, state: str, words: str
) -> None:
    monkeypatch.setattr(client, "REPLY_BYTES", 1 << 20)
    with serve(tmp_path, script) as engine:
        error = refused(engine.url, patience=PATIENCE if state == "timeout" else 5.0)
    assert (error.state, words in str(error)) == (state, True), str(error)


@pytest.mark.parametrize(
    ("reply", "state", "status", "words"),
    [
        (http({"message": "authorization denied by plugin"}, "401 Unauthorized"), "denied", 401, "denied by plugin"),
        (http({"message": "no"}, "403 Forbidden"), "denied", 403, "no"),
        (http(_HTML, "403 Forbidden"), "denied", 403, "HTTP status 403"),
        (http({"message": "No such container"}, "404 Not Found"), "invalid", 404, "No such container"),
        (http({"message": ["no", "text"]}, "500 Internal Server Error"), "invalid", 500, "HTTP status 500"),
        (http(["no", "object"], "500 Internal Server Error"), "invalid", 500, "HTTP status 500"),
        (http(_DEEP, "500 Internal Server Error"), "invalid", 500, "HTTP status 500"),
        (http({"message": "x" * 100_000}, "503 Service Unavailable"), "invalid", 503, "xxx"),
    ],
)
def test_a_refusal_is_in_the_engines_own_words(
    tmp_path: Path, reply: bytes, state: str, status: int, words: str
) -> None:
    with serve(tmp_path, sends(reply)) as engine:
        error = refused(engine.url)
    assert (error.state, error.status, words in str(error)) == (state, status, True), str(error)
    assert len(str(error)) <= 500


# --- connections ---------------------------------------------------------------------------------------------


def test_no_socket_no_folder_and_nobody_behind_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "left"))
    states = {
        name: refused(f"unix://{tmp_path}/{name}").state for name in ("none", "no/folder", "file/x", "left", "file")
    }
    assert states == {"none": "absent", "no/folder": "absent", "file/x": "absent", "left": "refused", "file": "refused"}


def test_an_engine_that_accepts_nobody_hangs(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as waiting:
        listener.bind(path)
        listener.listen(0)
        waiting.connect(path)  # the queue is full
        error = refused(f"unix://{path}", patience=PATIENCE)
    assert (error.state, str(error)) == ("timeout", "no reply in time")


def test_a_queue_that_was_full_for_a_moment(tmp_path: Path) -> None:
    with serve(tmp_path, says({"/info": {}})) as engine:
        import concurrent.futures

        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            assert list(pool.map(lambda _: ask(engine.url), range(100))) == [{}] * 100


def test_a_path_longer_than_a_sockets_name_may_be(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100) / "y"
    folder.mkdir(parents=True)
    before = len(os.listdir("/proc/self/fd"))
    with serve(folder, says({"/info": {"a": 1}})) as engine:
        assert ask(engine.url) == {"a": 1}
    assert refused(f"unix://{tmp_path}/{'x' * 200}/y").state == "absent"
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use every socket")
def test_a_socket_of_others_is_denied(tmp_path: Path) -> None:
    with serve(tmp_path, hangs) as engine:
        (tmp_path / "docker.sock").chmod(0)
        assert refused(engine.url).state == "denied"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ssh://root@mail", "ssh is not a supported kind of engine address"),
        ("npipe:////./pipe/docker", "npipe is not a supported kind"),
        ("", "not a supported kind of engine address"), ("tcp://127.0.0.1:99999", "ort"), ("tcp://[::1", "URL"),
        ("unix:///a\0b", ""), ("tcp://" + "a" * 70 + ".example:2375", "label"), ("unix://", ""),
    ],
)  # fmt: skip
def test_addresses_that_are_none(url: str, words: str) -> None:
    error = refused(url, patience=1.0)
    assert (error.state in ("invalid", "absent", "refused"), words in str(error)) == (True, True), str(error)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (FileNotFoundError(), "absent"), (NotADirectoryError(), "absent"), (ConnectionRefusedError(), "refused"),
        (PermissionError(), "denied"), (TimeoutError(), "timeout"), (ConnectionResetError(), "invalid"),
        (socket.gaierror(socket.EAI_NONAME, "no such name"), "absent"), (ValueError(), "invalid"),
        (socket.gaierror(socket.EAI_AGAIN, "no name server answers"), "invalid"), (OSError(113, "no route"), "invalid"),
    ],
)  # fmt: skip
def test_what_an_error_means(error: Exception, state: str) -> None:
    assert client.state_of(error) == state


# --- over TCP ------------------------------------------------------------------------------------------------


def test_an_engine_on_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_TLS_VERIFY", raising=False)
    with serve_tcp(says({"/info": {"a": 1}})) as engine:
        assert ask(engine.url) == {"a": 1}
    assert refused(engine.url).state == "refused"


@pytest.mark.parametrize("scheme", ["tcp", "https"])
def test_without_certificates_nobody_says_that_there_is_no_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    with serve_tcp(hangs) as engine:
        error = refused(engine.url.replace("tcp", scheme))
    assert (error.state, f"certificates in {tmp_path}" in str(error)) == ("invalid", True), str(error)


def test_an_engine_without_tls_where_tls_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ssl

    monkeypatch.setattr(client, "_context", lambda: ssl.create_default_context())
    with serve_tcp(sends(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request")) as engine:
        assert refused(engine.url.replace("tcp", "https")).state == "invalid"
    with serve_tcp(hangs) as engine:
        assert refused(engine.url.replace("tcp", "https"), patience=PATIENCE).state == "timeout"
