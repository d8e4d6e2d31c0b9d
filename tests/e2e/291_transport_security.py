"""TLS and logins of every kind, at a real PostgreSQL and a real broker with a listener for each: events go
through exactly once, and what is wrong with a certificate, a key, a file or a password is said with its name
and its mend. A relay that has worked outlives a certificate that expires."""

import concurrent.futures
import os
import re
import shutil
import sys
import time

import e2e
import issuer
import secured

KAFKA = "own"

if shutil.which("openssl") is None:
    sys.exit(77)

DB, LOGIN, TOKEN = "pl4nted-db", "pl4nted-login", "pl4nted-token"
ROLES = "".join("CREATE ROLE %s LOGIN SUPERUSER REPLICATION PASSWORD '%s';" % (role, DB)
                for role in ("scram", "client", "bare", "other"))


class Ways:
    """Connection strings and sections `kafka:`."""

    def __init__(self, case, papers, tokens):
        self.case, self.papers, self.tokens = case, papers, tokens

    def scram(self, **more):
        return self.case.dsn("scram", **dict(dict(
            password=DB, sslmode="verify-full", sslrootcert=self.papers.good.crt,
            channel_binding="require"), **more))

    def client(self, certificate=None, user="client", **more):
        own = dict(sslcert=certificate.crt, sslkey=certificate.key) if certificate else {}
        return self.case.dsn(user, **dict(dict(
            own, sslmode="verify-full", sslrootcert=self.papers.good.crt), **more))

    def at(self, listener, **more):
        made = {"bootstrap.servers": self.case.kafka.at(listener), "security.protocol": "SSL",
                "ssl.ca.location": self.papers.good.crt}
        made.update((name.replace("_", "."), value) for name, value in more.items())
        return {name: value for name, value in made.items() if value is not None}

    def known(self, certificate, **more):
        return self.at("MTLS", **dict(dict(ssl_certificate_location=certificate.crt,
                                           ssl_key_location=certificate.key), **more))

    def login(self, mechanism, **more):
        return self.at("LOGIN", **dict(dict(
            security_protocol="SASL_SSL", sasl_mechanism=mechanism, sasl_username="ferry",
            sasl_password=LOGIN), **more))

    def bearer(self, secret=TOKEN, url=None):
        return self.login("OAUTHBEARER", **{
            "sasl_username": None, "sasl_password": None, "sasl_oauthbearer_method": "oidc",
            "sasl_oauthbearer_client_id": "ferry", "sasl_oauthbearer_client_secret": secret,
            "sasl_oauthbearer_token_endpoint_url": url or self.tokens.address + "/token"})


def all_ways(case, ways):
    """Both sides, each way, one after the other on one relay."""
    sources = [ways.scram(), ways.client(ways.papers.client)]
    kafkas = [ways.at("TLS"), ways.known(ways.papers.client), ways.login("PLAIN"),
              ways.login("SCRAM-SHA-256"), ways.login("SCRAM-SHA-512"), ways.bearer()]
    relay = case.relay()
    case.setup(relay)
    for number, kafka in enumerate(kafkas):
        relay.config = case.config({"source": {"connection": sources[number % 2]}, "kafka": kafka})
        case.start(relay)
        case.put(rows=3, transactions=2)
        case.drain(relay=relay)
        assert case.one("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_replication USING (pid)"
                        " WHERE application_name LIKE '%%' || %s || '%%'", (case.name,))
        case.stop(relay)
    assert ways.tokens.given > 0
    case.judge()


class Unprivileged:
    """A relay that root starts reads everything: this one reads what it owns."""

    def __init__(self, dir):
        self.path = os.path.join(dir, "unprivileged")
        with open(self.path, "w") as file:
            file.write("#!/bin/sh\nexec setpriv --inh-caps=-all --bounding-set=-dac_override,"
                       "-dac_read_search -- '%s' \"$@\"\n" % e2e.binary())
        os.chmod(self.path, 0o755)

    @staticmethod
    def hide(path, source):
        shutil.copy(source, path)
        if os.geteuid() == 0:
            os.chown(path, 65534, 65534)
        os.chmod(path, 0o600 if os.geteuid() == 0 else 0)
        return path


