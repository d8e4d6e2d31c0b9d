"""dead_letter.quarantine: key. Later events of a key with a dead letter go there, too, and dead-letter
retry sends them again through the mended route, in order, once each, and lets go of the key; drop leaves
them be. Under kill -9 at any moment, and at places that hurt; and who may not send is told the grant."""

import json
import random
import sys
import threading
import time

import e2e
import oracle

TABLES = """
CREATE TABLE orders (id bigserial PRIMARY KEY, k text NOT NULL, n int NOT NULL, total text NOT NULL);
"""
KEYS = "abcdef"

seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(10000)
print("kills: seed %d" % seed, flush=True)
dice = random.Random(seed)


def config(case, mended, keys_max=100):
    number = "(.after.total | tonumber? // 0)" if mended else "(.after.total | tonumber)"
    return {"dead_letter": {"quarantine": "key", "keys_max": keys_max}, "routes": [
        {"name": "orders", "from": "public.orders", "as": "event", "type": "Order", "key": "{k}",
         "topic": case.prefix + "orders", "when": {"op": ["insert"]}, "on_error": "dead_letter",
         "jq": "{k: .after.k, n: .after.n, total: %s}" % number}]}


class Rows:
    """Rows of a few keys, each numbered within its key; now and then one of which jq makes nothing."""

    def __init__(self, case):
        self.case, self.next, self.bad = case, {key: 0 for key in KEYS}, set()

    def write(self, count, faults=True):
        values = []
        for _ in range(count):
            key = dice.choice(KEYS)
            bad = faults and dice.random() < 0.12
            values.append("('%s', %d, '%s')" % (key, self.next[key], "many" if bad else "7"))
            self.bad |= {key} if bad else set()
            self.next[key] += 1
        self.case.sql("INSERT INTO orders (k, n, total) VALUES " + ", ".join(values))


def events(case):
    return oracle.read_topics(case.kafka.bootstrap, [case.prefix + "orders"])


def letters(case):
    """(letters, marks)"""
    found = oracle.read_topics(case.kafka.bootstrap, ["walferry.%s.dead-letter" % case.name])
    marks = [one for one in found if oracle.header(one, "walferry-letter")]
    return [one for one in found if one not in marks], marks


def held(case):
    """What the topic says, as its compaction would leave it."""
    last = {}
    for record in oracle.read_topics(case.kafka.bootstrap, ["walferry.%s.quarantine" % case.name]):
        last[json.loads(record.key)[1]] = record.value
    return {key for key, value in last.items() if value is not None}


def numbers(found):
    last = {key: [] for key in KEYS}
    for one in found:
        value = json.loads(one.value)
        last[value["k"]].append(value["n"])
    return last


def settle(case):
    case.wait_confirmed(case.current_lsn(), 40)


def change_config(relay, more):
    relay.config.update(more)


class Killer(threading.Thread):
    """Kills the relay again and again, and starts it each time."""

    def __init__(self, case, relay, kills):
        super().__init__(daemon=True)
        self.case, self.relay, self.kills, self.failure = case, relay, kills, None
        self.start()

    def run(self):
        try:
            for _ in range(self.kills):
                time.sleep(dice.uniform(0.1, 1.2))
                self.relay.kill()
                self.case.start(self.relay)
        except BaseException as error:  # pylint: disable=broad-except
            self.failure = error

    def end(self):
        self.join()
        if self.failure:
            raise self.failure


def fill(case, relay, rows, kills):
    killer = Killer(case, relay, kills)
    for _ in range(10):
        rows.write(10)
        time.sleep(0.1)
    killer.end()
    settle(case)


def check_held(case, relay, rows):
    """A key with a letter has no event behind its first one; the others have all."""
    assert held(case) == rows.bad, (held(case), rows.bad)
    assert relay.metric("walferry_keys_held") == len(rows.bad)
    there, marks = letters(case)
    assert not marks
    sent = numbers(events(case))
    for key in KEYS:
        lettered = [json.loads(one.value)["after"]["n"] for one in there if one.key == key.encode()]
        assert [int(n) for n in lettered] + [] == list(range(len(sent[key]), rows.next[key])), key
        assert sent[key] == list(range(len(sent[key]))), (key, sent[key])
        assert (key in rows.bad) == bool(lettered), key
    reasons = {oracle.header(one, "walferry-error-reason") for one in there}
    assert reasons == {"jq_failed", "key_held"}, reasons
    ids = [oracle.header(one, "walferry-id") for one in there]
    assert len(set(ids)) == len(ids)
    return dict(zip(ids, there))


def order(case, relay, *words):
    """Until an answer came: a relay that is killed in between carries it out later."""
    for _ in range(5):
        code, out, err = relay.run("dead-letter", *words, timeout=90)
        if code != 6:
            return code, out + err
    raise AssertionError(out + err)


def check_all(case, rows, dropped=None):
    """Every row is one event, in the order of its key, but for those that were dropped."""
    sent = numbers(events(case))
    for key in KEYS:
        want = [n for n in range(rows.next[key]) if n not in (dropped or {}).get(key, ())]
        assert sent[key] == want, (key, sent[key], want)
    ids = [oracle.header(one, "walferry-id") for one in events(case)]
    assert len(set(ids)) == len(ids)


