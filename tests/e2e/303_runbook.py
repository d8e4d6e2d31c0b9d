"""docs/RUNBOOK.md: each line that stands apart there is typed as it is, by sh or psql, on a relay that is in the
state of its alert, where that can be made; what it says is what the page promises, and the last of them ends the
state. A line that is not run here fails this test. systemd's service is a process here, and its journal a file."""

import os
import re
import shlex
import signal
import subprocess

import e2e
import lab.process
import lab.proxy
import oracle

KAFKA = "own"
SLOW = True
SECONDS = 480

PAGE = os.path.join(e2e.ROOT, "docs", "RUNBOOK.md")
SQL = ("SELECT", "ALTER", "GRANT")
LIMIT = "160MB"  # of max_slot_wal_keep_size, so that a slot is at risk soon


def page():
    """({section: [command]}, {word that is put in})"""
    with open(PAGE) as file:
        text = file.read()
    found = {}
    for name, body in re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.M | re.S):
        found[name], open_sql = [], False
        for line in re.findall(r"^    (.+)$", body, re.M):
            if open_sql:
                found[name][-1] += "\n" + line
            else:
                found[name].append(line)
            open_sql = found[name][-1].startswith(SQL) and not line.endswith(";")
    return found, set(re.findall(r"^\| `([A-Z]+)` \|", text, re.M))


class Desk:
    """Whoever has been paged: a shell on the relay's machine, and psql."""

    def __init__(self, case, relay):
        self.case, self.relay = case, relay
        self.commands, self.words = page()
        self.ran = set()
        self.fill = {"OPERATOR": shlex.quote(case.dsn()), "SIZE": "10GB"}
        self.bin = os.path.join(case.dir, "bin")
        os.makedirs(self.bin)
        os.symlink(e2e.binary(), os.path.join(self.bin, "walferry"))

    def type(self, section, command, code=0, shows=""):
        """A command of that section, word for word; its output, which shows that."""
        assert command in self.commands[section], "%s: the page has no %r, but %r" % (
            section, command, self.commands[section])
        self.ran.add((section, command))
        line = re.sub(r"\b(%s)\b" % "|".join(self.words), lambda word: self.fill[word.group(1)], command)
        got, text = self._sql(line) if line.startswith(SQL) else self._shell(line)
        print("%s\n$ %s\n%s[%d]" % (section, line, text, got), flush=True)
        assert not e2e.REPORT.search(text), text
        assert got in (code if isinstance(code, tuple) else (code,)), "%s: code %d\n%s" % (line, got, text)
        assert re.search(shows, text, re.S), "%s does not show %s\n%s" % (line, shows, text)
        return text

    def _sql(self, line):
        done = subprocess.run(["psql", "-X", "-v", "ON_ERROR_STOP=1", "-d", self.case.dsn(), "-c", line],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=60, check=False)
        return done.returncode, done.stdout

    def _shell(self, line):
        found = re.fullmatch(r"systemctl (status|start|stop|restart|reload) walferry", line)
        if found:
            return self._service(found.group(1))
        line = re.sub(r"^journalctl -u walferry( -n \d+)?", lambda match: (
            "tail%s %s" % (match.group(1), self.relay.log) if match.group(1) else "cat " + self.relay.log), line)
        assert re.match(r"(walferry|cat|tail) ", line), line
        self.relay.write_config()
        env = dict(self.relay._env(None), WALFERRY_CONFIG=self.relay.path)
        env["PATH"] = self.bin + ":" + env["PATH"]
        done = subprocess.run(["sh", "-c", line], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=100, check=False)
        return done.returncode, done.stdout

    def _service(self, verb):
        if verb == "reload":
            self.relay.write_config()
            self.relay.signal(signal.SIGHUP)
        if verb in ("stop", "restart"):
            self.relay.stop()
        if verb in ("start", "restart"):
            self.case.start(self.relay)
        return (0 if self.relay.running() else 3), lab.process.tail(self.relay.log, 3)

    def all_ran(self):
        left = {(section, command) for section, commands in self.commands.items() for command in commands}
        left -= self.ran
        assert not left, "no test runs %s" % sorted(left)
        assert self.words == set(self.fill), (self.words, self.fill)