def refused_by_postgres(case, ways, hidden):
    papers = ways.papers
    open_key = os.path.join(case.dir, "open.key")
    shutil.copy(papers.client.key, open_key)
    os.chmod(open_key, 0o644)
    port = "port %d" % case.pg.port
    return {
        "wrong authority": (ways.scram(sslrootcert=papers.bad.crt), port + r" \(CN = server, issued by CN ="
                            " good\\) is signed by no authority in sslrootcert=.*bad.*set sslrootcert in source"),
        "no authority": (ways.scram(sslrootcert="/nowhere/ca"), '"/nowhere/ca" does not exist.*put the authority'),
        "hidden authority": (ways.scram(sslrootcert=hidden), "cannot read sslrootcert=%s: Permission denied.*"
                             "let sslrootcert in source.connection name a file that" % hidden),
        "wrong password": (ways.scram(password="wr0ng"), "password authentication failed.*check user and password"),
        "no certificate": (ways.client(), "valid client certificate.*sslcert and sslkey in source.connection"),
        "expired certificate": (ways.client(papers.client_expired), "certificate expired.*a new certificate"),
        "unknown certificate": (ways.client(papers.client_unknown), "unknown ca.*ssl_ca_file"),
        "another role's": (ways.client(papers.client, "other"), "certificate authentication failed.*common name"),
        "no key": (ways.client(papers.client, sslkey="/nowhere/key"), '"/nowhere/key".*let sslkey in source.con'),
        "another key": (ways.client(papers.client, sslkey=papers.server.key), "mismatch.*let sslkey in source.con"),
        "a key for all": (ways.client(papers.client, sslkey=open_key), "group or world access.*chmod 600"),
        "plain where TLS is due": (ways.scram(sslmode="disable", channel_binding="disable"),
                                   "no encryption.*set sslmode=verify-full in source.connection"),
        "TLS where plain is due": (case.dsn("bare", password=DB, sslmode="require"), "under TLS: add one .hostssl"),
        "nothing to bind": (case.dsn("bare", password=DB, sslmode="disable", channel_binding="require"),
                            "channel_binding=require in source.connection wants TLS"),
    }


def refused_by_kafka(ways, hidden):
    papers = ways.papers
    cannot = "7|8|9|1[0-9]: kafka.ssl.%s.location: cannot read %s: %s.*that walferry's user may read"
    return {
        "wrong authority": (ways.at("TLS", ssl_ca_location=papers.bad.crt),
                            r"\(CN = server, issued by CN = good\) is signed by no authority in ssl.ca.location"
                            "=.*bad.*set ssl.ca.location under kafka"),
        "expired broker": (ways.at("EXPIRED"), r"broker's certificate \(CN = server, issued by CN = good\) expired"
                           " on 2020-02-01.*give the broker a new one"),
        "another host": (ways.at("ELSEWHERE"), "does not name that host, but elsewhere.example.*subjectAltName"),
        "no certificate": (ways.at("MTLS"), "wants a certificate of its clients.*set ssl.certificate.location"),
        "expired certificate": (ways.known(papers.client_expired), r"client-expired.crt \(CN = client\): it expired"
                                " on 2020-02-01.*write a new certificate"),
        "unknown certificate": (ways.known(papers.client_unknown),
                                r"\(CN = client, issued by CN = bad\).*ssl.truststore.location"),
        "wrong password, PLAIN": (ways.login("PLAIN", sasl_password="wr0ng"),
                                  "refuses the credentials: .*Invalid username or password.*correct sasl.username"),
        "wrong password, SCRAM": (ways.login("SCRAM-SHA-512", sasl_password="wr0ng"),
                                  "refuses the credentials: .*invalid credentials.*correct sasl.username"),
        "wrong secret": (ways.bearer("wr0ng"), "refuses the credentials: .*invalid_client.*correct sasl.oauthbearer"
                         ".client.id and sasl.oauthbearer.client.secret"),
        "no authority": (ways.at("TLS", ssl_ca_location="/nowhere/ca"), cannot % ("ca", "/nowhere/ca", "No such")),
        "hidden authority": (ways.at("TLS", ssl_ca_location=hidden), cannot % ("ca", hidden, "Permission")),
        "no key": (ways.known(papers.client, ssl_key_location="/nowhere/key"),
                   cannot % ("key", "/nowhere/key", "No such")),
        "another key": (ways.known(papers.client, ssl_key_location=papers.server.key),
                        "ssl.key.location failed.*mismatch.*a key must be that of its certificate"),
        "plain to TLS": (ways.at("TLS", security_protocol="PLAINTEXT", ssl_ca_location=None),
                         "speaks TLS, but security.protocol is PLAINTEXT.*ssl.ca.location"),
        "TLS to plain": (dict(ways.at("TLS"), **{"bootstrap.servers": ways.case.kafka.bootstrap}),
                         "speaks without TLS.*is SSL.*to PLAINTEXT"),
    }


