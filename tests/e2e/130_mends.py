"""What a hint prints is run as it was printed, by sh or psql, and the relay then works.

Each reason here is produced on real servers; where the printed command asks and nobody is there, the line
with --yes that it prints in turn is run. A reason is counted only once its mend was run and helped."""

import os
import sys

import e2e
from mends import RAN, asked, ended, last, mend, mend_sql, starts

sys.path.insert(0, os.path.join(e2e.ROOT, "tools"))
import reasons  # pylint: disable=wrong-import-position

# Who else runs the mend of a reason as it was printed.
ELSEWHERE = {
    "slot_lost": "067", "other_system": "062",
    "position_in_future": "065", "message_too_large": "070", "publication_changed": "180",
    "publication_gone": "182", "not_utf8": "190", "progress_forged": "111",
    "history_changed": "167", "transaction_unknown": "262", "mode_changed": "264",
    "replication_weak": "145", "claim_refused": "257", "finding": "285", "jq_failed": "240", "jq_limit": "240", "bad_traceparent": "240",
    **{reason: "131" for reason in (
        "setup_unfinished", "timeline_changed", "partial_mismatch", "wal_level", "acl_denied",
        "progress_topic_deletes", "topic_missing", "column_missing", "bad_message_json", "bad_value",
        "key_not_sent", "old_not_sent", "key_unknown", "invalid_operation")},
}
REASONS = reasons.rows()
NOT_RUN = {row.slug for row in REASONS if row.mend.startswith("NOT_RUN")}
WITH_MEND = {row.slug for row in REASONS if row.mend != "NONE"}


with e2e.Case(config={"log": {"format": "json"}}) as case:
    def works(relay):
        case.command(relay, "check", "--connect")
        case.start(relay)
        case.put(rows=2)
        case.drain(relay=relay)
        case.stop(relay)

    relay = case.relay()
    mend(relay, "publication_missing", asked(relay, "publication_missing", "check", "--connect"))
    works(relay)

    case.sql("SELECT pg_drop_replication_slot(%s)", (case.slot_name,))
    mend(relay, "slot_missing", ended(case, relay, "slot_missing", 3))
    works(relay)

    case.sql("SELECT pg_drop_replication_slot(%s)", (case.slot_name,))
    mend(relay, "slot_unusable", asked(relay, "slot_unusable", "rebase", "--to", "slot",
                                       "--accept-loss"))
    works(relay)

    hint = asked(relay, "not_accepted", "rebase", "--to", "new-slot")
    assert "LOSS" in case.command(relay, "rebase", "--to", "new-slot", code=3)
    mend(relay, "not_accepted", hint)
    works(relay)

    case.sql("SELECT pg_switch_wal()")
    case.sql("SELECT pg_replication_slot_advance(%s, pg_current_wal_lsn())", (case.slot_name,))
    mend(relay, "slot_ahead", ended(case, relay, "slot_ahead", 3))
    works(relay)

    for reason, changes in (("progress_newer", {"v": 9}),
                            ("progress_unreadable", {"position": "nonsense"})):
        case.forge_progress(**changes)
        mend(relay, reason, ended(case, relay, reason, 3))
        case.start(relay)
        case.stop(relay)

    case.start(relay)
    mend(relay, "relay_running", asked(relay, "relay_running", "rebase", "--to", "slot",
                                       "--accept-repeat", "--yes"))
    assert relay.wait(15) == 4
    works(relay)

    case.command(relay, "teardown", "--yes")
    case.sql("CREATE PUBLICATION %s FOR TABLE public.outbox WITH (publish = 'insert')"
             % case.slot_name)
    mend(relay, "closed", ended(case, relay, "closed", 2))
    works(relay)

COLUMNS = "(id uuid DEFAULT gen_random_uuid(), aggregatetype text, aggregateid text, type text," \
          " payload jsonb, headers jsonb, part int, note text)"

with e2e.Case(label="_sql", config={"log": {"format": "json"}}) as case:
    def of(table, publication, **route):
        return case.relay({
            "source": {"publication": publication},
            "routes": [dict({"name": "r", "from": table, "as": "outbox",
                             "topic": case.prefix + "{aggregatetype}"}, **route)]})

    case.sql('CREATE TABLE public."Mixed Case" %s' % COLUMNS)
    case.sql("CREATE TABLE public.parted %s PARTITION BY LIST (aggregatetype);"
             "CREATE TABLE public.part_a PARTITION OF public.parted DEFAULT" % COLUMNS)
    case.sql("CREATE UNLOGGED TABLE public.volatile %s" % COLUMNS)
    case.sql("CREATE PUBLICATION \"No Inserts\" FOR TABLE public.\"Mixed Case\""
             " WITH (publish = 'update')")
    case.sql('CREATE PUBLICATION "No Table"')
    case.sql("CREATE PUBLICATION leaves FOR TABLE public.parted")
    faults = [("publication_inserts", 'public."Mixed Case"', "No Inserts"),
              ("publication_table", 'public."Mixed Case"', "No Table"),
              ("publication_root", "public.parted", "leaves"),
              ("table_kind", "public.volatile", "empty"),
              ("replica_identity", "public.keyless", "without_keys")]
    case.sql("CREATE TABLE public.keyless (n int)")
    case.sql("CREATE PUBLICATION without_keys; CREATE PUBLICATION without_keys_changes"
             " FOR TABLE public.keyless")
    if case.pg.major >= 15:
        case.sql('CREATE PUBLICATION filtered FOR TABLE public."Mixed Case" WHERE (part > 7)')
        case.sql('CREATE PUBLICATION listed FOR TABLE public."Mixed Case" (id, note)')
        faults += [("publication_filter", 'public."Mixed Case"', "filtered"),
                   ("publication_column", 'public."Mixed Case"', "listed")]
    for reason, table, publication in faults:
        one = of(table, publication) if reason != "replica_identity" else of(
            table, publication, **{"as": "change", "topic": case.prefix + "keyless"})
        mend_sql(case, reason, asked(one, reason, "check", "--connect"))
        if reason != "table_kind":
            case.command(one, "check", "--connect")

