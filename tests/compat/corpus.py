"""What is run against the database: every type with its edge values, every operation under every
replica identity, structure that changes in between, names of every legal form.

A case is a name, what must be there before the connectors start, and statements; each statement is
a transaction of its own unless it holds several. A case that settles has all readers at its heels:
the next statement waits until they have published the one before. No two cases have a table in common,
so that a topic tells its case.
"""

import collections

Case = collections.namedtuple("Case", "name before statements settles")

CASES = []


class Asked(str):
    """A statement behind which walferry may have missed rows and asks a person."""


def asks(case):
    """Does walferry ask a person in it? That takes a while."""
    return any(isinstance(statement, Asked) for statement in case.statements)


def case(name, before, *statements, settles=False):
    CASES.append(Case(name, before, list(statements), settles))


# ---- Types ----

# name, type, values as SQL; every table has the value nullable, and one that must be there.
TYPES = []


def types(name, sql, *values):
    TYPES.append((name, sql, values))


def text(*values):
    return ["'%s'" % value.replace("'", "''") for value in values]


BEFORE_TYPES = """
    CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE EXTENSION isn;
    CREATE EXTENSION cube; CREATE EXTENSION seg;
    CREATE TYPE ty.mood AS ENUM ('sad', 'so so', 'o,k"''\\');
    CREATE TYPE ty.pair AS (a int, b text);
    CREATE TYPE ty.floatrange AS RANGE (subtype = float8, multirange_type_name = ty.floatranges);
    CREATE DOMAIN ty.d_int AS int;
    CREATE DOMAIN ty.d_numeric AS numeric(10,2);
    CREATE DOMAIN ty.dd_numeric AS ty.d_numeric;
    CREATE DOMAIN ty.d_stamp AS timestamp(3);
    CREATE DOMAIN ty.dd_stamp AS ty.d_stamp;
    CREATE DOMAIN ty.d_time AS time(3);
    CREATE DOMAIN ty.d_stamptz AS timestamptz(2);
    CREATE DOMAIN ty.d_bit AS bit(3);
    CREATE DOMAIN ty.d_varbit AS varbit(9);
    CREATE DOMAIN ty.d_varchar AS varchar(5);
    CREATE DOMAIN ty.d_bytea AS bytea;
    CREATE DOMAIN ty.d_ints AS int[];
    CREATE DOMAIN ty.d_pair AS ty.pair;
    CREATE DOMAIN ty.d_hstore AS hstore;
    CREATE DOMAIN ty.d_json AS jsonb;
"""

types("bool", "bool", "true", "false")
types("int2", "int2", "-32768", "0", "32767")
types("int4", "int4", "-2147483648", "0", "2147483647")
types("int8", "int8", "-9223372036854775808", "0", "9223372036854775807")
types("oid", "oid", "0", "16384", "4294967295")
types("float4", "float4", "3.3", "0", "'-0'", "4", "1e-45", "3.4028235e38", "1e7", "9999999",
      "0.001", "0.00099", "123456.789", "'NaN'", "'Infinity'", "'-Infinity'", "1e10", "1.5e-10")
types("float8", "float8", "3.3", "0", "'-0'", "4", "5e-324", "1e-323", "1.7976931348623157e308",
      "2.2250738585072014e-308", "1e7", "9999999", "0.001", "0.00099", "123456789.125", "0.1",
      "100", "1e22", "1e23", "12345678901234567890", "'NaN'", "'Infinity'", "'-Infinity'",
      "1234567.0", "12345678.9", "1e-5")
types("numeric", "numeric", "10.1111", "10", "0", "0.00", "-1", "1.10", "100", "1e20", "0.000001",
      "-0.5", "12345678901234567890.123456789012345678901234567890", "'NaN'", "'Infinity'",
      "'-Infinity'", "1e131", "1e-131", "127", "128", "-128", "-129", "255", "256", "1000000",
      "-12345678901234567890123456789")
types("numeric_5", "numeric(5)", "1", "99999", "-99999", "0", "'NaN'")
types("numeric_10_2", "numeric(10,2)", "1.10", "0", "22.22", "-1.28", "99999999.99",
      "-99999999.99", "'NaN'", "1.27", "1.28", "-1.29", "2.55", "2.56")
types("numeric_10_4", "numeric(10,4)", "22.22", "1.1", "0")
types("numeric_38_10", "numeric(38,10)", "1234567890123456789012345678.0123456789",
      "-1234567890123456789012345678.0123456789", "0.0000000001")
types("numeric_1000_500", "numeric(1000,500)", "1", "-0.000000000000000000000000000000000000000001",
      "1e300")
types("numeric_2_5", "numeric(2,5)", "0.00012", "-0.00099")
types("money", "money", "1234.11", "-1234.11", "0", "0.01", "92233720368547758.07",
      "-92233720368547758.08", "-0.5", "1000000")
types("char", "char(5)", *text("ab", "", "äöü", "a b"))
types("varchar", "varchar(10)", *text("ab", "", " x ", "€uro"))
types("text", "text", *text("ab", "", "\"q\" \\ / \b\t\n\f\r", "\x01\x1f\x7f", "äß€😀", "'", "null",
                            "\u2028\u2029", "\u00a0\ufeff", "<&>"))
