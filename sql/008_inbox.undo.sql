-- Undo of 008_inbox.sql: drops the functions, and with the tables all memory of what consumers have
-- handled. Messages that come again later are handled again, so stop the consumers first. A table
-- public.inbox of another shape is left alone. May be applied again.

BEGIN;
SET LOCAL client_min_messages = warning;

DROP FUNCTION IF EXISTS walferry.inbox_accept(text, text);
DROP FUNCTION IF EXISTS walferry.inbox_accept_sequenced(text, text, text, bigint, boolean);
DROP FUNCTION IF EXISTS walferry.inbox_clean(timestamptz, integer);
DROP TABLE IF EXISTS walferry.inbox_gap;
DROP TABLE IF EXISTS walferry.inbox_sequence;

DO $$
BEGIN
    IF ARRAY['consumer', 'message_id', 'received_at'] = (
        SELECT array_agg(attname::text ORDER BY attname) FROM pg_catalog.pg_attribute
        WHERE attrelid = to_regclass('public.inbox') AND attnum > 0 AND NOT attisdropped) THEN
        DROP TABLE public.inbox;
    END IF;
END
$$;

-- The schema goes with the last thing in it.
DO $$
BEGIN
    DROP SCHEMA IF EXISTS walferry;
EXCEPTION WHEN dependent_objects_still_exist THEN
    NULL;
END
$$;

COMMIT;
