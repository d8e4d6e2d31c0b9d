-- The inbox of a consumer: a message is accepted once, however often it comes. Goes into the
-- database that the consumer writes its effects to. May be applied again at any time.
--
--   psql -v ON_ERROR_STOP=1 -d billing -f 008_inbox.sql
--
-- In the transaction of the effects, before them:
--   SELECT walferry.inbox_accept('billing', '6f1c6c1e-3f5e-4d8e-9d57-6e1f0f5e2b10');
-- true: go on, and commit. false: it was handled before; commit or roll back, and acknowledge it. A
-- second call for the same message while the first one's transaction is open waits for its end, and
-- says false where it committed and true where it was rolled back. Under REPEATABLE READ and
-- SERIALIZABLE such a call, and any for what another transaction has accepted since the snapshot,
-- fails with 40001 instead of saying false; run again, the transaction is told false.
--
-- Where events carry aggregate_seq (sequenced => true in 006_emit.sql), this finds holes as well:
--   SELECT * FROM walferry.inbox_accept_sequenced('billing', 'order', '42', 9);
--    accepted | missing_from | missing_to
--    t        | NULL         | NULL         the next one: go on
--    f        | NULL         | NULL         handled before
--    f        | 8            | 8            8 is missing: nothing is recorded, so 9 may come again
--    t        | 8            | 8            the same with accept_gap => true: go on; 8 is accepted if
--                                           it comes later, and stands in walferry.inbox_gap till then
-- It keeps a row for each aggregate instead of one for each message, needs no clean-up, and makes
-- those who accept for one aggregate wait for each other. A consumer that begins in the middle of a
-- topic takes the first event of each aggregate with accept_gap => true, or enters where it begins:
--   INSERT INTO walferry.inbox_sequence VALUES ('billing', 'order', '42', 6);   -- 7 comes next
--
-- Rows of public.inbox are needed as long as their message may come again: as long as the topic
-- keeps it, if somebody may set the consumer's offsets back. Then, in a job, until it returns 0:
--   SELECT walferry.inbox_clean(now() - interval '8 days');
-- Each call deletes at most 10,000 rows; make it a transaction of its own. Two at once do not wait
-- for each other.
--
-- The functions run with the rights of whoever calls them. The consumer's role needs:
--   GRANT USAGE ON SCHEMA walferry TO your_consumer;
--   GRANT INSERT ON public.inbox TO your_consumer;
--   GRANT EXECUTE ON FUNCTION walferry.inbox_accept TO your_consumer;
-- for the sequenced form:
--   GRANT SELECT, INSERT, UPDATE ON walferry.inbox_sequence TO your_consumer;
--   GRANT SELECT, INSERT, UPDATE, DELETE ON walferry.inbox_gap TO your_consumer;
--   GRANT EXECUTE ON FUNCTION walferry.inbox_accept_sequenced TO your_consumer;
-- and whoever cleans up:
--   GRANT SELECT, UPDATE, DELETE ON public.inbox TO your_cleaner;
--   GRANT EXECUTE ON FUNCTION walferry.inbox_clean TO your_cleaner;
-- Undo: 008_inbox.undo.sql.

BEGIN;
SET LOCAL client_min_messages = warning;

DO $$
BEGIN
    IF ARRAY['consumer', 'message_id', 'received_at'] <> (
        SELECT array_agg(attname::text ORDER BY attname) FROM pg_catalog.pg_attribute
        WHERE attrelid = to_regclass('public.inbox') AND attnum > 0 AND NOT attisdropped) THEN
        RAISE EXCEPTION 'public.inbox exists and is another table'
            USING HINT = 'Rename it, or give consumers a database where there is none.';
    END IF;
END
$$;

CREATE SCHEMA IF NOT EXISTS walferry;

CREATE TABLE IF NOT EXISTS public.inbox (
    consumer    text        NOT NULL,
    message_id  text        NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, message_id)
);

CREATE INDEX IF NOT EXISTS inbox_received_at ON public.inbox (received_at);

-- A row is updated with each event of its aggregate, so pages keep space for that.
CREATE TABLE IF NOT EXISTS walferry.inbox_sequence (
    consumer       text   NOT NULL,
    aggregate_type text   NOT NULL,
    aggregate_id   text   NOT NULL,
    last_seq       bigint NOT NULL CHECK (last_seq >= 0),
    PRIMARY KEY (consumer, aggregate_type, aggregate_id)
) WITH (fillfactor = 70);

CREATE TABLE IF NOT EXISTS walferry.inbox_gap (
    consumer       text        NOT NULL,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    missing_from   bigint      NOT NULL,
    missing_to     bigint      NOT NULL CHECK (missing_from <= missing_to),
    noticed_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, aggregate_type, aggregate_id, missing_from)
);

COMMENT ON TABLE public.inbox IS
    'Messages that a consumer has handled; written by walferry.inbox_accept.';
COMMENT ON COLUMN public.inbox.consumer IS 'Who handled it; several may share the table.';
COMMENT ON COLUMN public.inbox.message_id IS 'The header id of the event.';
COMMENT ON COLUMN public.inbox.received_at IS 'When, for walferry.inbox_clean.';
COMMENT ON TABLE walferry.inbox_sequence IS
    'The highest aggregate_seq that a consumer has accepted, for each aggregate.';
