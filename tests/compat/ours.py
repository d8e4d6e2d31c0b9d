"""walferry beside the connectors: a relay for each set of options, with routes that take all tables
and messages, and topics of a prefix that is as long as the connector's."""

import json
import re

from lab import ports, process, relay

# {the options of a list of columns: ours, which has the rest of the name as a member}
LISTS = (("column.truncate.to.", ".chars", "column_truncate_to_length_chars"),
         ("column.mask.with.", ".chars", "column_mask_with_length_chars"),
         ("column.mask.hash.v2.", "", "column_mask_hash_v2"),
         ("column.mask.hash.", "", "column_mask_hash"))
OPTIONS = ("decimal.handling.mode", "time.precision.mode", "interval.handling.mode",
           "binary.handling.mode", "hstore.handling.mode", "skipped.operations",
           "tombstones.on.delete", "unavailable.value.placeholder", "money.fraction.digits",
           "message.key.columns", "column.include.list", "column.exclude.list",
           "extended.headers.enabled")
MESSAGES = ("prefix", "bytes", "a", "beside")


def routes(name, options):
    """All tables, and each prefix of messages."""
    common = {"as": "change", "debezium_compatible": True,
              "debezium": dict(options, topic_prefix="wfy_" + name)}
    return [dict(common, **{"name": "all", "from": "*.*"})] + [
        dict(common, **{"name": prefix, "from": "message:" + prefix}) for prefix in MESSAGES]


def translated(options):
    """Debezium's options as ours."""
    ours = {key.replace(".", "_"): value for key, value in options.items() if key in OPTIONS}
    for key, value in options.items():
        for begin, end, name in LISTS:
            if key.startswith(begin):
                ours.setdefault(name, {})[key[len(begin):len(key) - len(end)]] = value
                break
    if "money_fraction_digits" in ours:
        ours["money_fraction_digits"] = int(ours["money_fraction_digits"])
    for key in ("tombstones_on_delete", "extended_headers_enabled"):
        ours[key] = ours.get(key, "true") == "true"
    ours["replace_null_with_default"] = options.get("value.converter.replace.null.with.default") != "false"
    return ours


def config(server, broker, name, options):
    ours = translated(options)
    metadata = options.get("provide.transaction.metadata") == "true"
    return {
        "relay": "wfy_" + name,
        "source": {"connection": server.dsn(), "slot": "wfy_" + name, "publication": "wfy"},
        "kafka": {"bootstrap.servers": broker.bootstrap},
        "delivery": {"transaction_timeout_ms": 20000, "memory_limit": "64MB",
                     "topics": {"partitions": 3}, "transaction_metadata": metadata,
                     "transaction_topic": "wfy_%s.transaction" % name},
        "routes": routes(name, ours),
        "admin": {"listen": "127.0.0.1:%d" % ports.free_port()},
    }


def is_set_up(one):
    """A broker that has just made hundreds of topics may not answer in time: then once more."""
    code, out, err = one.run("setup", timeout=180)
    assert code == 0 or re.search("in time|no broker", out + err), out + err
    return code == 0


def start(binary, server, broker, dir, names, variants):
    """The relays, set up and running."""
    relays = []
    for name in names:
        one = relay.Relay(binary, config(server, broker, name, variants[name]), dir, name=name)
        process.wait_for("%s is not set up" % name, lambda: is_set_up(one), 240)
        one.start()
        relays.append(one)
    for one in relays:
        one.wait_log("epoch.opened", timeout=60)
    return relays


def answer(relays):
    """Each has seen that rows may be missing; a person, who knows that none are, says to go on."""
    for one in relays:
        code = one.wait(60)
        assert code == 3 and "publication_changed" in one.log_text(), one.log_text()[-2000:]
        code, out, err = one.run("rebase", "--to", "guard", "--accept-loss", "--yes")
        assert code == 0, out + err
        one.start()
    for one in relays:
        one.wait_log("epoch.opened", timeout=60)


def as_connector(lines, name):
    """Our lines with the connector's prefix, without the headers that are ours alone; every record
    must have its id, which stands last."""
    out = []
    for line in lines:
        topic, partition, key, value, headers = json.loads(
            line.replace("wfy_" + name, "dbz_" + name))
        assert any(header[0] == "walferry-id" for header in headers), line
        out.append(json.dumps(
            [topic, partition, key, value,
             [header for header in headers if not header[0].startswith("walferry-")]],
            ensure_ascii=False))
    return out
