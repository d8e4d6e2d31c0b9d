/* What a bad file is told: for each fault its place, its text, its reason and its mend, to the
 * letter. The texts are the contract: people and scripts read them. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define MINIMAL                                                                                    \
    "relay: orders\nkafka:\n  bootstrap.servers: k\nroutes:\n  - name: outbox\n"                   \
    "    from: public.outbox\n"

struct bad {
    const char *yaml;
    const char *text; /* behind "w.yaml:" */
    const char *reason;
    const char *hint;
};

/* Whole files. */
static const struct bad files[] = {
    {"", "1: the file is empty", "config_syntax",
     "start from the sample file or from the example in walferry.yaml(5)"},
    {"# nothing\n", "1: the file is empty", "config_syntax",
     "start from the sample file or from the example in walferry.yaml(5)"},
    {"---\n", "1: the file is empty", "config_syntax",
     "start from the sample file or from the example in walferry.yaml(5)"},
    {"just text\n", "1: expected keys and values, such as relay: orders", "config_syntax", ""},
    {"- a\n", "1: expected keys and values, such as relay: orders", "config_syntax", ""},
    {"~\n", "1: the file is empty", "config_syntax",
     "start from the sample file or from the example in walferry.yaml(5)"},
    {"5\n", "1: expected keys and values, such as relay: orders", "config_syntax", ""},
    {"relay: [\n",
     "2: not valid YAML: did not find expected node content while parsing a flow node",
     "config_syntax",
     "indent with spaces, not tabs, and quote a value that holds \": \", \" #\", or begins with a "
     "special character"},
    {"relay: a\n\tsource: b\n",
     "2: not valid YAML: found a tab character that violates indentation while scanning a plain "
     "scalar",
     "config_syntax",
     "indent with spaces, not tabs, and quote a value that holds \": \", \" #\", or begins with a "
     "special character"},
    {"relay: orders: x\n", "1: not valid YAML: mapping values are not allowed in this context",
     "config_syntax",
     "indent with spaces, not tabs, and quote a value that holds \": \", \" #\", or begins with a "
     "special character"},
    {"relay: \"a\n",
     "2: not valid YAML: found unexpected end of stream while scanning a quoted scalar",
     "config_syntax",
     "indent with spaces, not tabs, and quote a value that holds \": \", \" #\", or begins with a "
     "special character"},
    {" relay: *nope\n", "1: alias of an anchor that is not complete before it", "config_syntax",
     ""},
    {"relay: &a [*a]\n", "1: alias of an anchor that is not complete before it", "config_syntax",
     ""},
    {"relay: !!str x\n", "1: tags are not supported", "config_syntax",
     "leave out what begins with !"},
    {"? [a]\n: b\n", "1: a key must be plain text", "config_syntax", ""},
    {"<<: {a: b}\n", "1: unknown key \"<<\"", "config_unknown_key",
     "merge keys are not part of this file's YAML; write the keys out"},
    {"relay: Orders\nkafka:\n  bootstrap.servers: k\nroutes:\n  - name: outbox\n    from: "
     "public.outbox\n",
     "1: relay: expected a lower-case letter, then up to 39 of a-z 0-9 _, found \"Orders\"",
     "config_value", ""},
    {"relay: 5\nkafka:\n  bootstrap.servers: k\nroutes:\n  - name: outbox\n    from: "
     "public.outbox\n",
     "1: relay: expected text, found a number", "config_type", "put the value into quotes"},
    {"relay: true\nkafka:\n  bootstrap.servers: k\nroutes:\n  - name: outbox\n    from: "
     "public.outbox\n",
     "1: relay: expected text, found a boolean", "config_type", "put the value into quotes"},
    {"relay:\nkafka:\n  bootstrap.servers: k\nroutes:\n  - name: outbox\n    from: public.outbox\n",
     "1: relay: expected a lower-case letter, then up to 39 of a-z 0-9 _, found nothing",
     "config_type", "write a value behind the colon"},
    {"relay: [a]\nkafka:\n  bootstrap.servers: k\nroutes:\n  - name: outbox\n    from: "
     "public.outbox\n",
     "1: relay: expected a lower-case letter, then up to 39 of a-z 0-9 _, found a list",
     "config_type", ""},
    {"relay: ''\nkafka:\n  bootstrap.servers: k\nroutes:\n  - name: outbox\n    from: "
     "public.outbox\n",
     "1: relay: expected a lower-case letter, then up to 39 of a-z 0-9 _, found \"\"",
     "config_value", ""},
    {"relay: a2345678901234567890123456789012345678901\nkafka:\n  bootstrap.servers: k\nroutes:\n  "
     "- name: outbox\n    from: public.outbox\n",
     "1: relay: expected a lower-case letter, then up to 39 of a-z 0-9 _, found "
     "\"a2345678901234567890123456789012345678901\"",
     "config_value", ""},
    {"kafka:\n  bootstrap.servers: k\nroutes:\n  - name: outbox\n    from: public.outbox\n",
     "1: relay: this key is missing", "config_missing", "add a line such as relay: orders"},
    {"relay: orders\nroutes:\n  - name: outbox\n    from: public.outbox\n",
     "1: kafka: this key is missing", "config_missing", "add kafka: with its keys below it"},
    {"relay: orders\nkafka: {bootstrap.servers: k}\n", "1: routes: this key is missing",
     "config_missing", "add routes: with its items below it"},
    {"relay: orders\nkafka: {a: k}\nroutes: []\n",
     "2: kafka.bootstrap.servers: this key is missing", "config_missing",
     "add a line such as bootstrap.servers: \"127.0.0.1:9092\""},
    {"relay: orders\nkafka: {bootstrap.servers: k}\nroutes: []\n", "3: routes: there is no route",
     "config_missing", "add one, such as - {name: outbox, from: public.outbox}"},
    {"relay: orders\nkafka: {bootstrap.servers: k}\nroutes: {}\n",
     "3: routes: expected a list, found a mapping", "config_type",
     "write items, each behind a -, below it, indented"},
    {"relay: orders\nkafka: {bootstrap.servers: k}\nroutes: [a]\n",
     "3: routes[0]: expected a mapping, found a single value", "config_type",
     "write keys, each with a colon and a value, below it, indented"},
    {"relay: orders\nkafka: {bootstrap.servers: k}\nroutes: [{name: a, from: b.c}, {from: b.c}]\n",
     "3: routes[1].name: this key is missing", "config_missing", "add a line such as name: outbox"},
    {"relay: orders\nkafka: {bootstrap.servers: k}\nroutes: [{name: a}]\n",
     "3: routes[0].from: this key is missing", "config_missing",
     "add a line such as from: public.outbox"},
    {"relay: orders\nkafka:\n  bootstrap.servers: k\nroutes:\n  - name: outbox\n    from: outbox\n",
     "6: routes[0].from: expected schema.table, a glob such as shop.*_outbox, or message:<prefix>, "
     "found \"outbox\"",
     "config_value", ""},
    {"relay: orders\nkafka:\n  bootstrap.servers: k\nroutes:\n  - name: outbox\n    from: "
     "\"message:\"\n",
     "6: routes[0].from: expected schema.table, a glob such as shop.*_outbox, or message:<prefix>, "
     "found \"message:\"",
     "config_value", ""},
    {"relay: orders\nkafka:\n  acks: all\n  bootstrap.servers: k\nroutes:\n  - name: outbox\n    "
     "from: public.outbox\n",
     "3: kafka: acks may not be set: transactions need acknowledgement by all in-sync replicas",
     "config_refused", "delete the line"},
    {"relay: orders\nkafka:\n  queue.buffering.max.ms: 1\n  bootstrap.servers: k\nroutes:\n  - "
     "name: outbox\n    from: public.outbox\n",
     "3: kafka: queue.buffering.max.ms may not be set: the queue must hold a whole batch; set "
     "delivery.memory_limit, delivery.batch_events and delivery.commit_interval_ms",
     "config_refused", "delete the line"},
    {"relay: orders\nkafka:\n  sasl.password:\n  bootstrap.servers: k\nroutes:\n  - name: outbox\n "
     "   from: public.outbox\n",
     "3: kafka.sasl.password: expected a value, found nothing", "config_type", ""},
    {"relay: orders\nkafka:\n  sasl.password: \"${file:/nonexistent/x}\"\n  bootstrap.servers: "
     "k\nroutes:\n  - name: outbox\n    from: public.outbox\n",
     "3: kafka.sasl.password: ${file:/nonexistent/x}: No such file or directory",
     "config_expansion", "write the value into that file, readable to the user of walferry"},
    {"relay: orders\nkafka:\n  a: 1\n  a: 2\n  bootstrap.servers: k\nroutes:\n  - name: outbox\n   "
     " from: public.outbox\n",
     "4: kafka: duplicate key \"a\", first on line 3", "config_duplicate_key",
     "delete one of the two"},
    {"relay: r\nkafka: \"password=hunter2\"\n",
     "2: kafka: expected a mapping, found a single value", "config_type",
     "write keys, each with a colon and a value, below it, indented"},
    {"a: {b: {c: {d: {e: {f: {g: {h: {i: {j: {k: {l: {m: {n: {o: {p: 1}}}}}}}}}}}}}}}}\n",
     "1: nested too deeply", "config_syntax", ""},
};

