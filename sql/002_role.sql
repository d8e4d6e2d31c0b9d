-- The role that the relay logs in as. It replicates and reads, nothing else: it owns nothing and
-- writes nothing in this database. Apply after 001 or your own table, as a superuser or as the
-- administrator that your provider gives you. May be applied again; a role that exists keeps its
-- password, and then whoever owns database and tables may apply it.
--
--   psql -v ON_ERROR_STOP=1 -d shop -f 002_role.sql
--
-- Then give it a password, typed at the prompt so that it reaches no log:   \password walferry
-- and let it in, in pg_hba.conf:   host  shop,replication  walferry  <address>  scram-sha-256
-- (a logical replication connection is matched by the name of its database, not by "replication").
--
-- The publication is made by `walferry setup --admin-connection ...`, because only the owner of a
-- table may publish it; `walferry setup --print-sql` prints the statement. Undo: 002_role.undo.sql.

BEGIN;
SET LOCAL client_min_messages = warning;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'walferry') THEN
        CREATE ROLE walferry LOGIN;
        COMMENT ON ROLE walferry IS 'The walferry relay: replicates and reads, nothing else.';
    END IF;

    -- Amazon RDS and Aurora give the right to replicate by a role of their own.
    IF EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE rolname = 'rds_replication'
               AND NOT pg_has_role('walferry', r.oid, 'MEMBER')) THEN
        GRANT rds_replication TO walferry;
    END IF;

    IF NOT (SELECT rolreplication FROM pg_catalog.pg_roles WHERE rolname = 'walferry') THEN
        BEGIN
            ALTER ROLE walferry REPLICATION;
        EXCEPTION WHEN insufficient_privilege THEN
            IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'rds_replication') THEN
                RAISE WARNING 'role walferry may not replicate yet: %', SQLERRM
                    USING HINT = 'As a superuser: ALTER ROLE walferry REPLICATION;';
            END IF;
        END;
    END IF;

    EXECUTE format('GRANT CONNECT ON DATABASE %I TO walferry', current_database());
END
$$;

-- Where the outbox of 001 is the table. For one of your own: GRANT SELECT ON shop.events TO walferry;
-- and where that has a schema of its own: GRANT USAGE ON SCHEMA shop TO walferry;
DO $$
BEGIN
    IF to_regnamespace('public') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA public TO walferry;
    END IF;
    IF to_regclass('public.outbox') IS NOT NULL THEN
        GRANT SELECT ON public.outbox TO walferry;
    END IF;
END
$$;

COMMIT;