def begin(case, proxy):
    """A relay `orders` with the role of the page, and one that runs."""
    case.name, case.slot_name = "orders", "walferry_orders"
    case.progress_topic = "walferry.orders.progress"
    case.apply("002_role.sql")
    case.apply("005_command.sql")
    route = dict(case.config()["routes"][0], on_error="dead_letter")
    relay = case.relay({
        "source": {"connection": case.dsn("walferry")},
        "kafka": {"bootstrap.servers": proxy.address, "topic.metadata.refresh.interval.ms": 1000,
                  "metadata.max.age.ms": 3000},
        "dead_letter": {"quarantine": "key"},
        "routes": [route, {"name": "messages", "from": "message:outbox", "as": "outbox", "on_error": "skip",
                           "topic": case.prefix + "messages"}]})
    case.command(relay, "setup", "--admin-connection", case.dsn())
    case.start(relay)
    works(case, relay)
    return relay


def works(case, relay):
    """The state has ended: events come."""
    case.put(rows=2, transactions=2)
    case.drain(relay=relay)
    relay.wait_ready()


def again(case, relay, more):
    case.stop(relay)
    relay.config = e2e.merge(relay.config, more)
    case.start(relay)


def write_wal(case, mb):
    case.sql("SELECT pg_logical_emit_message(false, 'other', repeat('x', 1000000))"
             " FROM generate_series(1, %d)" % mb)


def down(desk, case, relay, _):
    here = "WalferryDown"
    relay.kill()
    desk.type(here, "systemctl status walferry", code=3)
    desk.type(here, "walferry status", code=1, shows="live +no answer from the admin port")
    relay.config["delivery"]["commit_intervall_ms"] = 5
    relay.start()
    assert relay.wait() == 2
    desk.type(here, "journalctl -u walferry -n 20", shows="event=relay.stopped .*exit_code=2 .*reason=.*hint=")
    desk.type(here, "walferry check", code=2, shows="commit_intervall_ms.*commit_interval_ms")
    del relay.config["delivery"]["commit_intervall_ms"]
    desk.type(here, "walferry check")
    desk.type(here, "walferry doctor -o short", shows="0 failed")
    desk.type(here, "systemctl start walferry")
    works(case, relay)


def not_ready(desk, case, relay, _):
    here = "WalferryNotReady"
    case.kafka.kill()
    e2e.wait("not ready", lambda: not relay.ready(), 30)
    desk.type(here, "walferry status --ready", code=1, shows="broker|Kafka|kafka")
    desk.type(here, "walferry status", code=1, shows="away .*live +.*not ready")
    desk.type(here, "walferry check --connect", code=6)
    case.kafka.start()
    relay.wait_ready(60)
    works(case, relay)
    desk.type(here, "walferry check --connect", shows="can go on from there")
    # Held: the slot is gone.
    case.stop(relay)
    case.sql("SELECT pg_drop_replication_slot('walferry_orders')")
    relay.start("--hold-on-refusal")
    relay.wait_log("relay.held")
    desk.type(here, "walferry status", code=1, shows="live +held, not ready")
    text = desk.type(here, "journalctl -u walferry | grep event=relay.held", shows="hint=.*rebase")
    case.mend(relay, text, "--yes")
    relay.wait_log("epoch.opened", 30)
    works(case, relay)