#define NO_HEADER "7: otlp.headers: name or value holds what no HTTP header may, such as a newline"

/* Lines behind six good ones, so that the first of them is line 7. */
static const struct bad tails[] = {
    {"---\nrelay: b\n", "7: a second document begins; a file holds one", "config_syntax", ""},
    {"relay: again\n", "7: duplicate key \"relay\", first on line 1", "config_duplicate_key",
     "delete one of the two"},
    {"delivery:\n  commit_intervall_ms: 5\n", "8: delivery: unknown key \"commit_intervall_ms\"",
     "config_unknown_key", "did you mean commit_interval_ms?"},
    {"slot: x\n", "7: unknown key \"slot\"", "config_unknown_key",
     "this key exists as source.slot"},
    {"deliverey: {}\n", "7: unknown key \"deliverey\"", "config_unknown_key",
     "did you mean delivery?"},
    {"xyzzyxyzzy: 1\n", "7: unknown key \"xyzzyxyzzy\"", "config_unknown_key",
     "known here: relay, source, kafka, kafka_token_command, delivery, retry, dead_letter, "
     "retention, routes, admin, log, notify, otlp"},
    {"source: {password_command: get-token}\n",
     "7: source.password_command: expected a list of texts, the program first, found \"get-token\"",
     "config_type", "write [\"a\", \"b\"], or items below it, each behind a -"},
    {"source: {password_command: [\"\", a]}\n",
     "7: source.password_command: the name of the program is empty", "config_value",
     "write [\"/path/of/the/program\", \"its argument\"], or leave the key out"},
    {"kafka_token_command: [token, 900]\n", "7: kafka_token_command: expected text, found a number",
     "config_type", "put the value into quotes"},
    {"retry: {mn_ms: 1}\n", "7: retry: unknown key \"mn_ms\"", "config_unknown_key",
     "did you mean min_ms?"},
    {"delivery: {strict: true, strict: false}\n",
     "7: delivery: duplicate key \"strict\", first on line 7", "config_duplicate_key",
     "delete one of the two"},
    {"    colums: {}\n", "7: routes[0]: unknown key \"colums\"", "config_unknown_key",
     "did you mean columns?"},
    {"    columns: {payloda: x}\n", "7: routes[0].columns: unknown key \"payloda\"",
     "config_unknown_key", "did you mean payload?"},
    {"    bogus: x\n", "7: routes[0]: unknown key \"bogus\"", "config_unknown_key",
     "known here: name, from, as, columns, topic, key, headers, format, debezium_compatible, "
     "debezium, event_router, when, type, value, jq, jq_numbers, row, rename, drop, constants, "
     "cloudevents, "
     "value_encoding, on_error, poll, oversize, continue"},
    {"    type: x\n", "5: routes[0].type: it is for as: event", "config_value",
     "delete it, or say as: event"},
    {"    format: cloudevents\n", "5: routes[0].format: format: cloudevents is for as: event",
     "config_value", "delete the line with the format"},
    {"    as: event\n", "5: routes[0].topic: as: event needs it", "config_missing",
     "add a line such as topic: orders.events"},
    {"    as: event\n    topic: t\n", "5: routes[0].key: as: event needs it", "config_missing",
     "add a line such as key: \"{id}\"; \"\" gives events without a key"},
    {"    as: event\n    topic: t\n    key: ''\n    value: {a: b}\n    jq: .\n",
     "5: routes[0].jq: a route has value or jq, not both", "config_value", "delete one of them"},
    {"    as: event\n    topic: t\n    key: ''\n    drop: [a]\n    jq: .\n",
     "5: routes[0].row: row, rename, drop and constants shape the row, and value or jq takes its "
     "place",
     "config_value", "delete the one or the other"},
    {"    as: event\n    topic: t\n    key: ''\n    format: raw\n",
     "5: routes[0].format: as: event makes JSON: raw is for one value", "config_value",
     "delete the line with the format, or say json, json_string or cloudevents"},
    {"    as: event\n    topic: t\n    key: ''\n    format: cloudevents\n",
     "5: routes[0].type: as: event needs it", "config_missing",
     "CloudEvents have a type: add type: OrderPlaced"},
    {"    as: event\n    topic: t\n    key: ''\n    when: {op: [truncate]}\n",
     "10: routes[0].when.op: expected a list of insert, update, delete or read, found \"truncate\"",
     "config_value", ""},
    {"    oversize: {policy: truncate}\n", "5: routes[0].oversize.field: policy: truncate needs it",
     "config_missing", "name the text that may be cut, as in field: payload.note"},
    {"    oversize: {field: note}\n", "7: routes[0].oversize.field: it is for policy: truncate",
     "config_value", "delete it, or say policy: truncate"},
    {"    oversize: {policy: truncate, field: a..b}\n",
     "7: routes[0].oversize.field: expected names with dots between them, found \"a..b\"",
     "config_value", ""},
    {"    oversize: {policy: claim}\n",
     "7: routes[0].oversize.policy: expected on_error, stop, skip, dead_letter, truncate or "
     "claim_check, found \"claim\"",
     "config_value", ""},
    {"    oversize: {policy: claim_check}\n",
     "5: routes[0].oversize.keep: policy: claim_check needs it", "config_missing",
     "say how long values stay in the table, as in keep: 30d"},
    {"    oversize: {keep: 30d}\n", "7: routes[0].oversize.keep: it is for policy: claim_check",
     "config_value", "delete it, or say policy: claim_check"},
    {"    oversize: {policy: claim_check, keep: 0d}\n",
     "7: routes[0].oversize.keep: expected hours or days, as in 30d, found \"0d\"", "config_value",
     ""},
    {"retention: {keep: 0d}\n",
     "7: retention.keep: expected never, or hours or days, as in 7d, found "
     "\"0d\"",
     "config_value", ""},
    {"retention: {keep: 7d, strategy: drop}\n",
     "7: retention.strategy: expected delete or drop_partition, found \"drop\"", "config_value",
     ""},
    {"    as: change\nretention: {keep: 7d}\n",
     "8: retention.keep: no route as: outbox names a table, so there are no rows to delete",
     "config_value", "leave it out"},
    {"    poll: {done: delete}\nsource: {mode: poll, poll: {strategy: claim}}\n"
     "retention: {keep: 7d}\n",
     "9: retention.keep: under source.poll.strategy: claim rows are finished as routes[].poll says",
     "config_value",
     "leave retention out: poll: {done: delete} deletes a row once it is published, and what "
     "done: update has marked anybody may delete"},
    {"  - name: more\n    from: public.*_outbox\nretention: {keep: 7d}\n",
     "8: routes[1].from: retention deletes from the tables that are named, and this is a glob",
     "config_value", "write a route for each table, or leave retention out"},
    {"source: {mode: slot}\n", "7: source.mode: expected wal or poll, found \"slot\"",
     "config_value", ""},
    {"source: {poll: {strategy: lease}}\n",
     "7: source.poll.strategy: expected snapshot or claim, found \"lease\"", "config_value", ""},
    {"    poll: {done: update}\n",
     "5: routes[0].poll.done: it is for source.mode: poll with source.poll.strategy: claim",
     "config_value", "delete it, or say so"},
    {"    poll: {done: update}\nsource: {mode: poll, poll: {strategy: claim}}\n",
     "5: routes[0].poll.done: done: update needs column and value", "config_value",
     "name the column that says whether a row is published, and what it is then"},
    {"    poll: {column: a}\nsource: {mode: poll, poll: {strategy: claim}}\n",
     "5: routes[0].poll.done: done: delete sets no column: column, value and pending are for done: "
     "update",
     "config_value", "say done: update, or delete those lines"},
    {"    poll: {done: update, column: a, value: x, pending: x}\n"
     "source: {mode: poll, poll: {strategy: claim}}\n",
     "7: routes[0].poll.value: value and pending are the same: a row would be published again and "
     "again",
     "config_value", "say what a row has that is published, and what one has that is not"},
    {"source: {mode: poll, poll: {strategy: claim, start: now}}\n",
     "5: source.poll.start: strategy: claim publishes what is pending, whenever it was written",
     "config_value",
     "leave source.poll.start out, and finish the rows that are not to be published before setup"},
    {"source: {poll: {interval_ms: 900}}\n",
     "7: source.poll.interval_ms: 900 is more than source.poll.idle_interval_ms, 500",
     "config_value", ""},
    {"    as: event\n    type: t\n    topic: t\n    key: k\nsource: {mode: poll}\n",
     "5: routes[0].as: source.mode: poll takes outbox routes alone: it sees no updates or deletes",
     "config_value", "say as: outbox, or source.mode: wal"},
    {"delivery: {topics: {allow: \"outbox.*\"}}\n",
     "7: delivery.topics.allow: expected a list of globs of a-z A-Z 0-9 . _ - * ?, found "
     "\"outbox.*\"",
     "config_type", "write [\"a\", \"b\"], or items below it, each behind a -"},
    {"delivery:\n  topics:\n    allow:\n      - good\n      - a/b\n",
     "11: delivery.topics.allow: expected a list of globs of a-z A-Z 0-9 . _ - * ?, found "
     "\"a/b\"",
     "config_value", ""},
    {"delivery: {topics: {allow: [{a: b}]}}\n",
     "7: delivery.topics.allow: expected a list of globs of a-z A-Z 0-9 . _ - * ?, found a mapping",
     "config_type", ""},
    {"delivery: {topics: {allow: [7]}}\n",
     "7: delivery.topics.allow: expected text, found a number", "config_type",
     "put the value into quotes"},
    {"source: {snapshot: initial}\n", "7: source.snapshot: expected never, found \"initial\"",
     "config_value", ""},
    {"source: {slot: My-Slot}\n",
     "7: source.slot: expected 1 to 63 of a-z 0-9 _, found \"My-Slot\"", "config_value", ""},
    {"source: {connection: 5}\n", "7: source.connection: expected text, found a number",
     "config_type", "put the value into quotes"},
    {"source: {connection: [secret]}\n", "7: source.connection: expected text, found a list",
     "config_type", ""},
    {"source:\n", "7: source: expected a mapping, found nothing", "config_type",
     "write keys, each with a colon and a value, below it, indented"},
    {"source: a\n", "7: source: expected a mapping, found a single value", "config_type",
     "write keys, each with a colon and a value, below it, indented"},
    {"source: []\n", "7: source: expected a mapping, found a list", "config_type",
     "write keys, each with a colon and a value, below it, indented"},
    {"source: {slot: a23456789012345678901234567890123456789012345678901234567890123z}\n",
     "7: source.slot: expected 1 to 63 of a-z 0-9 _, found "
     "\"a23456789012345678901234567890123456789012345678901234567890123z\"",
     "config_value", ""},
    {"delivery: {commit_interval_ms: 10s}\n",
     "7: delivery.commit_interval_ms: expected whole milliseconds, 1 to 10000, found \"10s\"",
     "config_type", "write milliseconds, without a unit and without quotes"},
    {"delivery: {commit_interval_ms: 0}\n",
     "7: delivery.commit_interval_ms: expected whole milliseconds, 1 to 10000, found \"0\"",
     "config_value", ""},
    {"delivery: {commit_interval_ms: 10001}\n",
     "7: delivery.commit_interval_ms: expected whole milliseconds, 1 to 10000, found \"10001\"",
     "config_value", ""},
    {"delivery: {commit_interval_ms: '10'}\n",
     "7: delivery.commit_interval_ms: expected whole milliseconds, 1 to 10000, found \"10\"",
     "config_type", "write milliseconds, without a unit and without quotes"},
    {"delivery: {commit_interval_ms: 1.5}\n",
     "7: delivery.commit_interval_ms: expected whole milliseconds, 1 to 10000, found \"1.5\"",
     "config_type", "write milliseconds, without a unit and without quotes"},
    {"delivery: {commit_interval_ms: 99999999999999999999}\n",
     "7: delivery.commit_interval_ms: expected whole milliseconds, 1 to 10000, found "
     "\"99999999999999999999\"",
     "config_value", ""},
    {"delivery: {commit_interval_ms: 1e1}\n",
     "7: delivery.commit_interval_ms: expected whole milliseconds, 1 to 10000, found \"1e1\"",
     "config_type", "write milliseconds, without a unit and without quotes"},
    {"delivery: {commit_interval_ms: true}\n",
     "7: delivery.commit_interval_ms: expected whole milliseconds, 1 to 10000, found \"true\"",
     "config_type", "write milliseconds, without a unit and without quotes"},
    {"delivery: {commit_interval_ms: }\n",
     "7: delivery.commit_interval_ms: expected whole milliseconds, 1 to 10000, found nothing",
     "config_type", "write milliseconds, without a unit and without quotes"},
    {"delivery: {commit_interval_ms: {}}\n",
     "7: delivery.commit_interval_ms: expected whole milliseconds, 1 to 10000, found a mapping",
     "config_type", ""},
    {"delivery: {commit_interval_ms: 1000, transaction_timeout_ms: 1000}\n",
     "7: delivery.commit_interval_ms: 1000 is more than a quarter of "
     "delivery.transaction_timeout_ms, 1000",
     "config_value", ""},
    {"retry: {min_ms: 10, max_ms: 9}\n", "7: retry.min_ms: 10 is more than retry.max_ms, 9",
     "config_value", ""},
    {"retry: {min_ms: 40000}\n", "7: retry.min_ms: 40000 is more than retry.max_ms, 30000",
     "config_value", ""},
    {"notify: {url: \"https://alerts.example.com\"}\n", "7: notify.secret: notify.url needs it",
     "config_missing",
     "make one (openssl rand -hex 32), give it to the receiver, and name it here, as in secret: "
     "\"${file:/etc/walferry/webhook.key}\""},
    {"notify: {url: \"alerts.example.com\"}\n",
     "7: notify.url: expected an address that begins with https:// or http://, found a value that "
     "is not shown",
     "config_value", ""},
    {"notify: {secret: fifteen-bytes--}\n",
     "7: notify.secret: expected 16 to 200 bytes, found a value that is not shown", "config_value",
     ""},
    {"notify: {url: \"http://a\", secret: sixteen-bytes---, lag_limit_ms: 19999}\n",
     "7: notify.lag_limit_ms: 19999 is less than twice delivery.idle_progress.interval_ms, 10000: "
     "an idle relay would be late",
     "config_value", "raise it, or lower delivery.idle_progress.interval_ms"},
    {"otlp: {headers: {\"\": a}}\n", NO_HEADER, "config_value", ""},
    {"otlp: {headers: {\"a b\": c}}\n", NO_HEADER, "config_value", ""},
    {"otlp: {headers: {\"a:b\": c}}\n", NO_HEADER, "config_value", ""},
    {"otlp: {headers: {\"a\\x7f\": c}}\n", NO_HEADER, "config_value", ""},
    {"otlp: {headers: {a: b, c: \"d\\ne\"}}\n", NO_HEADER, "config_value", ""},
    {"otlp: {headers: {a: \"b\\x7f\"}}\n", NO_HEADER, "config_value", ""},
    {"delivery: {strict: yes}\n", "7: delivery.strict: expected true or false, found \"yes\"",
     "config_type", "write true or false, in lower case and without quotes"},
    {"delivery: {strict: 'true'}\n", "7: delivery.strict: expected true or false, found \"true\"",
     "config_type", "write true or false, in lower case and without quotes"},
    {"delivery: {strict: True}\n", "7: delivery.strict: expected true or false, found \"True\"",
     "config_type", "write true or false, in lower case and without quotes"},
    {"delivery: {memory_limit: 7MB}\n",
     "7: delivery.memory_limit: expected a size, 8MB to 1024GB, found \"7MB\"", "config_value", ""},
    {"delivery: {memory_limit: 64 MB}\n",
     "7: delivery.memory_limit: expected a size, 8MB to 1024GB, found \"64 MB\"", "config_type",
     "write a number and one of B, KB, MB, GB (powers of 1024), such as 64MB"},
    {"delivery: {memory_limit: 64mb}\n",
     "7: delivery.memory_limit: expected a size, 8MB to 1024GB, found \"64mb\"", "config_type",
     "write a number and one of B, KB, MB, GB (powers of 1024), such as 64MB"},
    {"delivery: {memory_limit: -1}\n",
     "7: delivery.memory_limit: expected a size, 8MB to 1024GB, found \"-1\"", "config_type",
     "write a number and one of B, KB, MB, GB (powers of 1024), such as 64MB"},
    {"delivery: {memory_limit: 9223372036854775807GB}\n",
     "7: delivery.memory_limit: expected a size, 8MB to 1024GB, found \"9223372036854775807GB\"",
     "config_value", ""},
    {"delivery: {memory_limit: 2000GB}\n",
     "7: delivery.memory_limit: expected a size, 8MB to 1024GB, found \"2000GB\"", "config_value",
     ""},
    {"delivery: {batch_events: x}\n",
     "7: delivery.batch_events: expected a whole number, 1 to 1000000, found \"x\"", "config_type",
     ""},
    {"delivery: {topics: {partitions: 0}}\n",
     "7: delivery.topics.partitions: expected -1, or a whole number, 1 to 1000000, found \"0\"",
     "config_value", ""},
    {"delivery: {topics: {replication_factor: 40000}}\n",
     "7: delivery.topics.replication_factor: expected -1, or a whole number, 1 to 32767, found "
     "\"40000\"",
     "config_value", ""},
    {"delivery: {guarantee: exactly-once}\n",
     "7: delivery.guarantee: expected exactly_once or at_least_once, found \"exactly-once\"",
     "config_value", ""},
    {"delivery: {progress_topic: t}\ndead_letter:\n  topic: t\n",
     "9: dead_letter.topic: topic t is the progress topic", "reserved_topic",
     "give it another name, or leave it out"},
    {"delivery: {transaction_metadata: true}\n",
     "1: delivery.transaction_metadata: it is for routes as: change, and there is none",
     "config_value", "leave it out"},
    {"dead_letter: {topic: walferry.orders.progress}\n",
     "7: dead_letter.topic: topic walferry.orders.progress has the name of a relay's topic for "
     "another use: walferry.<relay>.progress is walferry's",
     "reserved_topic", "give it another name, or leave it out"},
    {"dead_letter: {topic: walferry.orders.control}\n",
     "7: dead_letter.topic: topic walferry.orders.control has the name of a relay's topic for "
     "another use: walferry.<relay>.control is walferry's",
     "reserved_topic", "give it another name, or leave it out"},
    {"delivery: {progress_topic: walferry.orders.dead-letter}\n",
     "7: delivery.progress_topic: topic walferry.orders.dead-letter has the name of a relay's "
     "topic for another use: walferry.<relay>.dead-letter is walferry's",
     "reserved_topic", "give it another name, or leave it out"},
    {"delivery: {progress_topic: __consumer_offsets}\n",
     "7: delivery.progress_topic: topic __consumer_offsets begins with __, which is for Kafka's "
     "own topics",
     "reserved_topic", "give it another name, or leave it out"},
    {"delivery: {progress_topic: a/b}\n",
     "7: delivery.progress_topic: expected 1 to 249 of a-z A-Z 0-9 _ - and dots, no dot first, "
     "found \"a/b\"",
     "config_value", ""},
    {"delivery: {progress_topic: ..}\n",
     "7: delivery.progress_topic: expected 1 to 249 of a-z A-Z 0-9 _ - and dots, no dot first, "
     "found \"..\"",
     "config_value", ""},
    {"delivery: {transactional_id: ''}\n",
     "7: delivery.transactional_id: expected 1 to 200 bytes, found \"\"", "config_value", ""},
    {"log: {level: trace}\n", "7: log.level: expected debug, info, warn or error, found \"trace\"",
     "config_value", ""},
    {"admin: {listen: 9187}\n", "7: admin.listen: expected text, found a number", "config_type",
     "put the value into quotes"},
    {"admin: {listen: localhost}\n",
     "7: admin.listen: expected host:port, or off, found \"localhost\"", "config_value", ""},
    {"admin: {listen: \"localhost:65536\"}\n", "7: admin.listen: there is no port above 65535",
     "config_value", ""},
    {"admin: {token: hunter2hunter2}\n",
     "7: admin.token: expected 16 to 250 characters, each a letter, a digit or one of - . _ ~ + /, "
     "as openssl rand -hex 32 prints them, found a value that is not shown",
     "config_value", ""},
    {"admin: {token: \"\"}\n",
     "7: admin.token: expected 16 to 250 characters, each a letter, a digit or one of - . _ ~ + /, "
     "as openssl rand -hex 32 prints them, found a value that is not shown",
     "config_value", ""},
    {"admin: {tls_cert: a.crt}\n",
     "7: admin.tls_cert: a certificate and its key stand together, and one of them is missing",
     "config_value", "add admin.tls_key, or leave both out"},
    {"admin: {tls_key: a.key}\n",
     "7: admin.tls_key: a certificate and its key stand together, and one of them is missing",
     "config_value", "add admin.tls_cert, or leave both out"},
    {"    from: x.y\n", "7: routes[0]: duplicate key \"from\", first on line 6",
     "config_duplicate_key", "delete one of the two"},
    {"    as: table\n", "7: routes[0].as: expected outbox, change or event, found \"table\"",
     "config_value", ""},
    {"    as: change\n    key: \"{id}\"\n",
     "8: routes[0].key: as: change takes whole rows: it has no such key", "config_value",
     "delete the line"},
    {"    as: change\n    columns:\n      id: n\n",
     "9: routes[0].columns.id: as: change takes whole rows: it has no such key", "config_value",
     "delete the line"},
    {"    as: change\n    headers: {a: b}\n",
     "8: routes[0].headers: as: change sets its headers itself", "config_value",
     "delete the headers"},
    {"    as: change\n    format: raw\n", "5: routes[0].format: as: change wants format: debezium",
     "config_value", "delete the line with the format"},
    {"    as: change\n    value_encoding: bytes\n",
     "5: routes[0].value_encoding: as: change is JSON, which is UTF-8", "config_value",
     "delete the line with the encoding"},
    {"    as: event\n    topic: t\n    key: k\n    format: debezium\n    debezium: {topic_prefix: "
     "a, "
     "decimal_handling_mode: string}\n",
     "5: routes[0].debezium.decimal_handling_mode: it is for as: change", "config_value",
     "delete it, or say as: change"},
    {"    columns: {header_keys: k}\n",
     "7: routes[0].columns.header_keys: header_keys and header_values go together", "config_value",
     ""},
    {"    columns: {headers_member: h}\n",
     "7: routes[0].columns.headers_member: it is a member of columns.headers, which is missing",
     "config_value", ""},
    {"    format: debezium\n",
     "5: routes[0].format: format: debezium is for as: change and as: event", "config_value",
     "delete the line with the format"},
    {"    debezium: {tombstones_on_delete: false}\n",
     "5: routes[0].debezium.tombstones_on_delete: it is for as: change", "config_value",
     "delete it, or say as: change"},
    {"    as: change\n    debezium:\n      column_exclude_list: \"a.b.c, d(\"\n",
     "9: routes[0].debezium.column_exclude_list: \"d(\": missing closing parenthesis",
     "config_value", ""},
    {"    as: change\n    debezium:\n      column_exclude_list: a\n      column_include_list: b\n",
     "10: routes[0].debezium.column_include_list: it does not stand beside column_exclude_list",
     "config_value", "delete one of them"},
    {"    as: change\n    debezium:\n      column_mask_with_length_chars: {many: a}\n",
     "9: routes[0].debezium.column_mask_with_length_chars: expected names like a number of "
     "asterisks, found \"many\"",
     "config_value", ""},
    {"    as: change\n    debezium:\n      column_mask_hash: {\"SHA-3.with.salt.tell\": a}\n",
     "9: routes[0].debezium.column_mask_hash: expected names like MD5, SHA-1, SHA-224, SHA-256, "
     "SHA-384 or SHA-512, then .with.salt. and the salt",
     "config_value", ""},
    {"    as: change\n    debezium:\n      column_mask_hash_v2: {MD5.with.salt.x: \"a(\"}\n",
     "9: routes[0].debezium.column_mask_hash_v2: \"a(\": missing closing parenthesis",
     "config_value", ""},
    {"    debezium:\n      column_truncate_to_length_chars: {\"3\": a}\n",
     "5: routes[0].debezium.column_truncate_to_length_chars: it is for as: change", "config_value",
     "delete it, or say as: change"},
    {"    as: change\n    debezium:\n      message_key_columns: public.a\n",
     "9: routes[0].debezium.message_key_columns: expected table:column,column with semicolons "
     "between them, found \"public.a\"",
     "config_value", ""},
    {"    as: change\n    debezium: {unavailable_value_placeholder: \"hex:0\"}\n",
     "8: routes[0].debezium.unavailable_value_placeholder: expected a text, or hex: and two "
     "hexadecimal digits for each byte, found \"hex:0\"",
     "config_value", ""},
    {"    as: change\n    debezium: {skipped_operations: \"c, x\"}\n",
     "8: routes[0].debezium.skipped_operations: expected none, or some of c, u, d, t with commas "
     "between them, found \"c, x\"",
     "config_value", ""},
    {"    format: avro\n",
     "7: routes[0].format: expected raw, debezium, json, json_string or cloudevents, found "
     "\"avro\"",
     "config_value", ""},
    {"    on_error: retry\n",
     "7: routes[0].on_error: expected stop, skip or dead_letter, found \"retry\"", "config_value",
     ""},
    {"    topic: ''\n", "7: routes[0].topic: expected a template, found \"\"", "config_value", ""},
    {"    headers: {walferry-id: x}\n",
     "7: routes[0].headers: walferry-id: names that begin with walferry- are walferry's own",
     "config_value", "give the header another name"},
    {"    headers: {'': x}\n", "7: routes[0].headers: a header without a name", "config_value", ""},
    {"    headers: {a: }\n", "7: routes[0].headers.a: expected a value, found nothing",
     "config_type", ""},
    {"    headers: {a: [b]}\n", "7: routes[0].headers.a: expected a value, found a list",
     "config_type", ""},
    {"    headers: {a: b, a: c}\n", "7: routes[0].headers: duplicate key \"a\", first on line 7",
     "config_duplicate_key", "delete one of the two"},
    {"    headers: id\n", "7: routes[0].headers: expected a mapping, found a single value",
     "config_type", "write keys, each with a colon and a value, below it, indented"},
    {"  - {name: outbox, from: a.b}\n",
     "7: routes[1].name: two routes are named \"outbox\", the first on line 5",
     "config_duplicate_route", "give one of them another name"},
    {"    columns: {id: ''}\n", "7: routes[0].columns.id: expected a column's name, found \"\"",
     "config_value", ""},
    {"    topic: 5\n", "7: routes[0].topic: expected text, found a number", "config_type",
     "put the value into quotes"},
    {"    continue: 1\n", "7: routes[0].continue: expected true or false, found \"1\"",
     "config_type", "write true or false, in lower case and without quotes"},
    {"source: {slot: \"${env:NOPE}\"}\n",
     "7: source.slot: ${env:NOPE}: the environment has no such variable", "config_expansion",
     "set NOPE in the environment of walferry"},
    {"source: {slot: \"${env:HOME}\"}\n",
     "7: source.slot: expected 1 to 63 of a-z 0-9 _, found a value that is not shown",
     "config_value", ""},
    {"source: {slot: \"${env:HOME\"}\n", "7: source.slot: ${env: without its closing brace",
     "config_expansion", "write ${env:NAME} and quote the value"},
    {"source: {slot: \"${env:}\"}\n",
     "7: source.slot: ${env:}: the environment has no such variable", "config_expansion",
     "set a variable in the environment of walferry"},
    {"source: {slot: \"${file:/}\"}\n", "7: source.slot: ${file:/}: Is a directory",
     "config_expansion", "write the value into that file, readable to the user of walferry"},
    {"delivery: {batch_events: \"${env:HOME}\"}\n",
     "7: delivery.batch_events: expected a whole number, 1 to 1000000, found a value that is not "
     "shown",
     "config_type", ""},
    {"log: {level: \"${env:HOME}\"}\n",
     "7: log.level: expected debug, info, warn or error, found a value that is not shown",
     "config_value", ""},
    {"source: {slot: \"a\\e[31m\\0b\"}\n", "7: a value holds a NUL character", "config_syntax", ""},
    {"source: {slot: \"a\\e[31mb\"}\n",
     "7: source.slot: expected 1 to 63 of a-z 0-9 _, found \"a?[31mb\"", "config_value", ""},
    {"\"\\e[31m\": 1\n", "7: unknown key \"?[31m\"", "config_unknown_key",
     "known here: relay, source, kafka, kafka_token_command, delivery, retry, dead_letter, "
     "retention, routes, admin, log, notify, otlp"},
    {"admin: k\n", "7: admin: expected a mapping, found a single value", "config_type",
     "write keys, each with a colon and a value, below it, indented"},
    {"admin: \"host=db password=hunter2\"\n", "7: admin: expected a mapping, found a single value",
     "config_type", "write keys, each with a colon and a value, below it, indented"},
};

