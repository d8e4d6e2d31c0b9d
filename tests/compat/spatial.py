"""PostGIS' types in the corpus, where the server has the extension: a corpus for itself, so that nobody
has to install it (37 MB, forty seconds) to run the other. Beside the connector, or against what it was
recorded to write. pgvector is in no package of Debian 12."""

import os

import corpus
import deliberate
import judge
import records
from lab import cache

RECORDED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recorded", "spatial", "plain.jsonl")
TABLES = (
    ("geometry", "geometry", ("POINT(1 2)", "SRID=3187;POINT(174.9479 -36.7208)", "POINT EMPTY", "POINT Z (1 2 3)",
                              "POINT ZM (1 2 3 4)", "SRID=4326;LINESTRING(0 0,1 1,2 1)",
                              "POLYGON((0 0,0 4,4 4,4 0,0 0),(1 1,1 2,2 2,2 1,1 1))",
                              "SRID=4326;MULTIPOINT(1 2,3 4)",
                              "SRID=4326;GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))",
                              "GEOMETRYCOLLECTION EMPTY", "CURVEPOLYGON(CIRCULARSTRING(0 0,4 0,4 4,0 4,0 0))",
                              "POINT(1e-300 -1e300)")),
    ("point", "geometry(Point,4326)", ("SRID=4326;POINT(13.4 52.5)",)),
    ("geography", "geography", ("POINT(13.4 52.5)", "SRID=4326;LINESTRING(-179 0,179 0)", "SRID=4326;POINT EMPTY")),
    ("geography_point", "geography(Point,4326)", ("SRID=4326;POINT(-0.1 51.5)",)),
    ("box2d", "box2d", ("BOX(1 2,3 4)",)),
    ("box3d", "box3d", ("BOX3D(1 2 3,4 5 6)",)),
    ("a_geometry", "geometry[]", ('{"POINT(1 2)":"SRID=4326;POINT(3 4)"}', "{}", "{NULL}")),
    ("a_geography", "geography[]", ('{"POINT(1 2)"}',)),
    ("d_geometry", "ty.d_geometry", ("SRID=4326;POINT(1 2)",)),
)
# So many records of these tables there are: each row, and a DELETE with its tombstone.
COUNT = sum(len(values) + 1 + 2 for _, _, values in TABLES) + 4


def cases():
    """In place of all the others."""
    kept = [one for one in corpus.CASES if one.name == "ops"]
    kept.append(corpus.Case("spatial types", "CREATE SCHEMA t; CREATE SCHEMA ty; CREATE EXTENSION postgis;"
                            " CREATE DOMAIN ty.d_geometry AS geometry", [], False))
    for name, sql, values in TABLES:
        rows = ", ".join("(%d, %s, '%s')" % (n, value, values[0])
                         for n, value in enumerate(["NULL"] + ["'%s'" % value for value in values]))
        kept.append(corpus.Case(
            "type " + name, "CREATE TABLE t.of_%s (id int PRIMARY KEY, v %s, z %s NOT NULL)" % (name, sql, sql),
            ["INSERT INTO t.of_%s VALUES %s" % (name, rows), "DELETE FROM t.of_%s WHERE id = 1" % name], False))
    kept.append(corpus.Case("large geometry", "CREATE TABLE t.large (id int PRIMARY KEY, n int, v geometry);"
                            " ALTER TABLE t.large ALTER v SET STORAGE EXTERNAL",
                            ["INSERT INTO t.large SELECT 1, 1, ST_MakeLine(array_agg(ST_MakePoint(n, n)))"
                             " FROM generate_series(1, 300) AS n",
                             "UPDATE t.large SET n = 2", "DELETE FROM t.large"], False))
    return kept


def is_there():
    major = cache.own_major()
    return os.path.exists("/usr/share/postgresql/%d/extension/postgis.control" % major)


def of_tables(lines):
    return [line for line in lines if ".t." in line.split(",", 1)[0]]


def compare(wanted, got, recorded):
    """Prints what is wrong; true where nothing is."""
    if recorded:
        wanted, got = ([records.without_log(line) for line in lines] for lines in (wanted, got))
    wanted, got = of_tables(wanted), of_tables(got)
    unknown, known = deliberate.sort(records.differences(wanted, got))
    for one in unknown:
        print("  %s %s\n    debezium %s\n    walferry %s" % one)
    missed = [what for what, lines in judge.plants(got).items()
              if len(deliberate.sort(records.differences(wanted, lines))[0]) <= len(unknown)]
    good = not unknown and not missed and len(wanted) == COUNT and \
        {one[0] for one in known} <= {"sequence"}
    print("%sok spatial types: %d records of %d, %d deliberate, planted and not noticed: %s" % (
        "" if good else "not ", len(wanted), COUNT, len(known), missed or "none"))
    return good
