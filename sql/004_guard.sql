-- A guard against DDL that loses events. Optional. As a superuser, or as the administrator of your
-- provider where that one may create event triggers. May be applied again.
--
--   psql -v ON_ERROR_STOP=1 -d shop -f 004_guard.sql
--   INSERT INTO walferry.guarded (relay, publication) VALUES ('orders', 'walferry_orders');
--
-- Rows that are written while a publication does not send them are never sent, whatever is mended
-- later. Without the guard a relay notices within seconds that something has changed; with it the
-- relay stops at the very place, before anything behind it is confirmed. With
--
--   UPDATE walferry.guarded SET mode = 'refuse';
--
-- such DDL fails, so that nothing is lost at all, and so does what drops, renames or gives another
-- type to a column that a route may need: rows without it cannot be published. Those are all of what
-- outbox routes publish, and none of a publication for other routes, whose name ends in _changes,
-- unless walferry.guarded.columns names them. A session that means it says
--
--   SET walferry.unguarded = on;
--
-- What is published is compared before and after every DDL command, so no command need be known
-- here, and what only adds to it (a table, a partition) passes. DDL takes 1 to 2 ms longer. The
-- guard writes no row, because before PostgreSQL 18 the server cannot decode a row behind a
-- publication that is gone; and its message is no secret, because a relay that meets one only stops
-- and looks for itself. Undo: 004_guard.undo.sql.

BEGIN;
SET LOCAL client_min_messages = warning;

-- The guard runs with its owner's rights at everybody's DDL. Whoever owns the schema, or a part of
-- the guard, could exchange what it calls.
DO $$
DECLARE
    other record;
BEGIN
    SELECT o.what, r.rolname AS owner INTO other FROM (
            SELECT 1 AS first, 'SCHEMA walferry' AS what, nspowner AS owner
            FROM pg_catalog.pg_namespace WHERE nspname = 'walferry'
            UNION ALL
            SELECT 2, 'TABLE walferry.guarded', relowner
            FROM pg_catalog.pg_class WHERE oid = to_regclass('walferry.guarded')
            UNION ALL
            SELECT 3, format('FUNCTION %s', oid::regprocedure), proowner
            FROM pg_catalog.pg_proc WHERE pronamespace = to_regnamespace('walferry')
            AND proname IN ('published', 'needed', 'unpublished', 'detaches_concurrently',
                            'in_words', 'guard')) o
        JOIN pg_catalog.pg_roles r ON r.oid = o.owner
        WHERE r.rolname <> current_user AND NOT r.rolsuper
        ORDER BY o.first LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% belongs to %, who could make the guard do anything', lower(other.what),
            other.owner
            USING HINT = format('ALTER %s OWNER TO %I;', other.what, current_user);
    END IF;
END
$$;

CREATE SCHEMA IF NOT EXISTS walferry;

CREATE TABLE IF NOT EXISTS walferry.guarded (
    relay       text NOT NULL,
    publication name NOT NULL,
    mode        text NOT NULL DEFAULT 'tell' CHECK (mode IN ('tell', 'refuse')),
    PRIMARY KEY (relay, publication)
);

ALTER TABLE walferry.guarded ADD COLUMN IF NOT EXISTS columns name[];

COMMENT ON TABLE walferry.guarded IS
    'Publications that are watched, one row for each relay that reads one.';
COMMENT ON COLUMN walferry.guarded.relay IS 'The relay''s name, as in its file.';
COMMENT ON COLUMN walferry.guarded.publication IS 'Its source.publication.';
COMMENT ON COLUMN walferry.guarded.mode IS
    'tell: the relay stops at DDL that may lose rows. refuse: the DDL itself fails.';

COMMENT ON COLUMN walferry.guarded.columns IS
    'With refuse: columns of its tables that must stay as they are. NULL: all, or none where the '
    'publication''s name ends in _changes.';

REVOKE ALL ON walferry.guarded FROM PUBLIC;

-- One line for each thing that decides which rows a publication sends. Its owner and comment do
-- not. Lines of partitions end with "of <root>".
CREATE OR REPLACE FUNCTION walferry.published(publication name)
RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    pub    record;
    tables oid[];