types("anychar", '"char"', *text("a", ""))
types("name", "name", *text("a name"))
types("citext", "citext", *text("MiXed"))
types("xml", "xml", *text("<a b=\"c\">d</a>"))
types("uuid", "uuid", *text("5F0C1F9E-0d1d-4c3b-9f3e-0a1b2c3d4e5f",
                            "00000000-0000-0000-0000-000000000000"))
types("json", "json", *text('{"a":  1, "a": 2}', '[]', 'null', '"x"', '{"u": "\\u00e4\\ud83d\\ude00"}',
                            '12345678901234567890.10'))
types("jsonb", "jsonb", *text('{"bar":"baz"}', '[1, 2.50, null]', 'null', '{"u": "\\u00e4"}',
                              '12345678901234567890.10'))
types("jsonpath", "jsonpath", *text("$.a[*]"))
types("ltree", "ltree", *text("Top.Science", ""))
types("lquery", "lquery", *text("Top.*"))
types("isbn", "isbn", *text("978-0-393-04002-9"))
types("tsvector", "tsvector", *text("a fat cat"))
types("tsquery", "tsquery", *text("fat & rat"))
types("inet", "inet", *text("192.168.2.0/12", "192.168.2.1", "::1", "2001:db8::/32"))
types("cidr", "cidr", *text("192.168.100.128/25", "::/0"))
types("macaddr", "macaddr", *text("08:00:2b:01:02:03"))
types("macaddr8", "macaddr8", *text("08:00:2b:01:02:03:04:05"))
types("bit_1", "bit(1)", "B'1'", "B'0'")
types("bit_2", "bit(2)", "B'11'", "B'00'", "B'10'")
types("bit_7", "bit(7)", "B'1000000'", "B'0000001'", "B'0000000'")
types("bit_20", "bit(20)", "B'10000000000000000001'", "B'00000000000000000001'",
      "B'00000000000000000000'", "B'00000000000100000000'")
types("varbit", "varbit", "B''", "B'1'", "B'0'", "B'101'", "B'100000000'")
types("varbit_1", "varbit(1)", "B'1'", "B'0'", "B''")
types("varbit_9", "varbit(9)", "B'1'", "B'100000000'", "B''")
types("bytea", "bytea", "'\\x'", "'\\x00ff10'", "'\\x6869'", "'\\xfbefff'", "'\\x01'")
types("date", "date", *text("2016-11-04", "1970-01-01", "1969-12-31", "infinity", "-infinity",
                            "0001-01-01", "0044-03-15 BC", "4713-01-01 BC", "1582-10-04",
                            "1582-10-15", "9999-12-31", "10000-01-01", "294276-12-31",
                            "5874897-12-31"))
TIMES = text("04:05:11.789123", "00:00:00", "24:00:00", "23:59:59.999999", "12:00:00.5")
types("time", "time", *TIMES)
types("time_0", "time(0)", *TIMES)
types("time_3", "time(3)", *TIMES)
types("time_4", "time(4)", *TIMES)
types("timetz", "timetz", *text("13:51:30.123789+02", "13:51:02+02", "00:30:00+05:30", "24:00:00+00",
                                "24:00:00-02", "23:59:59.999999-15:59", "00:00:00+15:59",
                                "12:00+00"))
types("timetz_2", "timetz(2)", *text("13:51:30.123789+02", "13:51:02+02", "00:00:00+00"))
STAMPS = text("2016-11-04 13:51:30.123456", "2016-11-04 13:51:30", "2016-11-04 00:00:00",
              "1970-01-01 00:00:00", "1969-12-31 23:59:59.999999", "infinity", "-infinity",
              "0001-01-01 00:00:00", "0044-03-15 12:00:00.5 BC", "4713-01-01 00:00:00 BC",
              "1582-10-10 00:00:00", "9999-12-31 23:59:59.999999", "10000-01-01 00:00:00",
              "21016-11-04 13:51:30.1")
FAR = text("294246-12-31 00:00:00", "294276-12-31 23:59:59.999999")
types("timestamp", "timestamp", *STAMPS)
types("timestamp_0", "timestamp(0)", *STAMPS)
types("timestamp_3", "timestamp(3)", *STAMPS)
types("timestamp_4", "timestamp(4)", *STAMPS)
types("timestamp_far", "timestamp", STAMPS[0], *FAR)
types("timestamptz", "timestamptz", *STAMPS)
types("timestamptz_0", "timestamptz(0)", *STAMPS)
types("timestamptz_3", "timestamptz(3)", *STAMPS)
types("timestamptz_far", "timestamptz", STAMPS[0], *FAR)
types("interval", "interval", *text(
    "1 year 2 months 3 days 4 hours 5 minutes 6.78 seconds", "0", "1 month", "-1 month", "1 day",
    "-1 day", "-1 second", "1.5 seconds", "0.000001 seconds", "-0.000001 seconds", "25 hours",
    "-1 year 2 months -3 days 04:05:06", "1 day -00:00:01", "178000000 years", "-178000000 years",
    "13 months", "100 days 100 hours", "1 year -1 day", "-04:05:06.7", "2147483647 days"))
