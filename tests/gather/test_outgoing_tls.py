"""Who answers with TLS: certificates that are the server's, somebody else's, or out of their time."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from preflight.facts import View
from preflight.facts.outgoing import Attempt, Goal
from preflight.gather.access.roots import Roots
from preflight.gather.outgoing import tls
from preflight.gather.outgoing.connection import Aim, Bounds
from preflight.gather.outgoing.trying import attempt
from tests.gather.partners import Manner, listener

VIEW = View(container=False, root="/", live=True, network=True, privileged=None)
Certificate = tuple[Path, Path]  # with its key


AUTHORITY = """[ca]
default_ca = own
[own]
database = {folder}/database
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
"""
NOW, BEFORE = ("20200101000000Z", "20990101000000Z"), ("20200101000000Z", "20200201000000Z")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Certificate]:
    """Return a function that makes a self-signed certificate for a name and a time; skip without OpenSSL."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the command openssl")

    def make(name: str, valid: tuple[str, str] = NOW) -> Certificate:
        folder = tmp_path_factory.mktemp(name)
        (folder / "database").touch()
        (folder / "conf").write_text(AUTHORITY.format(folder=folder))
        request = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        request += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", "key", "-out", "asked"]
        sign = ["ca", "-batch", "-selfsign", "-create_serial", "-config", "conf", "-keyfile", "key", "-in", "asked"]
        sign += ["-startdate", valid[0], "-enddate", valid[1], "-notext", "-out", "made"]
        for words in (request, sign):
            subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
        return folder / "made", folder / "key"

    return make


def speaks(certificate: Certificate) -> Manner:
    """Agree on TLS with whoever comes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def manner(peer: socket.socket) -> None:
        with context.wrap_socket(peer, server_side=True, do_handshake_on_connect=False) as agreed:
            agreed.do_handshake()
            agreed.recv(1)

    return manner


def tried(manner: Manner, trusted: tuple[Certificate, ...] | None) -> Attempt:
    context = None
    if trusted is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for certificate in trusted:
            context.load_verify_locations(certificate[0])
    with listener(manner) as server:
        aim = Aim(Goal("server.example", server.port, speech="tls"), "127.0.0.1")
        return attempt([aim], Bounds(time.monotonic() + 10, threading.Event(), context))[aim]


@pytest.mark.parametrize(
    ("name", "valid", "trusts", "outcome", "error"),
    [
        pytest.param("server.example", NOW, True, "reached", "", id="its-own"),
        pytest.param("other.example", NOW, True, "foreign", "CERTIFICATE", id="of-another-name"),
        pytest.param("server.example", NOW, False, "foreign", "CERTIFICATE", id="of-nobody-trusted"),
        pytest.param("server.example", BEFORE, True, "reached", "CERTIFICATE_TIME", id="out-of-its-time"),
        pytest.param("other.example", NOW, None, "reached", "", id="no-authorities-at-all"),
    ],
)
def test_certificates(
    certificates: Callable[..., Certificate],
    name: str,
    valid: tuple[str, str],
    trusts: bool | None,
    outcome: str,
    error: str,
) -> None:
    own, stranger = certificates(name, valid), certificates("stranger.example")
    trusted = None if trusts is None else (own,) if trusts else (stranger,)
    found = tried(speaks(own), trusted)
    assert (found.outcome, found.error) == (outcome, error)
    assert bool(found.said) == (outcome == "foreign")


def test_an_alert_is_tls_and_no_interception() -> None:
    alert = bytes([21, 3, 3, 0, 2, 2, 112])  # fatal, unrecognized_name

    def manner(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(alert)
        peer.recv(1)

    assert tried(manner, ()).outcome == "mute"


@pytest.mark.parametrize("path", tls.BUNDLES)
def test_the_hosts_own_authorities_count(certificates: Callable[..., Certificate], tmp_path: Path, path: str) -> None:
    """A closed network signs with an authority of its own, which its hosts know."""
    file = tmp_path / path.removeprefix("/")
    file.parent.mkdir(parents=True)
    shutil.copy(certificates("authority.example")[0], file)
    context = tls.authorities(Roots(str(tmp_path), VIEW, anchor="self"))
    assert context is not None
    assert context.cert_store_stats()["x509"] == 1


@pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n", "\0\xff"])
def test_a_broken_list_of_authorities_is_passed_over(tmp_path: Path, text: str) -> None:
    file = tmp_path / tls.BUNDLES[0].removeprefix("/")
    file.parent.mkdir(parents=True)
    file.write_text(text)
    context = tls.authorities(Roots(str(tmp_path), VIEW, anchor="self"))
    assert context is None or context.verify_mode is ssl.CERT_REQUIRED
