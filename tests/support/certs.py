# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests, by the openssl command: made when first asked for, kept as long as the
test process lives. Names are the tests' own (a.test), never real ones."""
import atexit
import functools
import os
import shutil
import subprocess
import tempfile

_CA_CONFIG = """
[ca]
default_ca = own
[own]
database = {0}/index
serial = {0}/serial
new_certs_dir = {0}
default_md = sha256
policy = any
unique_subject = no
email_in_dn = no
copy_extensions = none
[any]
commonName = supplied
"""


@functools.cache
def directory():
    made = tempfile.mkdtemp(prefix="weir-certs-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def path(name):
    return os.path.join(directory(), name)


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, cwd=directory())
    assert done.returncode == 0, f"openssl {arguments}:\n{done.stderr}"
    return done.stdout


def write(name, text):
    with open(path(name), "w", encoding="ascii") as file:
        file.write(text)
    return path(name)


def _key(stem, kind):
    options = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ecdsa" else [
        "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    openssl("genpkey", *options, "-out", stem + ".key")


class Certificate:
    """A chain and a key as PEM files; `listed` is what the config wants."""

    def __init__(self, stem, issuer=None):
        self.cert, self.key, self.issuer = path(stem + ".pem"), path(stem + ".key"), issuer

    @property
    def listed(self):
        return {"cert": self.cert, "key": self.key}

    def der(self):
        import ssl
        with open(self.cert, encoding="ascii") as file:
            return ssl.PEM_cert_to_DER_cert(file.read().split("-----END CERTIFICATE-----")[0]
                                            + "-----END CERTIFICATE-----\n")


def authority(name="ca"):
    """A self-signed CA. Another name is another CA."""
    return _authority(name)


def leaf(*names, ca="ca", kind="ecdsa", days=30, serial=0):
    """A certificate for these DNS names or IP addresses; negative `days`: expired so long ago.
    Another `serial` is another certificate for the same names."""
    return _leaf(names, ca, kind, days, serial)


@functools.cache
def _authority(name):
    stem = f"authority-{name}"
    _key(stem, "ecdsa")
    openssl("req", "-x509", "-new", "-key", stem + ".key", "-subj", f"/CN=weir tests {name}",
            "-days", "30", "-out", stem + ".pem", "-addext", "basicConstraints=critical,CA:true",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    home = path(stem)
    os.mkdir(home)
    for file, text in (("index", ""), ("serial", "1000\n"),
                       ("config", _CA_CONFIG.format(home))):
        with open(os.path.join(home, file), "w", encoding="ascii") as out:
            out.write(text)
    return Certificate(stem)


@functools.cache
def _leaf(names, ca, kind, days, serial):
    issuer = authority(ca)
    stem = "-".join([n.replace("*", "any").replace(":", "_") for n in names]
                    + [ca, kind, str(days), str(serial)])
    _key(stem, kind)
    openssl("req", "-new", "-key", stem + ".key", "-subj", f"/CN={names[0]}",
            "-out", stem + ".csr")
    alternatives = ",".join(("IP:" if n[0].isdigit() or ":" in n else "DNS:") + n for n in names)
    write(stem + ".ext", f"subjectAltName={alternatives}\nbasicConstraints=CA:false\n"
                         "extendedKeyUsage=serverAuth,clientAuth\n")
    home = path(f"authority-{ca}")
    # `openssl ca`, because it alone takes dates in the past.
    openssl("ca", "-batch", "-notext", "-config", os.path.join(home, "config"),
            "-cert", issuer.cert, "-keyfile", issuer.key, "-in", stem + ".csr",
            "-out", stem + ".pem", "-extfile", stem + ".ext",
            "-startdate", _date(min(days, 0) - 2), "-enddate", _date(days))
    return Certificate(stem, issuer)


def _date(days):
    import datetime
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return when.strftime("%Y%m%d%H%M%SZ")


def ticket_key(name="ticket"):
    """A file of 48 random bytes."""
    with open(path(name), "wb") as file:
        file.write(os.urandom(48))
    return path(name)