types("interval_3", "interval(3)", *text("1.234567 seconds"))
types("interval_ym", "interval year to month", *text("1 year 2 months"))
types("hstore", "hstore", *text('a=>1', '', 'key=>val, k2=>NULL', '"a b"=>"c\\"d", "\\\\"=>"€,=>"'))
types("int4range", "int4range", *text("[1000,6000)", "empty", "(,)", "[1,1]"))
types("int8range", "int8range", *text("[1,5)"))
types("numrange", "numrange", *text("[5.3,6.3)"))
types("tsrange", "tsrange", *text("[2019-03-31 15:30:00,infinity)"))
types("tstzrange", "tstzrange", *text("[2017-06-05 11:29:12.549426+00,)"))
types("daterange", "daterange", *text("[2019-03-31,infinity)"))
types("floatrange", "ty.floatrange", *text("[1.5,2.5]"))
types("int4multirange", "int4multirange", *text("{[1,5),[7,9)}"))
types("floatmultirange", "ty.floatranges", *text("{[1.5,2.5]}"))
types("pg_lsn", "pg_lsn", *text("16/B374D848"))
types("xid8", "xid8", *text("42"))
types("regclass", "regclass", *text("pg_class"))
types("refcursor", "refcursor", *text("cursor"))
types("txid_snapshot", "txid_snapshot", *text("10:20:10,14,15"))
types("pair", "ty.pair", "ROW(1, 'a b')", "ROW(NULL, '')")
types("mood", "ty.mood", *text("sad", "so so", "o,k\"'\\"))
types("point", "point", *text("(1,1)", "(-1.5,2e10)", "(0,0)", "(Infinity,NaN)", "(0.1,1e-7)"))
types("line", "line", *text("{1,-1,0}"))
types("lseg", "lseg", *text("[(1,2),(3,4)]"))
types("box", "box", *text("(3,4),(1,2)"))
types("path", "path", *text("((1,2),(3,4))", "[(1,2),(3,4)]"))
types("polygon", "polygon", *text("((1,2),(3,4),(5,6))"))
types("circle", "circle", *text("<(1,2),3>"))
types("cube", "cube", *text("(1,2,3)"))
types("seg", "seg", *text("1.5 .. 2"))
types("d_int", "ty.d_int", "7", "-7")
types("d_numeric", "ty.d_numeric", "1.10", "0")
types("dd_numeric", "ty.dd_numeric", "1.10", "0")
types("d_stamp", "ty.d_stamp", *text("2016-11-04 13:51:30.123", "2016-11-04 13:51:30"))
types("dd_stamp", "ty.dd_stamp", *text("2016-11-04 13:51:30.123", "2016-11-04 13:51:30"))
types("d_time", "ty.d_time", *text("13:51:30.123"))
types("d_stamptz", "ty.d_stamptz", *text("2016-11-04 13:51:30.12+02"))
types("d_bit", "ty.d_bit", "B'101'")
types("d_varbit", "ty.d_varbit", "B'101'")
types("d_varchar", "ty.d_varchar", *text("abc"))
types("d_bytea", "ty.d_bytea", "'\\x6869'")
types("d_ints", "ty.d_ints", *text("{1,2,NULL}"))
types("d_pair", "ty.d_pair", "ROW(1, 'a b')::ty.pair")
types("d_hstore", "ty.d_hstore", *text("a=>1"))
types("d_json", "ty.d_json", *text('{"a": 1}'))

