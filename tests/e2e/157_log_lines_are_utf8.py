"""Texts of others, cut where a log line has no more room for them, never in the midst of a character:
each line of the log is UTF-8, and JSON where that is asked for."""

import json

import e2e

# Characters of two, three and four bytes; with the letter before them the cut falls elsewhere.
PREFIXES = [letter + char * (200 // len(char.encode()))
            for letter in ("", "a") for char in ("\u00e4", "\u20ac", "\U0001f680")]


def lines_are_whole(case, form):
    relay = case.up()
    for prefix in PREFIXES:  # told once by each start
        case.sql("SELECT pg_logical_emit_message(false, %s, 'x')", (prefix,))
        relay.wait_log("message.non_transactional")
        case.put(rows=1)
        case.drain(relay=relay)
        case.stop(relay)
        case.start(relay)
    # Topics that Kafka does not take are named in the line that says so.
    for length in (60, 120, 200, 400):
        case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type)"
                 " VALUES (%s, %s, 'x')", ("x" + "\u00e4" * length, "\u20ac" * length))
    case.put(rows=1)
    case.drain(relay=relay)
    case.stop(relay)
    assert len(relay.events("event.skipped")) == 4, relay.log_text()
    with open(relay.log, "rb") as file:
        lines = file.read().splitlines()
    told = [line for line in lines if b"message.non_transactional" in line]
    assert len(told) == len(PREFIXES), told
    for line in lines:
        text = line.decode("utf-8")
        if form == "json":
            json.loads(text)


for form in ("logfmt", "json"):
    with e2e.Case(label="_" + form, config={"log": {"format": form}}) as case:
        case.more_config["routes"] = [dict(case.config()["routes"][0], on_error="skip")]
        lines_are_whole(case, form)