def retry(case, relay, rows):
    """The route is mended; beside new rows and kills everything is sent again."""
    before = check_held(case, relay, rows)
    code, text = order(case, relay, "retry", "--all")
    assert code == 1, text   # the route is as it was: nothing is lost by that, and no key let go of
    assert held(case) == rows.bad and "left: %d" % len(before) in text, text
    relay.stop()
    change_config(relay, config(case, True))
    case.start(relay)
    killer = Killer(case, relay, 2)
    stop = threading.Event()

    def write():
        while not stop.wait(0.15):
            rows.write(3, faults=False)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    one = sorted(rows.bad)[0]
    code, text = order(case, relay, "retry", "--key", one)
    assert code in (0, 1), text
    code, text = order(case, relay, "retry", "--all")
    assert code in (0, 1), text
    killer.end()
    stop.set()
    writer.join()
    order(case, relay, "retry", "--all")
    settle(case)
    assert held(case) == set(), held(case)
    check_all(case, rows)
    for event in events(case):
        identity = oracle.header(event, "walferry-id")
        if identity in before:
            assert oracle.header(event, "walferry-replay"), event
    rows.bad = set()
    lines = case.command(relay, "dead-letter", "list", says="no such dead letters")
    assert not [line for line in lines.splitlines() if "key_held" in line]


def crash(case, relay, *words):
    """The relay dies where a Kafka transaction of the command is half out, or is not told of as committed."""
    relay.stop()
    relay.config.update(config(case, True))
    point = dice.choice(("C2:3", "C3:2", "C5:2"))
    print("%s: %s" % (words[0], point), flush=True)
    relay.start(env={"WALFERRY_CRASH_AT": point})
    got = []
    waiting = threading.Thread(target=lambda: got.append(order(case, relay, *words)))
    waiting.start()
    relay.wait(40)
    case.start(relay)
    waiting.join()
    return got[0]


def drop(case, relay, rows):
    """One letter by its id, then the rest of its key; what was dropped is no event, and what follows is."""
    relay.stop()
    change_config(relay, config(case, False))
    case.start(relay)
    first = rows.next["b"]
    case.sql("INSERT INTO orders (k, n, total) VALUES ('b', %d, 'many'), ('b', %d, '7'), ('b', %d, '8')"
             ", ('a', %d, 'many'), ('a', %d, '8')" % (first, first + 1, first + 2, rows.next["a"],
                                                      rows.next["a"] + 1))
    rows.next["b"] += 3
    rows.next["a"] += 2
    settle(case)
    known = {oracle.header(mark, "walferry-id") for mark in letters(case)[1]}
    there = [one for one in letters(case)[0] if oracle.header(one, "walferry-id") not in known]
    ids = [oracle.header(one, "walferry-id") for one in there if one.key == b"b"]
    assert len(ids) == 3, ids
    code, text = order(case, relay, "retry", "--id", ids[1])
    assert code == 1 and "earlier letter" in text, text
    code, text = order(case, relay, "drop", "--id", ids[0])
    assert code == 0 and "dropped: 1" in text, text
    assert held(case) == {"a", "b"}
    code, text = order(case, relay, "retry", "--id", ids[1])
    assert code == 0 and held(case) == {"a", "b"}, text
    code, text = crash(case, relay, "drop", "--key", "b", "--route", "orders")
    assert code == 0 and "dropped: 1" in text and "let go of: 1" in text, text
    assert held(case) == {"a"}
    code, text = crash(case, relay, "retry", "--key", "a")
    assert code == 0 and "sent again: 2" in text and held(case) == set(), text
    rows.write(6, faults=False)
    settle(case)
    check_all(case, rows, {"b": (first, first + 2)})
    case.command(relay, "dead-letter", "retry", code=2, says="wants one of")
    case.command(relay, "dead-letter", "show", "--all", code=2, says="changes nothing")


def grants(case, relay):
    case.sql("CREATE ROLE %s_app LOGIN" % case.name)
    try:
        case.command(relay, "dead-letter", "retry", "--all", "--admin-connection",
                     case.dsn(case.name + "_app"), code=2,
                     says="GRANT walferry_operator TO %s_app" % case.name)
    finally:
        case.sql("DROP ROLE %s_app" % case.name)


def full(case, relay, rows):
    """One key more than may be held ends the relay; with room for it nothing was lost."""
    relay.stop()
    change_config(relay, config(case, False, keys_max=1))
    case.start(relay)
    case.sql("INSERT INTO orders (k, n, total) VALUES ('c', %d, 'many'), ('d', %d, 'many')" % (
        rows.next["c"], rows.next["d"]))
    assert relay.wait(30) == 5, relay.log_text()[-2000:]
    assert "raise dead_letter.keys_max" in relay.log_text()
    change_config(relay, config(case, False, keys_max=2))
    case.start(relay)
    settle(case)
    assert held(case) == {"c", "d"}, held(case)


def moved(case, relay):
    """The letters' topic changes once no key is held, although the records of before are there; and
    not while one is."""
    want = held(case)
    relay.stop()
    other = config(case, False)
    other["dead_letter"]["topic"] = "walferry.%s.other" % case.name
    change_config(relay, other)
    case.command(relay, "setup")
    if want:
        case.refused(relay, 2, "keys are held for dead letters in topic")
    else:
        case.start(relay)


with e2e.Case(sql=TABLES) as the_case:
    the_case.apply("005_command.sql")
    the_rows = Rows(the_case)
    the_relay = the_case.relay(config(the_case, False))
    the_case.command(the_relay, "setup", says="walferry.%s.quarantine" % the_case.name)
    the_case.start(the_relay)
    fill(the_case, the_relay, the_rows, kills=2)
    retry(the_case, the_relay, the_rows)
    grants(the_case, the_relay)
    drop(the_case, the_relay, the_rows)
    moved(the_case, the_relay)
    full(the_case, the_relay, the_rows)
    moved(the_case, the_relay)