ARRAY_EDGES = ("'{}'", "'{NULL}'")
for element, sql, values in (
        ("bool", "bool", "{t,f,NULL}"), ("int2", "int2", "{1,-2}"), ("int4", "int4", "{1,NULL,2}"),
        ("int8", "int8", "{9223372036854775807}"), ("oid", "oid", "{1,4294967295}"),
        ("float4", "float4", "{3.3,NaN}"), ("float8", "float8", "{3.3,1e100,Infinity}"),
        ("numeric", "numeric", "{10.1111,1.10,0}"), ("numeric_10_2", "numeric(10,2)", "{1.10,22.2}"),
        ("money", "money", "{1.10}"), ("char", "char(5)", "{ab,cd}"),
        ("varchar", "varchar(10)", "{ab,NULL,\"\"}"),
        ("text", "text", '{a,"b c","NULL",NULL,"q\\"\\\\",""," x","{}","a,b"}'),
        ("name", "name", "{a,b}"), ("citext", "citext", "{Ab}"), ("xml", "xml", "{<a/>}"),
        ("uuid", "uuid", "{5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f}"),
        ("json", "json", '{"{\\"a\\": 1}","[]"}'), ("jsonb", "jsonb", '{"{\\"a\\": 1}",NULL}'),
        ("ltree", "ltree", "{a.b}"), ("inet", "inet", "{10.0.0.1,::1}"),
        ("cidr", "cidr", "{10.0.0.0/8}"), ("macaddr", "macaddr", "{08:00:2b:01:02:03}"),
        ("varbit", "varbit", "{1,01}"),
        ("bytea", "bytea", '{"\\\\x6869","\\\\x"}'), ("date", "date", "{2016-11-04,infinity}"),
        ("time", "time", "{04:05:11.789}"), ("time_3", "time(3)", "{04:05:11.789}"),
        ("timetz", "timetz", "{13:51:30.123789+02}"),
        ("timestamp", "timestamp", '{"2016-11-04 13:51:30.123456",NULL}'),
        ("timestamp_3", "timestamp(3)", '{"2016-11-04 13:51:30.123"}'),
        ("timestamptz", "timestamptz", '{"2016-11-04 13:51:30.123456+02"}'),
        ("interval", "interval", '{"1 day","2 years"}'), ("hstore", "hstore", '{"a=>1","b=>NULL"}'),
        ("int4range", "int4range", '{"[1,5)"}'), ("daterange", "daterange", '{"[2019-03-31,)"}'),
        ("point", "point", '{"(1,1)"}'), ("box", "box", "{(3,4),(1,2)}"),
        ("refcursor", "refcursor", "{a}"), ("regclass", "regclass", "{pg_class}"),
        ("pg_lsn", "pg_lsn", "{16/B374D848}"), ("tsvector", "tsvector", '{"a b"}'),
        ("mood", "ty.mood", '{sad,"so so"}'), ("pair", "ty.pair", '{"(1,a)"}'),
        ("bounds", "int4", "[2:4]={1,NULL,3}"), ("text_bounds", "text", "[-1:0]={a,\"b c\"}"),
        ("d_int", "ty.d_int", "{1,2}"), ("d_numeric", "ty.d_numeric", "{1.10}")):
    types("a_" + element, sql + "[]", "'%s'" % values, *ARRAY_EDGES)


def type_case(name, sql, values):
    table = "t.of_%s" % name
    rows = ", ".join("(%d, %s, %s)" % (n, value, values[0])
                     for n, value in enumerate(("NULL",) + tuple(values)))
    case("type " + name,
         "CREATE TABLE %s (id int PRIMARY KEY, v %s, z %s NOT NULL)" % (table, sql, sql),
         "INSERT INTO %s VALUES %s" % (table, rows),
         "DELETE FROM %s WHERE id = 1" % table)


case("types", "CREATE SCHEMA t; CREATE SCHEMA ty;" + BEFORE_TYPES)
for row in TYPES:
    type_case(*row)

# ---- Operations ----

case("ops", "CREATE SCHEMA ops")

case("plain", """CREATE TABLE ops.plain (id int PRIMARY KEY, name text NOT NULL, n int)""",
     "INSERT INTO ops.plain VALUES (1, 'a', 1), (2, 'b', NULL)",
     "UPDATE ops.plain SET n = 2 WHERE id = 1",
     "UPDATE ops.plain SET n = n",
     "UPDATE ops.plain SET id = 10 WHERE id = 1",
     "UPDATE ops.plain SET id = 11, name = 'c' WHERE id = 10",
     "DELETE FROM ops.plain WHERE id = 2",
     "DELETE FROM ops.plain",
     "INSERT INTO ops.plain VALUES (1, 'again', 1)")

case("full", """CREATE TABLE ops.full_ (id int PRIMARY KEY, name text NOT NULL, n int);
     ALTER TABLE ops.full_ REPLICA IDENTITY FULL""",
     "INSERT INTO ops.full_ VALUES (1, 'a', 1), (2, 'b', NULL)",
     "UPDATE ops.full_ SET n = 2 WHERE id = 1",
     "UPDATE ops.full_ SET n = n WHERE id = 1",
     "UPDATE ops.full_ SET id = 10 WHERE id = 1",
     "DELETE FROM ops.full_")

case("by index", """CREATE TABLE ops.by_index (id int PRIMARY KEY, code text NOT NULL, n int);
     CREATE UNIQUE INDEX by_index_code ON ops.by_index (code, id);
     ALTER TABLE ops.by_index REPLICA IDENTITY USING INDEX by_index_code""",
     "INSERT INTO ops.by_index VALUES (1, 'a', 1), (2, 'b', NULL)",
     "UPDATE ops.by_index SET n = 2 WHERE id = 1",
     "UPDATE ops.by_index SET code = 'c' WHERE id = 1",
     "UPDATE ops.by_index SET id = 3 WHERE id = 2",
     "DELETE FROM ops.by_index WHERE id = 1", "DELETE FROM ops.by_index")

case("no identity", """CREATE TABLE ops.nothing (id int PRIMARY KEY, n int);
     ALTER TABLE ops.nothing REPLICA IDENTITY NOTHING""",
     "INSERT INTO ops.nothing VALUES (1, 1), (2, NULL)")

case("no key", "CREATE TABLE ops.no_key (a int, b text)",
     "INSERT INTO ops.no_key VALUES (1, 'x'), (NULL, NULL)")

