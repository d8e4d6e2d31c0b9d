-- Idempotency keys for request handlers: a request that comes again with the key of an earlier one
-- gets the earlier answer, and nothing is done twice. Goes into the database that the handler
-- writes to. May be applied again at any time.
--
--   psql -v ON_ERROR_STOP=1 -d shop -f 009_idempotency.sql
--
-- The handler, in the transaction of its work:
--   SELECT * FROM walferry.idempotency_begin('POST /payments', 'key of the client', hash);
--    outcome | token    | response
--    started | 6f1c6... | NULL       do the work, then, before COMMIT:
--                                    SELECT walferry.idempotency_finish('POST /payments',
--                                        'key of the client', '6f1c6...', '{"status": 201}');
--    done    | NULL     | {...}      answer with this, do nothing
--    running | NULL     | NULL       another one is at it: answer 409, let the client come again
-- hash is of what was asked: sha256(convert_to(body, 'UTF8')). The same key with another hash is
-- refused with SQLSTATE WF002. scope keeps kinds of requests apart, and clients, where the keys of
-- one could meet those of another: put the client's name into it.
--
-- A second request at the same time
--   - waits, where the first one's transaction is open, for its end. Then it is told done where that
--     committed, and started where it was rolled back. SET LOCAL lock_timeout bounds the wait
--     (55P03). Under REPEATABLE READ and SERIALIZABLE it fails with 40001 instead of saying done;
--     run again, it is told so;
--   - is told running, where the first one committed between begin and finish, because it calls
--     others in the middle and must not keep a transaction open meanwhile. After lease the first one
--     is taken for dead and the next request is told started, with another token. Whoever finishes
--     with an older one is refused with SQLSTATE WF003, so its transaction is rolled back. What it
--     did outside of this database stays done: hand the key on there.
-- A handler that fails rolls back, or, where begin was committed, calls walferry.idempotency_abandon,
-- and the key is free again.
--
-- A key is kept for ttl, then it counts as new. What has expired goes by a job, 10,000 rows a call,
-- until it returns 0; make each call a transaction of its own:
--   SELECT walferry.idempotency_clean();
--
-- The functions run with the rights of whoever calls them. The handler's role needs:
--   GRANT USAGE ON SCHEMA walferry TO your_application;
--   GRANT SELECT, INSERT, UPDATE, DELETE ON walferry.idempotency TO your_application;
--   GRANT EXECUTE ON FUNCTION walferry.idempotency_begin, walferry.idempotency_finish,
--       walferry.idempotency_abandon, walferry.idempotency_clean TO your_application;
-- Undo: 009_idempotency.undo.sql.

BEGIN;
SET LOCAL client_min_messages = warning;

CREATE SCHEMA IF NOT EXISTS walferry;

CREATE TABLE IF NOT EXISTS walferry.idempotency (
    scope        text        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    token        uuid        NOT NULL,
    done         boolean     NOT NULL,
    response     jsonb,
    created_at   timestamptz NOT NULL,
    lease_until  timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);

CREATE INDEX IF NOT EXISTS idempotency_expires_at ON walferry.idempotency (expires_at);

COMMENT ON TABLE walferry.idempotency IS
    'Requests that were begun or answered, by the key that the client gave.';
COMMENT ON COLUMN walferry.idempotency.scope IS 'The kind of request, and whose.';
COMMENT ON COLUMN walferry.idempotency.request_hash IS 'Of what was asked with this key.';
COMMENT ON COLUMN walferry.idempotency.token IS 'Of the handler that began last.';
COMMENT ON COLUMN walferry.idempotency.response IS 'What idempotency_finish was given.';
COMMENT ON COLUMN walferry.idempotency.lease_until IS
    'Where it is not done: until then its handler is taken to be alive.';
COMMENT ON COLUMN walferry.idempotency.expires_at IS 'From then on the key counts as new.';

REVOKE ALL ON walferry.idempotency FROM PUBLIC;

-- Times are the clock's, not the transaction's: whoever has waited must not judge by a time from
-- before the wait.
CREATE OR REPLACE FUNCTION walferry.idempotency_begin(
    scope        text,
    key          text,
    request_hash bytea,
    ttl          interval DEFAULT '24 hours',
    lease        interval DEFAULT '1 minute',
    OUT outcome  text,
    OUT token    uuid,
    OUT response jsonb)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    mine  uuid := gen_random_uuid();
    clock timestamptz;
    was   walferry.idempotency;
