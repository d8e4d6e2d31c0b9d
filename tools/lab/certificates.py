"""Certificates for tests, made by openssl: authorities, and what they sign, valid or expired."""

import os
import subprocess

CONFIG = """[ca]
default_ca = own
[own]
dir = {dir}
database = {dir}/index
new_certs_dir = {dir}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
[signed]
basicConstraints = CA:FALSE
subjectAltName = {names}
"""
VALID = ("20200101000000Z", "20991231000000Z")
EXPIRED = ("20200101000000Z", "20200201000000Z")


def openssl(*arguments, **options):
    """Run it; its standard output."""
    return subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, **options).stdout


class Certificate:
    """Paths of PEM files: .crt, .key (PKCS #8), .both."""

    def __init__(self, stem):
        self.crt, self.key, self.both = (stem + end for end in (".crt", ".key", ".pem"))

    def _join(self):
        with open(self.both, "w") as file:
            for name in (self.key, self.crt):
                with open(name) as part:
                    file.write(part.read())
        for name in (self.key, self.both):
            os.chmod(name, 0o600)
        return self


class Authority:
    def __init__(self, dir, name):
        """dir: made here; .crt is the authority's own certificate."""
        self.dir = os.path.join(dir, name)
        os.makedirs(self.dir)
        open(os.path.join(self.dir, "index"), "w").close()
        self.own = Certificate(os.path.join(self.dir, "authority"))
        self.crt = self.own.crt
        self._sign(self.own, name, VALID, "authority", ["-selfsign", "-keyfile", self.own.key])

    def issue(self, name, names="IP:127.0.0.1", expired=False, password=None):
        """A certificate with the common name `name` and the subjectAltName `names`; with a
        password its key is encrypted."""
        made = Certificate(os.path.join(self.dir, name + ("-expired" if expired else "")))
        self._sign(made, name, EXPIRED if expired else VALID, "signed",
                   ["-cert", self.crt, "-keyfile", self.own.key], names)
        if password is not None:
            openssl("pkcs8", "-topk8", "-in", made.key, "-out", made.key + ".locked", "-passout",
                    "pass:" + password)
            os.replace(made.key + ".locked", made.key)
        return made._join()

    def _sign(self, made, name, dates, extensions, how, names="IP:127.0.0.1"):
        config = os.path.join(self.dir, "openssl.cnf")
        with open(config, "w") as file:
            file.write(CONFIG.format(dir=self.dir, names=names))
        request = made.crt + ".csr"
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
                made.key)
        openssl("req", "-new", "-key", made.key, "-subj", "/CN=" + name, "-out", request)
        openssl("ca", "-batch", "-notext", "-config", config, "-extensions", extensions,
                "-startdate", dates[0], "-enddate", dates[1], "-in", request, "-out", made.crt,
                *how)
