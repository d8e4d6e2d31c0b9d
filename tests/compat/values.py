#!/usr/bin/python3
"""The values of the corpus with what Debezium made of them, for a test that needs no server.

  tests/compat/values.py          tests/compat/recorded/*.jsonl → tests/golden/debezium_values.tsv
  tests/compat/values.py spatial  tests/compat/recorded/spatial/ → tests/golden/debezium_spatial.tsv

Only the program that writes the latter wants PostGIS, and no test that reads it does. The texts are those of a PostgreSQL of its own; the JSON is cut out of the recorded records, byte for
byte. Left out is where walferry writes something else on purpose (docs/MESSAGES.md).
"""

import json
import os
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tools"), HERE]

import corpus  # noqa: E402
import spatial  # noqa: E402
from lab import postgres  # noqa: E402

OUT = os.path.join(ROOT, "tests", "golden")
VARIANTS = ("plain", "text", "double", "micro", "time_us")
FACTS = """
    SELECT t.oid::text, CASE WHEN e.oid IS NULL THEN t.typtype ELSE 'a' END, coalesce(
    CASE t.typtype WHEN 'd' THEN t.typbasetype WHEN 'r' THEN r.rngsubtype WHEN 'm' THEN m.rngtypid
    ELSE e.oid END, 0)::text, t.typtypmod::text, n.nspname::text, t.typname::text
    FROM pg_type t LEFT JOIN pg_range r ON r.rngtypid = t.oid
    LEFT JOIN pg_range m ON m.rngmultitypid = t.oid
    LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
    JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE t.oid >= 16384 AND t.typtype <> 'p' AND t.typname !~ '^_?of_'
    ORDER BY e.oid IS NOT NULL, t.oid"""


def deliberate(name, value):
    """Does walferry mean something else?"""
    if name == "name":
        return True
    if value in ("{NULL}", "1e-323", "9.999999999999999e+22") and name in (
            "a_ltree", "a_tsvector", "a_mood", "float8"):
        return True
    return name == "a_timetz" or (name == "a_date" and value and "infinity" in value)


def member(text, name):
    """The bytes of a member of the object, or None."""
    decoder, at = json.JSONDecoder(), 1
    while text[at] != "}":
        key, at = decoder.raw_decode(text, at)
        _, end = decoder.raw_decode(text, at + 1)
        if key == name:
            return text[at + 1:end]
        at = end + (text[end] == ",")
    return None


def recorded(path, variant):
    """{(table, id or "zero"): JSON of the row}"""
    rows = {}
    with open(path) as file:
        for line in file:
            topic, _, key, value, _ = json.loads(line)
            table = re.fullmatch(r"dbz_%s\.t\.of_(.*)" % variant, topic)
            if table and value is not None and '"op":"c"' in value:
                rows[table.group(1), json.loads(key)["id"]] = member(value, "after")
            elif table and value is not None and '"op":"d"' in value:
                rows[table.group(1), "zero"] = member(value, "before")
    return rows


def values(server, cases, names):
    """[(name, id or "zero", oid, modifier, text)]"""
    connection = server.connect()
    found = []
    with connection.cursor() as cursor:
        cursor.execute("SET timezone = 'UTC'; SET extra_float_digits = 3")
        for case in cases:
            if case.name in ("types", "spatial types") or case.name.startswith("type "):
                cursor.execute(case.before)
                for statement in case.statements[:1]:
                    cursor.execute(statement)
        for name in names:
            table = "t.of_" + name
            cursor.execute("SELECT atttypid::text, atttypmod FROM pg_attribute WHERE attname = 'v' "
                           "AND attrelid = %s::regclass", (table,))
            oid, modifier = cursor.fetchone()
            cursor.execute("SELECT id, CASE WHEN v IS NULL THEN NULL ELSE format('%%s', v) END "
                           "FROM %s ORDER BY id" % table)
            found += [(name, number, oid, modifier, text) for number, text in cursor.fetchall()]
            found.append((name, "zero", oid, modifier, None))
        cursor.execute(FACTS)
        facts = cursor.fetchall()
    connection.close()
    return facts, found


def write(out, recordings, cases, names):
    """recordings: {name of the options: where what they give is recorded}"""
    with tempfile.TemporaryDirectory(prefix="wf-values-", dir="/tmp") as scratch:
        os.chmod(scratch, 0o755)
        with postgres.Postgres(os.path.join(scratch, "pg")) as server:
            facts, found = values(server, cases, names)
    with open(os.path.join(OUT, out), "w") as file:
        for row in facts:
            file.write("type\t" + "\t".join(row) + "\n")
        for variant, path in recordings.items():
            rows = recorded(path, variant)
            file.write("modes\t%s\n" % variant)
            for name, number, oid, modifier, text in found:
                row = rows.get((name, number))
                if row is None or deliberate(name, text):
                    continue
                kind = "zero" if number == "zero" else "null" if text is None else "text"
                wanted = member(row, "z" if kind == "zero" else "v")
                file.write("\t".join((kind, oid, str(modifier),
                                      text.encode().hex() if text else "-",
                                      wanted if wanted is not None else "omitted", name)) + "\n")


def main(arguments):
    if arguments == ["spatial"]:
        write("debezium_spatial.tsv", {"plain": spatial.RECORDED}, spatial.cases(),
              [name for name, _, _ in spatial.TABLES])
    else:
        write("debezium_values.tsv",
              {one: os.path.join(HERE, "recorded", one + ".jsonl") for one in VARIANTS},
              corpus.CASES, [name for name, _, _ in corpus.TYPES])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
