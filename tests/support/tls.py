# SPDX-License-Identifier: Apache-2.0
"""TLS peers: contexts of Python's ssl module, and `openssl s_client` for what that hides."""
import re
import ssl
import subprocess

from support import certs
from support.waiting import PATIENCE

ALPN_H1, ALPN_H2 = ["http/1.1"], ["h2"]
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def client_context(ca="ca", alpn=None, cert=None, version=None):
    """Trusts the CA of that name (None: everybody); `version`: that one only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(certs.authority(ca).cert)
    if alpn:
        context.set_alpn_protocols(alpn)
    if cert:
        context.load_cert_chain(cert.cert, cert.key)
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def server_context(certificate=None, alpn=None, client_ca=None, version=None):
    """An origin's. SNI that came is appended to `context.names`."""
    certificate = certificate or certs.leaf("origin.test", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    if alpn:
        context.set_alpn_protocols(alpn)
    if client_ca:
        context.load_verify_locations(certs.authority(client_ca).cert)
        context.verify_mode = ssl.CERT_REQUIRED
    if version:
        context.minimum_version = context.maximum_version = version
    _NAMES[id(context)] = []
    context.sni_callback = lambda sock, name, ctx: _NAMES[id(context)].append(name)
    return context


_NAMES = {}


def names_asked(context):
    """The SNI values that came to this server context, in order; None where there was none."""
    return _NAMES[id(context)]


class Handshake:
    """What `openssl s_client` says of one connection."""

    def __init__(self, done):
        self.code, self.text = done.returncode, done.stdout + done.stderr
        self.version = self._find(r"^(?:New|Reused), (\S+), Cipher is \S+$")
        self.suite = self._find(r"^(?:New|Reused), \S+, Cipher is (\S+)$")
        self.reused = bool(re.search(r"^Reused, ", self.text, re.M))
        self.alpn = self._find(r"^ALPN protocol: (\S+)$")
        self.subject = self._find(r"^subject=CN = (\S+)$")
        self.signature = self._find(r"^Peer signature type: (\S+)$")
        self.alert = self._find(r"SSL alert number (\d+)")
        self.ok = self.suite not in (None, "(NONE)")

    def _find(self, pattern):
        found = re.search(pattern, self.text, re.M)
        return found[1] if found else None


REQUEST = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"


def s_client(address, *options, send="Q\n", name="a.test"):
    """A handshake; then `send` is sent ("Q": s_client's own word to quit)."""
    sni = ["-servername", name] if name else ["-noservername"]
    if send != "Q\n":
        options += ("-quiet", "-no_ign_eof") if "-quiet" in options else ("-ign_eof",)
    done = subprocess.run(
        ["openssl", "s_client", "-connect", "%s:%d" % address, *sni, *options],
        input=send, capture_output=True, text=True, errors="replace", timeout=PATIENCE,
        check=False)
    return Handshake(done)