static void assert_bad(const char *yaml, const struct bad *bad)
{
    struct config *config = (struct config *)1;
    struct error err = ERROR_INIT;
    char text[ERROR_TEXT_MAX];
    snprintf(text, sizeof text, "w.yaml:%s", bad->text);
    if (config_parse(span_of(yaml), "w.yaml", &config, &err) == 0)
        fail_msg("taken: %s", yaml);
    assert_null(config);
    assert_string_equal(err.text, text);
    assert_string_equal(reason_slug(err.reason), bad->reason);
    assert_string_equal(err.hint, bad->hint);
    assert_int_equal(err.kind, ERROR_STOP);
    assert_int_equal(err.exit_code, EXIT_USAGE);
}

static void bad_files(void **state)
{
    (void)state;
    unsetenv("NOPE");
    setenv("HOME", "/root", 1);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        assert_bad(files[i].yaml, &files[i]);
}

static void bad_tails(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        char yaml[1024];
        snprintf(yaml, sizeof yaml, "%s%s", MINIMAL, tails[i].yaml);
        assert_bad(yaml, &tails[i]);
    }
}

static const char *const refused[] = {"transactional.id",
                                      "transaction.timeout.ms",
                                      "enable.idempotence",
                                      "enable.gapless.guarantee",
                                      "acks",
                                      "request.required.acks",
                                      "retries",
                                      "message.send.max.retries",
                                      "max.in.flight",
                                      "max.in.flight.requests.per.connection",
                                      "batch.size",
                                      "queue.buffering.max.messages",
                                      "queue.buffering.max.kbytes",
                                      "queue.buffering.max.ms",
                                      "queue.buffering.backpressure.threshold",
                                      "linger.ms",
                                      "queuing.strategy",
                                      "delivery.report.only.error",
                                      "log.connection.close",
                                      "socket.timeout.ms",
                                      "isolation.level",
                                      "message.timeout.ms",
                                      "delivery.timeout.ms",
                                      "partitioner",
                                      "metadata.broker.list"};