case("no key, full", """CREATE TABLE ops.no_key_full (a int, b text);
     ALTER TABLE ops.no_key_full REPLICA IDENTITY FULL""",
     "INSERT INTO ops.no_key_full VALUES (1, 'x'), (NULL, NULL)",
     "UPDATE ops.no_key_full SET b = 'y' WHERE a = 1", "DELETE FROM ops.no_key_full")

case("unique instead of a key", """CREATE TABLE ops.uniq (a int NOT NULL, b text NOT NULL, c int);
     CREATE UNIQUE INDEX uniq_b ON ops.uniq (b); CREATE UNIQUE INDEX uniq_ca ON ops.uniq (c, a)""",
     "INSERT INTO ops.uniq VALUES (1, 'x', 2)")

case("key of several columns", """CREATE TABLE ops.pair (a int, x text, b text, c date,
     PRIMARY KEY (c, b, a))""",
     "INSERT INTO ops.pair VALUES (1, 'x', 'y', '2016-11-04')",
     "UPDATE ops.pair SET x = 'z'", "UPDATE ops.pair SET b = 'yy'", "DELETE FROM ops.pair")

for number, (sql, one, other) in enumerate((
        ("uuid", "'5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f'", "'00000000-0000-0000-0000-000000000001'"),
        ("text", "'ä \"x\"'", "''"), ("numeric(10,2)", "1.10", "-5"), ("numeric", "10.1111", "10"),
        ("timestamptz", "'2016-11-04 13:51:30+00'", "'0044-03-15 BC'"), ("bytea", "'\\x00ff'", "'\\x'"),
        ("bool", "true", "false"), ("float8", "1.5", "1e10"), ("bigint", "-1", "9007199254740993"),
        ("date", "'2016-11-04'", "'infinity'"), ("interval", "'1 day'", "'1 month'"),
        ("int[]", "'{1,2}'", "'{}'"), ("jsonb", "'{\"a\":1}'", "'[]'"), ("ty.mood", "'sad'", "'so so'"),
        ("inet", "'10.0.0.1'", "'::1'"), ("char(3)", "'a'", "'b'"),
        ("numeric(38,10)", "0.0000000001", "-12.5"), ("varchar", "E'a\\nb\\\\c\"\U0001F600'", "E'\\t\\x01'"),
        ("time", "'04:05:11.789123'", "'00:00'"), ("timestamp(3)", "'2016-11-04 13:51:30.123'", "'2016-11-04'"),
        ("money", "1.5", "-0.01"))):
    case("key of type " + sql, "CREATE TABLE ops.key_%02d (k %s PRIMARY KEY, v int)" % (number, sql),
         "INSERT INTO ops.key_%02d VALUES (%s, 1)" % (number, one),
         "UPDATE ops.key_%02d SET v = 2" % number,
         "UPDATE ops.key_%02d SET k = %s" % (number, other),
         "DELETE FROM ops.key_%02d" % number)

case("transactions", "CREATE TABLE ops.txn (id int PRIMARY KEY, v int);"
     "CREATE TABLE ops.txn2 (id int PRIMARY KEY, v int)",
     """BEGIN; INSERT INTO ops.txn VALUES (1, 1); INSERT INTO ops.txn2 VALUES (1, 1);
        SAVEPOINT s; INSERT INTO ops.txn VALUES (2, 2); ROLLBACK TO s;
        UPDATE ops.txn SET v = 3; DELETE FROM ops.txn2; COMMIT""",
     "BEGIN; INSERT INTO ops.txn VALUES (9, 9); ROLLBACK",
     """BEGIN; INSERT INTO ops.txn SELECT n, n FROM generate_series(100, 130) n;
        UPDATE ops.txn SET id = id + 1000 WHERE id BETWEEN 100 AND 105;
        DELETE FROM ops.txn WHERE id > 120; COMMIT""")

case("truncate", """CREATE TABLE ops.trunc (id int PRIMARY KEY);
     CREATE TABLE ops.trunc_child (id int PRIMARY KEY, p int REFERENCES ops.trunc)""",
     "INSERT INTO ops.trunc VALUES (1), (2)", "INSERT INTO ops.trunc_child VALUES (1, 1)",
     "TRUNCATE ops.trunc_child", "TRUNCATE ops.trunc CASCADE",
     "INSERT INTO ops.trunc VALUES (1)", "TRUNCATE ops.trunc, ops.trunc_child RESTART IDENTITY")

