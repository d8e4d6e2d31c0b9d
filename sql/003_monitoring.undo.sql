-- Undo of 003_monitoring.sql. May be applied again.

BEGIN;
SET LOCAL client_min_messages = warning;

DROP FUNCTION IF EXISTS walferry.lag_bytes(text);
DROP VIEW IF EXISTS walferry.slot_lag;

DO $$
DECLARE
    reader text;
BEGIN
    FOR reader IN SELECT rolname FROM pg_catalog.pg_roles
                  WHERE rolname IN ('walferry', 'pg_monitor')
                    AND to_regnamespace('walferry') IS NOT NULL
                    -- It reads what these hold, too.
                    AND (rolname <> 'walferry' OR (to_regclass('walferry.guarded') IS NULL
                                                   AND to_regclass('walferry.command') IS NULL
                                                   AND to_regclass('walferry.claim') IS NULL
                                                   AND to_regproc('walferry.drop_published_partition') IS NULL)) LOOP
        EXECUTE format('REVOKE USAGE ON SCHEMA walferry FROM %I', reader);
    END LOOP;
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
