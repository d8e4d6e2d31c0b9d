-- How far the relays are behind, as PostgreSQL sees it. Apply after 002. May be applied again.
--
--   psql -v ON_ERROR_STOP=1 -d shop -f 003_monitoring.sql
--   SELECT * FROM walferry.slot_lag;
--   SELECT walferry.lag_bytes('orders');
--
-- Alert on safe_wal_size before it reaches 0 and on any wal_status but reserved and extended: a
-- slot that is "lost" cannot be resumed. Undo: 003_monitoring.undo.sql.

BEGIN;
SET LOCAL client_min_messages = warning;

CREATE SCHEMA IF NOT EXISTS walferry;

-- One row for each pgoutput slot of this database; relay is told by the default name of a slot.
CREATE OR REPLACE VIEW walferry.slot_lag AS
SELECT substring(s.slot_name::text FROM '^walferry_(.*)$') AS relay,
       s.slot_name::text                                   AS slot_name,
       s.active                                            AS active,
       s.active_pid                                        AS active_pid,
       s.wal_status                                        AS wal_status,
       pg_wal_lsn_diff(n.lsn, s.confirmed_flush_lsn)::bigint AS lag_bytes,
       pg_wal_lsn_diff(n.lsn, s.restart_lsn)::bigint         AS retained_bytes,
       s.safe_wal_size                                     AS safe_wal_size
FROM pg_catalog.pg_replication_slots AS s
CROSS JOIN (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                        ELSE pg_current_wal_lsn() END AS lsn) AS n
WHERE s.plugin = 'pgoutput' AND s.database = current_database();

COMMENT ON VIEW walferry.slot_lag IS
    'Replication slots of this database and how far behind they are.';
COMMENT ON COLUMN walferry.slot_lag.lag_bytes IS
    'WAL written since what the relay has confirmed, that is committed to Kafka.';
COMMENT ON COLUMN walferry.slot_lag.retained_bytes IS
    'WAL that the server keeps for the slot; more than lag_bytes behind a long transaction.';
COMMENT ON COLUMN walferry.slot_lag.safe_wal_size IS
    'Bytes that may still be written before the slot is lost; NULL: max_slot_wal_keep_size is -1.';

-- Bytes that the relay of this name is behind; NULL where it has no slot of the default name.
CREATE OR REPLACE FUNCTION walferry.lag_bytes(relay text)
RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.lag_bytes FROM walferry.slot_lag AS s
    WHERE s.slot_name = 'walferry_' || lag_bytes.relay
$$;

COMMENT ON FUNCTION walferry.lag_bytes(text) IS 'Bytes that the relay of this name is behind.';

DO $$
DECLARE
    reader text;
BEGIN
    FOR reader IN SELECT rolname FROM pg_catalog.pg_roles
                  WHERE rolname IN ('walferry', 'pg_monitor') LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA walferry TO %I', reader);
        EXECUTE format('GRANT SELECT ON walferry.slot_lag TO %I', reader);
    END LOOP;
END
$$;

COMMIT;
