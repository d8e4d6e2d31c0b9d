-- Undo of 011_claim.sql: drops the table with all values in it. Events that refer to them stay in Kafka
-- and can no longer be read whole; take policy: claim_check out of the configuration first, for the
-- relay refuses to run without the table. May be applied again.

BEGIN;
SET LOCAL client_min_messages = warning;

DROP TABLE IF EXISTS walferry.claim;

-- Nothing else of walferry's may need the schema.
DO $$
BEGIN
    IF to_regnamespace('walferry') IS NOT NULL
        AND EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'walferry')
        AND to_regclass('walferry.slot_lag') IS NULL
        AND to_regclass('walferry.guarded') IS NULL
        AND to_regclass('walferry.command') IS NULL
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