def stands(desk, case, relay, proxy):
    """No transaction of this process ends."""
    here = "WalferryStands"
    stuck = relay.pid
    hold = proxy.rule("EndTxn", lab.proxy.REQUEST, lab.proxy.HOLD, count=None,
                      when=lambda frame: relay.pid == stuck)
    case.put(rows=3)
    assert hold.hit.wait(20)
    ended, lag = relay.metric("walferry_transactions_total"), relay.metric("walferry_slot_lag_bytes")
    write_wal(case, 4)
    e2e.wait("the lag grows", lambda: relay.metric("walferry_slot_lag_bytes") > lag + 3e6, 20)
    assert relay.metric("walferry_transactions_total") == ended
    one = desk.type(here, "walferry status", code=(0, 1), shows="slot +.*confirmed")
    two = desk.type(here, "walferry status", code=(0, 1))
    confirmed = [re.search(r"confirmed \S+", text).group(0) for text in (one, two)]
    assert confirmed[0] == confirmed[1], confirmed
    desk.type(here, "walferry top --once", shows="[Bb]atches")
    desk.type(here, next(one for one in desk.commands[here] if "pg_stat_replication" in one),
              shows=r"sent_lsn.*\| streaming \|.*\(1 row\)")
    desk.type("WalferryBehind", "walferry top --once", shows=r"lag +[\d.]+ MB")
    desk.type(here, "systemctl restart walferry")
    works(case, relay)
    e2e.wait("it is not behind", lambda: relay.metric("walferry_slot_lag_bytes") < 1e6, 20)
    hold.release()


def slow(desk, _case, _relay, _):
    desk.type("WalferrySlow", "walferry doctor", shows="clock_database.*clock_broker")


def retains(desk, case, relay, _):
    """Kept and not behind: somebody has forgotten a transaction."""
    here = "WalferrySlotRetains"
    slots = next(one for one in desk.commands[here] if "FROM pg_replication_slots" in one)
    other = case.pg.connect(case.db, autocommit=False, application_name="forgotten")
    with other.cursor() as cursor:
        cursor.execute("CREATE TABLE e2e.forgotten ()")  # one that has written
    write_wal(case, 20)
    works(case, relay)
    case.sql("CHECKPOINT")
    e2e.wait("kept, not behind", lambda: relay.metric("walferry_slot_retained_bytes") > 15e6 and
             relay.metric("walferry_slot_lag_bytes") < 2e6, 30, interval=0.5)
    desk.type(here, slots, shows=r"walferry_orders +\| t +\| reserved")
    desk.type(here, next(one for one in desk.commands[here] if "pg_ls_waldir" in one),
              shows=r"MB +\| +/")
    text = desk.type(here, next(one for one in desk.commands[here] if "pg_stat_activity" in one),
                     shows=r"forgotten")
    desk.fill["PID"] = re.search(r"^ *(\d+) \|.*forgotten", text, re.M).group(1)
    desk.type(here, "SELECT pg_terminate_backend(PID);", shows=r"\bt\b")

    def freed():
        case.put()
        return relay.metric("walferry_slot_retained_bytes") < 10e6

    e2e.wait("what it has kept goes", freed, 60, interval=1)
    works(case, relay)


def at_risk(desk, case, relay, _):
    here = "WalferrySlotAtRisk"
    case.sql("ALTER SYSTEM SET max_slot_wal_keep_size = '%s'" % LIMIT)
    case.sql("SELECT pg_reload_conf()")
    walsender = case.slot()["active_pid"]
    os.kill(walsender, signal.SIGSTOP)
    try:
        room = "SELECT safe_wal_size FROM pg_replication_slots WHERE slot_name = 'walferry_orders'"
        e2e.wait("the limit is in force", lambda: case.one(room) is not None, 20)
        while case.one(room) > 16e6:  # nearly lost, and no checkpoint takes it
            write_wal(case, 4)
        e2e.wait("the slot is at risk", lambda: relay.metric("walferry_slot_risk") == 2, 60, interval=0.5)
        desk.type(here, "walferry doctor -o short",
                  shows=r"warn +slot_room: .*keeps \S+ MB of WAL, and is lost after \S+ MB more")
        desk.type(here, "walferry status --ready", code=1, shows=r"keeps \d+ MB, and is lost after \d+ more")
        desk.type("WalferrySlotRetains", next(
            one for one in desk.commands["WalferrySlotRetains"] if "FROM pg_replication_slots" in one),
            shows=r"walferry_orders +\| t")
        desk.type(here, "ALTER SYSTEM SET max_slot_wal_keep_size = 'SIZE';")
        desk.type(here, "SELECT pg_reload_conf();")
        e2e.wait("it is not at risk", lambda: relay.metric("walferry_slot_risk") < 2, 30, interval=0.5)
    finally:
        os.kill(walsender, signal.SIGCONT)
    works(case, relay)
    # The last thing. Nothing is lost by it here, for everything is published.
    here = "WalferrySlotRetains"
    desk.type(here, "systemctl stop walferry", code=3)
    desk.type(here, "SELECT pg_drop_replication_slot('walferry_orders');")
    desk.type(here, "walferry rebase --to new-slot --accept-loss --yes")
    desk.type(here, "systemctl start walferry")
    works(case, relay)


