-- Undo of 006_emit.sql: drops the functions, and with walferry.outbox_sequence the last number of
-- every aggregate. Applied again, numbers begin at 1, which consumers take for old ones; keep a copy
-- of the table where it is to come back. Events that were written stay. May be applied again.

BEGIN;
SET LOCAL client_min_messages = warning;

DROP FUNCTION IF EXISTS walferry.outbox_emit_message(text, text, text, jsonb, jsonb, boolean, text,
    text, text, uuid, text);
DROP FUNCTION IF EXISTS walferry.outbox_emit(text, text, text, jsonb, jsonb, boolean, text, text, text,
    uuid);
DROP FUNCTION IF EXISTS walferry.outbox_headers(text, text, jsonb, boolean, text, text, text);
DROP TABLE IF EXISTS walferry.outbox_sequence;

-- The schema goes with the last thing in it.
DO $$
BEGIN
    DROP SCHEMA IF EXISTS walferry;
EXCEPTION WHEN dependent_objects_still_exist THEN
    NULL;
END
$$;

COMMIT;