BEGIN
    LOOP
        clock := clock_timestamp();
        INSERT INTO walferry.idempotency (scope, key, request_hash, token, done, created_at,
                                          lease_until, expires_at)
        VALUES (idempotency_begin.scope, idempotency_begin.key, idempotency_begin.request_hash, mine,
                false, clock, clock + lease, clock + ttl)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            outcome := 'started';
            token := mine;
            RETURN;
        END IF;
        SELECT i.* INTO was FROM walferry.idempotency AS i
        WHERE i.scope = idempotency_begin.scope AND i.key = idempotency_begin.key FOR UPDATE;
        EXIT WHEN FOUND;  -- else it was abandoned or cleaned away at this moment, and is new
    END LOOP;

    clock := clock_timestamp();
    IF was.expires_at > clock OR NOT was.done AND was.lease_until > clock THEN
        IF was.request_hash <> idempotency_begin.request_hash THEN
            RAISE EXCEPTION 'key "%" was used for another request in "%"', key, scope
                USING ERRCODE = 'WF002', HINT = 'A client takes a new key for each new request.';
        END IF;
        outcome := CASE WHEN was.done THEN 'done' WHEN was.lease_until > clock THEN 'running' END;
        response := was.response;
        IF outcome IS NOT NULL THEN
            RETURN;
        END IF;
    END IF;
    outcome := 'started';
    token := mine;
    UPDATE walferry.idempotency AS i
    SET request_hash = idempotency_begin.request_hash, token = mine, done = false, response = NULL,
        created_at = clock, lease_until = clock + lease, expires_at = clock + ttl
    WHERE i.scope = idempotency_begin.scope AND i.key = idempotency_begin.key;
END
$$;

-- Stores the answer. Refused where another one has begun meanwhile.
CREATE OR REPLACE FUNCTION walferry.idempotency_finish(
    scope text, key text, token uuid, response jsonb)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    UPDATE walferry.idempotency AS i SET done = true, response = idempotency_finish.response
    WHERE i.scope = idempotency_finish.scope AND i.key = idempotency_finish.key
      AND i.token = idempotency_finish.token AND NOT i.done;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'key "%" in "%" is not in the hands of %', key, scope, token
            USING ERRCODE = 'WF003',
                  HINT = 'It took longer than its lease and another one has begun, or it has '
                         'finished before. Roll back.';
    END IF;
END
$$;

-- Frees the key after a failure; false where it is not in the hands of this token.
CREATE OR REPLACE FUNCTION walferry.idempotency_abandon(scope text, key text, token uuid)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    DELETE FROM walferry.idempotency AS i
    WHERE i.scope = idempotency_abandon.scope AND i.key = idempotency_abandon.key
      AND i.token = idempotency_abandon.token AND NOT i.done;
    RETURN FOUND;
END
$$;

-- Deletes at most batch keys that have expired and that nobody works on; returns how many.
CREATE OR REPLACE FUNCTION walferry.idempotency_clean(batch integer DEFAULT 10000)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    deleted integer;
BEGIN
    DELETE FROM walferry.idempotency WHERE ctid = ANY (ARRAY(
        SELECT i.ctid FROM walferry.idempotency AS i
        WHERE i.expires_at < clock_timestamp() AND (i.done OR i.lease_until < clock_timestamp())
        ORDER BY i.expires_at LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;

COMMENT ON FUNCTION walferry.idempotency_begin(text, text, bytea, interval, interval) IS
    'What to do with a request: started, done (with the stored response) or running.';
COMMENT ON FUNCTION walferry.idempotency_finish(text, text, uuid, jsonb) IS
    'Stores the response of a request that was begun.';
COMMENT ON FUNCTION walferry.idempotency_abandon(text, text, uuid) IS
    'Frees the key of a request that was begun and has failed.';
COMMENT ON FUNCTION walferry.idempotency_clean(integer) IS 'Deletes a batch of expired keys.';

REVOKE ALL ON FUNCTION
    walferry.idempotency_begin(text, text, bytea, interval, interval),
    walferry.idempotency_finish(text, text, uuid, jsonb),
    walferry.idempotency_abandon(text, text, uuid),
    walferry.idempotency_clean(integer)
    FROM PUBLIC;

COMMIT;