case("defaults", """CREATE TABLE ops.defaults (id serial PRIMARY KEY, a int DEFAULT 5,
     b text DEFAULT 'x', c text NOT NULL DEFAULT 'y', d numeric(5,2) NOT NULL DEFAULT 1.50,
     e timestamptz DEFAULT now(), f timestamptz NOT NULL DEFAULT now(), g bool NOT NULL DEFAULT true,
     h date NOT NULL DEFAULT '2016-11-04', i int NOT NULL DEFAULT 7, j uuid DEFAULT gen_random_uuid(),
     k text[] NOT NULL DEFAULT '{a,b}', l jsonb NOT NULL DEFAULT '{}', m bytea NOT NULL DEFAULT '\\x01',
     n interval NOT NULL DEFAULT '1 day', o ty.mood NOT NULL DEFAULT 'sad', p int DEFAULT 1 + 1,
     q timestamp NOT NULL DEFAULT '2016-11-04 01:02:03', r time NOT NULL DEFAULT '01:02:03',
     s float8 NOT NULL DEFAULT 1.5, u varchar(3) NOT NULL DEFAULT 'ab', v bit(3) NOT NULL DEFAULT B'101',
     w bigint NOT NULL DEFAULT 12345678901)""",
     """INSERT INTO ops.defaults (e, f, j) VALUES ('2020-01-01 00:00:00+00', '2020-01-01 00:00:00+00',
        '00000000-0000-0000-0000-000000000001')""",
     """INSERT INTO ops.defaults (a, b, e, f, j, p) VALUES (NULL, NULL, NULL, '2020-01-01 00:00:00+00',
        NULL, NULL)""",
     "DELETE FROM ops.defaults")

case("generated columns", """CREATE TABLE ops.generated (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     a int, b int GENERATED ALWAYS AS (a * 2) STORED)""",
     "INSERT INTO ops.generated (a) VALUES (1)", "UPDATE ops.generated SET a = 2",
     "DELETE FROM ops.generated")

# Every value of more than a few bytes lies outside of the row.
LONG = "(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 12) n)"
TOAST = """CREATE TABLE ops.%s (id int PRIMARY KEY, n int, t text, vc varchar, c char(300), b bytea,
     j json, jb jsonb, x xml, num numeric, ta text[], vca varchar[], ia int[], la bigint[], da date[],
     ua uuid[], ba bytea[], ja json[], h hstore, na numeric[], fa float8[], tsa timestamptz[],
     ci citext, ltr ltree, bits varbit, tv tsvector, ma ty.mood[], boola bool[], sa int2[],
     pa ty.pair[], rr ty.pair, sna numeric(10,2)[], tss timestamp[], tma time[], ina inet[],
     ha hstore[]) WITH (toast_tuple_target = 128);
     DO $$DECLARE name text; BEGIN FOR name IN SELECT attname FROM pg_attribute WHERE attrelid =
     'ops.%s'::regclass AND attnum > 0 AND attstorage IN ('x', 'm') LOOP
     EXECUTE 'ALTER TABLE ops.%s ALTER ' || name || ' SET STORAGE EXTERNAL'; END LOOP; END$$"""
TOAST_ROW = """INSERT INTO ops.%s SELECT 1, 1, l, l, left(l, 300), l::bytea, to_json(l), to_jsonb(l),
     xmlelement(name a, l), ('1' || translate(l, 'abcdef', '123456'))::numeric,
     many(l), many(l), array(SELECT n * 7919 FROM generate_series(1, 60) n),
     array(SELECT n * 791900000::bigint FROM generate_series(1, 40) n),
     array(SELECT '2000-01-01'::date + n * 17 FROM generate_series(1, 60) n),
     array(SELECT md5(n::text)::uuid FROM generate_series(1, 20) n),
     array(SELECT md5(n::text)::bytea FROM generate_series(1, 10) n),
     array(SELECT to_json(md5(n::text)) FROM generate_series(1, 10) n), hstore('k', l),
     array(SELECT n * 1.17 FROM generate_series(1, 40) n),
     array(SELECT n / 4.0 FROM generate_series(1, 40) n),
     array(SELECT '2000-01-01'::timestamptz + n * interval '1.7 hours' FROM generate_series(1, 40) n),
     l, array_to_string(many(l), '.')::ltree, ('x' || l)::bit(1500)::varbit,
     to_tsvector('simple', many(l)::text),
     array(SELECT (array['sad', 'so so'])[1 + n %% 2]::ty.mood FROM generate_series(1, 60) n),
     array(SELECT n %% 3 = 0 FROM generate_series(1, 300) n),
     array(SELECT (n * 7)::int2 FROM generate_series(1, 150) n),
     array(SELECT ROW(n, md5(n::text))::ty.pair FROM generate_series(1, 8) n), ROW(1, l)::ty.pair,
     array(SELECT n * 1.17 FROM generate_series(1, 40) n),
     array(SELECT '2000-01-01'::timestamp + n * interval '1.7 hours' FROM generate_series(1, 40) n),
     array(SELECT '00:00'::time + n * interval '1.7 seconds' FROM generate_series(1, 40) n),
     array(SELECT '10.0.0.0'::inet + n * 17 FROM generate_series(1, 30) n),
     array(SELECT hstore(n::text, md5(n::text)) FROM generate_series(1, 8) n)
     FROM (SELECT """ + LONG + """ AS l) s"""
case("unchanged", """CREATE FUNCTION many(text) RETURNS text[] LANGUAGE sql AS
     $$SELECT array(SELECT md5(n::text || $1) FROM generate_series(1, 12) n)$$;"""
     + TOAST.replace("%s", "toast") + ";" + TOAST.replace("%s", "toast_full")
     + "; ALTER TABLE ops.toast_full REPLICA IDENTITY FULL",
     TOAST_ROW % "toast",
     "UPDATE ops.toast SET n = 2", "UPDATE ops.toast SET t = 'short'", "UPDATE ops.toast SET id = 2",
     "DELETE FROM ops.toast",
     TOAST_ROW % "toast_full",
     "UPDATE ops.toast_full SET n = 2", "UPDATE ops.toast_full SET t = 'short', id = 2",
     "DELETE FROM ops.toast_full")