def refusals(case, ways):
    """Said by check, which answers no; `run` ends with 2. Nobody's password is in what is said."""
    plain = Unprivileged(case.dir)
    hidden = plain.hide(os.path.join(case.dir, "hidden.crt"), ways.papers.good.crt)
    wanted = {"PostgreSQL, " + name: ({"source": {"connection": way}}, says)
              for name, (way, says) in refused_by_postgres(case, ways, hidden).items()}
    wanted.update(("Kafka, " + name, ({"kafka": way}, says))
                  for name, (way, says) in refused_by_kafka(ways, hidden).items())

    def look(name):
        more, says = wanted[name]
        relay = case.relay(more, name=re.sub("[^A-Za-z]+", "_", name))
        if "kafka" in more:  # no properties of the shared listener beside
            relay.config["kafka"] = more["kafka"]
        if hidden in str(more):
            relay.binary = plain.path
        code, out, err = relay.run("check", "--connect", timeout=60)
        text = out + err
        if code not in (1, 2) or not re.search(says, text, re.S) or e2e.REPORT.search(text) or \
                any(secret in text for secret in (DB, LOGIN, TOKEN, "wr0ng")):
            return "%s: code %d, want %s\n%s" % (name, code, says, text)
        return None

    def end(name_and_reason):
        name, reason = name_and_reason
        more = wanted[name][0]
        relay = case.relay({"source": more.get("source", {})}, name=re.sub("[^A-Za-z]+", "_", name) + "_run")
        relay.config["kafka"] = more.get("kafka", relay.config["kafka"])
        case.refused(relay, 2, "" if name.endswith("no key") else "reason=" + reason)

    with concurrent.futures.ThreadPoolExecutor(6) as pool:  # they wait more than they work
        wrong = [text for text in pool.map(look, wanted) if text]
        assert not wrong, "\n\n".join(wrong)
        list(pool.map(end, (
            ("PostgreSQL, wrong authority", "tls"), ("PostgreSQL, wrong password", "auth_failed"),
            ("PostgreSQL, expired certificate", "tls"), ("Kafka, wrong authority", "tls"),
            ("Kafka, another host", "tls"), ("Kafka, expired certificate", "tls"),
            ("Kafka, wrong secret", "auth_failed"), ("Kafka, no key", "tls"))))

    # A token endpoint that is away is no refusal.
    away = case.relay({"kafka": ways.bearer(url="http://127.0.0.1:1/token")}, name="away")
    case.command(away, "check", "--connect", code=6, says="no token from http://127.0.0.1:1/token.*what answers")


def servers_certificates(case, ways):
    """What only the server can have wrong."""
    for certificate, says in ((ways.papers.server_expired, "CN = server. expired on 2020-02-01.*ssl_cert_file"),
                              (ways.papers.elsewhere, "does not match host name.*set host in source.connection")):
        secured.present(case.pg, certificate)
        case.pg.reload()
        relay = case.relay({"source": {"connection": ways.scram()}})
        e2e.wait("the server shows it", lambda: relay.run("check", "--connect")[0] == 1)
        case.command(relay, "check", "--connect", code=1, says=says)


def swap(path, other):
    """In one step, as those do who renew certificates."""
    shutil.copy(other, path + ".new")
    os.chmod(path + ".new", 0o600)
    os.replace(path + ".new", path)


def expiry(case, ways):
    """A relay that has worked goes on trying, whoever's certificate expires, and goes on by itself."""
    papers = ways.papers
    own = secured.copy_of(papers.client, case.dir)
    secured.present(case.pg, papers.server)
    case.pg.reload()
    relay = case.relay({"source": {"connection": ways.scram()}})
    relay.config["kafka"] = ways.known(own)
    e2e.wait("the server has its certificate back", lambda: relay.run("check", "--connect")[0] == 0)
    case.start(relay)

    def fails(says):
        case.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
        e2e.wait("the relay says why", lambda: any(
            "reason=tls" in line and says in line for line in relay.events("epoch.failed")))
        assert relay.running()

    secured.present(case.pg, papers.server_expired)
    case.pg.reload()
    fails("expired on 2020-02-01")
    secured.present(case.pg, papers.server)
    case.pg.reload()
    case.put(rows=3)
    case.drain(relay=relay)
    for path, other in ((own.crt, papers.client_expired.crt), (own.key, papers.server.key), (own.key, None)):
        if other is None:
            os.unlink(path)
        else:
            swap(path, other)
        fails("expired on 2020-02-01" if path == own.crt else "cannot read" if other is None else "mismatch")
        swap(path, papers.client.crt if path == own.crt else papers.client.key)
        case.put(rows=3)
        case.drain(relay=relay)
    assert len(relay.events("epoch.opened")) > 1
    case.stop(relay)
    case.judge()


began = time.monotonic()
scratch = e2e._scratch()
tokens, papers = issuer.Issuer(scratch, {"ferry": TOKEN}), secured.Papers(scratch)
e2e.lab.process.give(scratch, e2e.lab.process.unprivileged())
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    broker = pool.submit(secured.kafka, e2e._scratch(), papers, LOGIN, tokens)
    server = pool.submit(secured.postgres, papers)
with broker.result() as broker, server.result() as server, \
        e2e.Case(postgres=server, kafka=broker, sql=ROLES) as case:
    for test in (all_ways, refusals, servers_certificates, expiry):
        print("-- %s, %.0f s" % (test.__name__, time.monotonic() - began), flush=True)
        test(case, Ways(case, papers, tokens))
tokens.close()
