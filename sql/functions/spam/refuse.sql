-- A refused message leaves nothing in the database: its transaction is undone. The evidence goes with the error, in a
-- field that neither the gateway nor the sockets nor PostgREST pass on, and the worker records it; a line in the
-- server's log has it where no worker was asked. It has ids, names of rules and the SimHash, never what the message
-- said.

create or replace function parley.refuse_spam(
    sender_id uuid,
    conversation_id uuid,
    confidence double precision,
    rules text[],
    shadow_rules text[],
    simhash bigint
)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_evidence text := jsonb_build_object(
        'sender_id', sender_id,
        'conversation_id', conversation_id,
        'confidence', confidence,
        'rules', rules,
        'shadow_rules', shadow_rules,
        -- a number of JSON has no 64 bits everywhere
        'simhash', simhash::text
    )::text;
begin
    raise log 'parley: a message was refused as spam: %',
        v_evidence::jsonb || jsonb_build_object(
            'sender_id', parley.log_id(sender_id), 'conversation_id', parley.log_id(conversation_id)
        );
    raise exception using
        errcode = 'PT422',
        message = 'This message was not sent: it looks like spam.',
        hint = 'Send it without its links, or in other words, or not to so many.',
        constraint = v_evidence;
end;
$$;
comment on function parley.refuse_spam is
'Refuses a message with PT422. The evidence is in the constraint field of the error, for record_refusal, and in the server''s log.';

create or replace function parley.record_refusal(evidence text)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_evidence jsonb := evidence::jsonb;
begin
    insert into parley.spam_verdict (sender_id, conversation_id, action, confidence, rules, shadow_rules, simhash)
    values (
        (v_evidence ->> 'sender_id')::uuid,
        (v_evidence ->> 'conversation_id')::uuid,
        'block',
        (v_evidence ->> 'confidence')::double precision,
        array(select jsonb_array_elements_text(v_evidence -> 'rules')),
        array(select jsonb_array_elements_text(v_evidence -> 'shadow_rules')),
        (v_evidence ->> 'simhash')::bigint
    );
end;
$$;
comment on function parley.record_refusal is
'Records a message that was refused as spam, from the evidence that came with the error PT422.';
grant execute on function parley.record_refusal to parley_worker;
