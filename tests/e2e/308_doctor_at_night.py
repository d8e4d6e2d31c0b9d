"""Doctor where it could do harm or lie: a role that does not see the standbys, lists of standbys of which the
mend takes the relay alone, indexes that cannot become a primary key, a key that is deferred, and round trips
beside progress of another server, beside commands that nobody reads, and of a relay that polls."""

import psycopg2.extras

import doctor
import e2e
import oracle
from doctor import finds, look, mend_sql

SECONDS = 240


def standby_names(case, value):
    case.sql("ALTER SYSTEM SET synchronous_standby_names = %s", (value,))
    case.pg.reload()
    e2e.wait("the setting", lambda: case.one("SHOW synchronous_standby_names") == value)


def mended(case, relay, value):
    """What is left of a setting once its mend was run, which ends the finding."""
    standby_names(case, value)
    check = finds(relay, "warned", "synchronous")["synchronous"]
    mend_sql(case, check)
    e2e.wait("the mend", lambda: case.one("SHOW synchronous_standby_names") != value)
    finds(relay, "passed", "synchronous")
    return case.one("SHOW synchronous_standby_names"), check["hint"]


with e2e.own_postgres() as pg, e2e.Case(postgres=pg, label="_standbys") as case:
    case.apply("002_role.sql")
    strong = case.relay(name="strong")
    weak = case.relay({"source": {"connection": case.dsn("walferry")}}, name="weak")
    case.command(weak, "setup", "--admin-connection", case.dsn())
    us = "walferry:" + case.name
    # The rights of 002 are enough for all that is asked.
    assert not [check for check in look(weak).values() if check["state"] == "failed"]
    standby_names(case, "*")
    check = finds(weak, "warned", "synchronous")["synchronous"]
    assert check["mends"] == [] and "does not see their names" in check["hint"], check
    for value, left in (('ANY 2 (s1, "%s", s2)' % us, "ANY 2 (s1, s2)"),
                        ('FIRST 2 ("%s", s1)' % us.upper(), "FIRST 1 (s1)"),
                        ('2 (s1, *)', "1 (s1)"), ('"st(1)", *', '"st(1)"'), ('"%s", s1' % us, "s1")):
        got, hint = mended(case, strong, value)
        assert got == left and hint == "as a superuser", (value, got, hint)
    got, hint = mended(case, strong, "*")
    assert got == "" and "no standby is connected" in hint, (got, hint)
    with psycopg2.connect(pg.dsn(application_name="St One"),
                          connection_factory=psycopg2.extras.PhysicalReplicationConnection):
        e2e.wait("a standby", lambda: case.one("SELECT count(*) FROM pg_stat_replication") == 1)
        assert mended(case, strong, "*")[0] == '"St One"'
        assert mended(case, strong, "ANY 1 (*)")[0] == 'ANY 1 ("St One")'
    standby_names(case, "")

TABLES = """
CREATE TABLE public.sorted (n int NOT NULL, t text NOT NULL);
CREATE UNIQUE INDEX a_descends ON public.sorted (n DESC);
CREATE UNIQUE INDEX b_pattern ON public.sorted (t text_pattern_ops);
CREATE UNIQUE INDEX c_collates ON public.sorted (t COLLATE "POSIX");
CREATE TABLE public.later (id int PRIMARY KEY DEFERRABLE, t text);
CREATE TABLE public.other (id int PRIMARY KEY DEFERRABLE, n int NOT NULL);
CREATE UNIQUE INDEX other_n ON public.other (n);
ALTER TABLE public.other REPLICA IDENTITY USING INDEX other_n;
INSERT INTO public.other VALUES (1, 1);
CREATE PUBLICATION others FOR TABLE public.later;
INSERT INTO public.later VALUES (1, 'a');
"""
with e2e.Case(label="_tables", sql=TABLES) as case:
    def of(table):
        return case.relay({"routes": [{"name": "c", "from": "public." + table, "as": "change",
                                       "topic": case.prefix + table}]})

    relay = of("sorted")
    assert finds(relay, "warned", "primary_keys")["primary_keys"]["mends"] == []
    case.sql("CREATE UNIQUE INDEX d_good ON public.sorted (n)")
    mend_sql(case, finds(relay, "warned", "primary_keys")["primary_keys"])
    finds(relay, "passed", "primary_keys")
    relay = of("later")
    mend_sql(case, finds(relay, "warned", "identity")["identity"])
    finds(relay, "passed", "identity", "primary_keys")
    case.sql("UPDATE public.later SET t = 'b'")
    case.setup(relay)
    # By default it would have none.
    relay = of("other")
    case.command(relay, "setup", code=2, says="column id is part of the key.*REPLICA IDENTITY FULL")

with e2e.Case(label="_poll", config={"source": {"mode": "poll"}}) as case:
    relay = case.up()
    check = look(relay, "--probe")["round_trip"]
    assert check["state"] == "passed" and check["text"].endswith(".progress"), check
    case.put(rows=2)
    case.drain(relay=relay)
    case.stop(relay)

with e2e.Case(label="_trips") as case:
    role = case.name + "_role"
    case.sql("CREATE ROLE %s LOGIN REPLICATION; GRANT SELECT ON public.outbox TO %s" % (role, role))
    case.apply("005_command.sql")
    relay = case.relay({"source": {"connection": case.dsn(role)}})
    case.command(relay, "setup", "--admin-connection", case.dsn())
    missing = case.relay({"source": {"connection": case.dsn(role)}, "delivery": {
        "progress_topic": "walferry.%s-other.progress" % case.name}}, name="missing")
    assert "no relay has run" in look(missing, "--probe")["round_trip"]["text"]
    case.start(relay)
    # Whoever asks may send commands; the relay does not read them.
    probe = ("--probe", "--admin-connection", case.dsn())
    checks = look(relay, *probe)
    assert checks["commands"]["state"] == "warned", checks["commands"]
    assert checks["round_trip"]["state"] == "passed", checks["round_trip"]
    mend_sql(case, checks["commands"])
    case.stop(relay)
    case.start(relay)
    check = look(relay, *probe)["round_trip"]
    assert check["state"] == "passed" and check["text"].endswith(".control"), check
    case.put(rows=2)
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
    # A record of a server whose log was longer is older than the probe, and nobody has answered.
    last = case.progress()[-1]
    case.forge_progress(position=oracle.lsn_text(case.current_lsn() + (1 << 32)))
    case.forge_progress(position=last["position"], generation=last["generation"] + 2)
    check = look(relay, "--probe")["round_trip"]
    assert check["state"] == "failed" and "is the relay running" in check["text"], check
    case.sql("DROP OWNED BY %s; DROP ROLE %s" % (role, role))
