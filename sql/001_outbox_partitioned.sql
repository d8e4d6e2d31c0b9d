-- The outbox table with one partition a day, instead of 001_outbox.sql: old events go by dropping a
-- partition, which costs nothing and leaves no bloat. Choose one of the two at the start; this file
-- refuses to touch an outbox that is not partitioned. May be applied again at any time.
--
--   psql -v ON_ERROR_STOP=1 -d shop -f 001_outbox_partitioned.sql
--
-- A primary key must contain the partition column, so both keys here end in created_at. An id is
-- therefore unique within a moment only; the default, a random UUID, is unique without any key.
--
-- Call both functions once a day (cron, pg_cron, the application):
--   SELECT walferry.outbox_add_partitions(7);                        -- for the next seven days
--   SELECT walferry.outbox_drop_partitions(now() - interval '3 days');
-- The second is for a table that no relay polls; or leave dropping to the relay (retention: {keep: 3d,
-- strategy: drop_partition}, 013_retention.sql), which knows what is published.
-- A row of a day without a partition goes to outbox_default; nothing is refused.
--
-- The publication publishes by the root (publish_via_partition_root), so partitions may come and go
-- while the relay runs. Undo: 001_outbox_partitioned.undo.sql.

BEGIN;
SET LOCAL client_min_messages = warning;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_class
               WHERE oid = to_regclass('public.outbox') AND relkind <> 'p') THEN
        RAISE EXCEPTION 'public.outbox exists and is not partitioned'
            USING HINT = 'Keep it, or apply 001_outbox.undo.sql first; that drops its rows.';
    END IF;
END
$$;

CREATE SCHEMA IF NOT EXISTS walferry;

-- Insert into public.outbox, never into a partition: before PostgreSQL 17 a partition has no
-- default for seq.
CREATE TABLE IF NOT EXISTS public.outbox (
    seq           bigint      GENERATED ALWAYS AS IDENTITY,
    id            uuid        NOT NULL DEFAULT gen_random_uuid(),
    aggregatetype text        NOT NULL,
    aggregateid   text        NOT NULL,
    type          text        NOT NULL,
    payload       jsonb,
    headers       jsonb,
    xid           xid8        NOT NULL DEFAULT pg_current_xact_id(),
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (seq, created_at),
    UNIQUE (id, created_at)
) PARTITION BY RANGE (created_at);

CREATE TABLE IF NOT EXISTS public.outbox_default PARTITION OF public.outbox DEFAULT;

COMMENT ON TABLE public.outbox IS
    'Events of the application, inserted in the transaction they belong to; read by walferry.';
COMMENT ON COLUMN public.outbox.seq IS
    'Order of insertion. Not the order of the events: that is the order of commits.';
COMMENT ON COLUMN public.outbox.id IS 'Identity of the event, for consumers.';
COMMENT ON COLUMN public.outbox.aggregatetype IS 'Kind of thing the event is about; the topic.';
COMMENT ON COLUMN public.outbox.aggregateid IS 'Which one; the Kafka key, so order holds for it.';
COMMENT ON COLUMN public.outbox.type IS 'What happened, as in OrderPlaced.';
COMMENT ON COLUMN public.outbox.payload IS 'The event itself. NULL becomes a tombstone.';
COMMENT ON COLUMN public.outbox.headers IS 'A JSON object: one Kafka header for each member.';
COMMENT ON COLUMN public.outbox.xid IS 'The transaction that inserted the row. Leave the default.';

-- A row that moves to another partition reaches the relay as a DELETE and an INSERT, and would be
-- published again.
CREATE OR REPLACE FUNCTION walferry.outbox_keep_partition()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'created_at of an outbox row cannot be changed: the event would be published again'
        USING HINT = 'Insert a new row.';
END
$$;

DROP TRIGGER IF EXISTS walferry_outbox_keep_partition ON public.outbox;
CREATE TRIGGER walferry_outbox_keep_partition BEFORE UPDATE ON public.outbox
    FOR EACH ROW WHEN (OLD.created_at IS DISTINCT FROM NEW.created_at)
    EXECUTE FUNCTION walferry.outbox_keep_partition();