case("messages", "SELECT 1",
     "SELECT pg_logical_emit_message(true, 'prefix', 'content')",
     "SELECT pg_logical_emit_message(false, 'beside', 'content')",
     "SELECT pg_logical_emit_message(true, 'bytes', '\\x00ff10'::bytea)",
     "SELECT pg_logical_emit_message(true, '', '')",
     """BEGIN; SELECT pg_logical_emit_message(true, 'a', 'one'); INSERT INTO ops.txn VALUES (500, 1);
        SELECT pg_logical_emit_message(true, 'a', 'two'); COMMIT""")

case("origin", "SELECT pg_replication_origin_create('elsewhere')",
     """SELECT pg_replication_origin_session_setup('elsewhere');
        BEGIN; SELECT pg_replication_origin_xact_setup('0/1234567', '2020-01-01 00:00:00+00');
        INSERT INTO ops.txn VALUES (600, 1); COMMIT;
        SELECT pg_replication_origin_session_reset()""")

case("partitions", """CREATE TABLE ops.parted (id int, d date, PRIMARY KEY (id, d)) PARTITION BY RANGE (d);
     CREATE TABLE ops.parted_1 PARTITION OF ops.parted FOR VALUES FROM ('2000-01-01') TO ('2001-01-01');
     CREATE TABLE ops.parted_2 PARTITION OF ops.parted FOR VALUES FROM ('2001-01-01') TO ('2002-01-01')""",
     "INSERT INTO ops.parted VALUES (1, '2000-06-01'), (2, '2001-06-01')",
     "UPDATE ops.parted SET d = '2001-07-01' WHERE id = 1", "DELETE FROM ops.parted")

# ---- Columns that are left out, cut, hidden, hashed, or the key by choice ----

case("columns", """CREATE SCHEMA cols;
     CREATE TABLE cols.masked (id int PRIMARY KEY, cut text, cut_vc varchar(5) NOT NULL, hidden text,
         hidden_not text NOT NULL, nothing text, hashed text, hashed_two varchar(20), short char(3), gone text);
     CREATE TABLE cols.masked_full (LIKE cols.masked INCLUDING ALL);
     CREATE TABLE cols.keyed (id int PRIMARY KEY, a int NOT NULL, b text NOT NULL, c text);
     ALTER TABLE cols.keyed REPLICA IDENTITY FULL;
     CREATE TABLE cols.other (c text, x int NOT NULL, y int); ALTER TABLE cols.other REPLICA IDENTITY FULL""",
     """INSERT INTO cols.masked VALUES (1, 'abcdef', 'abcd', 'secret', 'secret', 'x', 'secret', 'secret', 'ab', 'g'),
        (2, NULL, '', NULL, '', NULL, NULL, NULL, NULL, NULL),
        (3, 'a😀b€c', 'ä€ö', '😀', 'ä', '', '', 'ä€😀', '€', '')""",
     "UPDATE cols.masked SET cut = 'xyzzy', hashed = 'other' WHERE id = 1",
     "DELETE FROM cols.masked WHERE id < 3",
     "INSERT INTO cols.masked_full SELECT * FROM cols.masked",
     "INSERT INTO cols.keyed VALUES (1, 10, 'x', 'c'), (2, 10, 'y', NULL)",
     "UPDATE cols.keyed SET c = 'd'", "UPDATE cols.keyed SET id = id + 10",
     "UPDATE cols.keyed SET a = 11 WHERE b = 'x'", "DELETE FROM cols.keyed",
     "INSERT INTO cols.other VALUES ('one', 1, 1), (NULL, 2, 2)",
     "UPDATE cols.other SET y = 3 WHERE x = 1", "DELETE FROM cols.other")

# ---- Names ----

case("names", """CREATE SCHEMA "Mixed Case.Schema"; CREATE SCHEMA "größe";
     CREATE TABLE "Mixed Case.Schema"."select" ("Id" int PRIMARY KEY, "from" text, "a.b" int, "ä ö" text,
         "q\"\"uote" text, "back\\slash" text);
     CREATE TABLE "größe"."tabelle-1_$" (id int PRIMARY KEY);
     CREATE TABLE "größe"."a very long name that comes near to the sixty-three bytes of." (id int PRIMARY KEY)""",
     """INSERT INTO "Mixed Case.Schema"."select" VALUES (1, 'x', 2, 'y', 'z', 'w')""",
     """UPDATE "Mixed Case.Schema"."select" SET "Id" = 2""",
     """INSERT INTO "größe"."tabelle-1_$" VALUES (1)""",
     """INSERT INTO "größe"."a very long name that comes near to the sixty-three bytes of." VALUES (1)""")

# ---- Structure that changes in the stream ----

# First what walferry asks about: whoever has just seen something harmless opens anew, and what comes
# beside that is then a part of it.

