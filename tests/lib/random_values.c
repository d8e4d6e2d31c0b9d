/* random_values: see random_values.h. */
#include "random_values.h"

const struct random_value RANDOM_VALUES[] = {
    {"bool", "r < 0.5"},
    {"int2", "((r - 0.5) * 65535)::int"},
    {"int4", "((r - 0.5) * 4294967295)::int8"},
    {"int8", "((r - 0.5) * 1e18)::int8"},
    {"oid", "(r * 4294967295)::int8"},
    {"float4", "CASE WHEN g < 4 THEN (array['NaN','Infinity','-Infinity'])[g]::float4 ELSE "
               "((r - 0.5) * 10.0 ^ (random() * 70 - 36))::float4 END"},
    {"float4", "(r * 10000)::int / 100.0"},
    {"float8", "CASE WHEN g < 4 THEN (array['NaN','Infinity','-Infinity'])[g]::float8 ELSE "
               "(r - 0.5) * 10.0::float8 ^ (random() * 600 - 300) END"},
    {"float8", "(r * 1000000)::int / 1000.0"},
    {"float8", "(r * 1000)::int * 10.0::float8 ^ (g % 30)"},
    {"numeric", "CASE WHEN g < 4 THEN (array['NaN','Infinity','-Infinity'])[g]::numeric ELSE "
                "(r - 0.5)::numeric * 10::numeric ^ ((random() * 80)::int - 40) END"},
    {"numeric", "round((r * 1000000)::numeric, g % 9)"},
    {"numeric", "(g - 100)::numeric * 10::numeric ^ (g % 20)"},
    {"money", "((r - 0.5) * 10.0 ^ (g % 16))::numeric::money"},
    {"text", "md5(r::text)"},
    {"varchar", "left(md5(r::text), g % 10)"},
    {"bpchar", "md5(r::text)"},
    {"name", "md5(r::text)"},
    {"uuid", "md5(r::text)::uuid"},
    {"json", "json_build_object('a', r)"},
    {"jsonb", "jsonb_build_object('a', r)"},
    {"bytea", "decode(left(md5(r::text), 2 * (g % 16)), 'hex')"},
    {"bit", "(r * 1e9)::int::bit(30)"},
    {"varbit", "substring((r * 1e9)::int::bit(32) FOR g % 32)"},
    {"date", "CASE WHEN g < 3 THEN (array['infinity','-infinity'])[g]::date ELSE "
             "'0001-01-01'::date + ((r - 0.3) * 5000000)::int END"},
    {"time", "'00:00'::time + r * interval '1 day'"},
    {"timetz", "(('00:00'::time + r * interval '1 day')::text || '+' || lpad((g % 15)::text, 2, "
               "'0') || ':' || lpad((g * 7 % 60)::text, 2, '0'))::timetz"},
    {"timetz", "(('00:00'::time + r * interval '1 day')::text || '-' || lpad((g % 15)::text, 2, "
               "'0') || ':00:' || lpad((g * 7 % 60)::text, 2, '0'))::timetz"},
    {"timestamp", "CASE WHEN g < 3 THEN (array['infinity','-infinity'])[g]::timestamp ELSE "
                  "'0001-01-01'::timestamp + (r - 0.3) * interval '10000 years' END"},
    {"timestamptz", "'2000-01-01'::timestamptz + (r - 0.5) * interval '10000 years'"},
    {"interval", "make_interval((r * 100)::int * (g % 3 - 1), (random() * 30)::int * (g / 3 % 3 - "
                 "1), 0, (random() * 40)::int * (g / 9 % 3 - 1), 0, 0, ((random() * 1e6)::int * (g "
                 "/ 27 % 3 - 1)) / 100.0)"},
    {"interval", "(r - 0.5) * interval '1 day'"},
    {"inet", "'0.0.0.0'::inet + (r * 4294967295)::int8"},
    {"inet", "set_masklen('0.0.0.0'::inet + (r * 4294967295)::int8, g % 33)"},
    {"inet", "(to_hex((r * 65535)::int * (g % 2)) || ':0:0:' || to_hex((r * 99)::int * (g / 2 % "
             "2)) || ':0:0:0:' || to_hex(g % 3) || '/' || g % 129)::inet"},
    {"inet", "('::' || ('0.0.0.0'::inet + (r * 4294967295)::int8)::text)::inet"},
    {"inet", "('::ffff:' || host('0.0.0.0'::inet + (r * 4294967295)::int8))::inet"},
    {"cidr", "network(set_masklen('0.0.0.0'::inet + (r * 4294967295)::int8, g % 33))"},
    {"macaddr", "left(md5(r::text), 12)::macaddr"},
    {"macaddr8", "left(md5(r::text), 16)::macaddr8"},
    {"point", "point((r * 1000)::int / 8.0, (random() - 0.5) * 1e20)"},
    {"int4range", "CASE WHEN g = 1 THEN 'empty' WHEN g = 2 THEN '(,)' ELSE int4range((r * "
                  "100)::int, 101 + g, (array['[]','()','[)','(]'])[1 + g % 4])::text END"},
    {"int8range", "int8range((r * 100)::int, NULL)"},
    {"numrange", "numrange(r::numeric, NULL, (array['[]','()','[)','(]'])[1 + g % 4])"},
    {"daterange", "daterange('2000-01-01'::date + g, 'infinity')"},
    {"tsrange", "tsrange('2000-01-01'::timestamp + r * interval '1 year', NULL)"},
    {"tstzrange", "tstzrange('2000-01-01'::timestamptz + r * interval '1 year', 'infinity')"},
    {"int4multirange", "int4multirange(int4range(g, g + 2), int4range(g + 5, NULL))"},
    {"nummultirange", "nummultirange(numrange(r::numeric, 2), numrange(3, 4))"},
    {"int4[]", "array[(r * 100)::int, NULL, g]"},
    {"int4[]", "CASE WHEN g % 2 = 0 THEN '{}' ELSE '[-1:0][2:3]={{5,6},{7,NULL}}' END::int[]"},
    {"int4[]", "array[[[g, 2], [3, 4]], [[5, 6], [7, 8]], [[9, 10], [11, 12]]]"},
    {"text[]", "array[md5(r::text), '', ' x', 'NULL', 'null', 'a,b', '{}', E'q\\\"\\\\\\\\', NULL, "
               "E'tab\\\\t', ';', 'ü']"},
    {"numeric[]", "array[round(r::numeric, 3), NULL, 'NaN']"},
    {"float8[]", "array[r, 1e100, 'Infinity']"},
    {"bool[]", "array[r < 0.5, NULL]"},
    {"bytea[]", "array[decode(md5(r::text), 'hex'), '']"},
    {"timestamptz[]", "array['2000-01-01'::timestamptz + r * interval '1 year', NULL]"},
    {"timestamp[]", "array['2000-01-01'::timestamp + r * interval '1 year']"},
    {"date[]", "array['2000-01-01'::date + g]"},
    {"uuid[]", "array[md5(r::text)::uuid]"},
    {"jsonb[]", "array[jsonb_build_object('a', r)]"},
    {"inet[]", "array['10.0.0.0'::inet + g]"},
    {"point[]", "array[point(g, r)]"},
    {"int4range[]", "array[int4range(g, g + 2), NULL, 'empty']"},
    {"mood", "(array['sad', 'so so', 'o,k\"{}'])[1 + g % 3]"},
    {"mood[]", "array['sad', 'so so', 'o,k\"{}', NULL]"},
};

const size_t RANDOM_VALUES_COUNT = sizeof RANDOM_VALUES / sizeof RANDOM_VALUES[0];