def restless(desk, case, relay, _):
    here = "WalferryRestless"
    for count in range(2, 5):
        case.sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")
        relay.wait_log("epoch.opened", 30, count=count)
        works(case, relay)
    ends = relay.metric("walferry_epochs_total") - relay.metric("walferry_epochs_total", reason="stop")
    assert ends >= 3, ends
    desk.type(here, "walferry top --once", shows=r"epoch\.failed \(server_shutdown\): ")
    desk.type(here, "journalctl -u walferry | grep event=epoch.failed", shows="reason=.*error=")


def letters(desk, case, relay, _):
    here = "WalferryDeadLetters"

    def letter(key, more=False):
        case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload)"
                 " VALUES ('no topic!', %s, 'Put', '1')" + (", ('order', %s, 'Put', '2')" if more else ""),
                 (key, key) if more else (key,))

    def keys():
        return {event.key for event in oracle.read_topics(case.kafka.bootstrap, [case.prefix + "order"])}

    before = relay.metric("walferry_dead_letters_total")
    letter("k-held", more=True)
    letter("k-other")
    letter("k-unwanted")
    e2e.wait("dead letters", lambda: relay.metric("walferry_dead_letters_total") >= before + 4, 20)
    e2e.wait("keys are held", lambda: relay.metric("walferry_keys_held") == 3, 20)
    text = desk.type(here, "walferry dead-letter list", shows="illegal_topic")
    desk.fill["ID"] = next(line for line in text.splitlines() if "k-unwanted" in line).split()[0]
    desk.type(here, "walferry dead-letter show --id ID", shows="k-unwanted.*offset")
    desk.fill["KEY"] = "k-held"
    first = desk.type("WalferryKeysHeld", "walferry dead-letter list --key KEY", shows="illegal_topic")
    assert "key_held" in first.splitlines()[1], first
    relay.config["routes"][0]["topic"] = case.prefix + "order"
    desk.type(here, "walferry reload --yes", shows="an epoch is open with it")
    desk.type(here, "walferry dead-letter drop --id ID --admin-connection OPERATOR", shows="dropped: 1")
    desk.type("WalferryKeysHeld", "walferry dead-letter retry --key KEY --admin-connection OPERATOR",
              shows="sent again: 2")
    assert relay.metric("walferry_keys_held") == 1
    desk.type(here, "walferry dead-letter retry --all --admin-connection OPERATOR", shows="sent again: 1")
    e2e.wait("no key is held", lambda: relay.metric("walferry_keys_held") == 0, 20)
    assert keys() >= {b"k-held", b"k-other"} and b"k-unwanted" not in keys(), keys()
    desk.type(here, "walferry dead-letter list", shows="no such dead letters")


def skips(desk, case, relay, _):
    case.sql("SELECT pg_logical_emit_message(true, 'outbox', 'no JSON')")
    e2e.wait("it is counted", lambda: relay.metric("walferry_skipped_total") >= 1, 20)
    desk.type("WalferrySkips", next(iter(desk.commands["WalferrySkips"])), shows="route=messages id=")


def keeps_rows(desk, case, relay, _):
    here = "WalferryKeepsRows"
    again(case, relay, {"retention": {"keep": "1h"}})
    relay.wait_log("retention.failed", 30)
    assert relay.metric("walferry_retention_failures_total") >= 1
    desk.type(here, "journalctl -u walferry | grep event=retention.failed", shows="GRANT")
    text = desk.type(here, "walferry doctor -o short", code=1, shows="GRANT")
    case.sql(re.search(r"GRANT SELECT, DELETE.* ON public\.outbox TO walferry", text).group(0))
    relay.wait_log("retention.resumed", 30)
    again(case, relay, {"retention": None})


