-- Claim check: walferry.claim holds the values of messages that are larger than their topic takes, for
-- routes with oversize: {policy: claim_check}. The event itself then has a reference to its row. The
-- relay's role may read, insert and delete there and set two times, and nothing else. After 002_role.sql.
-- May be applied again at any time.
--
--   psql -v ON_ERROR_STOP=1 -d shop -f 011_claim.sql
--
-- Consumers read the value by the id that the event's header walferry-claim has:
--   SELECT payload FROM walferry.claim WHERE id = '7300000000000000001-16B3748-1';
-- with a role that is allowed to:
--   GRANT USAGE ON SCHEMA walferry TO your_consumer;
--   GRANT SELECT ON walferry.claim TO your_consumer;
--
-- A row is committed and flushed before the Kafka transaction that has its event commits. The relay
-- deletes rows at expires_at, a hundred at a time: oversize.keep after they were written, or written
-- again because their event was. One whose event was never committed goes the same way. The values
-- pass through the WAL of this server; the table needs no publication. Undo: 011_claim.undo.sql.

BEGIN;
SET LOCAL client_min_messages = warning;

CREATE SCHEMA IF NOT EXISTS walferry;

CREATE TABLE IF NOT EXISTS walferry.claim (
    id         text        PRIMARY KEY,
    payload    bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

CREATE INDEX IF NOT EXISTS claim_expires_at ON walferry.claim (expires_at);

COMMENT ON TABLE walferry.claim IS
    'Values of events that are too large for their topic; the events refer to them by id.';
COMMENT ON COLUMN walferry.claim.id IS
    'The walferry-id of the event; behind it : and the SHA-256 of payload where another value has that id.';
COMMENT ON COLUMN walferry.claim.payload IS 'The value, byte for byte as it would have gone to Kafka.';
COMMENT ON COLUMN walferry.claim.created_at IS 'When it was written, or written again, last.';
COMMENT ON COLUMN walferry.claim.expires_at IS
    'From then on the relay may delete the row; set it later to keep it for longer.';

REVOKE ALL ON walferry.claim FROM PUBLIC;

-- For a role of another name, the same lines with that name.
GRANT USAGE ON SCHEMA walferry TO walferry;
GRANT SELECT, INSERT, DELETE ON walferry.claim TO walferry;
GRANT UPDATE (created_at, expires_at) ON walferry.claim TO walferry;

COMMIT;
