-- Sagas: a piece of work in several services, step by step, where a step that fails has those before
-- it undone. The tables remember how far each one is, the functions say what comes next; sending it
-- is the application's, with walferry.outbox_emit. May be applied again at any time.
--
--   psql -v ON_ERROR_STOP=1 -d shop -f 010_saga.sql
--
-- Whoever runs the saga calls one function for each thing that happens, and sends what it answers
-- in the same transaction:
--   SELECT * FROM walferry.saga_start(id, 'order', ARRAY['reserve', 'pay', 'ship'], data);
--    changed | state        | action | next_step
--    t       | running      | do     | reserve      send the command for it
--   SELECT * FROM walferry.saga_step_done(id, 'reserve', result);
--    t       | running      | do     | pay
--   SELECT * FROM walferry.saga_step_failed(id, 'pay', 'card refused');
--    t       | compensating | undo   | reserve      send the command that takes it back
--   SELECT * FROM walferry.saga_compensate_next(id, 'reserve');
--    t       | compensated  | NULL   | NULL         the end; or completed, after the last step
-- Send only where changed is true. The same call again changes nothing and says changed = false, with
-- what is being waited for, so answers may come twice. Calls for one saga at the same time wait for
-- each other; under REPEATABLE READ and SERIALIZABLE the one that had to wait fails with 40001 and its
-- transaction is run again. Calls for different sagas do not meet.
--
-- saga_compensate_next(id) without a step calls a running saga off. The step that it was at may have
-- been done or not, so it is undone, too; the same holds for one that is given up after its time-outs.
-- So whoever takes part must accept to undo what it never did, and must not do afterwards what it
-- was told to undo. Where do and undo go out with the saga's id as aggregate id, they arrive in order.
--
-- A step without an answer within step_timeout stands in a view. A job, or several, takes care:
--   SELECT saga_id, step FROM walferry.saga_overdue ORDER BY due_at LIMIT 100;
-- and for each, in a transaction of its own,
--   SELECT * FROM walferry.saga_step_overdue(saga_id, step, 3);
-- which answers as above: the same step once more, up to three times, then the undoing. An undo is
-- repeated for ever: alert on the view's attempts. Of several jobs one is told changed = true.
--
-- Sagas that have ended go by a job, until it returns 0; make each call a transaction of its own:
--   SELECT walferry.saga_clean(now() - interval '30 days');
--
-- The functions run with the rights of whoever calls them. The application's role needs:
--   GRANT USAGE ON SCHEMA walferry TO your_application;
--   GRANT SELECT, INSERT, UPDATE ON walferry.saga, walferry.saga_step TO your_application;
--   GRANT SELECT ON walferry.saga_overdue TO your_application;
--   GRANT EXECUTE ON FUNCTION walferry.saga_start, walferry.saga_step_done,
--       walferry.saga_step_failed, walferry.saga_compensate_next, walferry.saga_step_overdue,
--       walferry.saga_lock, walferry.saga_advance TO your_application;
-- and whoever cleans up:
--   GRANT SELECT, UPDATE, DELETE ON walferry.saga TO your_cleaner;
--   GRANT EXECUTE ON FUNCTION walferry.saga_clean TO your_cleaner;
-- Undo: 010_saga.undo.sql.

BEGIN;
SET LOCAL client_min_messages = warning;

CREATE SCHEMA IF NOT EXISTS walferry;

CREATE TABLE IF NOT EXISTS walferry.saga (
    id           uuid        PRIMARY KEY,
    type         text        NOT NULL,
    state        text        NOT NULL
                 CHECK (state IN ('running', 'completed', 'compensating', 'compensated')),
    data         jsonb       NOT NULL,
    step_timeout interval    NOT NULL CHECK (step_timeout > '0'),
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at     timestamptz
);

