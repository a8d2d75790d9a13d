"""Ask an engine for a document, with hard bounds. By hand, as docker's client takes longer to load than to ask.

Whoever answers may be slow, hung or lying. One request a connection, one deadline for all of it, one limit for all
that is read; no redirection, no packed or chunked body is followed (engines answer HTTP/1.0 with none of them).
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Literal

import msgspec

from preflight.gather.engine import reply as reply
from preflight.text.sentences import phrase

if TYPE_CHECKING:
    from ssl import SSLContext

LIMIT = 32 << 20  # bytes of one reply: some ten thousand containers
HEAD = 1 << 16

State = Literal["ok", "absent", "refused", "timeout", "denied", "invalid"]


class EngineError(Exception):
    """The engine did not do what it was asked to; the message is in its own words where it had some."""

    def __init__(self, message: str, state: State = "invalid", status: int | None = None) -> None:
        super().__init__(reply.text(message, 2000))
        self.state = state
        self.status = status


class Question:
    """A request that is sent at once, and answered later: several can be under way without a thread for each.

    Whatever goes wrong is raised by `answer`. `until` is of time.monotonic().
    """

    def __init__(self, url: str, path: str, until: float, **parameters: object) -> None:
        self._path = path
        self._until = until
        self._failed: EngineError | None = None
        self._connection: socket.socket | None = None
        try:
            self._connection = _open(url, until)
            self._connection.sendall(
                f"GET {_target(path, parameters)} HTTP/1.0\r\n"
                "Host: docker\r\nUser-Agent: mailcow-preflight\r\n\r\n".encode()
            )
        except (OSError, ValueError) as error:
            self._failed = EngineError(_words(error), state_of(error))

    def answer(self) -> object:
        """Return the JSON document that comes, once; raise `EngineError`."""
        if self._failed or self._connection is None:
            raise self._failed or EngineError(phrase("nothing was asked"))
        try:
            status, body = _receive(self._connection, self._until)
        except (OSError, ValueError) as error:
            raise EngineError(_words(error), state_of(error)) from None
        return _document(self._path, status, body)

    def close(self) -> None:
        """End the connection, whether there was an answer or not."""
        if self._connection is not None:
            self._connection.close()


def get(url: str, path: str, until: float, **parameters: object) -> object:
    """Return the JSON document at a path, of the engine's newest API version; raise `EngineError`."""
    with closing(Question(url, path, until, **parameters)) as question:
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


def _target(path: str, parameters: Mapping[str, object]) -> str:
    """Write what is asked for as HTTP wants it; the usual questions need no library for it."""
    words = [path.replace("/", ""), *parameters, *map(str, parameters.values())]
    if all(word.isascii() and word.isalnum() for word in words):
        return path + "?" * bool(parameters) + "&".join(f"{name}={value}" for name, value in parameters.items())
    from urllib.parse import quote, urlencode

    return quote(path) + ("?" + urlencode(parameters) if parameters else "")


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
        raise ValueError(
            phrase("{scheme} is no kind of engine address that preflight can use", scheme=parts.scheme or "?")
        )
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


def _receive(connection: socket.socket, until: float) -> tuple[int, bytes]:
    """Read a reply; return its status and body."""
    data = bytearray()
    while (end := data.find(b"\r\n\r\n")) < 0:
        if len(data) > HEAD or not _more(connection, data, until):
            raise ValueError(phrase("the reply is not HTTP"))
    head = bytes(data[:end])
    status = re.match(rb"HTTP/1\.[01] ([0-9]{3})(?: |\r|$)", head)
    if status is None:
        raise ValueError(phrase("the reply is not HTTP"))
    if re.search(rb"\r\n(?:transfer|content)-encoding:", head, re.IGNORECASE):
        raise ValueError(phrase("the reply is packed or chunked, which nobody asked for"))
    length = re.search(rb"\r\ncontent-length:[ \t]*([0-9]{1,12})[ \t]*(?:\r|$)", head, re.IGNORECASE)
    wanted = end + 4 + int(length[1]) if length else None
    while wanted is None or len(data) < wanted:
        if len(data) > LIMIT:
            raise ValueError(phrase("the reply is larger than {size} MiB", size=LIMIT >> 20))
        if not _more(connection, data, until):
            if wanted is not None:
                raise ValueError(phrase("the reply ends too early"))
            break
    return int(status[1]), bytes(data[end + 4 : wanted])


def _more(connection: socket.socket, data: bytearray, until: float) -> bool:
    connection.settimeout(_left(until))
    part = connection.recv(1 << 18)
    data += part
    return bool(part)
