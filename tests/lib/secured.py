"""A broker and a server that speak TLS and ask for logins in every way, for the tests of security."""

import os
import shutil

import e2e
import issuer
from lab import certificates

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required user_ferry=\"%s\";"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
BEARER = "org.apache.kafka.common.security.oauthbearer.OAuthBearer"
URLS = "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls="
HBA = ["local all all trust", "host all postgres 127.0.0.1/32 trust",
       "hostssl all scram,literal,owner 127.0.0.1/32 scram-sha-256",
       "hostssl all client,other 127.0.0.1/32 cert",
       "hostnossl all bare 127.0.0.1/32 scram-sha-256"]


class Papers:
    """Two authorities, of which only `good` is believed, and what they have signed."""

    def __init__(self, dir):
        self.good = certificates.Authority(dir, "good")
        self.bad = certificates.Authority(dir, "bad")
        self.server = self.good.issue("server")
        self.elsewhere = self.good.issue("elsewhere", "DNS:elsewhere.example")
        self.server_expired = self.good.issue("server", expired=True)
        self.client = self.good.issue("client")
        self.client_expired = self.good.issue("client", expired=True)
        self.client_unknown = self.bad.issue("client")


def kafka(dir, papers, password, tokens):
    """Listeners TLS, MTLS, LOGIN (all mechanisms), EXPIRED and ELSEWHERE."""
    tls = {"protocol": "SSL", "ssl.keystore.type": "PEM", "ssl.truststore.type": "PEM",
           "ssl.keystore.location": papers.server.both, "ssl.truststore.location": papers.good.crt}
    login = dict(tls, **{
        "protocol": "SASL_SSL",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        "plain.sasl.jaas.config": PLAIN % password,
        "scram-sha-256.sasl.jaas.config": SCRAM, "scram-sha-512.sasl.jaas.config": SCRAM,
        "oauthbearer.sasl.jaas.config": BEARER + "LoginModule required;",
        "oauthbearer.sasl.server.callback.handler.class": BEARER + "ValidatorCallbackHandler",
        "oauthbearer.sasl.oauthbearer.jwks.endpoint.url": tokens.address + "/jwks",
        "oauthbearer.sasl.oauthbearer.expected.audience": "kafka",
        "oauthbearer.sasl.oauthbearer.expected.issuer": tokens.address})
    listeners = {"TLS": tls, "MTLS": dict(tls, **{"ssl.client.auth": "required"}), "LOGIN": login,
                 "EXPIRED": dict(tls, **{"ssl.keystore.location": papers.server_expired.both}),
                 "ELSEWHERE": dict(tls, **{"ssl.keystore.location": papers.elsewhere.both})}
    users = ";".join("User:" + name for name in ("ANONYMOUS", "ferry", "CN=client"))
    return e2e.lab.kafka.Kafka(dir, listeners=listeners, scram={"ferry": password},
                               conf={"super.users": users},
                               jvm=e2e.lab.kafka.JVM + (URLS + tokens.address + "/jwks",)).start()


def present(postgres, certificate):
    """The server answers with this certificate from now on."""
    for path, name in ((certificate.crt, "server.crt"), (certificate.key, "server.key")):
        with open(path) as file:
            text = file.read()
        own = os.path.join(postgres.data_dir, name)
        with open(own, "w") as file:
            file.write(text)
        os.chmod(own, 0o600)
    e2e.lab.process.give(postgres.data_dir, postgres.user)


def postgres(papers):
    server = e2e.own_postgres(hba=HBA)
    present(server, papers.server)
    with open(papers.good.crt) as file, \
            open(os.path.join(server.data_dir, "root.crt"), "w") as copy:
        copy.write(file.read())
    e2e.lab.process.give(server.data_dir, server.user)
    server.conf.update({"ssl": "on", "ssl_ca_file": "root.crt"})
    return server.restart()


def copy_of(certificate, dir):
    """The same in files that a test may replace."""
    made = certificates.Certificate(os.path.join(dir, "own"))
    for path, source in ((made.crt, certificate.crt), (made.key, certificate.key)):
        shutil.copy(source, path)
        os.chmod(path, 0o600)
    return made
