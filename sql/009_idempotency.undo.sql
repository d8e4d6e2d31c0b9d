-- Undo of 009_idempotency.sql: drops the functions, and with the table all keys and stored responses.
-- Requests that come again are handled again, so stop the handlers first. May be applied again.

BEGIN;
SET LOCAL client_min_messages = warning;

DROP FUNCTION IF EXISTS walferry.idempotency_begin(text, text, bytea, interval, interval);
DROP FUNCTION IF EXISTS walferry.idempotency_finish(text, text, uuid, jsonb);
DROP FUNCTION IF EXISTS walferry.idempotency_abandon(text, text, uuid);
DROP FUNCTION IF EXISTS walferry.idempotency_clean(integer);
DROP TABLE IF EXISTS walferry.idempotency;

-- The schema goes with the last thing in it.
DO $$
BEGIN
    DROP SCHEMA IF EXISTS walferry;
EXCEPTION WHEN dependent_objects_still_exist THEN
    NULL;
END
$$;

COMMIT;