CREATE INDEX IF NOT EXISTS saga_ended_at ON walferry.saga (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS walferry.saga_step (
    saga_id    uuid        NOT NULL REFERENCES walferry.saga ON DELETE CASCADE,
    position   integer     NOT NULL,
    name       text        NOT NULL,
    state      text        NOT NULL DEFAULT 'waiting' CHECK (state IN (
        'waiting', 'running', 'done', 'failed', 'compensating', 'compensated')),
    attempts   integer     NOT NULL DEFAULT 0,
    due_at     timestamptz,
    result     jsonb,
    error      text,
    PRIMARY KEY (saga_id, position),
    UNIQUE (saga_id, name)
) WITH (fillfactor = 70);

CREATE INDEX IF NOT EXISTS saga_step_due_at ON walferry.saga_step (due_at)
    WHERE state IN ('running', 'compensating');

COMMENT ON TABLE walferry.saga IS 'Sagas, and how each one stands.';
COMMENT ON COLUMN walferry.saga.type IS 'Which kind of work, for those who run it.';
COMMENT ON COLUMN walferry.saga.data IS 'Whatever those who run it want to remember.';
COMMENT ON COLUMN walferry.saga.step_timeout IS 'How long the answer of a step may take.';
COMMENT ON TABLE walferry.saga_step IS 'The steps of each saga, in order.';
COMMENT ON COLUMN walferry.saga_step.state IS
    'waiting, running (its answer is waited for), done, failed (nothing to undo), compensating '
    '(the answer to its undo is waited for), compensated.';
COMMENT ON COLUMN walferry.saga_step.attempts IS
    'How often it was sent, or, where it is undone, its undo.';
COMMENT ON COLUMN walferry.saga_step.due_at IS 'When its answer, or that to its undo, is overdue.';

REVOKE ALL ON walferry.saga, walferry.saga_step FROM PUBLIC;

CREATE OR REPLACE VIEW walferry.saga_overdue AS
SELECT s.id AS saga_id, s.type, t.name AS step,
       CASE t.state WHEN 'running' THEN 'do' ELSE 'undo' END AS action, t.attempts, t.due_at, s.data
FROM walferry.saga_step AS t JOIN walferry.saga AS s ON s.id = t.saga_id
WHERE t.state IN ('running', 'compensating') AND t.due_at <= now();

COMMENT ON VIEW walferry.saga_overdue IS 'Steps whose answer has not come in time.';

-- Locks the saga until the end of the transaction and tells how it and the step stand; the step that
-- is being waited for where none is named. Every function begins with it.
CREATE OR REPLACE FUNCTION walferry.saga_lock(
    saga_id uuid, step text,
    OUT state text, OUT action text, OUT step_name text, OUT step_state text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    SELECT s.state INTO state FROM walferry.saga AS s WHERE s.id = saga_lock.saga_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no saga %', coalesce(saga_id::text, 'NULL')
            USING ERRCODE = 'no_data_found';
    END IF;
    SELECT CASE t.state WHEN 'running' THEN 'do' ELSE 'undo' END, t.name, t.state
    INTO action, step_name, step_state FROM walferry.saga_step AS t
    WHERE t.saga_id = saga_lock.saga_id AND t.state IN ('running', 'compensating');
    IF step IS NOT NULL THEN
        SELECT t.state INTO step_state FROM walferry.saga_step AS t
        WHERE t.saga_id = saga_lock.saga_id AND t.name = step;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'saga % has no step %', saga_id, step USING ERRCODE = 'no_data_found';
        END IF;
    END IF;
END
$$;

-- Takes up what comes next in a saga in which nothing is being waited for: the first step that waits,
-- or, where it compensates, the last one that was done; else it has ended.
CREATE OR REPLACE FUNCTION walferry.saga_advance(
    saga_id uuid, OUT changed boolean, OUT state text, OUT action text, OUT next_step text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    forward boolean;
    timeout interval;
BEGIN
    changed := true;
    SELECT s.state, s.state = 'running', s.step_timeout INTO state, forward, timeout
    FROM walferry.saga AS s WHERE s.id = saga_advance.saga_id;
    UPDATE walferry.saga_step AS t
    SET state = CASE WHEN forward THEN 'running' ELSE 'compensating' END, attempts = 1,
        due_at = clock_timestamp() + timeout
    WHERE t.saga_id = saga_advance.saga_id AND t.position = (
        SELECT CASE WHEN forward THEN min(u.position) ELSE max(u.position) END
        FROM walferry.saga_step AS u WHERE u.saga_id = saga_advance.saga_id
          AND u.state = CASE WHEN forward THEN 'waiting' ELSE 'done' END)
    RETURNING t.name INTO next_step;
    IF FOUND THEN
        action := CASE WHEN forward THEN 'do' ELSE 'undo' END;
        RETURN;
    END IF;
    state := CASE WHEN forward THEN 'completed' ELSE 'compensated' END;
    UPDATE walferry.saga AS s SET state = saga_advance.state, ended_at = clock_timestamp()
    WHERE s.id = saga_advance.saga_id;
END
$$;

-- Begins a saga with the steps in this order. An id that is there already, with the same type and
-- steps, is the same call again; with others it is refused (WF004).
CREATE OR REPLACE FUNCTION walferry.saga_start(
    saga_id      uuid,
    type         text,
    steps        text[],
    data         jsonb    DEFAULT '{}',
    step_timeout interval DEFAULT '1 minute',
    OUT changed boolean, OUT state text, OUT action text, OUT next_step text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    same boolean;
BEGIN
    IF coalesce(cardinality(steps), 0) = 0 THEN
        RAISE EXCEPTION 'a saga has at least one step' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO walferry.saga (id, type, state, data, step_timeout)
    VALUES (saga_start.saga_id, saga_start.type, 'running', saga_start.data, saga_start.step_timeout)
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        INSERT INTO walferry.saga_step (saga_id, position, name)
        SELECT saga_start.saga_id, place, name FROM unnest(steps) WITH ORDINALITY AS s (name, place);
        SELECT a.* INTO changed, state, action, next_step FROM walferry.saga_advance(saga_id) AS a;
        RETURN;
    END IF;
    SELECT false, l.state, l.action, l.step_name INTO changed, state, action, next_step
    FROM walferry.saga_lock(saga_id, NULL) AS l;
    SELECT s.type = saga_start.type AND steps = ARRAY(
        SELECT t.name FROM walferry.saga_step AS t WHERE t.saga_id = s.id ORDER BY t.position)
    INTO same FROM walferry.saga AS s WHERE s.id = saga_start.saga_id;
    IF NOT same THEN
        RAISE EXCEPTION 'saga % is another one', saga_id
            USING ERRCODE = 'WF004', HINT = 'Take a new id for each saga.';
    END IF;
END
$$;

-- A step has succeeded. One that had been called a failure is undone then, even where the saga has
-- ended meanwhile.
CREATE OR REPLACE FUNCTION walferry.saga_step_done(
    saga_id uuid, step text, result jsonb DEFAULT NULL,
    OUT changed boolean, OUT state text, OUT action text, OUT next_step text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    was text;
BEGIN
    SELECT false, l.state, l.action, l.step_name, l.step_state
    INTO changed, state, action, next_step, was FROM walferry.saga_lock(saga_id, step) AS l;
    IF was = 'waiting' THEN
        RAISE EXCEPTION 'step % of saga % has not begun', step, saga_id USING ERRCODE = 'WF005';
    ELSIF was NOT IN ('running', 'failed') THEN
        RETURN;
    END IF;
    UPDATE walferry.saga_step AS t
    SET state = 'done', due_at = NULL, result = saga_step_done.result
    WHERE t.saga_id = saga_step_done.saga_id AND t.name = step;
    IF was = 'failed' AND state = 'compensating' THEN
        RETURN;  -- its turn comes when what is being undone now is undone
    END IF;
    UPDATE walferry.saga AS s SET state = 'compensating', ended_at = NULL
    WHERE s.id = saga_step_done.saga_id AND was = 'failed';
    SELECT a.* INTO changed, state, action, next_step FROM walferry.saga_advance(saga_id) AS a;
END
$$;

-- A step has failed and left nothing behind; those before it are undone, the last one first.
CREATE OR REPLACE FUNCTION walferry.saga_step_failed(
    saga_id uuid, step text, error text DEFAULT NULL,
    OUT changed boolean, OUT state text, OUT action text, OUT next_step text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    was text;
BEGIN
    SELECT false, l.state, l.action, l.step_name, l.step_state
    INTO changed, state, action, next_step, was FROM walferry.saga_lock(saga_id, step) AS l;
    IF was = 'waiting' THEN
        RAISE EXCEPTION 'step % of saga % has not begun', step, saga_id USING ERRCODE = 'WF005';
    ELSIF was <> 'running' THEN
        RETURN;
    END IF;
    UPDATE walferry.saga_step AS t
    SET state = 'failed', due_at = NULL, error = saga_step_failed.error
    WHERE t.saga_id = saga_step_failed.saga_id AND t.name = step;
    UPDATE walferry.saga AS s SET state = 'compensating' WHERE s.id = saga_step_failed.saga_id;
    SELECT a.* INTO changed, state, action, next_step FROM walferry.saga_advance(saga_id) AS a;
END
$$;

-- A step was undone: what is to be undone next? Without a step: the saga is called off.
CREATE OR REPLACE FUNCTION walferry.saga_compensate_next(
    saga_id uuid, compensated text DEFAULT NULL,
    OUT changed boolean, OUT state text, OUT action text, OUT next_step text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    was text;
BEGIN
    SELECT false, l.state, l.action, l.step_name, l.step_state
    INTO changed, state, action, next_step, was FROM walferry.saga_lock(saga_id, compensated) AS l;
    IF compensated IS NULL THEN
        IF state <> 'running' THEN
            RETURN;
        END IF;
        UPDATE walferry.saga_step AS t SET state = 'done', due_at = NULL, error = 'called off'
        WHERE t.saga_id = saga_compensate_next.saga_id AND t.state = 'running';
        UPDATE walferry.saga AS s SET state = 'compensating'
        WHERE s.id = saga_compensate_next.saga_id;
    ELSIF was = 'compensated' THEN
        RETURN;
    ELSIF was <> 'compensating' THEN
        RAISE EXCEPTION 'step % of saga % is % and not being undone', compensated, saga_id, was
            USING ERRCODE = 'WF005';
    ELSE
        UPDATE walferry.saga_step AS t SET state = 'compensated', due_at = NULL
        WHERE t.saga_id = saga_compensate_next.saga_id AND t.name = compensated;
    END IF;
    SELECT a.* INTO changed, state, action, next_step FROM walferry.saga_advance(saga_id) AS a;
END
$$;

-- The answer of a step, or to its undo, is overdue: it is sent again, a step at most attempts_max
-- times; then it is given up, and undone, since it may have been done. Nothing changes where the
-- answer has come, or somebody else has sent it again.
CREATE OR REPLACE FUNCTION walferry.saga_step_overdue(
    saga_id uuid, step text, attempts_max integer DEFAULT 3,
    OUT changed boolean, OUT state text, OUT action text, OUT next_step text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    SELECT false, l.state, l.action, l.step_name INTO changed, state, action, next_step
    FROM walferry.saga_lock(saga_id, step) AS l;
    UPDATE walferry.saga_step AS t
    SET attempts = t.attempts + 1, due_at = clock_timestamp() + s.step_timeout
    FROM walferry.saga AS s
    WHERE s.id = t.saga_id AND t.saga_id = saga_step_overdue.saga_id AND t.name = step
      AND t.due_at <= clock_timestamp()
      AND (t.state = 'compensating' OR t.state = 'running' AND t.attempts < attempts_max);
    changed := FOUND;
    IF changed THEN
        RETURN;
    END IF;
    UPDATE walferry.saga_step AS t SET state = 'done', due_at = NULL, error = 'no answer'
    WHERE t.saga_id = saga_step_overdue.saga_id AND t.name = step AND t.state = 'running'
      AND t.due_at <= clock_timestamp() AND t.attempts >= attempts_max;
    IF FOUND THEN
        UPDATE walferry.saga AS s SET state = 'compensating' WHERE s.id = saga_step_overdue.saga_id;
        SELECT a.* INTO changed, state, action, next_step FROM walferry.saga_advance(saga_id) AS a;
    END IF;
END
$$;

-- Deletes at most batch sagas that ended before the moment, with their steps; returns how many.
CREATE OR REPLACE FUNCTION walferry.saga_clean(before timestamptz, batch integer DEFAULT 1000)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    deleted integer;
BEGIN
    DELETE FROM walferry.saga WHERE id = ANY (ARRAY(
        SELECT s.id FROM walferry.saga AS s WHERE s.ended_at < before
        ORDER BY s.ended_at LIMIT batch FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;

COMMENT ON FUNCTION walferry.saga_lock(uuid, text) IS
    'Locks a saga and tells how it stands; called by the others.';
COMMENT ON FUNCTION walferry.saga_advance(uuid) IS
    'Takes up what comes next in a saga; called by the others.';
COMMENT ON FUNCTION walferry.saga_start(uuid, text, text[], jsonb, interval) IS 'Begins a saga.';
COMMENT ON FUNCTION walferry.saga_step_done(uuid, text, jsonb) IS 'A step has succeeded: what next?';
COMMENT ON FUNCTION walferry.saga_step_failed(uuid, text, text) IS
    'A step has failed: what is to be undone?';
COMMENT ON FUNCTION walferry.saga_compensate_next(uuid, text) IS
    'A step was undone: what next? Without a step: calls the saga off.';
COMMENT ON FUNCTION walferry.saga_step_overdue(uuid, text, integer) IS
    'A step of walferry.saga_overdue: once more, or give it up?';
COMMENT ON FUNCTION walferry.saga_clean(timestamptz, integer) IS
    'Deletes a batch of sagas that ended before the moment.';

REVOKE ALL ON FUNCTION
    walferry.saga_lock(uuid, text),
    walferry.saga_advance(uuid),
    walferry.saga_start(uuid, text, text[], jsonb, interval),
    walferry.saga_step_done(uuid, text, jsonb),
    walferry.saga_step_failed(uuid, text, text),
    walferry.saga_compensate_next(uuid, text),
    walferry.saga_step_overdue(uuid, text, integer),
    walferry.saga_clean(timestamptz, integer)
    FROM PUBLIC;

COMMIT;