BEGIN
    SELECT p.oid, p.puballtables, to_jsonb(p) - 'pubowner' AS line
    INTO pub FROM pg_publication p WHERE p.pubname = publication;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN NEXT 'publication ' || pub.line::text;
    -- Row filter and column list stand in here.
    RETURN QUERY SELECT 'member ' || to_jsonb(r)::text
        FROM pg_publication_rel r WHERE r.prpubid = pub.oid;
    -- Never the view pg_publication_tables: on 18 it locks every table that it lists.
    tables := ARRAY(SELECT r.prrelid FROM pg_publication_rel r WHERE r.prpubid = pub.oid);
    IF pub.puballtables THEN
        tables := tables || ARRAY(SELECT c.oid FROM pg_class c
            WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND c.oid >= 16384);
    ELSIF to_regclass('pg_catalog.pg_publication_namespace') IS NOT NULL THEN
        RETURN QUERY SELECT 'schema ' || to_jsonb(s)::text
            FROM pg_publication_namespace s WHERE s.pnpubid = pub.oid;
        tables := tables || ARRAY(SELECT c.oid FROM pg_publication_namespace s
            JOIN pg_class c ON c.relnamespace = s.pnnspid
            WHERE s.pnpubid = pub.oid AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p');
    END IF;
    RETURN QUERY WITH RECURSIVE below (id, root) AS (
            SELECT t, 0::oid FROM unnest(tables) t
            UNION
            SELECT i.inhrelid, CASE WHEN b.root = 0 THEN b.id ELSE b.root END
            FROM below b JOIN pg_inherits i ON i.inhparent = b.id
            JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relispartition)
        SELECT format('table %s %I.%I %s%s%s', c.oid, n.nspname, c.relname, c.relkind,
                      c.relpersistence, CASE WHEN max(b.root) > 0 THEN ' of ' || max(b.root) END)
        FROM below b JOIN pg_class c ON c.oid = b.id JOIN pg_namespace n ON n.oid = c.relnamespace
        GROUP BY c.oid, n.nspname, c.relname, c.relkind, c.relpersistence;
END
$$;

COMMENT ON FUNCTION walferry.published(name) IS
    'What decides which rows a publication sends, a line for each thing.';

-- A line for each column that must stay as it is, of these lines' tables. Partitions have those of
-- their root.
CREATE OR REPLACE FUNCTION walferry.needed(publication name, columns name[], lines text[])
RETURNS SETOF text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('column %s %s %s', a.attrelid, a.atttypid, a.attname)
    FROM pg_attribute a WHERE a.attrelid = ANY (ARRAY(
            SELECT split_part(line, ' ', 2)::oid FROM unnest(lines) line
            WHERE line LIKE 'table %' AND line !~ ' of [0-9]+$'))
    AND a.attnum > 0 AND NOT a.attisdropped
    AND CASE WHEN columns IS NULL THEN publication NOT LIKE '%\_changes'
        ELSE a.attname = ANY (columns) END
$$;

COMMENT ON FUNCTION walferry.needed(name, name[], text[]) IS
    'The columns of published tables that routes may need, a line for each.';

-- The lines that were there before and are not any more, but for what was dropped below a root
-- that is still published (nobody can write into that), and for what is below one now and is
-- published by itself only because everything is. A table that is published by name may be routed
-- by name, and is sent under its root's from now on. Columns count while their table is published.
CREATE OR REPLACE FUNCTION walferry.unpublished(before text[], after text[])
RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(array_agg(line ORDER BY line LIKE 'column %', line LIKE 'member %', line), '{}')
    FROM (SELECT unnest(before) EXCEPT SELECT unnest(after)) AS gone (line)
    WHERE NOT (line ~ '^table .* of [0-9]+$' AND NOT EXISTS (
        SELECT FROM pg_class c WHERE c.oid = split_part(line, ' ', 2)::oid))
    AND NOT (line LIKE 'table %'
        AND EXISTS (SELECT FROM unnest(after) k WHERE starts_with(k, line || ' of '))
        AND NOT EXISTS (SELECT FROM unnest(after) k WHERE k LIKE 'member %'
            AND substr(k, 8)::jsonb ->> 'prrelid' = split_part(line, ' ', 2)))
    AND NOT (line LIKE 'column %' AND (NOT EXISTS (
            SELECT FROM unnest(after) k WHERE k LIKE 'table ' || split_part(line, ' ', 2) || ' %')
        OR EXISTS (SELECT FROM pg_attribute a WHERE NOT a.attisdropped
            AND format('column %s %s %s', a.attrelid, a.atttypid, a.attname) = line
            AND a.attrelid = split_part(line, ' ', 2)::oid)))
$$;

COMMENT ON FUNCTION walferry.unpublished(text[], text[]) IS
    'Which lines of walferry.published() are gone in a way that may lose rows.';

-- Does the session run DETACH PARTITION CONCURRENTLY of one of these partitions? That commits in its
-- middle, where rows become unsent, so only its start can refuse it. It stands alone in its query.
CREATE OR REPLACE FUNCTION walferry.detaches_concurrently(lines text[])
RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM regexp_match(current_query(),
            'detach\s+partition\s+(\S.*?)\s+concurrently\s*;?\s*$', 'i') found (name)
        JOIN pg_class c ON c.relname = (parse_ident(name[1]))[array_upper(parse_ident(name[1]), 1)]
        JOIN unnest(lines) line ON line ~ '^table .* of [0-9]+$'
            AND split_part(line, ' ', 2) = c.oid::text)
