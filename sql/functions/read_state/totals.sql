-- Unread counts of a user, and of the roles in a conversation.

create or replace function parley.get_unread_counts()
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
-- one's own rows, each conversation by its key: never a hash of all conversations
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_user_id uuid := parley.require_caller();
    v_floor_id uuid := parley.message_floor_of(v_user_id);
begin
    return (
        -- materialized: each count is computed once
        with u as materialized (
            select
                p.conversation_id,
                p.app_role::text as app_role,
                p.marked_unread,
                p.folder = 'requests' as requested,
                c.last_activity_at,
                parley.unread_count(p, c.last_seq, v_floor_id) as unread,
                parley.mention_count(p, c.last_seq, v_floor_id) as mentioned,
                p.archived_at is not null as archived,
                coalesce(p.muted_until > now(), false) or p.notification_level = 'none' as muted
            from parley.participant as p
            inner join parley.conversation as c on p.conversation_id = c.id
            where p.user_id = v_user_id
                and p.left_at is null
                and (c.last_seq > p.last_read_seq or p.marked_unread)
        )

        select jsonb_build_object(
            -- each conversation counts in one of the four: a request, else archived, else muted, else in the inbox
            'total', coalesce(sum(u.unread) filter (where not u.requested and not u.archived and not u.muted), 0),
            'muted_total', coalesce(sum(u.unread) filter (where not u.requested and not u.archived and u.muted), 0),
            'archived_total', coalesce(sum(u.unread) filter (where not u.requested and u.archived), 0),
            'requests_total', coalesce(sum(u.unread) filter (where u.requested), 0),
            'mentions_total', coalesce(sum(u.mentioned) filter (where not u.requested), 0),
            'unread_conversations', count(*) filter (where not u.requested and not u.archived and not u.muted),
            'unread_requests', count(*) filter (where u.requested),
            'conversations', coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'conversation_id', u.conversation_id,
                        'app_role', u.app_role,
                        'unread_count', u.unread,
                        'mention_count', u.mentioned,
                        'marked_unread', u.marked_unread,
                        'muted', u.muted,
                        'archived', u.archived,
                        'requested', u.requested
                    )
                    order by u.last_activity_at desc, u.conversation_id
                ),
                '[]'
            )
        )
        from u
        where u.unread > 0 or u.marked_unread
    );
end;
$$;
comment on function parley.get_unread_counts is
'Unread messages of the caller: in total, those of muted and archived conversations and of requests apart, unread mentions, and for each conversation that has any.';
grant execute on function parley.get_unread_counts to authenticated;

create or replace function parley.get_role_unread_counts(conversation_id uuid)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_by_host boolean := parley.is_host();
    v_user_id uuid := case when not v_by_host then parley.require_caller() end;
    v_shares constant boolean := parley.shares_receipts(v_user_id);
begin
    if not v_by_host then
        perform parley.require_participant(get_role_unread_counts.conversation_id, v_user_id);
    end if;
    return (
        select coalesce(jsonb_object_agg('unread_count_' || u.app_role, u.unread), '{}')
        from (
            select
                p.app_role::text as app_role,
                -- how much somebody has left to read says how far they have read
                case
                    when v_by_host or bool_and(
                        p.user_id = v_user_id or (v_shares and a.read_receipts and p.shown_read_seq is null)
                    )
                        then sum(parley.unread_count(p, c.last_seq))
                end as unread
            from parley.participant as p
            inner join parley.conversation as c on p.conversation_id = c.id
            inner join parley.account as a on p.user_id = a.id
            where p.conversation_id = get_role_unread_counts.conversation_id
                and p.left_at is null
                and p.app_role is not null
            group by p.app_role
        ) as u
    );
end;
$$;
comment on function parley.get_role_unread_counts is
'Unread messages of the participants by application role: {unread_count_customer, unread_count_artist}. Null for a role with a participant whose read receipts are off.';
grant execute on function parley.get_role_unread_counts to authenticated, service_role;