with e2e.Case(label="_rows", config={"log": {"format": "json"}}) as case:
    case.sql("ALTER TABLE public.outbox ADD COLUMN part int, ADD COLUMN note text")
    relay = case.relay({"delivery": {"topics": {"allow": [case.prefix + "*"]}}, "routes": [{
        "name": "outbox", "from": "public.outbox", "as": "outbox", "topic": "{aggregatetype}",
        "columns": {"headers": "headers", "partition": "part"},
        "headers": {"id": "{id}", "note": "{note}"}}]})
    mend(relay, "publication_missing", asked(relay, "publication_missing", "check", "--connect"))
    good = case.prefix + "order"
    for reason, topic, part, note, headers in (
            ("null_in_template", good, 0, None, None),
            ("illegal_topic", "with space", 0, "n", None),
            ("reserved_topic", "__consumer_offsets", 0, "n", None),
            ("topic_not_allowed", "elsewhere", 0, "n", None),
            ("bad_partition", good, -1, "n", None),
            ("bad_headers", good, 0, "n", "[1]"),
            ("reserved_header", good, 0, "n", '{"walferry-x": "1"}')):
        case.start(relay)
        case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type, part, note, headers)"
                 " VALUES (%s, 'k', 't', %s, %s, %s)", (topic, part, note, headers))
        assert relay.wait(30) == 5, relay.log_text()
        hint = last(relay.log_text(), reason)
        assert hint.index("start again") < hint.index(" skip "), hint
        mend(relay, reason, hint)
    case.start(relay)
    case.stop(relay)

with e2e.Case(label="_setup", config={"log": {"format": "json"}}) as case:
    # A role that may neither replicate nor publish the table.
    role = case.name + "_role"
    case.sql("CREATE ROLE %s LOGIN" % role)
    one = case.relay({"source": {"connection": case.dsn(role)}})
    mend_sql(case, "no_privilege", asked(one, "no_privilege", "setup"))
    mend_sql(case, "no_replication_privilege", asked(one, "no_replication_privilege", "setup"))
    case.command(one, "setup")
    starts(case, one)
    case.command(case.relay(), "teardown", "--yes")
    case.sql("DROP ROLE %s" % role)

with e2e.Case(label="_slot", config={"log": {"format": "json"}}) as case:
    case.sql("CREATE PUBLICATION %s FOR TABLE public.outbox WITH (publish = 'insert')"
             % case.slot_name)
    relay = case.relay()
    mend(relay, "not_set_up", ended(case, relay, "not_set_up", 2))
    starts(case, relay)

    case.forge_progress(mode="intent")
    mend(relay, "progress_regressed", ended(case, relay, "progress_regressed", 3))
    starts(case, relay)

    case.kafka.delete_topic(case.progress_topic)
    mend(relay, "progress_missing", ended(case, relay, "progress_missing", 3))
    starts(case, relay)

with e2e.Case(label="_foreign", config={"log": {"format": "json"}}) as case:
    case.sql("CREATE PUBLICATION %s FOR TABLE public.outbox WITH (publish = 'insert')"
             % case.slot_name)
    case.sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (case.slot_name,))
    relay = case.relay()
    mend(relay, "slot_without_progress", asked(relay, "slot_without_progress", "setup"))
    starts(case, relay)

told = RAN | NOT_RUN | set(ELSEWHERE)
twice = RAN & (NOT_RUN | set(ELSEWHERE))
assert not twice, "it is run here: %s" % twice
assert len(NOT_RUN) <= reasons.NOT_RUN_MAX
for script in set(ELSEWHERE.values()):
    path = [name for name in os.listdir(os.path.join(e2e.ROOT, "tests/e2e")) if name[:3] == script]
    assert path, "there is no test %s" % script
assert told == WITH_MEND, "a mend without a run, or a run without a mend: %s" % (
    told ^ WITH_MEND)
print("mends: %d reasons have one; %d run here as printed, %d elsewhere, %d cannot be run" % (
    len(told), len(RAN), len(ELSEWHERE), len(NOT_RUN)))
