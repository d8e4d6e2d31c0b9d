-- Undo of 005_command.sql: drops the function and the table with all commands, and the role, unless
-- it has rights in another database (apply this file there too). What relays
-- have not met by then they count and pass over. May be applied again.

BEGIN;
SET LOCAL client_min_messages = warning;

DROP FUNCTION IF EXISTS walferry.send(text, jsonb);
DROP TABLE IF EXISTS walferry.command;

-- Nothing else of walferry's may need the schema.
DO $$
BEGIN
    IF to_regnamespace('walferry') IS NOT NULL
        AND EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'walferry')
        AND to_regclass('walferry.slot_lag') IS NULL
        AND to_regclass('walferry.guarded') IS NULL
        AND to_regclass('walferry.claim') IS NULL
        AND to_regproc('walferry.drop_published_partition') IS NULL THEN
        REVOKE USAGE ON SCHEMA walferry FROM walferry;
    END IF;
END
$$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'walferry_operator') THEN
        RETURN;
    END IF;
    IF to_regnamespace('walferry') IS NOT NULL THEN
        REVOKE ALL ON SCHEMA walferry FROM walferry_operator;
    END IF;
    BEGIN
        DROP ROLE walferry_operator;
    EXCEPTION
        WHEN dependent_objects_still_exist THEN
            RAISE WARNING 'role walferry_operator stays: it has rights elsewhere: %', SQLERRM;
        WHEN insufficient_privilege THEN
            RAISE WARNING 'role walferry_operator stays: %', SQLERRM
                USING HINT = 'As a superuser: DROP ROLE walferry_operator;';
    END;
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
