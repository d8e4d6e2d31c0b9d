-- What all three services have in common: each message says which order's story it belongs to
-- (correlation_id, handed on as it came) and what it answers (causation_id, the id of the message that
-- is being handled). Apply behind sql/001, 006, 008 and 012.

-- service.py calls this at the begin of each transaction that handles a message.
CREATE FUNCTION hears(message_id text, correlation_id text) RETURNS void LANGUAGE sql AS $$
    SELECT set_config('saga.causation_id', coalesce(message_id, ''), true),
           set_config('saga.correlation_id', coalesce(correlation_id, ''), true)
$$;

-- What nobody asked for (an order that is placed, a command that is sent again) begins with the order.
CREATE FUNCTION say(aggregate_type text, order_id uuid, type text, data jsonb)
RETURNS void LANGUAGE sql AS $$
    SELECT walferry.outbox_emit(aggregate_type, order_id::text, type, data,
        correlation_id => coalesce(nullif(current_setting('saga.correlation_id', true), ''),
                                   'order ' || order_id),
        causation_id => nullif(current_setting('saga.causation_id', true), ''))
$$;