$$;

COMMENT ON FUNCTION walferry.detaches_concurrently(text[]) IS
    'Whether the session''s query detaches one of these partitions CONCURRENTLY.';

-- Such lines for whoever ran the command. What follows from another line is left out: the tables of
-- a publication, the membership of a table that is gone, a table that only left.
CREATE OR REPLACE FUNCTION walferry.in_words(gone text[])
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH lines AS (
        SELECT rank, line, split_part(line, ' ', 1) AS kind,
            CASE WHEN line ~ '^(member|schema|publication) ' THEN
                substr(line, strpos(line, ' '))::jsonb END AS facts
        FROM unnest(gone) WITH ORDINALITY AS g (line, rank)),
    words AS (
        SELECT rank, CASE kind
            WHEN 'publication' THEN
                format('publication %I is dropped, renamed or altered', facts ->> 'pubname')
            WHEN 'schema' THEN (
                SELECT format('schema %I leaves the publication', n.nspname)
                FROM pg_namespace n WHERE n.oid = (facts ->> 'pnnspid')::oid)
            WHEN 'member' THEN (
                SELECT format('table %s leaves the publication, or its row filter or column list '
                              'changes', c.oid::regclass)
                FROM pg_class c WHERE c.oid = (facts ->> 'prrelid')::oid)
            WHEN 'table' THEN CASE WHEN NOT EXISTS (
                SELECT FROM lines o LEFT JOIN pg_class c
                    ON c.oid = (o.facts ->> 'prrelid')::oid AND c.oid::text = split_part(l.line, ' ', 2)
                    AND l.line LIKE '%' || quote_ident(c.relname) || ' __%'
                WHERE o.kind = 'publication' OR o.kind = 'member' AND c.oid IS NOT NULL) THEN
                format('table %s is dropped, renamed, detached, made UNLOGGED or not published any '
                       'more', regexp_replace(line, '^table [0-9]+ (.*) ..( of [0-9]+)?$', '\1')) END
            WHEN 'column' THEN
                format('column %I of %s is dropped, renamed or given another type',
                       substr(line, length(substring(line from '^column [0-9]+ [0-9]+ ')) + 1),
                       split_part(line, ' ', 2)::oid::regclass)
            ELSE line END AS word
        FROM lines l),
    said AS (
        SELECT string_agg(word, '; ' ORDER BY rank) FILTER (WHERE nth <= 3) AS first,
            count(*) - 3 AS more
        FROM (SELECT rank, word, row_number() OVER (ORDER BY rank) AS nth
              FROM words WHERE word IS NOT NULL) w)
    SELECT first || CASE WHEN more > 0 THEN format('; and %s more', more) ELSE '' END FROM said
$$;

COMMENT ON FUNCTION walferry.in_words(text[]) IS
    'Lines of walferry.published() and walferry.needed() that are gone, for a person.';

-- At the start of a command: remember. At its end: compare, and tell or refuse. The lines are
-- remembered by the session, because a command may commit in its middle; where it has
-- (walferry.guarding is of its first transaction), it is too late to refuse.
CREATE OR REPLACE FUNCTION walferry.guard()
RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    watched record;
    lines   text[];
    gone    text[];
    lost    text[];
    key     text;
    refuses boolean;
