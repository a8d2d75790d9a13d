"""TLS as far as it tells who answers: the handshake, held against the authorities that the host itself trusts."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress

from preflight.facts.outgoing import Outcome
from preflight.gather.access.roots import Roots, Unreadable

# Where distributions keep the certificates of the authorities that their programs trust.
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
BUNDLE_BYTES = 4 << 20
# X509_V_ERR_…: not valid yet, or no longer. The clock is to blame, or the server: nobody has put a word in between.
_TIMES = (9, 10)
# What OpenSSL says of an answer that is no TLS; an alert is, and may come from the server itself.
_NO_TLS = (
    "WRONG_VERSION_NUMBER",
    "UNKNOWN_PROTOCOL",
    "PACKET_LENGTH_TOO_LONG",
    "UNEXPECTED_MESSAGE",
    "BAD_RECORD_TYPE",
)


def authorities(roots: Roots) -> ssl.SSLContext | None:
    """Return how servers are known: by the host's authorities, else by our own; None: there are none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for path in BUNDLES:
        with suppress(Unreadable, ssl.SSLError, ValueError):
            # Comments between the certificates may be of any alphabet.
            text = roots.text(path, BUNDLE_BYTES).encode("ascii", "ignore").decode()
            context.load_verify_locations(cadata=text)
            return context
    context.set_default_verify_paths()
    return context if context.cert_store_stats()["x509_ca"] else None


class Handshake:
    """A handshake apart from the connection that carries it, so that none of the two can be lost with the other."""

    def __init__(self, host: str, context: ssl.SSLContext | None) -> None:
        if context is None:  # without authorities nobody is held to a name
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._heard, self._words = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._heard, self._words, server_hostname=host)

    def go_on(self, heard: bytes) -> bool:
        """Take what was heard, and say whether all is agreed; raise `ssl.SSLError` where nothing will be."""
        self._heard.write(heard)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def words(self) -> bytes:
        """Return what is to be sent now."""
        return self._words.read()


def agreed(connection: socket.socket, host: str, context: ssl.SSLContext | None) -> ssl.SSLSocket:
    """Return a connection on which TLS is agreed with a server that is known; raise `OSError`: it is not."""
    if context is None:
        raise ssl.SSLError
    return context.wrap_socket(connection, server_hostname=host)


def outcome(error: OSError) -> tuple[Outcome, str, str] | None:
    """Say what an error of TLS means, its name, and what is said of it; None: it is none of TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _TIMES:
            return "reached", "CERTIFICATE_TIME", ""
        return "foreign", "CERTIFICATE", str(error.verify_message)
    if not isinstance(error, ssl.SSLError):
        return None
    reason = str(getattr(error, "reason", None) or "TLS")
    return ("foreign" if reason in _NO_TLS else "mute"), reason, ""