COMMENT ON TABLE walferry.inbox_gap IS
    'Numbers below it that never came, where a consumer went on without them.';

REVOKE ALL ON public.inbox, walferry.inbox_sequence, walferry.inbox_gap FROM PUBLIC;

-- True once for each message and consumer, for the transaction that commits.
CREATE OR REPLACE FUNCTION walferry.inbox_accept(consumer text, message_id text)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO public.inbox (consumer, message_id)
    VALUES (inbox_accept.consumer, inbox_accept.message_id)
    ON CONFLICT DO NOTHING;
    RETURN FOUND;
END
$$;

-- The same by number; see above what it answers.
CREATE OR REPLACE FUNCTION walferry.inbox_accept_sequenced(
    consumer       text,
    aggregate_type text,
    aggregate_id   text,
    aggregate_seq  bigint,
    accept_gap     boolean DEFAULT false,
    OUT accepted     boolean,
    OUT missing_from bigint,
    OUT missing_to   bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    last bigint;
    gap  walferry.inbox_gap;
BEGIN
    IF aggregate_seq IS NULL OR aggregate_seq < 1 THEN
        RAISE EXCEPTION 'aggregate_seq must be 1 or more, not %', coalesce(aggregate_seq::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'It is the header of an event that was emitted with sequenced => true.';
    END IF;
    INSERT INTO walferry.inbox_sequence (consumer, aggregate_type, aggregate_id, last_seq)
    VALUES (inbox_accept_sequenced.consumer, inbox_accept_sequenced.aggregate_type,
            inbox_accept_sequenced.aggregate_id, 0)
    ON CONFLICT DO NOTHING;
    SELECT s.last_seq INTO last FROM walferry.inbox_sequence AS s
    WHERE s.consumer = inbox_accept_sequenced.consumer
      AND s.aggregate_type = inbox_accept_sequenced.aggregate_type
      AND s.aggregate_id = inbox_accept_sequenced.aggregate_id
    FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the row of this aggregate was deleted at this moment'
            USING ERRCODE = 'serialization_failure', HINT = 'Run the transaction again.';
    END IF;

    IF aggregate_seq <= last THEN
        -- Handled before, or one that was missing.
        DELETE FROM walferry.inbox_gap AS g
        WHERE g.consumer = inbox_accept_sequenced.consumer
          AND g.aggregate_type = inbox_accept_sequenced.aggregate_type
          AND g.aggregate_id = inbox_accept_sequenced.aggregate_id
          AND aggregate_seq BETWEEN g.missing_from AND g.missing_to
        RETURNING g.* INTO gap;
        accepted := FOUND;
        IF accepted THEN
            INSERT INTO walferry.inbox_gap
            SELECT gap.consumer, gap.aggregate_type, gap.aggregate_id, part.low, part.high,
                   gap.noticed_at
            FROM (VALUES (gap.missing_from, aggregate_seq - 1),
                         (aggregate_seq + 1, gap.missing_to)) AS part (low, high)
            WHERE part.low <= part.high;
        END IF;
        RETURN;
    END IF;

    accepted := aggregate_seq = last + 1 OR coalesce(accept_gap, false);
    IF aggregate_seq > last + 1 THEN
        missing_from := last + 1;
        missing_to := aggregate_seq - 1;
    END IF;
    IF NOT accepted THEN
        RETURN;
    END IF;
    UPDATE walferry.inbox_sequence AS s SET last_seq = aggregate_seq
    WHERE s.consumer = inbox_accept_sequenced.consumer
      AND s.aggregate_type = inbox_accept_sequenced.aggregate_type
      AND s.aggregate_id = inbox_accept_sequenced.aggregate_id;
    IF missing_from IS NOT NULL THEN
        INSERT INTO walferry.inbox_gap (consumer, aggregate_type, aggregate_id, missing_from,
                                        missing_to)
        VALUES (inbox_accept_sequenced.consumer, inbox_accept_sequenced.aggregate_type,
                inbox_accept_sequenced.aggregate_id, inbox_accept_sequenced.missing_from,
                inbox_accept_sequenced.missing_to);
    END IF;
END
$$;

-- Deletes at most batch rows that were received before the moment; returns how many.
CREATE OR REPLACE FUNCTION walferry.inbox_clean(before timestamptz, batch integer DEFAULT 10000)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    deleted integer;
BEGIN
    DELETE FROM public.inbox WHERE ctid = ANY (ARRAY(
        SELECT i.ctid FROM public.inbox AS i WHERE i.received_at < before
        ORDER BY i.received_at LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;

COMMENT ON FUNCTION walferry.inbox_accept(text, text) IS
    'True where this consumer has not handled the message yet; part of its own transaction.';
COMMENT ON FUNCTION walferry.inbox_accept_sequenced(text, text, text, bigint, boolean) IS
    'The same by aggregate_seq: once, in order, and holes are told.';
COMMENT ON FUNCTION walferry.inbox_clean(timestamptz, integer) IS
    'Deletes a batch of rows of public.inbox that were received before the moment.';

REVOKE ALL ON FUNCTION
    walferry.inbox_accept(text, text),
    walferry.inbox_accept_sequenced(text, text, text, bigint, boolean),
    walferry.inbox_clean(timestamptz, integer)
    FROM PUBLIC;

COMMIT;