BEGIN
    IF tg_event = 'ddl_command_start' THEN
        PERFORM set_config('walferry.guarding', 'on', true);
    END IF;
    FOR watched IN SELECT * FROM walferry.guarded LOOP
        key := 'walferry.g' || substr(encode(sha256(convert_to(
            watched.relay || '/' || watched.publication, 'UTF8')), 'hex'), 1, 24);
        lines := ARRAY(SELECT walferry.published(watched.publication));
        IF watched.mode = 'refuse' THEN
            lines := lines || ARRAY(SELECT walferry.needed(watched.publication, watched.columns,
                                                           lines));
        END IF;
        refuses := watched.mode = 'refuse'
            AND current_setting('walferry.guarding', true) = 'on'
            AND lower(coalesce(current_setting('walferry.unguarded', true), ''))
                NOT IN ('on', 'true', '1');
        IF tg_event = 'ddl_command_end' OR refuses AND tg_tag = 'ALTER TABLE' THEN
            gone := CASE
                WHEN tg_event = 'ddl_command_end' THEN walferry.unpublished(
                    nullif(current_setting(key, true), '')::text[], lines)
                WHEN walferry.detaches_concurrently(lines) THEN
                    ARRAY['a partition is detached CONCURRENTLY']
                ELSE '{}' END;
            -- Rows that lack a column are sent all the same, and a relay says so by itself.
            lost := ARRAY(SELECT g FROM unnest(gone) g WHERE g NOT LIKE 'column %');
            IF refuses AND gone <> '{}' THEN
                RAISE EXCEPTION USING ERRCODE = 'WF001',
                    MESSAGE = format('%s would keep rows from relay %s: %s', tg_tag, watched.relay,
                                     walferry.in_words(gone)),
                    HINT = CASE WHEN lost <> '{}' THEN
                        'Rows written from then on would never be published. If that is meant: '
                        'SET walferry.unguarded = on;'
                    ELSE 'A route that needs the column could not publish rows without it. If none '
                        'does: SET walferry.unguarded = on; or let walferry.guarded.columns name '
                        'those that are needed.' END;
            END IF;
            IF lost <> '{}' THEN
                PERFORM pg_logical_emit_message(true, 'walferry:' || watched.relay,
                    jsonb_build_object('v', 1, 'guard', tg_tag, 'publication', watched.publication,
                                       'by', session_user, 'gone', to_jsonb(lost[1:50]))::text);
                -- A message of a subtransaction (this block is one, and the caller may have set a
                -- savepoint) is decoded behind the first record that follows it. The spacer is
                -- that record.
                PERFORM pg_logical_emit_message(true, 'walferry', '');
            END IF;
        END IF;
        PERFORM set_config(key, lines::text, false);
    END LOOP;
EXCEPTION
    WHEN SQLSTATE 'WF001' THEN
        RAISE;
    WHEN OTHERS THEN
        -- A migration is not broken by its guard; every relay looks for itself instead.
        RAISE WARNING 'the guard of walferry failed: % (%)', SQLERRM, SQLSTATE;
        PERFORM pg_logical_emit_message(true, 'walferry:*', jsonb_build_object(
            'v', 1, 'guard', tg_tag, 'failed', SQLSTATE)::text);
        PERFORM pg_logical_emit_message(true, 'walferry', '');
END
$$;

COMMENT ON FUNCTION walferry.guard() IS
    'Tells relays, at its place in the log, of DDL that keeps rows from them, or refuses it.';

REVOKE ALL ON FUNCTION walferry.guard(), walferry.published(name),
    walferry.needed(name, name[], text[]), walferry.unpublished(text[], text[]),
    walferry.detaches_concurrently(text[]), walferry.in_words(text[]) FROM PUBLIC;

DROP EVENT TRIGGER IF EXISTS walferry_guard_start;
DROP EVENT TRIGGER IF EXISTS walferry_guard_end;
CREATE EVENT TRIGGER walferry_guard_start ON ddl_command_start EXECUTE FUNCTION walferry.guard();
CREATE EVENT TRIGGER walferry_guard_end ON ddl_command_end EXECUTE FUNCTION walferry.guard();

-- Restores and some migration tools run with session_replication_role = replica, which passes by
-- whatever is not ALWAYS.
ALTER EVENT TRIGGER walferry_guard_start ENABLE ALWAYS;
ALTER EVENT TRIGGER walferry_guard_end ENABLE ALWAYS;

COMMENT ON EVENT TRIGGER walferry_guard_start IS 'walferry: what is published before a command.';
COMMENT ON EVENT TRIGGER walferry_guard_end IS 'walferry: and what after it.';

-- The relay's role may see what is guarded.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'walferry') THEN
        GRANT USAGE ON SCHEMA walferry TO walferry;
        GRANT SELECT ON walferry.guarded TO walferry;
    END IF;
END
$$;

COMMIT;
