-- Pages of one conversation's log, for a client that saw a gap or was away for longer than a replay carries.

create or replace function parley.get_events(
    conversation_id uuid, after_seq bigint default 0, page_size integer default 100
)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_participant parley.participant;
    v_user_id constant uuid := parley.require_caller();
    v_floor uuid;
    v_window_from bigint;
    v_last bigint;
    v_ids bigint[];
    v_events jsonb;
    v_has_more boolean;
begin
    -- the next one must be a number, too
    if after_seq is null or after_seq not between 0 and 9223372036854775806 then
        raise exception using errcode = 'PT400', message = 'after_seq must be between 0 and 9223372036854775806.';
    end if;
    if page_size is null or page_size not between 1 and 1000 then
        raise exception using errcode = 'PT400', message = 'page_size must be between 1 and 1000.';
    end if;
    v_participant := parley.require_participant(get_events.conversation_id, v_user_id);
    select c.last_event_seq into v_last from parley.conversation c where c.id = get_events.conversation_id;
    v_floor := parley.message_floor_of(v_user_id);
    v_window_from := parley.first_event_in_window(
        get_events.conversation_id, greatest(after_seq + 1, v_participant.history_from_event_seq), v_last, v_floor
    );
    -- one more than asked for tells whether there are more
    v_ids := parley.events_after(
        get_events.conversation_id, v_window_from - 1, v_participant.history_from_seq, v_user_id, v_floor, page_size + 1
    );
    v_events := parley.events_json(v_ids[:page_size], parley.page_bytes());
    v_has_more := cardinality(v_ids) > jsonb_array_length(v_events);
    return jsonb_build_object(
        'events', v_events,
        'gap', parley.replay_gap(
            get_events.conversation_id, after_seq, parley.first_kept_event_seq(get_events.conversation_id),
            v_participant.history_from_event_seq, v_window_from, v_last
        ),
        'to', case when v_has_more then v_events #> '{-1,payload,event_seq}' else to_jsonb(v_last) end,
        'has_more', v_has_more,
        'last_event_seq', v_last
    );
end
$$;
comment on function parley.get_events is
'Events of a conversation after an event_seq, as {events: [{event, payload}], gap, to, has_more, last_event_seq}: at most page_size, and about a megabyte. to: every number up to here is settled, go on after it. gap names what is lost: purged, before_joining, beyond_tier, or reset, where the log has never reached after_seq: load the conversation afresh. A number that is missing otherwise is not the caller''s to see: about a message that they have hidden, or that is older than what they see.';
grant execute on function parley.get_events to authenticated;