case("ddl", "CREATE SCHEMA ddl")

case("key changes", "CREATE TABLE ddl.key (id int PRIMARY KEY, code text NOT NULL)",
     "INSERT INTO ddl.key VALUES (1, 'a')",
     "ALTER TABLE ddl.key DROP CONSTRAINT key_pkey", "ALTER TABLE ddl.key ADD PRIMARY KEY (code)",
     "INSERT INTO ddl.key VALUES (2, 'b')", "UPDATE ddl.key SET code = 'c' WHERE id = 2",
     settles=True)

case("partition goes and comes", """CREATE TABLE ddl.parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
     CREATE TABLE ddl.parted_1 PARTITION OF ddl.parted FOR VALUES FROM (0) TO (10);
     CREATE TABLE ddl.parted_2 PARTITION OF ddl.parted FOR VALUES FROM (10) TO (20)""",
     "INSERT INTO ddl.parted VALUES (1), (11)",
     Asked("ALTER TABLE ddl.parted DETACH PARTITION ddl.parted_2"),
     "INSERT INTO ddl.parted_2 VALUES (12)",
     Asked("ALTER TABLE ddl.parted ATTACH PARTITION ddl.parted_2 FOR VALUES FROM (10) TO (20)"),
     "INSERT INTO ddl.parted VALUES (13)",
     settles=True)

case("tables change", "CREATE TABLE ddl.old (id int PRIMARY KEY, a text)",
     "INSERT INTO ddl.old VALUES (1, 'old')",
     Asked("ALTER TABLE ddl.old RENAME TO new"), "INSERT INTO ddl.new VALUES (2, 'new')",
     Asked("DROP TABLE ddl.new"), "CREATE TABLE ddl.old (other text PRIMARY KEY, n int)",
     "INSERT INTO ddl.old VALUES ('again', 1)",
     "CREATE TABLE ddl.fresh (id int PRIMARY KEY, v numeric(5,2))",
     "INSERT INTO ddl.fresh VALUES (1, 1.5)",
     settles=True)

case("columns change", "CREATE TABLE ddl.cols (id int PRIMARY KEY, a text)",
     "INSERT INTO ddl.cols VALUES (1, 'before')",
     "ALTER TABLE ddl.cols ADD COLUMN b int", "INSERT INTO ddl.cols VALUES (2, 'b', 2)",
     "ALTER TABLE ddl.cols ADD COLUMN c int NOT NULL DEFAULT 7",
     "INSERT INTO ddl.cols VALUES (3, 'c', 3)", "DELETE FROM ddl.cols WHERE id = 3",
     "ALTER TABLE ddl.cols DROP COLUMN b", "INSERT INTO ddl.cols VALUES (4, 'd')",
     "ALTER TABLE ddl.cols RENAME COLUMN a TO e", "INSERT INTO ddl.cols VALUES (5, 'e')",
     "ALTER TABLE ddl.cols ALTER COLUMN c TYPE text", "INSERT INTO ddl.cols VALUES (6, 'f', 'six')",
     "ALTER TABLE ddl.cols ALTER COLUMN id TYPE bigint", "INSERT INTO ddl.cols VALUES (9007199254740993)",
     settles=True)

case("inside a transaction", "CREATE TABLE ddl.inside (id int PRIMARY KEY, a text)",
     """BEGIN; INSERT INTO ddl.inside VALUES (1, 'one'); ALTER TABLE ddl.inside ADD COLUMN b text;
        INSERT INTO ddl.inside VALUES (2, 'two', 'b'); ALTER TABLE ddl.inside DROP COLUMN a;
        INSERT INTO ddl.inside VALUES (3, 'b'); COMMIT""",
     "UPDATE ddl.inside SET b = 'x' WHERE id = 3",
     settles=True)

case("enum grows", "CREATE TYPE ddl.grows AS ENUM ('a'); CREATE TABLE ddl.enum (id int PRIMARY KEY, v ddl.grows)",
     "INSERT INTO ddl.enum VALUES (1, 'a')", "ALTER TYPE ddl.grows ADD VALUE 'b'",
     "INSERT INTO ddl.enum VALUES (2, 'b')",
     settles=True)

case("identity changes", "CREATE TABLE ddl.identity (id int PRIMARY KEY, a text NOT NULL)",
     "INSERT INTO ddl.identity VALUES (1, 'a'), (2, 'b')",
     "ALTER TABLE ddl.identity REPLICA IDENTITY FULL",
     "UPDATE ddl.identity SET a = 'aa' WHERE id = 1", "DELETE FROM ddl.identity WHERE id = 1",
     "ALTER TABLE ddl.identity REPLICA IDENTITY DEFAULT",
     "UPDATE ddl.identity SET a = 'bb'", "DELETE FROM ddl.identity",
     settles=True)

case("partition is new", "CREATE TABLE ddl.grown (id int PRIMARY KEY) PARTITION BY RANGE (id)",
     "CREATE TABLE ddl.grown_1 PARTITION OF ddl.grown FOR VALUES FROM (0) TO (10)",
     "INSERT INTO ddl.grown VALUES (1)",
     settles=True)
