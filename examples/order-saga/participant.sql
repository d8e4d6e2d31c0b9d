-- What payment and stock have in common: a step is done once and undone once, whatever comes how
-- often and in which order. do_step and undo_step are the service's own. Apply behind say.sql.

CREATE TABLE step (
    order_id uuid NOT NULL,
    name     text NOT NULL,
    state    text NOT NULL CHECK (state IN ('done', 'failed', 'undone')),
    PRIMARY KEY (order_id, name)
);

-- The answer: done, failed or undone. A step that was undone, even before it was done, is not done
-- any more: undone is the answer to that, too.
CREATE FUNCTION perform_step(order_id uuid, action text, name text, data jsonb)
RETURNS text LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    was text := (SELECT s.state FROM step AS s
                 WHERE s.order_id = perform_step.order_id AND s.name = perform_step.name);
    answer text;
BEGIN
    IF action = 'undo' THEN
        answer := 'undone';
        IF was = 'done' THEN
            PERFORM undo_step(perform_step.name, data);
        END IF;
    ELSIF was IS NOT NULL THEN
        answer := was;
    ELSE
        answer := CASE WHEN do_step(perform_step.name, data) THEN 'done' ELSE 'failed' END;
    END IF;
    INSERT INTO step VALUES (perform_step.order_id, perform_step.name, answer)
    ON CONFLICT ON CONSTRAINT step_pkey DO UPDATE SET state = answer;
    RETURN answer;
END
$$;

-- A command of the order service: done, and answered. One that comes behind its undo is not answered.
CREATE FUNCTION answer_command(type text, order_id uuid, data jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    action text := split_part(type, ' ', 1);
    name   text := split_part(type, ' ', 2);
    answer text := perform_step(order_id, action, name, data);
BEGIN
    IF action = 'undo' OR answer <> 'undone' THEN
        PERFORM say('reply', order_id, answer || ' ' || name, data);
    END IF;
END
$$;
