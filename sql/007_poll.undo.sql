-- Undo of 007_poll.sql: its triggers go from all tables. Indexes on xid stay. May be applied again.

BEGIN;
SET LOCAL client_min_messages = warning;

DROP FUNCTION IF EXISTS walferry.poll_keep(regclass, text);
DROP FUNCTION IF EXISTS walferry.poll_wake(regclass, text);
DROP FUNCTION IF EXISTS walferry.poll_stamp() CASCADE;
DROP FUNCTION IF EXISTS walferry.poll_refuse() CASCADE;
DROP FUNCTION IF EXISTS walferry.poll_notify() CASCADE;

-- The schema goes with the last thing in it.
DO $$
BEGIN
    DROP SCHEMA IF EXISTS walferry;
EXCEPTION WHEN dependent_objects_still_exist THEN
    NULL;
END
$$;

COMMIT;