-- Makes the partitions of today and of the days ahead, in UTC; returns how many are new. A day
-- whose first rows are in outbox_default already is left there, with a warning.
CREATE OR REPLACE FUNCTION walferry.outbox_add_partitions(days_ahead integer)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    made  integer := 0;
    name  text;
BEGIN
    FOR offset_days IN 0 .. days_ahead LOOP
        name := 'outbox_p' || to_char(today + offset_days, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('public.' || name) IS NOT NULL;
        BEGIN
            EXECUTE format(
                'CREATE TABLE public.%I PARTITION OF public.outbox FOR VALUES FROM (%L) TO (%L)',
                name, (today + offset_days)::text || ' 00:00:00+00',
                (today + offset_days + 1)::text || ' 00:00:00+00');
            made := made + 1;
        EXCEPTION WHEN check_violation THEN
            RAISE WARNING 'rows of % are in public.outbox_default; % was not made',
                today + offset_days, name;
        END;
    END LOOP;
    RETURN made;
END
$$;

-- Drops the partitions whose whole day lies before the moment; returns how many. A relay that streams
-- needs only the write-ahead log, so what they hold is delivered even if it lags. One that polls needs the
-- rows: where 007_poll.sql has made the table fit for that, this wants to be told what is published, and
-- passes over a partition with other rows (a warning names it):
--   BEGIN;
--   SET LOCAL walferry.published = '1042:1042:';      -- "published" of `walferry status --json`
--   SELECT walferry.outbox_drop_partitions(now() - interval '3 days');
--   COMMIT;
CREATE OR REPLACE FUNCTION walferry.outbox_drop_partitions(before timestamptz)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = off
AS $$
DECLARE
    published pg_snapshot := nullif(current_setting('walferry.published', true), '')::pg_snapshot;
    dropped   integer := 0;
    unseen    boolean;
    name      text;
BEGIN
    IF published IS NOT NULL AND current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION 'partitions are dropped under READ COMMITTED alone'
            USING ERRCODE = 'feature_not_supported',
                  HINT = 'A snapshot of before does not see what was written into a partition since.';
    END IF;
    IF published IS NULL AND EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'public.outbox'::regclass
                                     AND starts_with(tgname::text, 'walferry_poll_')) THEN
        RAISE EXCEPTION 'partitions of table public.outbox, which walferry polls, are not dropped unasked'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'The relay does it itself (retention: {strategy: drop_partition}); or SET LOCAL '
                      || 'walferry.published = the snapshot of "walferry status --json" first.';
    END IF;
    FOR name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'public.outbox'::regclass AND c.relname ~ '^outbox_p[0-9]{8}$'
          AND to_date(substr(c.relname, 9), 'YYYYMMDD') + 1 <= (before AT TIME ZONE 'UTC')::date
    LOOP
        IF published IS NOT NULL THEN
            EXECUTE format('LOCK TABLE public.%I IN SHARE MODE', name); -- whoever writes into it has ended
            EXECUTE format('SELECT EXISTS (SELECT FROM public.%I WHERE pg_visible_in_snapshot(xid, $1) IS NOT TRUE)',
                           name) INTO unseen USING published;
            IF unseen THEN
                RAISE WARNING 'public.% has rows that are not published, and stays', name;
                CONTINUE;
            END IF;
        END IF;
        EXECUTE format('DROP TABLE public.%I', name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;

COMMENT ON FUNCTION walferry.outbox_add_partitions(integer) IS
    'Makes the daily partitions of public.outbox, today and the days ahead.';
COMMENT ON FUNCTION walferry.outbox_drop_partitions(timestamptz) IS
    'Drops the daily partitions of public.outbox that end before the moment.';

REVOKE ALL ON FUNCTION walferry.outbox_add_partitions(integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION walferry.outbox_drop_partitions(timestamptz) FROM PUBLIC;

SELECT walferry.outbox_add_partitions(7);

COMMIT;
