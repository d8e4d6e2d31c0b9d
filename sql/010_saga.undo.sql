-- Undo of 010_saga.sql: drops the functions, and with the tables all sagas, also those that have not
-- ended: nobody will finish or undo them any more. Let them end first:
--   SELECT count(*) FROM walferry.saga WHERE ended_at IS NULL;
-- May be applied again.

BEGIN;
SET LOCAL client_min_messages = warning;

DROP FUNCTION IF EXISTS walferry.saga_start(uuid, text, text[], jsonb, interval);
DROP FUNCTION IF EXISTS walferry.saga_step_done(uuid, text, jsonb);
DROP FUNCTION IF EXISTS walferry.saga_step_failed(uuid, text, text);
DROP FUNCTION IF EXISTS walferry.saga_compensate_next(uuid, text);
DROP FUNCTION IF EXISTS walferry.saga_step_overdue(uuid, text, integer);
DROP FUNCTION IF EXISTS walferry.saga_clean(timestamptz, integer);
DROP FUNCTION IF EXISTS walferry.saga_advance(uuid);
DROP FUNCTION IF EXISTS walferry.saga_lock(uuid, text);
DROP VIEW IF EXISTS walferry.saga_overdue;
DROP TABLE IF EXISTS walferry.saga_step;
DROP TABLE IF EXISTS walferry.saga;

-- The schema goes with the last thing in it.
DO $$
BEGIN
    DROP SCHEMA IF EXISTS walferry;
EXCEPTION WHEN dependent_objects_still_exist THEN
    NULL;
END
$$;

COMMIT;