static void refused_properties(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char yaml[256], start[128];
        struct config *config = NULL;
        struct error err = ERROR_INIT;
        snprintf(yaml, sizeof yaml, "relay: r\nkafka:\n  %s: 1\n", refused[i]);
        snprintf(start, sizeof start, "w.yaml:3: kafka: %s may not be set: ", refused[i]);
        assert_int_equal(config_parse(span_of(yaml), "w.yaml", &config, &err), -1);
        assert_memory_equal(err.text, start, strlen(start));
        assert_true(strlen(err.text) > strlen(start) + 10);
        assert_string_equal(reason_slug(err.reason), "config_refused");
    }
}

static void neighbours_of_refused_properties_pass(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct error err = ERROR_INIT;
    const char *yaml = "relay: r\nroutes: [{name: a, from: b.c}]\n"
                       "kafka: {bootstrap.servers: k, batch.num.messages: 5, retry.backoff.ms: 1,\n"
                       "        socket.keepalive.enable: true, compression.type: lz4}\n";
    assert_int_equal(config_parse(span_of(yaml), "w.yaml", &config, &err), 0);
    assert_int_equal(config_only_relay(config)->kafka.properties.count, 5);
    config_close(config);
}

static void a_file_that_cannot_be_read(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct error err = ERROR_INIT;
    assert_int_equal(config_open("/nonexistent/w.yaml", &config, &err), -1);
    assert_string_equal(err.text, "/nonexistent/w.yaml: the configuration cannot be read: "
                                  "No such file or directory");
    assert_string_equal(err.hint, "name the file with -c FILE or in WALFERRY_CONFIG");
    assert_string_equal(reason_slug(err.reason), "config_file");
    assert_int_equal(config_open("/tmp", &config, &err), -1);
    assert_string_equal(err.text, "/tmp: the configuration cannot be read: Is a directory");
    assert_int_equal(config_open("/dev/zero", &config, &err), -1);
    assert_string_equal(err.text, "/dev/zero: the configuration cannot be read: larger than 1MB");
    assert_null(config);
}

static void an_error_points_at_its_value(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct config_text at = {.text = "x", .file = "w.yaml", .line = 12};
    assert_int_equal(config_error(&err, &at, REASON_BAD_TEMPLATE, "no column %s", "y"), -1);
    assert_string_equal(err.text, "w.yaml:12: no column y");
    assert_string_equal(reason_slug(err.reason), "bad_template");
    assert_int_equal(err.kind, ERROR_STOP);
    assert_int_equal(err.exit_code, EXIT_USAGE);
    at.line = 0;
    config_error(&err, &at, REASON_BAD_TEMPLATE, "no column %s", "y");
    assert_string_equal(err.text, "w.yaml: no column y");
    at.file = NULL;
    config_error(&err, &at, REASON_BAD_TEMPLATE, "no column %s", "y");
    assert_string_equal(err.text, "no column y");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_files),
        cmocka_unit_test(bad_tails),
        cmocka_unit_test(refused_properties),
        cmocka_unit_test(neighbours_of_refused_properties_pass),
        cmocka_unit_test(a_file_that_cannot_be_read),
        cmocka_unit_test(an_error_points_at_its_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
