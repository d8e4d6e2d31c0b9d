"""`run --publisher stdout` prints what is committed from now on as it would be published, beside a running
relay, whose slot and progress stay what they are; what it reads through goes with it."""

import signal
import subprocess

import e2e

SQL = """
    CREATE TABLE public.keyed (id int PRIMARY KEY, note text, total int);
"""


def routes(prefix):
    return [{"name": "outbox", "from": "public.outbox", "topic": prefix + "{aggregatetype}"},
            {"name": "keyed", "from": "public.keyed", "as": "change", "topic": prefix + "keyed",
             "debezium": {"column_mask_with_length_chars": {"4": "public\\.keyed\\.note"}}}]


def slots(case):
    return case.sql("SELECT slot_name, temporary FROM pg_replication_slots"
                    " WHERE database = current_database() ORDER BY 1")


with e2e.Case(sql=SQL) as one:
    relay = one.up({"routes": routes(one.prefix)})
    generation = one.progress()[-1]["generation"]
    before = slots(one)
    assert len(before) == 1, before
    live = subprocess.Popen([relay.binary, "run", "--publisher", "stdout", "-c", relay.path],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=relay._env(None))
    said = [live.stdout.readline().decode()]
    assert "nothing is published, recorded or confirmed" in said[0], said
    assert len(slots(one)) == 2, slots(one)
    one.put(1)
    one.sql("INSERT INTO public.keyed VALUES (1, 'tell nobody', 5)")
    one.sql("BEGIN; INSERT INTO public.keyed VALUES (2, 'never', 5); ROLLBACK")
    one.sql("UPDATE public.keyed SET total = 6")
    while not said[-1].startswith("update public.keyed"):
        said.append(live.stdout.readline().decode())
    while not said[-1].lstrip().startswith("value"):
        said.append(live.stdout.readline().decode())
    live.send_signal(signal.SIGINT)
    rest, err = live.communicate(timeout=20)
    text = "".join(said) + rest.decode()
    assert live.returncode == 0, (live.returncode, text, err)
    assert "insert public.outbox" in text and "by route outbox" in text, text
    assert '"after":{"id":1,"note":"****","total":6}' in text and "tell nobody" not in text, text
    assert "never" not in text, text
    e2e.wait("its slot to go", lambda: slots(one) == before)
    e2e.wait("the relay's own events", lambda: one.seen(0.1) and len(one.tail.events) == 3)
    assert one.progress()[-1]["generation"] == generation
    one.command(relay, "run", "--publisher", "nats", code=2, says="there is no publisher nats")
    one.command(relay, "run", "--publisher", "stdout", "--setup", code=2, says="only looks")
    one.stop(relay)
