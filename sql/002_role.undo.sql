-- Undo of 002_role.sql: takes back the grants in this database and drops the role, unless it still
-- has rights in another database (apply this file there too). Stop the relay first. May be applied
-- again.

BEGIN;
SET LOCAL client_min_messages = warning;

DO $$
DECLARE
    space text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'walferry') THEN
        RETURN;
    END IF;
    FOR space IN SELECT nspname FROM pg_catalog.pg_namespace
                 WHERE nspname IN ('public', 'walferry') LOOP
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM walferry', space);
        EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA %I FROM walferry', space);
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM walferry', space);
    END LOOP;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM walferry', current_database());
    BEGIN
        DROP ROLE walferry;
    EXCEPTION
        WHEN dependent_objects_still_exist THEN
            RAISE WARNING 'role walferry stays: it has rights elsewhere: %', SQLERRM;
        WHEN insufficient_privilege THEN
            RAISE WARNING 'role walferry stays: %', SQLERRM
                USING HINT = 'As a superuser: DROP ROLE walferry;';
    END;
END
$$;

COMMIT;
