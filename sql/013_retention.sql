-- Retention: what the relay's role needs to delete published rows of public.outbox (retention: {keep: 7d}),
-- and the index by which it finds them; and a function by which it drops whole partitions (strategy:
-- drop_partition). After 001 (either form) and 002_role.sql. May be applied again at any time, by the
-- owner of the table, whose rights the function has.
--
--   psql -v ON_ERROR_STOP=1 -d shop -f 013_retention.sql
--
-- A table with many rows gets its index first, without a lock that stops its writers (a partitioned one:
-- each partition, then the table):
--   CREATE INDEX CONCURRENTLY outbox_created_at ON public.outbox (created_at);
--
-- The relay locks the rows that it deletes, and passes over those that somebody else has locked. PostgreSQL
-- wants UPDATE of some column for a lock; the relay updates nothing. For an outbox or a role of another
-- name, the GRANTs with that name. Undo: 013_retention.undo.sql.

BEGIN;
SET LOCAL client_min_messages = warning;

CREATE SCHEMA IF NOT EXISTS walferry;

CREATE INDEX IF NOT EXISTS outbox_created_at ON public.outbox (created_at);

-- Drops the oldest partition that ends at that moment or before, and of whose rows the snapshot sees
-- every one; false: there is none. Partitions by ranges of created_at alone are looked at, whatever their
-- names, and neither the default one nor partitions that have some themselves. Whoever may not delete the
-- rows may not drop them. What the caller owns himself is not touched with rights that he lacks: whoever
-- reads a table runs what its owner has hung on it.
--
-- The partition is locked against writers while it is looked through, which waits for those who have
-- written into it; readers and writers of other partitions go on. The DROP itself wants the whole table
-- for a moment. No lock is waited for longer than a tenth of a second: lock_not_available is an error
-- after which it is tried again later. A partition that was detached meanwhile is left to who did that.
CREATE OR REPLACE FUNCTION walferry.drop_published_partition(
    partitioned regclass, before timestamptz, published pg_snapshot)
RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO'
SET lock_timeout = '100ms'
SET row_security = off
AS $$
DECLARE
    part   regclass;
    owner  oid;
    stays  boolean;
BEGIN
    IF NOT has_table_privilege(session_user, partitioned, 'DELETE') THEN
        RAISE EXCEPTION 'role % may not delete rows of table %', session_user, partitioned
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION 'partitions are dropped under READ COMMITTED alone'
            USING ERRCODE = 'feature_not_supported',
                  HINT = 'A snapshot of before does not see what was written into a partition since.';
    END IF;
    -- Put back to an earlier time the server hands out ids anew that the snapshot has seen.
    IF pg_snapshot_xmax(pg_current_snapshot()) < pg_snapshot_xmax(published) THEN
        RETURN false;
    END IF;
    FOR part, owner IN
        SELECT c.oid::regclass, c.relowner
        FROM pg_partitioned_table p
        JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
        JOIN pg_inherits i ON i.inhparent = p.partrelid
        JOIN pg_class c ON c.oid = i.inhrelid
        CROSS JOIN substring(pg_get_expr(c.relpartbound, c.oid) FROM ' TO \(''([^'']+)''\)$') AS until
        WHERE p.partrelid = partitioned AND p.partstrat = 'r' AND p.partnatts = 1
          AND a.attname = 'created_at' AND a.atttypid = 'timestamptz'::regtype
          AND c.relkind = 'r' AND NOT i.inhdetachpending AND until::timestamptz <= before
        ORDER BY until::timestamptz
    LOOP
        IF NOT pg_has_role(current_user, owner, 'USAGE') OR pg_has_role(session_user, owner, 'MEMBER')
            AND NOT pg_has_role(session_user, current_user, 'MEMBER') THEN
            RAISE EXCEPTION 'walferry.drop_published_partition belongs to %, and table % to %',
                current_user, part, pg_get_userbyid(owner)
                USING ERRCODE = 'insufficient_privilege', HINT = format(
                    'ALTER FUNCTION walferry.drop_published_partition OWNER TO %I', pg_get_userbyid(owner));
        END IF;
        -- Once without a lock, so that what is not published yet costs nobody anything.
        FOR again IN 1 .. 2 LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE pg_visible_in_snapshot(xid, $1) IS NOT TRUE)',
                           part) INTO stays USING published;
            EXIT WHEN stays;
            IF again = 1 THEN
                EXECUTE format('LOCK TABLE %s IN SHARE MODE', part);
                stays := NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = part AND inhparent = partitioned
                                     AND NOT inhdetachpending);
                EXIT WHEN stays;
            END IF;
        END LOOP;
        CONTINUE WHEN stays;
        EXECUTE format('DROP TABLE %s', part);
        RETURN true;
    END LOOP;
    RETURN false;
END
$$;

COMMENT ON FUNCTION walferry.drop_published_partition(regclass, timestamptz, pg_snapshot) IS
    'Drops the oldest partition that ends before the moment and whose rows are published.';

REVOKE ALL ON FUNCTION walferry.drop_published_partition(regclass, timestamptz, pg_snapshot) FROM PUBLIC;

GRANT USAGE ON SCHEMA public, walferry TO walferry;
GRANT SELECT, DELETE, UPDATE (created_at) ON public.outbox TO walferry;
GRANT EXECUTE ON FUNCTION walferry.drop_published_partition(regclass, timestamptz, pg_snapshot) TO walferry;

COMMIT;
