"""The rows of types.def are pg_type of each major: oid, name, length, array, and what is made of what."""

import os
import re

import e2e

HERE = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(HERE, "..", "..", "src", "types", "types.def")) as file:
    ROWS = [(kind, re.findall(r'"(?:\\.|[^"])*"|[^,\s]+', fields)) for kind, fields in
            re.findall(r"^(TYPE|RANGE|MULTIRANGE)\((.*)\)$", file.read(), re.MULTILINE)]
OIDS = {fields[0]: int(fields[3] if kind == "TYPE" else fields[2]) for kind, fields in ROWS}
KNOWN = {}  # oid: (name, length, oid of the array, type and, of a range, what it is made of)
for kind, fields in ROWS:
    name = fields[1].strip('"')
    if kind == "TYPE":
        KNOWN[int(fields[3])] = (name, int(fields[5]), int(fields[4]), "b", 0)
    else:
        KNOWN[int(fields[2])] = (name, -1, int(fields[3]), kind[0].lower(), OIDS[fields[4]])
# Sent as text; 12 bytes until 15, 16 since, and never sent in binary.
NOT_AS_STORED = ("name", "aclitem")


def test(case):
    rows = case.sql("""
        SELECT t.oid::bigint, t.typname::text,
            CASE WHEN t.typname = ANY (%s) THEN -1 ELSE t.typlen END, t.typarray::bigint,
            t.typtype::text, coalesce(r.rngsubtype, m.rngtypid, 0)::bigint
        FROM pg_type t LEFT JOIN pg_range r ON r.rngtypid = t.oid
        LEFT JOIN pg_range m ON m.rngmultitypid = t.oid
        WHERE t.oid < 10000 AND t.typisdefined AND t.typtype <> 'p' AND t.typrelid = 0
        AND NOT EXISTS (SELECT FROM pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid)""",
                    (list(NOT_AS_STORED),))
    found = {row[0]: tuple(row[1:]) for row in rows}
    assert len(found) > 70, len(found)
    differing = {oid: (KNOWN.get(oid), found.get(oid)) for oid in set(KNOWN) | set(found)
                 if KNOWN.get(oid) != found.get(oid)}
    assert not differing, differing


e2e.on_each_major(test)
