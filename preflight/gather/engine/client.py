"""Ask an engine for a document, with hard bounds, by the standard library's `http.client` over a connection of ours.

Whoever answers may be slow, hung or lying. One request a connection, one deadline for all of it, one limit for all
that is read; no redirection and no packed body is followed. Docker's own client makes and removes things (`engine`);
for a look it is not loaded: that takes 85 ms of the processor, `http.client` 13, all the rest of a check some 200.
"""

from __future__ import annotations

import io
import os
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from preflight.gather.engine import reply
from preflight.text.sentences import phrase

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPConnection
    from ssl import SSLContext

REPLY_BYTES = 32 << 20  # some ten thousand containers

State = Literal["ok", "absent", "refused", "timeout", "denied", "invalid"]


class EngineError(Exception):
    """The engine did not do what it was asked to; the message is in its own words where it had some."""

    def __init__(self, message: str, state: State = "invalid", status: int | None = None) -> None:
        super().__init__(reply.text(message, 2000))
        self.state = state
        self.status = status


class _Wire(io.RawIOBase):
    """A socket as `http.client` uses one: each step has what is left of the time, all of them so many bytes."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self._connection, self._until = connection, until
        self._bytes = 2 * REPLY_BYTES  # a reply's head and the sizes of its chunks included

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self, 1 << 16)

    def sendall(self, data: bytes) -> None:
        self._connection.settimeout(_left(self._until))
        self._connection.sendall(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(_left(self._until))
        got = self._connection.recv_into(buffer)
        self._bytes -= got
        if self._bytes < 0:
            raise OSError(_too_large())  # http.client takes a ValueError for a size of a chunk that is no number
        return got

    def close(self) -> None:
        """Leave the socket open: `http.client` closes what it is given before it has read the reply."""


class ApiRequest:
    """A request that is sent at once, and answered later: several can be under way without a thread for each.

    Whatever goes wrong is raised by `answer`. `until` is of time.monotonic().
    """

    def __init__(self, url: str, path: str, until: float, **parameters: object) -> None:
        self._path = path
        self._failed: EngineError | None = None
        self._socket: socket.socket | None = None
        self._connection: HTTPConnection | None = None
        try:
            self._socket = _open(url, until)
            self._connection = _sent(_Wire(self._socket, until), path, parameters)
        except (OSError, ValueError) as error:
            self._failed = EngineError(_words(error), state_of(error))

    def answer(self) -> object:
        """Return the JSON document that comes, once; raise `EngineError`."""
        if self._failed or self._connection is None:
            raise self._failed or EngineError(phrase("no request was sent"))
        try:
            status, body = _receive(self._connection)
        except (OSError, ValueError) as error:
            raise EngineError(_words(error), state_of(error)) from None
        return _document(self._path, status, body)

    def close(self) -> None:
        """End the connection, whether there was an answer or not."""
        if self._socket is not None:
            self._socket.close()


def get(url: str, path: str, until: float, **parameters: object) -> object:
    """Return the JSON document at a path, of the engine's newest API version; raise `EngineError`."""
    with closing(ApiRequest(url, path, until, **parameters)) as question:
        return question.answer()


def _document(path: str, status: int, body: bytes) -> object:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        document = None
        if status == 200:
            raise EngineError(phrase("the reply to {path} is not JSON", path=path)) from None
    if status != 200:
        said = reply.text(reply.table(document).get("message"))
        raise EngineError(
            said or phrase("HTTP status {status}", status=status),
            "denied" if status in (401, 403) else "invalid",
            status,
        )
    return document


def _sent(wire: _Wire, path: str, parameters: Mapping[str, object]) -> HTTPConnection:
    from http.client import HTTPConnection
    from urllib.parse import quote, urlencode

    connection = HTTPConnection("docker")
    connection.sock = wire
    target = quote(path) + ("?" + urlencode(parameters) if parameters else "")
    connection.request("GET", target, headers={"User-Agent": "mailcow-preflight", "Connection": "close"})
    return connection


def _receive(connection: HTTPConnection) -> tuple[int, bytes]:
    """Read a reply; return its status and body."""
    from http.client import HTTPException, IncompleteRead

    try:
        response = connection.getresponse()
        if "content-encoding" in response.headers:
            raise ValueError(phrase("the reply is unexpectedly compressed"))
        body = response.read(REPLY_BYTES + 1)
    except IncompleteRead:
        raise ValueError(phrase("the reply ends too early")) from None
    except HTTPException:
        raise ValueError(phrase("the reply is not HTTP")) from None
    if len(body) > REPLY_BYTES:
        raise ValueError(_too_large())
    if response.length:
        raise ValueError(phrase("the reply ends too early"))
    return response.status, body


def _too_large() -> str:
    return phrase("the reply is larger than {size} MiB", size=REPLY_BYTES >> 20)


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return phrase("no reply in time")
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def state_of(error: BaseException) -> State:
    """Say what an error of a connection means."""
    if isinstance(error, socket.gaierror):  # also raised where no name server answers, which says nothing
        return "absent" if error.errno == socket.EAI_NONAME else "invalid"
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return "absent"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, PermissionError):
        return "denied"
    return "timeout" if isinstance(error, TimeoutError) else "invalid"


def _open(url: str, until: float) -> socket.socket:
    """Connect; raise OSError, or ValueError for a URL that is none."""
    if url.startswith("unix://"):
        return _open_unix(url.removeprefix("unix://"), until)
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme not in ("tcp", "http", "https"):
        raise ValueError(phrase("{scheme} is not a supported kind of engine address", scheme=parts.scheme or "?"))
    secure = parts.scheme == "https" or (parts.scheme == "tcp" and bool(os.environ.get("DOCKER_TLS_VERIFY")))
    place = (parts.hostname or "localhost", parts.port or (2376 if secure else 2375))
    plain = socket.create_connection(place, _left(until))
    return _wrap(plain, parts.hostname or "localhost") if secure else plain


def _open_unix(path: str, until: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = None
    try:
        if len(os.fsencode(path)) > 107:  # the kernel takes no more: go through the open directory
            folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            path = f"/proc/self/fd/{folder}/{os.path.basename(path)}"
        _connect(connection, path, until)
    except BaseException:
        connection.close()
        raise
    finally:
        if folder is not None:
            os.close(folder)
    return connection


def _connect(connection: socket.socket, path: str, until: float) -> None:
    """Connect; unlike with TCP, the kernel does not wait while the queue of one who accepts nobody is full."""
    while True:
        connection.settimeout(_left(until))
        try:
            connection.connect(path)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return


def _wrap(plain: socket.socket, name: str) -> socket.socket:
    try:
        return _context().wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise


def _context() -> SSLContext:
    """Speak TLS with the certificates that docker's own variables name."""
    import ssl

    folder = certificates()
    try:
        context = ssl.create_default_context(cafile=f"{folder}/ca.pem")
        context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
    except OSError as error:  # a file of ours that is missing says nothing of the engine
        raise ValueError(
            phrase("the certificates in {folder} cannot be used: {error}", folder=folder, error=_words(error))
        ) from None
    return context


def certificates() -> str:
    """Return the folder of the client's certificates, as docker finds it."""
    return os.environ.get("DOCKER_CERT_PATH") or os.path.expanduser("~/.docker")


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
