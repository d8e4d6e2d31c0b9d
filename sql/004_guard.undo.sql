-- Undo of 004_guard.sql. May be applied again.

BEGIN;
SET LOCAL client_min_messages = warning;

DROP EVENT TRIGGER IF EXISTS walferry_guard_start;
DROP EVENT TRIGGER IF EXISTS walferry_guard_end;
DROP FUNCTION IF EXISTS walferry.guard();
DROP FUNCTION IF EXISTS walferry.detaches_concurrently(text[]);
DROP FUNCTION IF EXISTS walferry.unpublished(text[], text[]);
DROP FUNCTION IF EXISTS walferry.in_words(text[]);
DROP FUNCTION IF EXISTS walferry.needed(name, name[], text[]);
DROP FUNCTION IF EXISTS walferry.published(name);
DROP TABLE IF EXISTS walferry.guarded;

-- Nothing else of walferry's may need the schema.
DO $$
BEGIN
    IF to_regnamespace('walferry') IS NOT NULL
        AND EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'walferry')
        AND to_regclass('walferry.slot_lag') IS NULL
        AND to_regclass('walferry.command') IS NULL
        AND to_regclass('walferry.claim') IS NULL
        AND to_regproc('walferry.drop_published_partition') IS NULL THEN
        REVOKE USAGE ON SCHEMA walferry FROM walferry;
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
