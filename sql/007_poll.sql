-- What a table needs to be polled (source.mode: poll) beside its columns: an index on xid, rows that
-- stay as they were inserted, and a NOTIFY that wakes the relay. Apply after 001 (either form), then
-- call walferry.poll_keep for each table. May be applied again at any time.
--
--   psql -v ON_ERROR_STOP=1 -d shop -f 007_poll.sql
--   psql -d shop -c "SELECT walferry.poll_keep('public.outbox', 'orders')"
--
-- A table with many rows gets its index first, without a lock that stops its writers:
--   CREATE INDEX CONCURRENTLY ON public.outbox (xid);
-- poll_keep makes none then. It takes a SHARE ROW EXCLUSIVE lock for its triggers, and for the index.
--
-- A table that is claimed (source.poll.strategy: claim) needs none of that; its rows are changed, and
-- it need not have an xid. The NOTIFY alone is for any table:
--
--   psql -d shop -c "SELECT walferry.poll_wake('public.outbox', 'orders')"
--
-- The triggers, by name:
--   walferry_poll_stamp  sets xid to the transaction that inserts, whatever the statement says: a row
--                        with another one could be taken for published.
--   walferry_poll_keep   refuses UPDATE (walferry_poll_whole: TRUNCATE), and DELETE of rows that are
--                        not published. Which are is not known here: whoever deletes says so, with
--                        the snapshot that `walferry status --json` gives as "published":
--                          BEGIN;
--                          SET LOCAL walferry.published = '1042:1042:';
--                          DELETE FROM public.outbox
--                              WHERE pg_visible_in_snapshot(xid, '1042:1042:')
--                                AND created_at < now() - interval '7 days';
--                          COMMIT;
--   walferry_poll_wake_<relay>  NOTIFY walferry_<relay>, told once a transaction. Transactions that
--                        notify commit one after the other; where that is too slow, disable this one
--                        trigger, and the interval is what there is. So, too, where transactions
--                        are prepared: PREPARE TRANSACTION refuses one that has notified. Do not drop
--                        it while the relay polls: by its name the retention of another relay knows
--                        that the rows are needed.
--                          ALTER TABLE public.outbox DISABLE TRIGGER walferry_poll_wake_orders;
--
-- Rows that are inserted and deleted in one transaction never become events here, so that is refused,
-- too. A partition that is dropped or detached takes its rows along, asked by nobody but by
-- walferry.outbox_drop_partitions (001_outbox_partitioned.sql), which wants walferry.published as well.
-- Undo: 007_poll.undo.sql; the index stays.

BEGIN;
SET LOCAL client_min_messages = warning;

CREATE SCHEMA IF NOT EXISTS walferry;

CREATE OR REPLACE FUNCTION walferry.poll_stamp()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.xid := pg_current_xact_id();
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION walferry.poll_refuse()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    published text := nullif(current_setting('walferry.published', true), '');
BEGIN
    IF TG_OP = 'DELETE' AND published IS NOT NULL
        AND pg_visible_in_snapshot(OLD.xid, published::pg_snapshot) THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'DELETE' AND OLD.xid = pg_current_xact_id() THEN
        RAISE EXCEPTION 'DELETE, in the transaction that inserted it, of a row of table %.%, which walferry polls',
            TG_TABLE_SCHEMA, TG_TABLE_NAME
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'No look could see the row, so it would never be an event. Leave it, and have the '
                      || 'relay delete it later (retention: {keep: 7d}), or stream (source.mode: wal).';
    END IF;
    RAISE EXCEPTION '% of table %.%, which walferry polls', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'object_not_in_prerequisite_state',
              HINT = 'A row stays as it was inserted. Published ones may be deleted behind SET LOCAL '
                  || 'walferry.published = the snapshot of "walferry status --json"; see 007_poll.sql.';
END
$$;

CREATE OR REPLACE FUNCTION walferry.poll_notify()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_notify('walferry_' || TG_ARGV[0], '');
    RETURN NULL;
END
$$;

-- Only the table's owner may; idempotent. A second relay of the same table adds a trigger of its own
-- that wakes it.
CREATE OR REPLACE FUNCTION walferry.poll_wake(polled regclass, relay text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wake name := 'walferry_poll_wake_' || relay;
BEGIN
    IF relay IS NULL OR relay !~ '^[a-z][a-z0-9_]{0,39}$' THEN
        RAISE EXCEPTION '"%" is no name of a relay', relay
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER INSERT ON %s FOR EACH STATEMENT '
                   'EXECUTE FUNCTION walferry.poll_notify(%L)', wake, polled, relay);
END
$$;

-- The same right, and as often.
CREATE OR REPLACE FUNCTION walferry.poll_keep(polled regclass, relay text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = polled AND attname = 'xid'
                   AND atttypid = 'xid8'::regtype AND NOT attisdropped) THEN
        RAISE EXCEPTION 'table % has no column xid of type xid8', polled
            USING ERRCODE = 'undefined_column';
    END IF;
    PERFORM walferry.poll_wake(polled, relay); -- it judges the name, too
    IF NOT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a
                   ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                   WHERE i.indrelid = polled AND i.indisvalid AND i.indpred IS NULL
                     AND a.attname = 'xid') THEN
        EXECUTE format('CREATE INDEX ON %s (xid)', polled);
    END IF;
    EXECUTE format('CREATE OR REPLACE TRIGGER walferry_poll_stamp BEFORE INSERT ON %s FOR EACH ROW '
                   'WHEN (NEW.xid IS DISTINCT FROM pg_current_xact_id()) '
                   'EXECUTE FUNCTION walferry.poll_stamp()', polled);
    EXECUTE format('CREATE OR REPLACE TRIGGER walferry_poll_keep BEFORE UPDATE OR DELETE ON %s '
                   'FOR EACH ROW EXECUTE FUNCTION walferry.poll_refuse()', polled);
    EXECUTE format('CREATE OR REPLACE TRIGGER walferry_poll_whole BEFORE TRUNCATE ON %s '
                   'FOR EACH STATEMENT EXECUTE FUNCTION walferry.poll_refuse()', polled);
END
$$;

COMMENT ON FUNCTION walferry.poll_wake(regclass, text) IS
    'Has inserts into the table wake the relay by NOTIFY.';
COMMENT ON FUNCTION walferry.poll_keep(regclass, text) IS
    'Makes a table fit for polling by the relay: index on xid, rows that stay, a NOTIFY.';
COMMENT ON FUNCTION walferry.poll_stamp() IS 'xid is the transaction that inserts.';
COMMENT ON FUNCTION walferry.poll_refuse() IS 'A row of a polled table stays until it is published.';
COMMENT ON FUNCTION walferry.poll_notify() IS 'Wakes the relay that its argument names.';

REVOKE ALL ON FUNCTION walferry.poll_wake(regclass, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION walferry.poll_keep(regclass, text) FROM PUBLIC;

COMMIT;