def types(desk, case, relay, _):
    """No session is left to look a type up by."""
    here = "WalferryReadsTypesAsText"
    case.sql("ALTER ROLE walferry CONNECTION LIMIT 0")
    case.sql("CREATE TYPE public.mood AS ENUM ('sad', 'so so'); ALTER TABLE public.outbox ADD mood public.mood")
    case.put()
    case.drain(relay=relay)
    relay.wait_log("types.unknown", 20)
    failed = relay.metric("walferry_type_failures_total")
    assert failed >= 1
    why, role, server = (one for one in desk.commands[here] if one.startswith(("SELECT", "journalctl")))
    desk.type(here, why, shows="too many connections for role")
    desk.type(here, role, shows=r"\n +0 \| +[1-9]")
    desk.type(here, server, shows=r"\| 150")
    opened = len(relay.events("epoch.opened"))
    desk.type(here, "ALTER ROLE walferry CONNECTION LIMIT -1;")
    desk.type(here, "systemctl reload walferry")
    relay.wait_log("epoch.opened", 30, count=opened + 1)
    works(case, relay)
    assert relay.metric("walferry_type_failures_total") == failed


def forged(desk, case, relay, _):
    here = "WalferryForgedCommands"
    case.sql("SELECT pg_logical_emit_message(true, 'walferry:orders', '{\"v\":1,\"id\":99999}')")
    case.sql("REVOKE SELECT ON walferry.command FROM walferry; REVOKE USAGE ON SCHEMA walferry FROM walferry")
    case.sql("SELECT walferry.send('orders', '{\"do\": \"ping\"}')")
    e2e.wait("they are counted", lambda: relay.metric("walferry_commands_ignored_total") >= 2, 20)
    done = relay.metric("walferry_commands_total", state="done")
    desk.type(here, "journalctl -u walferry | grep -E 'event=command.(unreadable|forged)'", shows="hint=")
    right = next(one for one in desk.commands[here] if "has_table_privilege" in one)
    desk.type(here, right, shows=r"\n f\n")
    desk.type(here, "GRANT USAGE ON SCHEMA walferry TO walferry;")
    desk.type(here, "GRANT SELECT ON walferry.command TO walferry;")
    desk.type(here, right, shows=r"\n t\n")
    case.sql("SELECT walferry.send('orders', '{\"do\": \"ping\"}')")
    e2e.wait("a command is carried out", lambda: relay.metric("walferry_commands_total", state="done") > done, 20)


def partitions(desk, case, relay, _):
    case.kafka.add_partitions(case.prefix + "order", 6)

    def counted():
        case.put()
        return relay.metric("walferry_partition_changes_total") >= 1

    e2e.wait("the change is counted", counted, 60, interval=0.5)
    desk.type("WalferryPartitionsChanged", "journalctl -u walferry | grep event=topic.partitions_changed",
              shows=case.prefix + "order")


SECTIONS = (down, not_ready, stands, slow, retains, at_risk, restless, letters, skips, keeps_rows, types, forged,
            partitions)
# RUNBOOK="letters skips" in the environment runs these alone, to be quick; it fails in the end, and says what it left out.
picked = os.environ.get("RUNBOOK", "").split() or [section.__name__ for section in SECTIONS]

with e2e.own_postgres(conf={"wal_sender_timeout": 0}) as pg, e2e.own_kafka() as kafka, \
        lab.proxy.KafkaProxy(kafka.bootstrap) as proxy, e2e.Case(postgres=pg, kafka=kafka) as case:
    relay = begin(case, proxy)
    desk = Desk(case, relay)
    for section in SECTIONS:
        if section.__name__ in picked:
            section(desk, case, relay, proxy)
    desk.all_ran()
    case.stop(relay)
