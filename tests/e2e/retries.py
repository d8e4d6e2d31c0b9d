"""dead-letter retry of many letters: every row is a letter, the route is mended, and the relay is killed
while it sends them again."""

import json
import random
import threading
import time

import e2e
import oracle

TABLES = "CREATE TABLE orders (id bigserial PRIMARY KEY, k text NOT NULL, total text NOT NULL);"
KEYS = 50
LETTERS_MAX = 10000  # of one command
dice = random.Random(e2e.seed())


def config(case, guarantee, mended):
    number = "(.after.total | tonumber? // 0)" if mended else "(.after.total | tonumber)"
    return {"delivery": {"guarantee": guarantee}, "dead_letter": {"quarantine": "key"}, "routes": [
        {"name": "orders", "from": "public.orders", "as": "event", "type": "Order", "key": "{k}",
         "topic": case.prefix + "orders", "when": {"op": ["insert"]}, "on_error": "dead_letter",
         "jq": "{id: .after.id, k: .after.k, total: %s}" % number}]}


def events(case, settle=True):
    """settle=False: of a transaction that is open nothing is waited for."""
    return oracle.read_topics(case.kafka.bootstrap, [case.prefix + "orders"], settle=settle)


def records(case):
    """(letters, marks of what was done with them)"""
    found = oracle.read_topics(case.kafka.bootstrap, ["walferry.%s.dead-letter" % case.name])
    marks = [one for one in found if oracle.header(one, "walferry-letter")]
    return len(found) - len(marks), marks


def held(case):
    last = {}
    for record in oracle.read_topics(case.kafka.bootstrap, ["walferry.%s.quarantine" % case.name]):
        last[record.key] = record.value
    return [key for key, value in last.items() if value is not None]


class Retry(threading.Thread):
    """`dead-letter retry --all`, given again where the relay was away for too long."""

    def __init__(self, relay):
        super().__init__(daemon=True)
        self.relay, self.answer = relay, None
        self.start()

    def run(self):
        for _ in range(5):
            self.answer = self.relay.run("dead-letter", "retry", "--all", "--json", timeout=450)
            if self.answer[0] != 6:
                return

    def result(self):
        self.join()
        assert self.answer is not None and self.answer[0] == 0, self.answer
        return json.loads(self.answer[1])


def judge(case, rows, kills, guarantee):
    """Each row is one event, in the order of its key; under at_least_once a killed one may be seen
    again, from some event of it on, and then in the same order."""
    found = events(case)
    ids = [json.loads(one.value)["id"] for one in found]
    assert set(ids) == set(range(1, rows + 1)), (len(set(ids)), rows)
    if guarantee == "exactly_once" or kills == 0:
        assert len(ids) == rows, (len(ids), rows)
    letters, marks = records(case)
    assert letters == rows, letters
    assert len({oracle.header(one, "walferry-id") for one in marks}) == rows
    assert guarantee != "exactly_once" or len(marks) == rows, len(marks)
    firsts, seen = {}, set()
    for one, number in zip(found, ids):
        assert oracle.header(one, "walferry-replay"), one
        if number not in seen:
            assert firsts.get(one.key, 0) < number, (one.key, firsts[one.key], number)
            firsts[one.key] = number
        seen.add(number)
    assert held(case) == [], held(case)
    return len(ids) - rows


def check(guarantee, rows, crashes, kills=0):
    """crashes: places at which the relay dies while it carries the command out; kills: at any moment.
    A transaction that is half out is of no use to a reader until it is committed."""
    with e2e.Case(sql=TABLES, label="_" + guarantee[:3]) as case:
        case.apply("005_command.sql")
        relay = case.relay(config(case, guarantee, False))
        case.command(relay, "setup")
        case.start(relay)
        case.sql("INSERT INTO orders (k, total) SELECT 'k' || n %% %s, 'many' FROM generate_series(1, %s) AS n",
                 (KEYS, rows))
        case.wait_confirmed(case.current_lsn(), 300)
        assert not events(case) and len(held(case)) == KEYS
        relay.stop()
        relay.config.update(config(case, guarantee, True))
        began, retry = time.monotonic(), None
        for point in crashes:
            relay.start(env={"WALFERRY_CRASH_AT": point})
            retry = retry or Retry(relay)
            relay.wait(120)
            seen = len(events(case, settle=False))
            print("%s: died at %s, %d events" % (guarantee, point, seen), flush=True)
            assert seen < rows and (guarantee != "exactly_once" or seen % LETTERS_MAX == 0), seen
        case.start(relay)
        retry = retry or Retry(relay)
        done = 0
        while kills and not events(case, settle=False) and retry.is_alive():
            time.sleep(1)
        while done < kills and retry.is_alive():
            time.sleep(dice.uniform(1, 8))
            relay.kill()
            done += 1
            print("%s: killed, %d events" % (guarantee, len(events(case, settle=False))), flush=True)
            case.start(relay)
        assert done == kills, done
        said = retry.result()
        assert said["left"] == 0, said
        again = judge(case, rows, len(crashes) + kills, guarantee)
        print("%s: %d letters, %d commands, %.1f s, %d seen again" % (
            guarantee, rows, said["commands"], time.monotonic() - began, again), flush=True)
        case.stop(relay)
